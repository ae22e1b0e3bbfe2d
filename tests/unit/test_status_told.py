"""When the supervisor tells how all are: at once what people wait for, the rest each second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broadcaster.charge import Charge
from broadcaster.children import Plan
from broadcaster.member import Member
from broadcaster.notify import Notifier
from broadcaster.supervisor import NEWS_AFTER_S, STATUS_EVERY_S, Supervisor
from broadcaster.watch import Progress
from pipeline.clock import FakeClock
from pipeline.wire import Beat, Message, Status

LIVE = {"source": "live", "outputs": {"main": {"state": "live", "connects": 1}}}


class Room(Supervisor):
    """A supervisor whose children are played by a test. told: how many statuses the director got."""

    def __init__(self, directory: Path) -> None:
        self.clock, self.told = FakeClock(), 0
        super().__init__([], self.clock, Notifier(""), directory)
        self.children = {kind: Charge(Plan(kind, kind, 0, {}, {})) for kind in ("playout", "pusher")}
        self.members = {kind: Member(0, None, -1, None, Progress(0.0, 0.0)) for kind in self.children}  # type: ignore[arg-type]

    def tell(self, kind: str, message: Message) -> None:
        self.told += isinstance(message, Status) and kind == "director"

    def hears(self, kind: str, phase: str, **facts: Any) -> int:
        """A beat comes; how many statuses were told within the least time between two."""
        before = self.told
        self._hear(self.children[kind], self.members[kind], Beat(phase, False, facts))
        self._tell_status()
        self.clock.advance(NEWS_AFTER_S)
        self._tell_status()
        return self.told - before


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(tmp_path)
    made.hears("playout", "ready", **LIVE)
    return made


def test_a_status_that_was_a_second_late_is_told_with_the_change(room: Room) -> None:
    assert room.hears("playout", "ready", **LIVE) == 0, "nothing is otherwise"
    assert room.hears("pusher", "connecting") == 1
    assert room.hears("pusher", "live") == 1
    assert room.hears("playout", "ready", **(LIVE | {"source": "hold"})) == 1
    assert room.hears("playout", "ready", **(LIVE | {"source": "hold", "encoded": 5})) == 0, "a count is no change"
    assert room.hears("playout", "ready", source="hold", outputs={"main": {"state": "backing-off"}}) == 1


def test_without_a_change_it_is_told_each_second(room: Room) -> None:
    before, turns = room.told, round(3 * STATUS_EVERY_S / NEWS_AFTER_S)
    told = [room.hears("playout", "ready", **LIVE) for _ in range(turns)]
    assert sum(told) == room.told - before and 2 <= sum(told) <= 3


def test_changes_that_come_one_upon_the_other_are_told_together(room: Room) -> None:
    before = room.told
    for number in range(20):
        phase = ("live", "backing-off")[number % 2]
        room._hear(room.children["pusher"], room.members["pusher"], Beat(phase, False, {}))
        room._tell_status()
    assert room.told - before <= 1
    room.clock.advance(NEWS_AFTER_S)
    room._tell_status()
    assert 1 <= room.told - before <= 2
