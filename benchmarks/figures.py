"""A measured figure beside its bar, and the page they are printed on."""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the page. `met`: None where there is no bar."""

    name: str
    reached: str
    bar: str = ""
    met: bool | None = None


def show(figures: Sequence[Figure]) -> None:
    for figure in figures:
        verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
        print(f"  {figure.name:<58} {figure.reached:<34} {figure.bar:<22} {verdict}", flush=True)


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (0 … 1) of them do not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -(-int(share * 1000) * len(ordered) // 1000) - 1))]


def machine() -> str:
    """Processor, cores and commit, for the head of the page."""
    model = platform.processor() or platform.machine()
    with Path("/proc/cpuinfo").open(encoding="utf-8") as file:
        names = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False)
    return f"{names[0] if names else model}, {os.cpu_count()} cores, commit {commit.stdout.strip() or 'unknown'}"
