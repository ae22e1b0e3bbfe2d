"""A real house: two rooms on air whose pictures one engine draws; whatever of it dies, the rest goes on."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.station import ROOT, Station, until

pytestmark = pytest.mark.long


class House:
    """`broadcaster run HOUSE.yaml`; its rooms are looked at as any other."""

    def __init__(self, directory: Path) -> None:
        self.rooms = {}
        for name in ("shop", "news"):
            (directory / name).mkdir()
            self.rooms[name] = Station(
                directory / name,
                room=name,
                avatar={"engine": "shared", "size": [224, 384]},
                outputs=[{"name": "rec", "url": f"file:{directory / name}/rec.mp4"}],
            )
        self.path = directory / "house.yaml"
        files = [str(station.config_path) for station in self.rooms.values()]
        tree = {"rooms": files, "state_dir": str(directory / "var"), "engine": {"engine": "pattern"}}
        self.path.write_text(yaml.safe_dump(tree))
        self.log_path = directory / "log"
        for station in self.rooms.values():
            station.log_path = self.log_path
        environment = {key: value for key, value in os.environ.items() if key != "RUNTIME_DIRECTORY"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broadcaster.cli", "run", str(self.path)],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stderr=self.log_path.open("a"),
        )

    def lines(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.rooms["shop"].log() if line["event"] == event]

    def pid(self, child: str) -> int:
        """Of the newest process of that child of the house."""
        return int([line["pid"] for line in self.lines("child.started") if line["child"] == child][-1])

    def drawn_by(self, engine: str) -> bool:
        """Whether both rooms show this engine's pictures."""
        return all(
            station.is_live() and station.status().get("tier", {}).get("on_air") == engine
            for station in self.rooms.values()
        )

    def wait(self, engine: str) -> None:
        until(lambda: self.drawn_by(engine), 60, f"{engine} draws; log:\n{self.rooms['shop'].tail()}")

    def stop(self) -> int:
        for station in self.rooms.values():
            station.stop()
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(40)
        finally:
            self.process.kill()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.stop()


def test_two_rooms_share_an_engine_and_outlive_it_and_each_other(house: House) -> None:
    house.wait("shared")
    engine, news = house.pid("engine-shared"), house.rooms["news"].pids()
    shop = house.rooms["shop"].pids()

    os.kill(house.pid("room-shop"), signal.SIGKILL)
    until(lambda: house.rooms["shop"].pids().get("playout") not in (None, shop["playout"]), 40, "shop is back")
    house.wait("shared")
    assert house.pid("engine-shared") == engine and house.rooms["news"].pids() == news
    left = [line for line in house.lines("programme.hold") if line["room"] == "news"]
    assert len(left) <= 1, "before its engine was there, and never again"

    killed = 0

    def is_missed() -> bool:
        nonlocal killed
        if (pid := house.pid("engine-shared")) != killed:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            killed = pid
        return {line["room"] for line in house.lines("tier.lowered")} == set(house.rooms)

    until(is_missed, 40, "both rooms go down their ladders")
    house.wait("shared")
    assert house.pid("engine-shared") != engine and house.rooms["news"].pids()["playout"] == news["playout"]
    said = house.rooms["news"].client.say("Still here.")
    until(lambda: said in house.rooms["news"].aired(), 30)

    assert house.stop() == 0
    assert len(house.lines("supervisor.stopped")) == 3, "two rooms and the house, in good order"
