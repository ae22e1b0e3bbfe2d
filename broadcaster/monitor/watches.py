"""What this machine says of the room's processes and disks: memory that grows, space that runs out.

In: the process ids of the status, /proc, the file systems of some directories. Out: findings for the judge. Cheap: a
few files of /proc each minute, one call a directory each ten seconds.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from broadcaster.monitor.alarms import DISK_LOW, MEMORY_GROWING
from broadcaster.monitor.growth import EVERY_S, Growth
from broadcaster.monitor.symptoms import Found

GB = 10**9
MB = 10**6
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
LEAST_MB = 32.0  # in a day it is thirty times our own bar of 1 MB an hour, and noise of allocators stays below
SHARE = 0.25  # of a large process a quarter: it may well breathe
DISK_EVERY_S = 10.0
INODES_MIN = 1000


class Memory:
    """The memory of each child: what is its own, shared pages left out."""

    def __init__(self, proc: Path = Path("/proc")) -> None:
        self._proc = proc
        self._growth: dict[str, tuple[int, Growth]] = {}
        self._found: Found = {}
        self._due_s = 0.0

    def turn(self, now_s: float, status: Mapping[str, Any]) -> None:
        if now_s < self._due_s:
            return
        self._due_s = now_s + EVERY_S
        children: Mapping[str, Any] = status.get("children", {})
        self._found = {}
        for name, child in children.items():
            self._found[MEMORY_GROWING, name] = self._child(now_s, name, child)
        self._growth = {name: kept for name, kept in self._growth.items() if name in children}

    def findings(self) -> Found:
        return self._found

    def _child(self, now_s: float, name: str, child: Mapping[str, Any]) -> str:
        pids = [rank["pid"] for rank in child.get("ranks", [])] or [child.get("pid")]
        used = [private_mb(self._proc, pid) for pid in pids if pid]
        known = [mb for mb in used if mb is not None]
        if not known:
            return ""
        lead, growth = self._growth.get(name, (0, Growth(LEAST_MB, SHARE)))
        if lead != pids[0]:
            growth = Growth(LEAST_MB, SHARE)  # a new process begins anew
        self._growth[name] = pids[0], growth
        growth.add(now_s, sum(known))
        grown = growth.grown()
        return f"{name} grew by {grown[0]:.0f} MB in {grown[1]:.1f} h, to {sum(known):.0f} MB" if grown else ""


def private_mb(proc: Path, pid: int) -> float | None:
    """Resident memory of a process that is its own; None when it is gone. proc(5): size, resident, shared, in pages."""
    try:
        _, resident, shared = (proc / str(pid) / "statm").read_text().split()[:3]
    except (OSError, ValueError):
        return None
    return (int(resident) - int(shared)) * PAGE_BYTES / MB


class Disks:
    """directories: where something is written; one that is not there yet counts by the nearest one above it."""

    def __init__(self, directories: Sequence[str], least_gb: float) -> None:
        self._directories = directories
        self._least_gb = least_gb
        self._found: Found = {}
        self._due_s = 0.0

    def turn(self, now_s: float) -> None:
        if now_s < self._due_s:
            return
        self._due_s = now_s + DISK_EVERY_S
        self._found = {(DISK_LOW, directory): self._disk(directory) for directory in self._directories}

    def findings(self) -> Found:
        return self._found

    def _disk(self, directory: str) -> str | None:
        try:
            there = os.statvfs(nearest(Path(directory)))
        except OSError:
            return None
        free_gb = there.f_bavail * there.f_frsize / GB
        if free_gb < self._least_gb:
            return f"{free_gb:.2f} GB are free"
        if there.f_files > 0 and there.f_favail < INODES_MIN:
            return f"{there.f_favail} files can still be made"
        return ""


def nearest(directory: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    return next((path for path in (directory, *directory.absolute().parents) if path.exists()), Path("/"))
