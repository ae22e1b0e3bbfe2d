"""An engine that cannot go on as it is: the next tier draws in its place, without a jump, and it climbs back.

The room draws the pattern at three sizes, so that the receiver can tell whether each tier goes on where the last was.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import dropwhile, pairwise
from pathlib import Path

import pytest

from pipeline.engines.pattern import HOP_FRAMES
from tests.lab.engine_faults import counters
from tests.lab.room import LabStation
from tests.recording import inspect
from tests.station import until

TALK_HOP = 28  # frames of a hop of like-talk
LOST = 3 * HOP_FRAMES  # a segment that was made and not seen, and a cross-fade, in which no counter can be read
TOP, MIDDLE, SMALL = "faulty", "faulty-224x384", "faulty-168x288"


class Room(LabStation):
    haste_s = 4.0

    def draws(self, name: str) -> bool:
        return self.status().get("tier", {}).get("on_air") == name and self.is_live()

    def wait(self, name: str) -> None:
        until(lambda: self.draws(name), 30, f"{name} draws; log:\n{self.tail()}")

    def steps(self) -> list[tuple[str, str, str]]:
        lines = [line for line in self.log() if line["event"] == "tier.lowered"]
        return [
            (line["child"].removeprefix("engine-"), line["to"].removeprefix("engine-"), line["why"]) for line in lines
        ]

    def engines(self) -> list[str]:
        return [name for name, child in self.status().get("children", {}).items() if child["kind"] == "engine"]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    avatar = {"engine": "faulty", "size": [336, 576], "tiers": [{"size": [224, 384]}, {"size": [168, 288]}]}
    made = Room(tmp_path, avatar=avatar, outputs=[{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}])
    made.start()
    yield made
    made.stop()


@pytest.mark.long
def test_a_slow_engine_and_one_without_memory_are_replaced_and_come_back(room: Room) -> None:
    room.wait_live()
    assert room.status()["tier"] == {"on_air": TOP, "wanted": TOP, "lowered": False}
    room.order("engine", slow_factor=1.5, above_px=224 * 384)
    room.wait(MIDDLE)
    tier = room.status()["tier"]
    assert (tier["wanted"], tier["lowered"], tier["why"]) == (TOP, True, "too slow") and tier["again_in_s"] <= 4
    until(lambda: len(room.steps()) == 2, 20, "a trial that fails before it is on air")
    assert room.draws(MIDDLE)
    room.order("engine", oom=True, above_px=168 * 288)
    room.wait(SMALL)
    room.order("engine")
    room.wait(TOP)
    until(lambda: len(room.engines()) == 1, 20, "what stood in has left")
    assert not room.status()["tier"]["lowered"] and room.facts("playout")["skipped"] == 0
    assert room.stop() == 0
    assert room.steps()[:2] == [(TOP, MIDDLE, "too slow")] * 2
    assert (MIDDLE, SMALL, "out of memory") in room.steps()
    waits = [line["again_in_s"] for line in room.log() if line["event"] == "tier.lowered"]
    assert waits[1] == 2 * waits[0], "each trial that fails doubles the wait"
    recording = next(iter(room.directory.glob("rec-*.mp4")))
    seen = counters(recording)
    assert not [(a, b) for a, b in pairwise(seen) if not -LOST <= b - a <= LOST] and len(set(seen)) > 100
    found = inspect(recording, sound=False)
    assert found.monotone and found.max_video_gap_ms <= 41 and not found.decode_errors
    assert (found.width, found.height) == (336, 576), "viewers see one size"


@pytest.mark.long
def test_another_engine_goes_on_from_the_last_pictures_and_the_first_one_from_its_when_it_comes_back(
    tmp_path: Path,
) -> None:
    """Two engines with hops and overlaps of networks, which know of each other what was on air and nothing else."""
    avatar = {"engine": "like-talk", "size": [336, 576], "rtf_max": 0.5}
    tiers = [{"engine": "like-lite", "size": [224, 384]}]
    rec = {"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}
    room = Room(tmp_path, avatar={**avatar, "tiers": tiers}, outputs=[rec])
    room.start()
    try:
        room.wait("like-talk")
        room.order("engine", slow_factor=0.7, above_px=224 * 384)  # in time, and slower than is asked for
        room.wait("like-lite-224x384")
        room.order("engine")
        room.wait("like-talk")
        until(lambda: len(room.engines()) == 1, 20, "what stood in has left")
        assert room.stop() == 0
    finally:
        room.stop()
    chosen = [line["engine"] for line in room.log() if line["event"] == "engine.chosen" and line["engine"]]
    assert chosen[0] == chosen[-1] == "like-talk" and "like-lite-224x384" in chosen
    recorded = counters(next(iter(tmp_path.glob("rec-*.mp4"))))
    seen = list(dropwhile(lambda counter: counter < 2 * TALK_HOP, recorded))  # a director that begins cuts into those
    assert not [(a, b) for a, b in pairwise(seen) if not 0 <= b - a <= LOST] and len(set(seen)) > 100
