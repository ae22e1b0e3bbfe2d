"""The supervisor over real processes that beat, hang, stop and die."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
HEALTHY = ("director=beat", "engine=beat", "playout=beat", "pusher-a=beat")


class Room:
    """A running dummy room and what it says of itself."""

    def __init__(self, directory: Path, *children: str, notify: str = "") -> None:
        self.directory = directory
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.dummy_room", str(directory), *children],
            cwd=ROOT,
            env={**os.environ, "NOTIFY_SOCKET": notify},
            stderr=(directory / "log").open("w"),
        )

    def status(self) -> dict[str, Any]:
        try:
            return dict(json.loads((self.directory / "status.json").read_text()))
        except FileNotFoundError:
            return {"children": {}}

    def pids(self) -> dict[str, int | None]:
        return {name: child["pid"] for name, child in self.status()["children"].items()}

    def up(self) -> bool:
        children = self.status()["children"].values()
        return bool(children) and all(child["phase"] == "ready" for child in children)

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(20)


def until(condition: Callable[[], object], timeout_s: float = 15.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "the condition never came true"
        time.sleep(0.02)


@pytest.fixture
def room(tmp_path: Path) -> Iterator[Room]:
    made = Room(tmp_path, *HEALTHY)
    yield made
    made.process.kill()
    made.process.wait()


def test_a_killed_child_comes_back_and_no_other_pid_changes(room: Room) -> None:
    until(room.up)
    for name in ("engine", "playout", "pusher-a", "director"):
        before = room.pids()
        os.kill(before[name] or 0, signal.SIGKILL)
        until(lambda name=name, before=before: room.up() and room.pids().get(name) not in (None, before[name]))
        after = room.pids()
        assert {key: pid for key, pid in after.items() if key != name} == {
            key: pid for key, pid in before.items() if key != name
        }


def test_a_stopped_child_is_killed_without_waiting_for_stacks(room: Room) -> None:
    until(room.up)
    pid = room.pids()["engine"]
    os.kill(pid or 0, signal.SIGSTOP)
    until(lambda: room.up() and room.pids()["engine"] != pid)
    assert '"stopped": true' in room.log()


def test_a_hung_child_shows_its_stacks_and_is_killed(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine=hang")
    try:
        until(lambda: room.up() and room.status()["children"]["engine"]["starts"] == 2)
        assert "child.hung" in room.log() and '"stopped": false' in room.log()
        until(lambda: (tmp_path / "stacks").exists())
    finally:
        assert room.stop() == 0


def test_shutdown_drains_words_first_and_packets_last(room: Room) -> None:
    until(room.up)
    assert room.stop() == 0
    drained = (room.directory / "drained").read_text().split()
    assert drained == ["director", "engine", "playout", "pusher-a"]


def test_a_child_that_will_not_drain_is_killed_in_the_end(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine=stubborn")
    until(room.up)
    began = time.monotonic()
    assert room.stop() == 0
    assert time.monotonic() - began < 10


def test_the_children_end_with_their_supervisor(room: Room) -> None:
    until(room.up)
    pids = [pid for pid in room.pids().values() if pid]
    room.process.kill()
    room.process.wait()
    until(lambda: not any(Path(f"/proc/{pid}/cwd").exists() for pid in pids))


@pytest.fixture
def systemd(short_dir: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(short_dir / "notify"))
        listener.settimeout(10)
        yield listener


def test_systemd_hears_ready_first_and_then_the_watchdog(tmp_path: Path, systemd: socket.socket) -> None:
    room = Room(tmp_path, "director=beat", "playout=beat", notify=systemd.getsockname())
    try:
        heard = [systemd.recv(200).decode() for _ in range(20)]
        assert heard[0].startswith("READY=1")
        assert set(heard[1:]) == {"WATCHDOG=1"}
    finally:
        room.stop()


def test_the_watchdog_falls_silent_when_nothing_is_encoded(tmp_path: Path, systemd: socket.socket) -> None:
    room = Room(tmp_path, "director=beat", "playout=starve", notify=systemd.getsockname())
    try:
        assert systemd.recv(200).decode().startswith("READY=1")
        deadline = time.monotonic() + 10
        systemd.settimeout(1.5)
        with pytest.raises(TimeoutError):
            while time.monotonic() < deadline:
                systemd.recv(200)
    finally:
        room.stop()
