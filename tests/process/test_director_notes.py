"""A real director that keeps planned times, and one whose notes, journal or whole directory are gone."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.conftest import need
from tests.process.director_floor import HOP, Floor, RedisServer

LATE_S = 3.0  # three times the bar


@pytest.fixture
def floor(short_dir: Path) -> Iterator[Floor]:
    server = RedisServer(need("redis-server"), short_dir)
    script = short_dir / "s.md"
    script.write_text("The script goes on for a while. It has another sentence.\n\nAnd it has more to say.\n")
    made = Floor(short_dir, server.start(), server.url, script_file=str(script))
    yield made
    made.close()
    server.kill()


def started(floor: Floor) -> None:
    floor.beats.clear()
    floor.start()
    floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
    floor.tell()


def pushed(floor: Floor, *names: str) -> list[tuple[str, int]]:
    return [key for key in floor.heard if key[0] in names]


def test_a_planned_time_is_kept_and_nothing_is_cut_for_it(floor: Floor) -> None:
    floor.air_s = HOP / 48_000  # as it is on air
    started(floor)
    due_s = time.time() + 4.0
    floor.say(
        "Now it is time. And that was it.", id="p", lane="scheduled", at=datetime.fromtimestamp(due_s, UTC).isoformat()
    )
    floor.until(lambda: ("p", 1) in floor.heard, timeout_s=20)
    begun_s = next(float(event["ts"]) for event in floor.events("utterance.started") if event["id"] == "p")
    assert abs(begun_s - due_s) <= LATE_S
    assert floor.cuts == [] and floor.events("utterance.interrupted") == []
    floor.until(lambda: floor.pending() == 0)


def test_a_planned_time_outlives_the_director(floor: Floor) -> None:
    floor.air_s = HOP / 48_000
    started(floor)
    due_s = time.time() + 3.0
    floor.say("Now it is time.", id="p", at=datetime.fromtimestamp(due_s, UTC).isoformat())
    floor.run(0.5)
    floor.kill()
    started(floor)
    floor.until(lambda: floor.pending() == 0 and floor.events("utterance.aired"), timeout_s=20)
    assert pushed(floor, "p") == [("p", 0)]


def test_torn_notes_lose_nothing(floor: Floor) -> None:
    started(floor)
    floor.say("First of a. Second of a. Third of a.", id="a")
    floor.say("All of b.", id="b")
    floor.until(lambda: floor.open == ("a", 1))
    floor.kill()
    notes = floor.directory / "state" / "director.json"
    notes.write_bytes(notes.read_bytes()[:100])
    started(floor)
    floor.until(lambda: ("b", 0) in floor.heard and floor.pending() == 0)
    assert pushed(floor, "a", "b") == [("a", 0), ("a", 1), ("a", 2), ("b", 0)]


def test_a_state_directory_removed_on_air_is_made_anew_and_nothing_is_lost(floor: Floor) -> None:
    started(floor)
    floor.say("First of a. Second of a. Third of a.", id="a")
    floor.until(lambda: floor.open == ("a", 1))
    shutil.rmtree(floor.directory / "state", ignore_errors=True)  # the director may write at this moment
    floor.until(lambda: ("a", 2) in floor.heard and floor.pending() == 0)
    floor.say("First of b. Second of b.", id="b")
    floor.until(lambda: floor.open == ("b", 0))
    floor.kill()
    started(floor)
    floor.until(lambda: ("b", 1) in floor.heard and floor.pending() == 0)
    assert pushed(floor, "a", "b") == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("b", 1)]


def test_what_redis_knows_to_be_aired_is_not_said_again_when_all_else_is_gone(floor: Floor) -> None:
    started(floor)
    floor.say("All of a.", id="a")
    floor.until(lambda: floor.events("utterance.aired") and floor.pending() == 0)
    floor.say("First of b. Second of b.", id="b")
    floor.until(lambda: floor.open == ("b", 0))
    floor.kill()
    shutil.rmtree(floor.directory / "state")
    started(floor)
    floor.say("All of a.", id="a")
    floor.until(lambda: ("b", 1) in floor.heard and floor.pending() == 0)
    assert pushed(floor, "a") == [("a", 0)]
    assert [sentence for _, sentence in pushed(floor, "b")][-2:] == [0, 1]


def test_another_journal_with_the_same_numbers_is_not_taken_for_the_one_it_knew(floor: Floor) -> None:
    started(floor)
    floor.say("All of a.", id="a")
    floor.until(lambda: floor.events("utterance.aired") and floor.pending() == 0)
    known = floor.journal.seq
    floor.kill()
    shutil.rmtree(floor.directory / "state" / "journal")
    floor.journal.close()
    floor.journal.seq = 0
    floor.journal.open()
    for _ in range(known + 5):
        floor.new_playout()
    started(floor)
    floor.say("All of b.", id="b")
    floor.until(lambda: ("b", 0) in floor.heard and floor.pending() == 0)
    assert pushed(floor, "a", "b") == [("a", 0), ("b", 0)]
