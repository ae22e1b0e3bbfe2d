"""The supervisor over real processes that beat, hang, stop and die."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from broadcaster import orders
from pipeline.errors import ConfigError
from pipeline.wire import Answer, Panic, Reload
from tests.process.nursery import started

HEALTHY = ("director=beat", "engine=beat", "playout=beat", "pusher-a=beat")


class Room:
    """A running dummy room and what it says of itself."""

    def __init__(
        self,
        directory: Path,
        *children: str,
        notify: str = "",
        runtime: tempfile.TemporaryDirectory[str] | None = None,
    ) -> None:
        self.directory = directory
        self.runtime = runtime or tempfile.TemporaryDirectory(prefix="b")  # short enough for a socket
        environment = {**os.environ, "NOTIFY_SOCKET": notify, "RUNTIME_DIRECTORY": self.runtime.name}
        with Path(os.devnull).open() as nothing, (directory / "log").open("w") as log:
            self.process = started(
                "tests.process.dummy_room", nothing.fileno(), log.fileno(), environment, str(directory), *children
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

    def order(self, order: orders.Order) -> Answer:
        return orders.give(Path(self.runtime.name), order, 10)

    def orders_heard(self) -> list[str]:
        """What children were told by the operator, in order."""
        path = self.directory / "orders"
        return [line.strip() for line in path.read_text().splitlines()] if path.exists() else []

    def log(self) -> str:
        return (self.directory / "log").read_text()

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(20)
        self.runtime.cleanup()
        return code


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


def test_a_machine_that_stood_still_costs_no_child_though_the_supervisor_wakes_first(room: Room) -> None:
    until(room.up)
    before = room.pids()
    everybody = [room.process.pid, *[pid for pid in before.values() if pid]]
    for pid in everybody:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(2.0)  # twice the deadline of their beats
    for pid in everybody:
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)
    until(lambda: "supervisor.away" in room.log())
    heard = room.status()["on_air_s"]
    until(lambda: room.up() and room.status()["on_air_s"] > heard + 1.5)
    assert room.pids() == before


def test_the_monitor_has_a_child_started_anew_once_a_minute_and_nobody_else_has(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=act", "monitor=act", "engine=beat", "playout=beat")

    def ask(who: str, child: str) -> None:
        (tmp_path / "asked").write_text(child)
        (tmp_path / "asked").rename(tmp_path / f"act.{who}")
        until(lambda: not (tmp_path / f"act.{who}").exists())

    try:
        until(room.up)
        before = room.pids()
        ask("director", "playout")  # none of its business
        ask("monitor", "engine")
        until(lambda: room.up() and room.pids()["engine"] != before["engine"])
        for child in ("engine", "nobody"):
            ask("monitor", child)
        until(lambda: room.log().count('"act.ignored"') == 2)
        assert {name for name, pid in room.pids().items() if pid != before[name]} == {"engine"}
        assert room.log().count('"child.recycled"') == 1
        assert "most recent call first" in (tmp_path / f"stacks.{before['engine']}").read_text()
    finally:
        room.stop()


def test_a_hung_child_shows_its_stacks_and_is_killed(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine=hang")
    try:
        until(lambda: room.up() and room.status()["children"]["engine"]["starts"] == 2)
        assert "child.hung" in room.log() and '"stopped": false' in room.log()
        assert [path for path in tmp_path.glob("stacks.*") if "most recent call first" in path.read_text()]
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
        heard = [systemd.recv(200).decode() for _ in range(8)]
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


# ── the operator's orders ────────────────────────────────────────────────────────────────────────


def test_panic_reaches_playout_at_once_and_its_answer_says_what_is_on_air(room: Room) -> None:
    until(room.up)
    answer = room.order(Panic(on=True, text="Back soon"))
    assert answer == Answer(True, ["panic is on; on air: the slate and silence"])
    assert room.orders_heard() == ["playout panic True Back soon"]
    until(lambda: room.status()["panic"])
    assert room.order(Panic(on=False)).lines == ["panic is off; on air: the avatar"]
    until(lambda: not room.status()["panic"])


def test_panic_works_when_the_director_is_dead(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=crash", "playout=beat")
    try:
        until(lambda: "air.ready" in room.log())
        assert room.order(Panic(on=True)).done and room.orders_heard() == ["playout panic True"]
    finally:
        room.stop()


def test_a_playout_that_starts_anew_begins_in_panic(room: Room) -> None:
    until(room.up)
    room.order(Panic(on=True, text="A moment"))
    os.kill(room.pids()["playout"] or 0, signal.SIGKILL)
    until(lambda: room.orders_heard() == ["playout panic True A moment"] * 2)


def test_panic_outlives_a_killed_supervisor_and_ends_with_a_clean_stop(tmp_path: Path) -> None:
    first = Room(tmp_path, *HEALTHY)
    until(first.up)
    first.order(Panic(on=True))
    first.process.kill()
    first.process.wait()
    (tmp_path / "status.json").unlink()
    second = Room(tmp_path, *HEALTHY, runtime=first.runtime)
    until(lambda: second.up() and second.status()["panic"])
    assert second.orders_heard() == ["playout panic True"] * 2
    runtime = Path(second.runtime.name)
    second.process.terminate()
    assert second.process.wait(20) == 0
    assert list(runtime.iterdir()) == []
    second.runtime.cleanup()


def test_an_order_to_a_room_that_is_not_there_is_refused(short_dir: Path) -> None:
    with pytest.raises(ConfigError, match="not on air"):
        orders.give(short_dir, Panic(on=True), 1)


# ── the configuration read again ─────────────────────────────────────────────────────────────────


def test_a_reload_touches_what_changed_and_nothing_else(room: Room) -> None:
    until(room.up)
    before = room.pids()
    (room.directory / "next").write_text("director=chatty engine=beat playout=beat pusher-a=beat pusher-b=beat")
    room.process.send_signal(signal.SIGHUP)
    until(lambda: "pusher-b" in room.pids() and room.up() and room.pids()["director"] != before["director"])
    after = room.pids()
    assert {name: after[name] for name in ("engine", "playout", "pusher-a")} == {
        name: before[name] for name in ("engine", "playout", "pusher-a")
    }
    assert room.orders_heard() == ["playout retarget a,b any"]
    assert "child.died" not in room.log()


def test_an_output_that_left_the_configuration_is_drained_and_forgotten(room: Room) -> None:
    until(room.up)
    (room.directory / "next").write_text("director=beat engine=beat playout=beat")
    assert room.order(Reload()).lines == ["taken up: outputs"]
    until(lambda: "pusher-a" not in room.pids())
    assert (room.directory / "drained").read_text().split() == ["pusher-a"]


def test_a_bad_configuration_changes_nothing_and_says_why(room: Room) -> None:
    until(room.up)
    before = room.pids()
    (room.directory / "next").write_text("bad: no such file")
    assert room.order(Reload()) == Answer(False, ["bad: no such file"])
    assert "config.refused" in room.log() and room.pids() == before and room.orders_heard() == []


def test_systemd_hears_that_the_configuration_is_read_and_that_it_was(tmp_path: Path, systemd: socket.socket) -> None:
    room = Room(tmp_path, "director=beat", "playout=beat", notify=systemd.getsockname())
    heard: list[str] = []

    def heard_last(text: str) -> bool:
        heard.append(systemd.recv(200).decode())
        return heard[-1].startswith(text)

    try:
        until(lambda: heard_last("READY=1"))
        (tmp_path / "next").write_text("director=beat playout=beat")
        room.process.send_signal(signal.SIGHUP)
        until(lambda: heard_last("RELOADING=1\nMONOTONIC_USEC="))
        until(lambda: heard_last("READY=1"))
    finally:
        room.stop()


# ── the lease, and crash loops ───────────────────────────────────────────────────────────────────


def test_gated_outputs_wait_for_the_lease_and_leave_when_it_is_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "lease").write_text("elsewhere")
    room = Room(tmp_path, "director=beat", "playout=beat", "pusher-net=beat:gated", "pusher-file=beat")
    try:
        until(lambda: room.pids().get("pusher-file") and "gate.switched" in room.log())
        assert room.pids()["pusher-net"] is None
        for lease, pushes in (("ours", True), ("elsewhere", False)):
            file_pid = room.pids()["pusher-file"]
            (tmp_path / "lease").write_text(lease)
            until(lambda pushes=pushes: bool(room.pids()["pusher-net"]) == pushes)
            assert room.pids()["pusher-file"] == file_pid
        assert "child.died" not in room.log()
    finally:
        room.stop()


def test_an_engine_in_a_crash_loop_gets_an_understudy_and_is_told_of_once(tmp_path: Path) -> None:
    room = Room(tmp_path, "director=beat", "engine-neural=crash:engine-portrait", "playout=beat")
    try:
        until(lambda: room.pids().get("engine-portrait"), 25)
        assert room.log().count('"child.braked"') == 1 and room.status()["children"]["engine-neural"]["braked"]
    finally:
        assert room.stop() == 0
