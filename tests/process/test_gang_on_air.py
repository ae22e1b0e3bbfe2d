"""An engine on two ranks, on air: a rank is killed or stopped, or two ranks do not work, and viewers see a hold loop.

The ranks are processes with a gang of their own, as those of a network; what they draw is the pattern, so that the
receiver can tell whether it went on where it had been.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import pytest

from pipeline.engines.pattern import HOP_FRAMES, read_counter
from tests import rankedpattern
from tests.process.test_gang import GONE_S, PATIENCE, SEEN_S, is_gone, seconds_until_gone
from tests.recording import inspect
from tests.station import Station, until

ENGINE = "engine-ranked"
BACK_S = 40.0  # torch is imported by both ranks, on a busy machine
LOST = 3 * HOP_FRAMES  # a segment that was made and not saved or not seen, and the fade to the hold loop


class Room(Station):
    program = ("tests.rankedpattern", "room")

    def ranks(self, name: str = ENGINE) -> list[dict[str, Any]]:
        return list(self.child(name).get("ranks", []))

    def rank_pids(self) -> list[int]:
        return [rank["pid"] for rank in self.ranks()]

    def others(self) -> dict[str, int]:
        return {name: pid for name, pid in self.pids().items() if name != ENGINE}

    def is_back(self, old: list[int]) -> bool:
        pids = self.rank_pids()
        return len(pids) == len(old) and not set(pids) & set(old) and self.is_live()

    def says(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr("pipeline.engine.ENGINES", dict(rankedpattern.engine.ENGINES))
    monkeypatch.setattr("pipeline.follower.RANKED", dict(rankedpattern.follower.RANKED))
    monkeypatch.setattr("broadcaster.config.ENGINES", rankedpattern.engine.ENGINES)
    monkeypatch.setattr("broadcaster.config.RANKED", rankedpattern.follower.RANKED)
    rankedpattern.known()
    (tmp_path / "weights").mkdir()
    avatar = {"engine": "ranked", "weights": str(tmp_path / "weights"), "ranks": 2, "device": "cpu", "size": [256, 384]}
    made = Room(tmp_path, avatar=avatar, outputs=[{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}])
    yield made
    made.stop()


def counters(path: Path) -> list[int]:
    """The counters that the receiver saw, in order; pictures of the hold loop have none."""
    with av.open(str(path)) as container:
        frames = (frame.to_ndarray(format="yuv420p") for frame in container.decode(video=0))
        return [counter for frame in frames if (counter := read_counter(frame)) is not None]


def recorded(room: Room) -> Path:
    return next(iter(room.directory.glob("rec-*.mp4")))


@pytest.mark.long
def test_ranks_that_die_or_stop_come_back_together_and_the_pattern_goes_on(room: Room) -> None:
    room.start()
    room.wait_live(BACK_S)
    apart = room.others()
    assert [rank["rank"] for rank in room.ranks()] == [0, 1]
    share = str(max(1, len(os.sched_getaffinity(0)) // 2))
    threads = {path.read_text() for path in (room.directory / "weights").glob("*.threads")}
    assert threads == {os.environ.get("OMP_NUM_THREADS", share)}
    for rank, number, bar_s in ((1, signal.SIGKILL, GONE_S), (0, signal.SIGSTOP, SEEN_S + GONE_S)):
        old = room.rank_pids()
        os.kill(old[rank], number)
        assert seconds_until_gone(old) < PATIENCE * bar_s
        until(lambda old=old: room.is_back(old), BACK_S, f"the gang is back; log:\n{room.tail()}")
    assert apart.items() <= room.others().items() and room.child(ENGINE)["starts"] == 3
    until(lambda: room.others() == apart, BACK_S, "what may have stood in has left")
    made = room.facts(ENGINE)["segments"]
    until(lambda: room.facts(ENGINE)["segments"] > made + 10, 20, "it goes on")
    facts, last = room.facts("playout"), room.rank_pids()
    assert facts["skipped"] == 0 and facts["outputs"]["rec"]["connects"] == 1
    assert room.stop() == 0 and all(is_gone(pid) for pid in last)
    seen = counters(recorded(room))
    jumps = [(a, b) for a, b in pairwise(seen) if not -LOST <= b - a <= LOST]
    assert not jumps and len(set(seen)) > 10 * HOP_FRAMES, jumps
    found = inspect(recorded(room))
    assert found.monotone and found.max_video_gap_ms <= 41 and not found.decode_errors


@pytest.mark.long
def test_fewer_ranks_work_in_a_crash_loop_and_all_of_them_again_when_they_can(room: Room) -> None:
    broken = room.directory / "weights" / "broken"
    room.start()
    room.wait_live(BACK_S)
    apart = room.others()
    broken.write_text("2")
    os.kill(room.rank_pids()[1], signal.SIGKILL)
    until(lambda: room.facts("playout").get("engine") == "portrait", BACK_S, "somebody speaks meanwhile")
    until(lambda: room.facts("playout").get("engine") == "ranked-1", BACK_S, f"one rank works; log:\n{room.tail()}")
    assert room.is_live() and room.child(ENGINE)["braked"]
    broken.unlink()
    until(lambda: room.facts("playout").get("engine") == "ranked" and room.is_live(), 3 * BACK_S, room.tail())
    until(lambda: set(room.pids()) == {*apart, ENGINE}, BACK_S, "what stood in has left")
    assert room.others() == apart and len(room.ranks()) == 2
    assert [line["child"] for line in room.says("child.braked")] == [ENGINE]
    assert room.says("child.tried")[0]["instead_of"] == "engine-ranked-1"
    assert room.facts("playout")["skipped"] == 0
    assert room.stop() == 0
    seen = counters(recorded(room))
    assert all(b >= a - LOST for a, b in pairwise(seen)), "no tier began anew"
