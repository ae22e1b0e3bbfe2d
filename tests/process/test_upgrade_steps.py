"""An upgrade over real processes: step by step, where it stops, and what is refused meanwhile."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster import orders
from pipeline.wire import Answer, Reload, Upgrade
from tests.process.test_supervisor import HEALTHY, Room, until


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, *HEALTHY)
    until(made.up)
    yield made
    made.process.kill()
    made.process.wait()


def upgraded(room: Room, installed: str) -> tuple[list[str], Answer]:
    """What it says meanwhile, and at the end. installed: the children as the new code has them."""
    (room.directory / "next").write_text(installed)
    said: list[str] = []
    return said, orders.give(Path(room.runtime.name), Upgrade(), 30, lambda answer: said.extend(answer.lines))


def test_an_upgrade_replaces_director_engine_and_playout_in_pauses_and_leaves_pushers_alone(room: Room) -> None:
    before = room.pids()
    said, answer = upgraded(room, "director=chatty engine=beat playout=beat pusher-a=beat")
    assert answer.done, answer.lines
    assert [line.partition(":")[0] for line in said] == ["director", "engine", "playout"]
    until(lambda: room.orders_heard()[-1] == "director hush False")
    assert room.orders_heard() == [
        "director replaced",
        "director hush True",
        "engine replaced",
        "playout replaced",
        "director hush False",
    ]
    until(lambda: "hush" not in room.status() and room.up())
    after = room.pids()
    assert {name for name in before if before[name] != after[name]} == {"director", "engine", "playout"}
    assert "child.died" not in room.log() and "upgrade.ended" in room.log()


def test_an_upgrade_whose_director_does_not_start_stops_there_and_says_so(room: Room) -> None:
    before = room.pids()
    said, answer = upgraded(room, "director=crash engine=beat playout=beat pusher-a=beat")
    assert not answer.done and said == []
    assert "stopped at director" in answer.lines[0] and "not touched: engine, playout" in answer.lines[0]
    until(lambda: '"event": "upgrade.stopped"' in room.log())
    assert Path(f"/proc/{before['engine']}").exists() and Path(f"/proc/{before['playout']}").exists()


def test_code_that_cannot_be_loaded_is_refused_before_anything_is_touched(room: Room) -> None:
    before = room.pids()
    said, answer = upgraded(room, "bad: director: the new code does not start")
    assert (said, answer) == ([], Answer(False, ["bad: director: the new code does not start"]))
    assert room.pids() == before


def test_other_orders_are_told_of_an_upgrade_that_is_under_way_and_a_signal_waits_for_its_end(room: Room) -> None:
    (room.directory / "next").write_text("director=load engine=beat playout=beat pusher-a=beat")
    with pytest.raises(orders.Unanswered):
        orders.give(Path(room.runtime.name), Upgrade(), 1.0)
    refused = room.order(Reload())
    assert not refused.done and "an upgrade is under way, at director" in refused.lines[0]
    assert not room.order(Upgrade()).done
    os.kill(room.process.pid, signal.SIGHUP)
    assert room.log().count("config.reloading") == 1
    assert room.stop() == 0, "a room stops in good order in the middle of an upgrade"
