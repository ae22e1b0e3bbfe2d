"""What the machine says: memory that grows, disks that fill, graphics cards that are hot or broken."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from broadcaster.monitor import gpuwatch
from broadcaster.monitor.gpuwatch import Gpus, KernelLog
from broadcaster.monitor.growth import WARM_UP_S, WINDOW_MIN_S, Growth
from broadcaster.monitor.watches import Disks, Memory, private_mb
from tests.station import until

HOUR_S = 3600.0
FIRST_S = WARM_UP_S + WINDOW_MIN_S


def grown_at(growth: Growth, hours: float, level: object) -> float | None:
    """When a leak was found in samples of each minute, seconds; None when none was."""
    for minute in range(int(hours * 60)):
        now_s = minute * 60.0
        growth.add(now_s, level(now_s / HOUR_S))  # type: ignore[operator]
        if minute % 10 == 0 and growth.grown():
            return now_s
    return None


def noisy(hours: float) -> float:
    return 4 * math.sin(hours * 54_321.0)


def test_what_breathes_fills_once_or_gives_back_is_no_leak() -> None:
    levels = {
        "flat": lambda hours: 100 + noisy(hours),
        "breathes": lambda hours: 100 + 60 * math.sin(hours * 2) + noisy(hours),
        "a voice is loaded": lambda hours: 100 if hours < 4 else 400 + noisy(hours),
        "a cache fills": lambda hours: 100 + 300 * (1 - math.exp(-hours * 6)) + noisy(hours),
        "our own bar": lambda hours: 100 + 1.0 * hours + noisy(hours),
        "shrinks": lambda hours: 500 - 5 * hours,
    }
    assert {name: grown_at(Growth(32, 0.25), 40, level) for name, level in levels.items()} == dict.fromkeys(levels)


@pytest.mark.parametrize(("mb_h", "within_h"), [(100, 1.8), (20, 2.2), (8, 5), (3, 13.5)])
def test_a_leak_is_found_the_sooner_the_faster_it_is(mb_h: float, within_h: float) -> None:
    found_s = grown_at(Growth(32, 0.25), 24, lambda hours: 100 + mb_h * hours + noisy(hours))
    assert found_s is not None and FIRST_S <= found_s <= within_h * HOUR_S


def test_a_large_process_may_breathe_more() -> None:
    assert grown_at(Growth(32, 0.25), 24, lambda hours: 20_000 + 100 * hours) is None
    assert grown_at(Growth(32, 0.25), 24, lambda hours: 20_000 + 400 * hours) is not None


def test_memory_of_a_real_process_is_what_it_holds_alone() -> None:
    code = "import sys; held = bytearray(b'x' * (100 << 20)); print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdout.readline() == b"held\n"
        found = private_mb(Path("/proc"), process.pid)
        process.communicate(b"")
    assert found is not None and 100 < found < 160
    assert private_mb(Path("/proc"), process.pid) is None


class Proc:
    """A /proc of our own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def has(self, pid: int, mb: float) -> None:
        (self.directory / str(pid)).mkdir(exist_ok=True)
        pages = int(mb * 1e6 / os.sysconf("SC_PAGE_SIZE"))
        (self.directory / str(pid) / "statm").write_text(f"{pages * 9} {pages + 500} 500 1 0 1 0\n")


def test_ranks_count_together_and_a_new_process_begins_anew(tmp_path: Path) -> None:
    proc, memory = Proc(tmp_path), Memory(tmp_path)
    status = {"children": {"engine-x": {"kind": "engine", "pid": 10, "ranks": [{"pid": 10}, {"pid": 11}]}}}
    texts = []
    for minute in range(240):
        proc.has(10, 100)
        proc.has(11, 100 + minute)
        memory.turn(minute * 60.0, status)
        texts.append(memory.findings()["memory_growing", "engine-x"])
    assert texts[60] == "" and "engine-x grew by" in str(texts[-1])
    status["children"]["engine-x"]["ranks"] = [{"pid": 20}, {"pid": 21}]
    proc.has(20, 100)
    proc.has(21, 100)
    memory.turn(240 * 60.0, status)
    assert memory.findings() == {("memory_growing", "engine-x"): ""}


def test_a_disk_is_low_by_bytes_and_one_that_is_not_there_counts_by_the_one_above(tmp_path: Path) -> None:
    missing = str(tmp_path / "a" / "b")
    for least_gb, word in ((0.0, ""), (1e9, "GB are free")):
        disks = Disks([str(tmp_path), missing], least_gb)
        disks.turn(1.0)
        found = disks.findings()
        assert set(found) == {("disk_low", str(tmp_path)), ("disk_low", missing)}
        assert all((word in text) if word else text == "" for text in map(str, found.values()))


# ── graphics cards ───────────────────────────────────────────────────────────────────────────────


class Tool:
    """An nvidia-smi that says what it is told."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory = directory
        program = directory / "nvidia-smi"
        program.write_text(f'#!/bin/sh\necho "$@" >> {directory}/asked\n. {directory}/behaviour\n')
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}:{os.environ['PATH']}")
        monkeypatch.setattr(gpuwatch, "KERNEL_LOG", str(directory / "kmsg"))
        self.now_s = 0.0

    def says(self, *lines: str, only: str = "clocks_event_reasons") -> None:
        said = "\\n".join(lines)
        (self.directory / "behaviour").write_text(f'case "$*" in *{only}*) printf "{said}\\n";; *) exit 2;; esac\n')

    def does(self, script: str) -> None:
        (self.directory / "behaviour").write_text(script)

    def asked(self) -> list[str]:
        return (self.directory / "asked").read_text().splitlines()

    def next_answer(self, gpus: Gpus) -> None:
        """Let it be asked once more, and heard."""
        self.now_s += gpuwatch.EVERY_S
        gpus.turn(self.now_s)
        until(lambda: (gpus.turn(self.now_s), gpus._process is None)[1], 5)


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tool:
    return Tool(tmp_path, monkeypatch)


WELL = "0, 40000, 143771, 55, Not Active, Not Active, Not Active, 0"


def test_a_card_that_is_well_and_one_that_is_hot_and_one_with_errors(tool: Tool) -> None:
    tool.says(WELL, "1, 40000, 143771, 91, Active, Not Active, Not Active, 0", WELL.replace("0,", "2,", 1)[:-1] + "7")
    gpus = Gpus()
    tool.next_answer(gpus)
    found = gpus.findings()
    assert found["gpu_throttled", "gpu 0"] == found["gpu_fault", "gpu 0"] == found["gpu_fault", ""] == ""
    assert found["gpu_throttled", "gpu 1"] == "slowed down at 91 °C: hw_thermal_slowdown"
    assert found["gpu_fault", "gpu 2"] == "7 uncorrected memory errors"
    gpus.close()


def test_an_older_driver_and_one_that_knows_no_reasons_are_understood(tool: Tool) -> None:
    gpus = Gpus()
    tool.says(WELL.replace("Not Active, Not", "Active, Not", 1), only="clocks_throttle_reasons")
    tool.next_answer(gpus)
    tool.next_answer(gpus)
    assert gpus.findings()["gpu_throttled", "gpu 0"] and gpus.findings()["gpu_fault", ""] == ""
    tool.says("0, [N/A], [N/A], 60", only="temperature")
    gpus = Gpus()
    for _ in range(3):
        tool.next_answer(gpus)
    assert gpus.findings() == {("gpu_throttled", "gpu 0"): "", ("gpu_fault", "gpu 0"): "", ("gpu_fault", ""): ""}


def test_only_the_cards_that_the_engine_may_use_are_asked_for(tool: Tool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1,3")
    tool.says(WELL)
    tool.next_answer(Gpus())
    assert tool.asked()[-1].endswith("-i 1,3")


def test_memory_of_a_card_that_grows_for_hours_is_told(tool: Tool) -> None:
    gpus = Gpus()
    grew = []
    for minute in range(150):
        line = WELL.replace("40000", str(40_000 + 40 * minute))
        found = gpus._card(minute * 60.0, [cell.strip() for cell in line.split(",")])
        grew.append(found["gpu_memory_growing", "gpu 0"])
    assert grew[99] == "" and "the memory in use grew by" in str(grew[-1])


def test_a_tool_that_hangs_is_given_up_and_a_card_that_is_lost_is_a_fault(tool: Tool) -> None:
    tool.does("exec sleep 60\n")
    gpus = Gpus()
    for _ in range(3):
        tool.now_s += gpuwatch.EVERY_S
        gpus.turn(tool.now_s)
        tool.now_s += gpuwatch.ANSWER_S + 0.1
        until(lambda: (gpus.turn(tool.now_s), gpus._process is None)[1], 5)
    assert "not answered" in str(gpus.findings()["gpu_fault", ""])
    tool.says(WELL)
    tool.next_answer(gpus)
    assert gpus.findings()["gpu_fault", ""] == ""


def test_an_xid_in_the_kernels_log_is_a_fault_for_ten_minutes(tmp_path: Path) -> None:
    path = tmp_path / "kmsg"  # a pipe: as there, a record is read once and reading does not wait
    os.mkfifo(path)
    written = os.open(path, os.O_RDWR)
    log = KernelLog(str(path))
    os.write(written, b"6,1,2,-;usb 1-1: new device\n")
    log.turn(100.0)
    assert log.faults() == {}
    os.write(written, b"4,5,6,-;NVRM: Xid (PCI:0000:3b:00): 79, pid=12, name=x, GPU has fallen off the bus.\n A=1\n")
    log.turn(100.0)
    assert log.faults() == {"PCI:0000:3b:00": "Xid 79: pid=12, name=x, GPU has fallen off the bus."}
    log.turn(100.0 + gpuwatch.XID_KEPT_S - 1)
    assert log.faults()
    log.turn(100.0 + gpuwatch.XID_KEPT_S)
    assert log.faults() == {}
    log.close()
    os.close(written)
    KernelLog(str(tmp_path / "nowhere")).turn(0.0)
