"""How the graphics cards are: their memory, whether heat slows them down, and whether the driver reported a fault.

In: what `nvidia-smi` prints, and the kernel's log where it may be read (not in the hardened unit: ProtectKernelLogs).
Out: findings for the judge. It waits for nothing: the tool runs beside us and is given up when it is mute, which
is a finding as well, since a card that is lost blocks it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence

from broadcaster.gpus import VISIBLE
from broadcaster.monitor.alarms import GPU_FAULT, GPU_MEMORY_GROWING, GPU_THROTTLED
from broadcaster.monitor.growth import Growth
from broadcaster.monitor.symptoms import Found

EVERY_S = 15.0
ANSWER_S = 10.0  # the driver starts within five
MISSED_MAX = 3  # answers in a row that did not come
XID_KEPT_S = 600.0  # after the last one the card counts as well again
LEAST_MB, SHARE = 512.0, 0.05  # of the memory in use: allocators take blocks of tens of MB, a leak does not end
KERNEL_LOG = "/dev/kmsg"
RECORD_BYTES = 8192  # the longest of the kernel's
# NVIDIA: "XID Errors", e.g. `NVRM: Xid (PCI:0000:3b:00): 79, pid=1234, name=python, GPU has fallen off the bus.`
XID = re.compile(r"NVRM: Xid \(([^)]*)\): (\d+)(?:, )?(.*)")
XID_TEXT_MAX = 160

BASIC = ("index", "memory.used", "memory.total", "temperature.gpu")
SLOWED = ("hw_thermal_slowdown", "sw_thermal_slowdown", "hw_power_brake_slowdown")
UNCORRECTED = "ecc.errors.uncorrected.volatile.total"
# Drivers from 535 on call them events, older ones throttle reasons; the first that is understood is kept.
DIALECTS = ("clocks_event_reasons", "clocks_throttle_reasons", "")
ACTIVE = "Active"


class Gpus:
    """Turned by the monitor's loop."""

    def __init__(self) -> None:
        self._program = shutil.which("nvidia-smi")
        self._dialect = 0
        self._process: subprocess.Popen[str] | None = None
        self._due_s = self._asked_s = 0.0
        self._missed = self._held = 0  # answers that did not come; the one that does not come now, by its time
        self._understood = False
        self._growth: dict[str, Growth] = {}
        self._found: Found = {}
        self._kernel = KernelLog()

    def turn(self, now_s: float) -> None:
        self._kernel.turn(now_s)
        if self._program is None:
            return
        if self._process is None:
            if now_s >= self._due_s:
                self._ask(now_s)
        elif self._process.poll() is not None:
            self._hear(now_s)
        elif now_s - self._asked_s > ANSWER_S:
            self._process.kill()  # where the kernel holds it, it stays, and no second one is started beside it
            self._held = int((now_s - self._asked_s) / ANSWER_S)

    def findings(self) -> Found:
        missed = self._missed + self._held
        silent = f"nvidia-smi has not answered {missed} times" if missed >= MISSED_MAX else ""
        reported = {(GPU_FAULT, card): text for card, text in self._kernel.faults().items()}
        return self._found | {(GPU_FAULT, ""): silent} | reported

    def close(self) -> None:
        if self._process is not None:
            self._process.kill()
        self._kernel.close()

    def _ask(self, now_s: float) -> None:
        self._due_s, self._asked_s = now_s + EVERY_S, now_s
        assert self._program is not None
        visible = os.environ.get(VISIBLE, "")
        try:
            self._process = subprocess.Popen(
                [
                    self._program,
                    f"--query-gpu={','.join(_fields(DIALECTS[self._dialect]))}",
                    "--format=csv,noheader,nounits",
                    *(["-i", visible] if visible else []),
                ],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
        except OSError:
            self._missed += 1

    def _hear(self, now_s: float) -> None:
        assert self._process is not None and self._process.stdout is not None
        with self._process.stdout as answer:
            said = answer.read()
        code, self._process = self._process.returncode, None
        self._held = 0
        if code > 0 and not self._understood and self._dialect + 1 < len(DIALECTS):
            self._dialect, self._due_s = self._dialect + 1, now_s
            return
        if code:
            self._missed += 1
            self._dialect = self._dialect if self._understood else 0
            return
        self._missed, self._understood = 0, True
        found: Found = {}
        for line in said.splitlines():
            found |= self._card(now_s, [cell.strip() for cell in line.split(",")])
        self._found = found

    def _card(self, now_s: float, cells: Sequence[str]) -> Found:
        told = dict(zip(_fields(DIALECTS[self._dialect]), cells, strict=False))
        card = f"gpu {told.get('index', '?')}"
        found: Found = {}
        used = _number(told.get("memory.used"))
        if used is not None:
            growth = self._growth.setdefault(card, Growth(LEAST_MB, SHARE))
            growth.add(now_s, used)
            grown = growth.grown()
            found[GPU_MEMORY_GROWING, card] = (
                f"the memory in use grew by {grown[0]:.0f} MB in {grown[1]:.1f} h, to {used:.0f} MB" if grown else ""
            )
        reasons = [name.rpartition(".")[2] for name, cell in told.items() if cell == ACTIVE]
        hot = told.get("temperature.gpu", "?")
        found[GPU_THROTTLED, card] = f"slowed down at {hot} °C: {', '.join(reasons)}" if reasons else ""
        errors = _number(told.get(UNCORRECTED))
        found[GPU_FAULT, card] = f"{errors:.0f} uncorrected memory errors" if errors else ""
        return found


class KernelLog:
    """Faults that the NVIDIA driver wrote to the kernel's log since we began."""

    def __init__(self, path: str = KERNEL_LOG) -> None:
        self._faults: dict[str, tuple[float, str]] = {}
        try:
            self._fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            self._fd = -1  # not for us
        with contextlib.suppress(OSError):
            os.lseek(self._fd, 0, os.SEEK_END)  # what happened before is over

    def turn(self, now_s: float) -> None:
        while self._fd >= 0:
            try:
                record = os.read(self._fd, RECORD_BYTES)
            except BlockingIOError:
                break
            except BrokenPipeError:
                continue  # records were overwritten before we read them; the next read goes on after them
            except OSError:
                self.close()
                break
            if not record:
                break
            self.hear(now_s, record.decode("utf-8", "replace"))
        self._faults = {card: fault for card, fault in self._faults.items() if now_s - fault[0] < XID_KEPT_S}

    def hear(self, now_s: float, record: str) -> None:
        if match := XID.search(record):
            card, number, rest = match.groups()
            self._faults[card] = now_s, f"Xid {number}: {rest.splitlines()[0] if rest else ''}"[:XID_TEXT_MAX]

    def faults(self) -> Mapping[str, str]:
        """Card → what was said of it last."""
        return {card: text for card, (_, text) in self._faults.items()}

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def _fields(dialect: str) -> list[str]:
    return [*BASIC, *([f"{dialect}.{name}" for name in SLOWED] + [UNCORRECTED] if dialect else [])]


def _number(cell: str | None) -> float | None:
    """`[N/A]`, `[Not Supported]` and the like are none."""
    try:
        return float(cell or "")
    except ValueError:
        return None
