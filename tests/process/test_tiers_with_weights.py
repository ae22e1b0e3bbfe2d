"""One room, three engines: the 14B model, the 1.3B model and the portrait, down and up again, tiny and on a processor.

The weights are random, so what two of the engines draw is noise, of which each picture leaps from the one before: that
pictures follow each other over a change is for tests/process/test_tiers_on_air.py, whose engines draw a counter.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.room import LabStation
from tests.recording import inspect
from tests.station import until
from tests.tinymodel import write_head_dir, write_model_dir

SIZE, SMALL = [160, 160], [128, 128]
TALK, LITE, PORTRAIT = "faulty-talk", "faulty-lite-1-128x128", "portrait"
LIVE_S = 240.0  # torch, nine steps to warm up and to bake; a busy machine takes seconds a step
TALK_ALONE = SMALL[0] * SMALL[1]  # pixels: an order for engines that draw more
pytestmark = pytest.mark.timeout(900)


class Room(LabStation):
    haste_s = 8.0

    def draws(self, name: str) -> bool:
        return self.status().get("tier", {}).get("on_air") == name and self.is_live()

    def wait(self, name: str) -> None:
        until(lambda: self.draws(name), LIVE_S, f"{name} draws; log:\n{self.tail()}")

    def engines(self) -> set[str]:
        """Those of which a process is there."""
        children = self.status().get("children", {})
        return {name for name, child in children.items() if child["kind"] == "engine" and child["pid"]}

    def steps(self) -> list[tuple[str, str]]:
        """From which tier to which."""
        return [(line["child"].removeprefix("engine-"), line["to"].removeprefix("engine-")) for line in self.lowered()]

    def lowered(self) -> list[dict[str, Any]]:
        return self.says("tier.lowered")

    def says(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log() if line["event"] == event]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    weights = {
        "flashtalk": str(write_model_dir(tmp_path / "flashtalk")),
        "flashhead": str(write_head_dir(tmp_path / "flashhead")),
    }
    lite = {"engine": "faulty-lite", "size": SMALL, "memory_gb": 0.5}
    made = Room(
        tmp_path,
        avatar={
            "engine": "faulty-talk",
            "weights": weights,
            "size": SIZE,
            "device": "cpu",
            "steps": 1,
            "memory_gb": 1.0,
            "rtf_max": 1000,  # slower than real time is well enough here
            "tiers": [lite, {"engine": "portrait", "size": SIZE}],
        },
        outputs=[{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}],
    )
    made.start()
    yield made
    made.stop()


@pytest.mark.long
def test_two_models_and_the_portrait_draw_one_room_down_and_up_again(room: Room) -> None:
    room.wait(TALK)
    room.order("engine", oom=True, above_px=TALK_ALONE)
    room.wait(LITE)
    tier = room.status()["tier"]
    assert (tier["wanted"], tier["lowered"], tier["why"]) == (TALK, True, "out of memory")
    room.order("engine")
    both = {f"engine-{TALK}", f"engine-{LITE}"}
    until(lambda: both <= room.engines() and room.draws(LITE), LIVE_S, "the higher one loads beside the one on air")
    room.wait(TALK)
    until(lambda: room.engines() == {f"engine-{TALK}"}, LIVE_S, "what stood in has left")
    room.order("engine", oom=True)
    room.wait(PORTRAIT)
    until(lambda: (LITE, PORTRAIT) in room.steps(), LIVE_S, "the middle one fails as well")
    room.order("engine")
    room.wait(TALK)
    until(lambda: room.engines() == {f"engine-{TALK}"}, LIVE_S, "what stood in has left")
    assert not room.status()["tier"]["lowered"] and room.facts("playout")["skipped"] == 0
    assert not room.says("child.tried"), "no tier was asked to give its place to another"
    assert room.stop() == 0
    assert room.steps()[0] == (TALK, LITE)
    assert {line["why"] for line in room.lowered()} == {"out of memory"}
    chosen = [line["engine"] for line in room.says("engine.chosen") if line["engine"]]
    assert {TALK, LITE, PORTRAIT} == set(chosen) and chosen[0] == chosen[-1] == TALK
    recording = next(iter(room.directory.glob("rec-*.mp4")))
    found = inspect(recording, sound=False)
    assert found.monotone and found.max_video_gap_ms <= 41 and not found.decode_errors
    assert [found.width, found.height] == SIZE
