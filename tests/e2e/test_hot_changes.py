"""Hot changes as receivers and an operator see them; `python -m tests.lab chaos hot_changes upgrade` holds the bars."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from broadcaster import orders
from broadcaster.config import load
from pipeline.wire import Answer, Upgrade
from tests.lab.chaos import Lab
from tests.lab.hot_changes import OTHERS_S, SHORT_CHANGES, change_outputs, pushes, upgraded
from tests.lab.ingest import Ingest
from tests.lab.stage import THIRD, Stage
from tests.station import ROOT, Station, until
from tests.terminal import Done, typed

KEY = "sk_live_4711"
ENGINE = "engine-pattern"


class Installed(Station):
    """A room whose code is a copy, which a test may break."""

    def __init__(self, directory: Path, **config: Any) -> None:
        super().__init__(directory, **config)
        self.code = directory / "code"
        for package in ("broadcaster", "pipeline", "streams", "tts", "configs"):
            shutil.copytree(ROOT / package, self.code / package, ignore=shutil.ignore_patterns("__pycache__"))

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.program, str(self.config_path)],
            cwd=self.code,
            env=self.environment() | {"PYTHONPATH": str(self.code)},
            stdin=subprocess.DEVNULL,
            stderr=self.log_path.open("a"),
        )

    def upgrade(self) -> Answer:
        return orders.give(load(self.config_path).runtime_dir, Upgrade(), 60)


@pytest.mark.long
def test_new_code_that_does_not_start_is_kept_off_air_and_the_old_one_mends_it(tmp_path: Path) -> None:
    with Ingest(tmp_path / "got") as ingest:
        outputs = [{"name": "main", "url": ingest.url()}]
        station = Installed(tmp_path, avatar={"engine": "pattern", "size": [192, 320]}, outputs=outputs)
        station.start()
        try:
            station.wait_live()
            before, began_s = station.pids(), time.monotonic()
            module = station.code / "broadcaster" / "director.py"
            good = module.read_text()
            module.write_text(good + "\nimport a_library_that_is_not_there\n")
            answer = station.upgrade()
            assert "director: the new code does not start: ModuleNotFoundError" in answer.lines[0]
            assert station.pids() == before, "nothing was touched"

            module.write_text(good.replace('lifeline.beat("loading")', "raise KeyError"))
            answer = station.upgrade()
            assert not answer.done and "stopped at director" in answer.lines[0]
            assert f"not touched: {ENGINE}, playout" in answer.lines[0]
            module.write_text(good)
            until(lambda: station.pids().get("director") not in (None, before["director"]), 20, "a director again")
            after = station.pids()
            assert {name for name in before if after.get(name) != before[name]} == {"director"}
            assert ingest.longest_gap_s(began_s) < 3 * OTHERS_S and len(ingest.publications) == 1
        finally:
            station.stop()


@pytest.fixture(scope="module")
def stage() -> Iterator[Stage]:
    with Stage(avatar={"engine": "faulty", "size": [192, 320]}) as made:
        made.wait_well()
        yield made


def command(stage: Stage, *arguments: str, given: str = "") -> Done:
    return typed(*arguments, "--config", str(stage.station.config_path), given=given.encode())


def test_outputs_come_go_and_change_and_the_others_notice_nothing(stage: Stage) -> None:
    figures = change_outputs(Lab(short=True), stage, SHORT_CHANGES)
    assert not [figure for figure in figures if not figure.met], figures


def test_a_url_is_refreshed_by_hand_shown_nowhere_and_kept(stage: Stage) -> None:
    director = stage.pids()["director"]
    stage.station.config_path.chmod(0o400)
    done = command(stage, "outputs", "refresh-url", THIRD, given=f"{stage.third.url(KEY)}\n")
    assert (done.returncode, done.stdout) == (0, f"taken up: outputs.{THIRD}.url\n"), done.stderr
    until(lambda: pushes(stage, KEY), 20, "the new URL is live")
    until(lambda: stage.station.status().get("changed_outputs") == {THIRD: "url"}, 10, "the status tells")
    shown = command(stage, "outputs", "list").stdout + command(stage, "status").stdout
    assert "(another URL, on air)" in shown and "another URL than the file's" in shown and KEY not in shown
    assert KEY not in stage.station.log_path.read_text() and stage.pids()["director"] == director
    assert command(stage, "outputs", "restore", THIRD).returncode == 0
    until(lambda: pushes(stage, f"key-{THIRD}"), 20, "the file's again")


def test_an_upgrade_on_air_loses_and_repeats_nothing_and_keeps_every_session(stage: Stage) -> None:
    figures = upgraded(Lab(short=True), stage)
    assert not [figure for figure in figures if not figure.met], figures
