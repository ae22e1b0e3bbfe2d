"""A real director reads a script that is edited while it is on air, and while it is dead."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import redis

from pipeline.media import AIR_HZ
from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer


class Desk:
    """A floor whose script is written as a person would."""

    def __init__(self, floor: Floor, path: Path) -> None:
        self.floor, self.path = floor, path

    def write(self, *lines: str) -> None:
        part = self.path.with_suffix(".new")
        part.write_text("# A\n\n" + "\n\n".join(lines) + "\n")
        part.replace(self.path)

    def start(self) -> None:
        floor = self.floor
        floor.beats.clear()
        floor.start()
        floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
        floor.tell()


@pytest.fixture
def desk(short_dir: Path) -> Iterator[Desk]:
    server = RedisServer(need("redis-server"), short_dir)
    queue: redis.Redis = server.start()
    path = short_dir / "s.md"
    made = Desk(Floor(short_dir, queue, server.url, script_file=str(path)), path)
    yield made
    made.floor.close()
    queue.close()
    server.kill()


def numbered(word: str, *but: int) -> list[str]:
    return [f"Line {number} is {word}." for number in range(200) if number not in but]


def test_an_edit_is_heard_without_losing_the_place_and_a_broken_one_is_not(desk: Desk) -> None:
    floor = desk.floor
    desk.write(*numbered("old"))
    desk.start()
    floor.until(lambda: len(floor.heard) >= 3)
    desk.write(*numbered("broken"), "an {open brace")
    floor.until(lambda: floor.events("script.refused"), what="word of the mistake")
    assert ":403:" in floor.events("script.refused")[0]["text"]
    desk.write(*numbered("new"))
    floor.until(lambda: any("new" in text for text in floor.texts), what="the new words")
    assert [event["text"] for event in floor.events("script.changed")] == [str(desk.path)]
    floor.kill()
    desk.write(*numbered("newest"))
    floor.playing = True
    desk.start()
    floor.until(lambda: any("newest" in text for text in floor.texts), what="the newest words")
    numbers = [int(text.split()[1]) for text in floor.texts]
    assert numbers == list(range(len(numbers))), "no line lost, none said twice"
    words = [text.split()[-1] for text in floor.texts]
    assert list(dict.fromkeys(words)) == ["old.", "new.", "newest."]
    assert len(set(floor.heard)) == len(floor.heard)
    assert len(floor.events("script.refused")) == 1


def test_a_planned_pause_is_heard(desk: Desk) -> None:
    floor = desk.floor
    desk.path.write_text("# A {pause_s=3}\n\nOne.\n\n{pause_s=0} Two.\n\nThree.\n\nFour.\n")
    desk.start()
    floor.until(lambda: len(floor.heard) >= 4, timeout_s=30)
    sound = np.concatenate(floor.air)
    loud = np.flatnonzero(np.abs(sound.astype(np.int32)) > 200)
    gaps_s = [gap / AIR_HZ for gap in np.diff(loud).tolist() if gap > AIR_HZ // 5]
    assert [round(gap_s) for gap_s in gaps_s[:2]] == [3, 3], "and none after the line that asks for none"
