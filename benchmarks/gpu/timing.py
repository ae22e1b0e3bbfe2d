"""How long a call takes on a device: events in its queue on a GPU, the clock on a CPU; medians after a warm-up.

In: calls. Out: milliseconds. A GPU is waited for here, and only here: never inside what is timed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch

LEAST, MOST = 3, 50  # timed calls
ENOUGH_S = 0.6  # of timed calls, when they are quick


class OutOfTime(Exception):
    """The run's time is up before this could be measured."""

    WORD = "DROPPED"


@dataclass(frozen=True, slots=True)
class Budget:
    """Seconds until the run must end, on the monotonic clock."""

    until_s: float

    @classmethod
    def of(cls, minutes: float) -> Budget:
        return cls(time.monotonic() + minutes * 60)

    @property
    def left_s(self) -> float:
        return self.until_s - time.monotonic()

    def need(self, seconds: float) -> None:
        """OutOfTime when less than that is left."""
        if self.left_s < seconds:
            raise OutOfTime(f"needs about {seconds:.0f} s, {max(0.0, self.left_s):.0f} s are left")


@dataclass(frozen=True, slots=True)
class Times:
    """Milliseconds of repeated calls."""

    median: float
    least: float
    most: float
    calls: int
    first: float  # the very first call: with what is made only once

    @property
    def spread(self) -> str:
        return f"{self.least:.4g}-{self.most:.4g} in {self.calls} calls"


@dataclass(frozen=True, slots=True)
class Stopwatch:
    device: torch.device
    budget: Budget
    hasty: bool = False  # one timed call is enough: to try the benchmark, not the machine

    def wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)

    def times(self, call: Callable[[], object], enough_s: float = ENOUGH_S, most: int = MOST) -> Times:
        """Two calls to warm up, then as many as fill `enough_s` (3 … `most`), fewer when the budget ends."""
        self.budget.need(0.0)
        first = self.once(call)
        self.budget.need(first / 1000)
        second = self.once(call) / 1000
        wanted = 1 if self.hasty else min(most, max(LEAST, round(enough_s / max(second, 1e-6))))
        calls = min(wanted, int(self.budget.left_s / max(second, 1e-6)))
        if calls < 1:
            raise OutOfTime(f"one call takes {second:.1f} s, {max(0.0, self.budget.left_s):.0f} s are left")
        taken = self._timed(call, calls)
        return Times(statistics.median(taken), min(taken), max(taken), calls, first)

    def once(self, call: Callable[[], object]) -> float:
        """One call by the clock, until the device has come to its end: milliseconds."""
        self.wait()
        began = time.perf_counter()
        call()
        self.wait()
        return (time.perf_counter() - began) * 1000

    def _timed(self, call: Callable[[], object], calls: int) -> list[float]:
        if self.device.type != "cuda":
            return [self.once(call) for _ in range(calls)]
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(calls + 1)]
        marks[0].record()
        for mark in marks[1:]:
            call()
            mark.record()
        self.wait()
        return [before.elapsed_time(after) for before, after in pairwise(marks)]
