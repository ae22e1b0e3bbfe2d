"""What processes cost, read from /proc: processor time and proportional memory (PSS)."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def cpu_s(pid: int) -> float:
    """User and system time of a process so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_S


def pss_mb(pid: int) -> float:
    """Proportional set size: shared pages are counted in parts. MB = 10^6 bytes."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    return 0.0


def peak_mb(pid: int) -> float:
    """The most memory a process held since it runs its program; 0 when it has ended. MB = 10^6 bytes.

    Not ru_maxrss: that begins with what the parent held at the fork.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except FileNotFoundError:
        return 0.0
    return next((int(line.split()[1]) * 1024 / 1e6 for line in lines if line.startswith("VmHWM")), 0.0)


def cores(pids: Iterable[int], seconds: float) -> dict[int, float]:
    """Share of a core each process used over the next `seconds`."""
    before = {pid: cpu_s(pid) for pid in pids}
    began_s = time.monotonic()
    time.sleep(seconds)
    took_s = time.monotonic() - began_s
    return {pid: (cpu_s(pid) - spent) / took_s for pid, spent in before.items()}
