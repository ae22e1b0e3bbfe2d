"""A real monitor on its lifeline, and one in a room whose picture stands and whose platform shows nothing."""

from __future__ import annotations

import copy
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broadcaster.monitor.monitor import FLUSH_S
from pipeline.lifeline import Lifeline
from pipeline.wire import Act, Beat, Drain, Spec, Status
from tests.alarmdesk import Desk, desk_open
from tests.lab.ingest import Ingest
from tests.lab.room import LabStation
from tests.lab.toxics import Toxics
from tests.station import ROOT, Station, live, until
from tests.unit.test_alarms import HEALTHY

TELL_S = 0.2  # faster than a supervisor, whose statuses come each second


class Monitor:
    """The process, and the supervisor's end of its line."""

    def __init__(self, directory: Path, webhook: str) -> None:
        self.status = copy.deepcopy(HEALTHY)
        self.acts: list[Act] = []
        self.facts: dict[str, Any] = {}
        self._log = directory / "log"
        self._spec = {
            "room": "shop",
            "state_dir": str(directory),
            "webhook": webhook,
            "playback": {},
            "every_s": 20.0,
            "settle_s": 60.0,
            "act": True,
            "disk_gb": 0.0,
            "directories": [str(directory)],
            "kbps": 3128.0,
            "gpus": True,
        }

    def start(self) -> None:
        self._line, theirs = Lifeline.pair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broadcaster.child", "monitor", "monitor"],
            stdin=theirs.fileno(),
            stderr=self._log.open("a"),
            cwd=ROOT,
        )
        theirs.close()
        self._line.send(Spec("monitor", "monitor", self._spec))

    def until(self, condition: Callable[[], object], timeout_s: float = 15.0) -> None:
        """Wait as the supervisor would: telling how all are, and listening."""
        told_s = 0.0

        def met() -> object:
            nonlocal told_s
            if time.monotonic() - told_s >= TELL_S:
                told_s = time.monotonic()
                self._line.send(Status(self.status))
            for message in self._line.poll():
                if isinstance(message, Act):
                    self.acts.append(message)
                elif isinstance(message, Beat):
                    self.facts = message.facts
            return condition()

        until(met, timeout_s)

    def standing(self) -> list[str]:
        return [alarm["name"] for alarm in self.facts.get("alarms", [])]

    def log(self, event: str) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self._log.read_text().splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def end(self) -> int:
        self._line.send(Drain(8.0))
        return self.process.wait(10)


@pytest.fixture
def desk() -> Iterator[Desk]:
    with desk_open() as made:
        yield made


@pytest.fixture
def monitor(tmp_path: Path, desk: Desk) -> Iterator[Monitor]:
    made = Monitor(tmp_path, desk.url)
    made.start()
    yield made
    made.process.kill()
    made.process.wait()


def test_an_alarm_is_told_acted_upon_outlives_the_process_and_is_cleared(monitor: Monitor, desk: Desk) -> None:
    monitor.until(lambda: "alarms" in monitor.facts)
    monitor.status["children"]["probe"]["facts"]["black_s"] = 4.0
    monitor.until(lambda: monitor.acts and monitor.standing() == ["black"] and desk.messages)
    assert monitor.acts == [Act("playout", "black: the picture is black, live being on air")]
    raised = desk.messages[0]
    assert (raised["event"], raised["alarm"], raised["of"], raised["room"]) == ("alarm.raised", "black", "", "shop")
    assert raised["text"] == "shop: black: the picture is black, live being on air"
    monitor.process.send_signal(signal.SIGKILL)
    monitor.process.wait()
    monitor.start()
    monitor.facts = {}
    monitor.until(lambda: monitor.standing() == ["black"])
    monitor.status["children"]["probe"]["facts"]["black_s"] = 0.0
    monitor.until(lambda: "alarms" in monitor.facts and not monitor.standing() and len(desk.messages) == 2)
    cleared = desk.messages[1]
    assert cleared["event"] == "alarm.cleared" and cleared["since_s"] == raised["since_s"] and cleared["lasted_s"] > 2
    assert len(monitor.log("alarm.raised")) == len(monitor.log("alarm.cleared")) == len(monitor.acts) == 1


def test_a_webhook_that_hangs_delays_no_alarm_no_beat_and_no_end(monitor: Monitor, desk: Desk) -> None:
    desk.silent = True
    monitor.status["children"]["pusher-main"]["braked"] = True
    monitor.until(lambda: desk.tries)
    monitor.status["children"]["pusher-main"]["braked"] = False
    monitor.until(lambda: "alarms" in monitor.facts and not monitor.standing() and monitor.log("alarm.cleared"))
    assert monitor.facts["webhook"]["waiting"] == 2
    began_s = time.monotonic()
    assert monitor.end() == 0 and time.monotonic() - began_s < 3 * FLUSH_S
    assert "T0K3N" not in str(monitor.log("webhook.failed"))


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest.mark.timeout(150)
@pytest.mark.long
def test_a_picture_that_stands_and_a_platform_that_shows_nothing_raise_alarms_and_are_mended(
    tmp_path: Path, desk: Desk
) -> None:
    page = free_port()
    with Ingest(tmp_path / "main") as main, Ingest(tmp_path / "other") as other, Toxics(page) as platform:
        outputs = [{"name": "main", "url": main.url()}, {"name": "other", "url": other.url()}]
        playback = f"http://127.0.0.1:{platform.port}/live.flv"
        alarms = {"webhook": desk.url, "playback": {"main": playback}, "every_s": 5, "settle_s": 0}
        room = {"outputs": outputs, "alarms": alarms, "control": {"listen": f"127.0.0.1:{page}"}}
        platform.set(refusing=True)  # its ingest takes all that comes, and nobody sees it
        with live(LabStation(tmp_path, **room)) as station:
            pids = station.pids()
            station.order("engine", still=True, only=[pids["engine-faulty"]])
            until(lambda: desk.named("off_air_far_end"), 60, "the far end is found dark")
            until(lambda: len(main.publications) == 2 and main.is_live(), 20, "that output connects anew")
            platform.set(refusing=False)
            until(lambda: desk.named("frozen"), 40, "the picture is found still")
            until(lambda: len(desk.named("frozen")) == 2, 90, "another engine draws again")
            until(lambda: len(desk.named("off_air_far_end")) == 2, 60, "the far end shows it again")
            changed = {name for name, pid in station.pids().items() if pids.get(name) != pid}
            assert changed == {"engine-faulty", "pusher-main"} and len(other.publications) == 1
            recycled = [line["child"] for line in station.log() if line["event"] == "child.recycled"]
            assert sorted(recycled) == ["engine-faulty", "pusher-main"]
            assert {message["of"] for message in desk.named("off_air_far_end")} == {"main"}
            both = [(f"alarm.{what}", name) for what in ("raised", "cleared") for name in ("frozen", "off_air_far_end")]
            until(lambda: sorted(told(station)) == sorted(both), 10, "Redis was told")
            assert "T0K3N" not in station.log_path.read_text()


def told(station: Station) -> list[tuple[str, str]]:
    """Events of alarms in Redis."""
    return [(event["event"], event["alarm"]) for event in station.events() if event["event"].startswith("alarm.")]
