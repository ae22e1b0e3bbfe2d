"""Turns as a real director says them, over its death and over silence."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.turn import TURN_WAIT_S
from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer

SAY = "broadcaster:t:say"
PIECE = {"lane": "reply", "mode": "insert", "turn": "T"}


@pytest.fixture
def floor(short_dir: Path) -> Iterator[Floor]:
    """A script is on air, and the first piece of a turn was heard."""
    script = short_dir / "s.md"
    script.write_text("# A\n\nThe first line of the script. The second line of the script. The third line of it.\n")
    server = RedisServer(need("redis-server"), short_dir)
    queue = server.start()
    made = Floor(short_dir, queue, server.url, script_file=str(script))
    try:
        made.start()
        made.until(lambda: any(beat.phase == "ready" for beat in made.beats), what="ready")
        made.tell()
        made.until(lambda: made.heard)
        made.say("Here is the answer.", id="a", more="1", question="Anna: how?", **PIECE)
        made.until(lambda: ("a", 0) in made.heard)
        yield made
    finally:
        made.close()
        queue.close()
        server.kill()


def following(floor: Floor, name: str) -> str:
    """What was heard after it."""
    at = floor.heard.index((name, 0)) + 1
    floor.until(lambda: len(floor.heard) > at)
    return floor.heard[at][0]


def test_the_rest_of_an_answer_follows_though_its_director_was_killed_meanwhile(floor: Floor) -> None:
    floor.run(0.3)
    floor.kill()
    floor.beats.clear()
    floor.start()
    floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
    floor.say("And this is its rest.", id="b", **PIECE)
    floor.until(lambda: ("b", 0) in floor.heard)
    assert following(floor, "a") == "b" and following(floor, "b").startswith("script:")
    assert [mark.text for mark in floor.marks if mark.kind == "question"] == ["Anna: how?"]


def test_a_word_that_nothing_follows_ends_it_at_once_and_is_acknowledged(floor: Floor) -> None:
    floor.redis.xadd(SAY, {"turn": "T", "id": "end", "lane": "reply"})
    began_s = time.monotonic()
    assert following(floor, "a").startswith("script:")
    assert time.monotonic() - began_s < TURN_WAIT_S
    floor.until(lambda: floor.events("turn.ended") and floor.pending() == 0)
    assert floor.events("turn.ended")[0]["turn"] == "T"


def test_an_answer_whose_writer_is_silent_ends_by_itself_and_its_rest_is_said_when_it_comes(floor: Floor) -> None:
    assert following(floor, "a").startswith("script:")
    floor.say("Late, but here.", id="b", **PIECE)
    floor.until(lambda: ("b", 0) in floor.heard)
    floor.until(lambda: floor.pending() == 0)
