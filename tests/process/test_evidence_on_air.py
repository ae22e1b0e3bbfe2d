"""A director that is killed while it speaks leaves evidence of every sentence, once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from broadcaster.saidlog import Said, read
from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer

Open = Callable[..., Floor]


@pytest.fixture
def open_floor(short_dir: Path) -> Iterator[Open]:
    server = RedisServer(need("redis-server"), short_dir)
    queue: redis.Redis = server.start()
    made: list[Floor] = []

    def make(**spec: Any) -> Floor:
        made.append(Floor(short_dir, queue, server.url, label_text="AI-generated", **spec))
        return made[-1]

    yield make
    for floor in made:
        floor.close()
    queue.close()
    server.kill()


def said(floor: Floor) -> list[Said]:
    return list(read(floor.directory / "state" / "said"))


def begun(floor: Floor) -> None:
    floor.beats.clear()
    floor.start()
    floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
    floor.tell()


def test_every_sentence_heard_is_in_the_evidence_once_over_a_director_killed_twice(open_floor: Open) -> None:
    floor = open_floor()
    begun(floor)
    texts = [f"Sentence number {number} of the talk." for number in range(8)]
    floor.say(" ".join(texts), id="talk")
    for heard in (2, 5):
        floor.until(lambda heard=heard: len(floor.heard) >= heard)  # type: ignore[misc]
        floor.kill()
        floor.run(0.3)  # what it gave away goes on air without it
        begun(floor)
    floor.until(lambda: floor.events("utterance.aired"))
    floor.until(lambda: len(said(floor)) >= len(floor.heard))
    assert [(one.text, one.whole) for one in said(floor)] == [(text, True) for text in floor.texts]
    assert set(texts) <= {one.text for one in said(floor)}
    assert {(one.source, one.lane, one.voice, one.label, one.of) for one in said(floor)} == {
        ("queue talk", "command", "en", "AI-generated", 8)
    }
    assert all(one.begin_s <= one.end_s for one in said(floor))


def test_a_sentence_that_is_cut_is_in_the_evidence_as_cut_and_as_said_again(open_floor: Open) -> None:
    floor = open_floor()
    begun(floor)
    floor.say("This long sentence is going to be cut by another one that cannot wait.", id="long")
    floor.until(lambda: floor.open == ("long", 0))
    floor.say("Now!", id="now", lane="live", mode="now")
    floor.until(lambda: ("long", 0) in floor.heard)
    floor.until(lambda: len(said(floor)) >= 3)
    assert [(one.utterance, one.ended) for one in said(floor)] == [("long", "cut"), ("now", ""), ("long", "")]
