"""Examinations of the machine itself: interpreter, packages, clock, memory, cards, limits.

Each takes the room's configuration (which it does not need) and a part, and says (verdict, text, remedy). They run with
nothing installed but Python.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import os
import re
import resource
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from broadcaster.doctor.examination import BAD, OK, WARN

Found = tuple[str, str] | tuple[str, str, str]

PYTHON_MIN = (3, 11)
REQUIREMENT = re.compile(r"([A-Za-z0-9_.-]+)(?:\[[^]]*\])?\s*([^;]*)(?:;\s*(.*))?")
AT_LEAST = re.compile(r">=\s*([0-9.]+)")
TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
TIMEX_BYTES = 208  # struct timex on 64-bit Linux; modes = 0 reads
TICKS, TICK_S = 25, 0.04
LATE_S, VERY_LATE_S = 0.02, 0.2  # a slot is 0.04 s, and a second of lateness is caught up
MEMORY_MB, MEMORY_LEAST_MB = 1000, 600  # the whole daemon takes 500 MB at 448x768
FILES, FILES_LEAST = 1024, 256
TOOL_S = 3.0


def python(_room: Any, _part: str) -> Found:
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info < PYTHON_MIN:
        return BAD, version, "install Python 3.11 or newer, then: make PYTHON=/path/to/python3.11 setup"
    if not hasattr(os, "pidfd_open"):
        return BAD, f"{version}, without pidfd_open", "Linux 5.3 or newer is needed"
    return OK, f"{version}, {sys.executable}"


def packages(_room: Any, _part: str) -> Found:
    """What the program asks for, as its own metadata says."""
    try:
        wanted = importlib.metadata.requires("broadcaster") or []
    except importlib.metadata.PackageNotFoundError:
        return BAD, "the broadcaster itself is not installed", "run `make setup`"
    missing, old, present = [], [], 0
    for requirement in wanted:
        name, versions, marker = _parsed(requirement)
        if "extra ==" in marker or ("python_version" in marker or "platform" in marker):
            continue
        try:
            found = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
            continue
        present += 1
        if (least := AT_LEAST.search(versions)) and _numbers(found) < _numbers(least[1]):
            old.append(f"{name} {found} (at least {least[1]})")
    if missing or old:
        said = [f"missing: {', '.join(missing)}"] * bool(missing) + [f"too old: {', '.join(old)}"] * bool(old)
        return BAD, "; ".join(said), "run `make setup`, or pip install broadcaster again"
    return OK, f"{present} packages, as asked for"


def clock(_room: Any, _part: str) -> Found:
    """Whether wall time is synchronised, and whether this machine wakes a process in time."""
    late_s = []
    for _ in range(TICKS):
        due_s = time.monotonic() + TICK_S
        time.sleep(TICK_S)
        late_s.append(time.monotonic() - due_s)
    worst_ms = f"wakes {1000 * max(late_s):.0f} ms late at worst"
    if min(late_s) < -0.001 or max(late_s) > VERY_LATE_S:
        return BAD, worst_ms, "the machine is overloaded, or its virtual clock jumps: pictures will be left out"
    if max(late_s) > LATE_S:
        return WARN, worst_ms, "other work on this machine delays pictures: give the broadcaster cores of its own"
    timex = ctypes.create_string_buffer(TIMEX_BYTES)
    state = ctypes.CDLL(None, use_errno=True).adjtimex(timex)
    if state == TIME_ERROR:
        return WARN, f"not synchronised; {worst_ms}", "start systemd-timesyncd or chrony: schedules go by wall time"
    if state < 0:
        return OK, f"whether it is synchronised is not told here; {worst_ms}"
    return OK, f"synchronised; {worst_ms}"


def memory(_room: Any, _part: str) -> Found:
    free_mb = _available_mb()
    text = f"{free_mb:.0f} MB available"
    if free_mb < MEMORY_LEAST_MB:
        return BAD, text, f"the broadcaster takes 500 MB at 448x768: free {MEMORY_LEAST_MB} MB, or add memory"
    if free_mb < MEMORY_MB:
        return WARN, text, "enough for 448x768, with little to spare"
    return OK, text


def gpu(room: Any, _part: str) -> Found:
    """No engine of a CPU room needs a card; one that does needs the driver and torch."""
    avatar = getattr(room, "avatar", None)
    neural = (
        getattr(avatar, "engine", "portrait") not in ("portrait", "pattern") and getattr(avatar, "device", "") != "cpu"
    )
    try:
        torch = importlib.metadata.version("torch")
    except importlib.metadata.PackageNotFoundError:
        torch = ""
    cards = _cards()
    if cards and torch:
        return OK, f"{', '.join(cards)}; torch {torch}"
    text = f"{', '.join(cards) or 'no NVIDIA card'}; {f'torch {torch}' if torch else 'no torch'}"
    if neural:
        return BAD, text, "this engine needs an NVIDIA driver and torch; avatar.engine: portrait needs neither"
    return OK, f"{text}: the portrait engine needs neither"


def limits(_room: Any, _part: str) -> Found:
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    systemd = Path("/run/systemd/system").is_dir()
    text = f"{files} open files; {'systemd is there' if systemd else 'no systemd: nothing starts it again by itself'}"
    if 0 <= files < FILES_LEAST:
        return BAD, text, f"raise the limit: ulimit -n {FILES}, or LimitNOFILE={FILES} in the unit"
    if 0 <= files < FILES:
        return WARN, text, f"raise the limit: ulimit -n {FILES}, or LimitNOFILE={FILES} in the unit"
    return OK, text


def _parsed(requirement: str) -> tuple[str, str, str]:
    """(name, versions, marker)"""
    match = REQUIREMENT.match(requirement)
    return (match[1], match[2] or "", match[3] or "") if match else (requirement, "", "")


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _available_mb() -> float:
    """Of the machine, or of the control group where that is less."""
    with Path("/proc/meminfo").open(encoding="ascii") as file:
        kb = next(int(line.split()[1]) for line in file if line.startswith("MemAvailable"))
    free_mb = kb / 1024
    group = Path("/sys/fs/cgroup") / Path("/proc/self/cgroup").read_text().rpartition("::/")[2].strip()
    try:
        most = (group / "memory.max").read_text().strip()
        used = int((group / "memory.current").read_text())
    except (OSError, ValueError):
        return free_mb
    return free_mb if most == "max" else min(free_mb, (int(most) - used) / 2**20)


def _cards() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    try:
        listed = subprocess.run(
            [program, "--query-gpu=name,memory.total", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=TOOL_S,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return listed.stdout.strip().splitlines()
