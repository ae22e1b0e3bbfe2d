"""An engine of several ranks as one child: what happens to one of them happens to all, and to nobody else."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.process.test_supervisor import Room, until

HEALTHY = ("director=beat", "engine-neural=beat*3", "playout=beat", "pusher-a=beat")
ENGINE = "engine-neural"
GONE_S, SEEN_S = 1.0, 4.0  # the bars: dead after it was found wanting, found wanting after it was stopped
PATIENCE = 3.0  # a test machine may be as much slower


class Gang:
    """The ranks of the dummy engine, as status tells."""

    def __init__(self, room: Room) -> None:
        self._room = room

    def ranks(self) -> list[dict[str, Any]]:
        child = self._room.status()["children"].get(ENGINE, {})
        return list(child.get("ranks", []))

    def pids(self) -> list[int]:
        return [rank["pid"] for rank in self.ranks()]

    def is_up(self) -> bool:
        ranks = self.ranks()
        return [rank["rank"] for rank in ranks] == [0, 1, 2] and {rank["phase"] for rank in ranks} == {"ready"}

    def is_new(self, old: list[int]) -> bool:
        return self.is_up() and not set(self.pids()) & set(old)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, *HEALTHY)
    yield made
    made.process.kill()
    made.process.wait()


@pytest.fixture
def gang(room: Room) -> Gang:
    made = Gang(room)
    until(lambda: room.up() and made.is_up())
    return made


def others(room: Room) -> dict[str, int | None]:
    return {name: pid for name, pid in room.pids().items() if name != ENGINE}


def is_gone(pid: int) -> bool:
    """Dead and reaped, or about to be: no memory is held any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def seconds_until_gone(pids: list[int]) -> float:
    began_s = time.monotonic()
    until(lambda: all(is_gone(pid) for pid in pids))
    return time.monotonic() - began_s


def test_the_ranks_are_one_child_with_one_meeting_point(room: Room, gang: Gang) -> None:
    status = room.status()["children"][ENGINE]
    assert status["pid"] == gang.pids()[0] and status["starts"] == 1
    started = [line.split() for line in (room.directory / "started").read_text().splitlines() if ENGINE in line]
    assert sorted(rank for _, rank, _, _ in started) == ["0", "1", "2"]
    assert len({port for *_, port in started}) == 1 and started[0][-1] != "0"


@pytest.mark.parametrize("rank", [0, 2])
def test_a_rank_that_dies_takes_all_with_it_and_all_come_back(room: Room, gang: Gang, rank: int) -> None:
    old, apart = gang.pids(), others(room)
    os.kill(old[rank], signal.SIGKILL)
    assert seconds_until_gone(old) < PATIENCE * GONE_S
    until(lambda: gang.is_new(old))
    assert others(room) == apart and room.status()["children"][ENGINE]["starts"] == 2
    assert '"gang.broken"' in room.log() and f'"rank": {rank}' in room.log()
    for pid in set(old) - {old[rank]}:
        assert "most recent call first" in (room.directory / f"stacks.{pid}").read_text()


def test_a_stopped_rank_is_seen_though_the_others_go_on(room: Room, gang: Gang) -> None:
    old, apart = gang.pids(), others(room)
    os.kill(old[1], signal.SIGSTOP)
    assert seconds_until_gone(old) < PATIENCE * (SEEN_S + GONE_S)
    until(lambda: gang.is_new(old))
    assert others(room) == apart and '"stopped": true' in room.log()
    assert not (room.directory / f"stacks.{old[1]}").read_text(), "a stopped rank cannot answer"
    assert "most recent call first" in (room.directory / f"stacks.{old[0]}").read_text()


def test_a_rank_stopped_while_it_loads_is_seen_long_before_its_deadline(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine-neural=load*2", "playout=beat")
    try:
        until(lambda: len(Gang(room).ranks()) == 2)
        old = Gang(room).pids()
        os.kill(old[1], signal.SIGSTOP)
        assert seconds_until_gone(old) < PATIENCE * (SEEN_S + GONE_S)
    finally:
        assert room.stop() == 0


def test_a_silent_rank_ends_the_gang(tmp_path: Path) -> None:
    room = Room(tmp_path, *(argument.replace("beat*3", "hang-1*3") for argument in HEALTHY))
    try:
        until(lambda: room.up() and room.status()["children"][ENGINE]["starts"] == 2)
        assert '"child.hung"' in room.log() and '"rank": 1' in room.log() and '"stopped": false' in room.log()
    finally:
        assert room.stop() == 0


def test_all_ranks_end_with_their_supervisor(room: Room, gang: Gang) -> None:
    old = gang.pids()
    room.process.kill()
    room.process.wait()
    assert seconds_until_gone(old) < PATIENCE * GONE_S


def test_no_rank_outlives_the_shutdown(room: Room, gang: Gang) -> None:
    old = gang.pids()
    assert room.stop() == 0
    assert all(is_gone(pid) for pid in old)
    assert "gang.broken" not in room.log() and "child.died" not in room.log()


@pytest.mark.long
def test_a_gang_in_a_crash_loop_is_one_child_in_a_crash_loop(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine-neural=crash-1*2:engine-portrait", "playout=beat")
    try:
        until(lambda: room.pids().get("engine-portrait"), 40)
        assert room.log().count('"child.braked"') == 1 and room.status()["children"][ENGINE]["braked"]
        assert room.log().count('"child.died"') == room.status()["children"][ENGINE]["starts"]
    finally:
        assert room.stop() == 0
