"""Three persons take turns while a room speaks: by marks of its script, by an order, over an engine's death."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.people import LIGHT, write_people
from tests.recording import inspect
from tests.station import Station, until
from tests.terminal import typed
from tests.tinymodel import write_head_dir

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]

SCRIPT = """# Evening

[person host] Good evening, I am your host. [person anna] Hello, I am Anna, and now I speak to you.

Let me show you this mug. [person bert] And I am Bert, who has one as well.
"""
SIZES = {"portrait": (224, 384), "flashhead-lite": (128, 128)}
STEP_MAX = 12.0  # of mean luma, from frame to frame: one of a fade between host and anna is 7, a cut between them 40
APART_MIN = 25.0  # of mean luma: the brightest person on air and the darkest


@pytest.fixture(params=SIZES)
def station(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Station]:
    engine = str(request.param)
    write_people(tmp_path / "people")
    (tmp_path / "script.md").write_text(SCRIPT)
    avatar: dict[str, Any] = {"engine": engine, "size": list(SIZES[engine]), "persons": str(tmp_path / "people")}
    avatar["image"] = str(tmp_path / "people" / "host.png")
    if engine != "portrait":
        weights = write_head_dir(tmp_path / "weights")
        avatar |= {"weights": str(weights), "device": "cpu", "steps": 1, "rtf_max": 1000}
    made = Station(
        tmp_path,
        avatar=avatar,
        script={"file": str(tmp_path / "script.md")},
        outputs=[{"name": "rec", "url": f"file:{tmp_path}/rec.mp4"}],
    )
    made.start()
    yield made
    made.stop()


def changes(station: Station) -> list[str]:
    return [event["person"] for event in station.events() if event["event"] == "person.changed"]


def on_air(station: Station) -> str:
    return str(station.status().get("director", {}).get("person", ""))


def command(station: Station, *words: str) -> str:
    done = typed(*words, "--config", str(station.config_path))
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_three_persons_take_turns_and_no_jump_is_seen(station: Station) -> None:
    station.wait_live(240)
    until(lambda: changes(station)[:3] == ["anna", "bert", "host"], 240, "the script calls all three, and again")
    command(station, "pause")
    until(lambda: not station.status()["director"]["out"], 60, "nobody speaks")
    who = next(name for name in LIGHT if name != on_air(station))
    command(station, "person", who)
    until(lambda: on_air(station) == who, 20, "an order in silence is obeyed")
    assert f"{who}  (in the picture)" in command(station, "person")
    told = changes(station)
    engine = next(name for name in station.pids() if name.startswith("engine"))
    station.kill(engine)
    until(lambda: station.child(engine).get("starts") == 2, 30, "the engine is started again")
    station.wait_live(240)
    until(lambda: station.facts(engine).get("segments", 0) >= 2, 60, "it draws")
    assert changes(station) == told and on_air(station) == who
    station.stop()
    seen = inspect(next(station.directory.glob("rec-*.mp4")), sound=False).luma[25:-25]  # between slate and slate
    assert seen.max() - seen.min() > APART_MIN
    assert np.abs(np.diff(seen)).max() < STEP_MAX
