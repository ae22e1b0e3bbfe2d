"""Time: the one place where seconds become media time, and the clocks that are passed around.

Media time is counted (frames, samples), so it cannot drift; a Clock is asked only for *when* to act.
`Clock` is the real thing, `FakeClock` moves when told to, for tests.
"""

from __future__ import annotations

import time
from typing import Protocol

from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS

NS = 1_000_000_000
SLOT_NS = NS // FPS  #: 40 ms: one frame


class Clock(Protocol):
    """Monotonic and wall time. Any thread may call it."""

    def now_ns(self) -> int:
        """Monotonic nanoseconds; the origin means nothing."""

    def wall_s(self) -> float:
        """Unix seconds, for stamps that people read and for expiry; may jump."""

    def sleep_until(self, deadline_ns: int) -> None:
        """Return at or after `deadline_ns` of now_ns()."""


class RealClock:
    def now_ns(self) -> int:
        return time.monotonic_ns()

    def wall_s(self) -> float:
        return time.time()

    def sleep_until(self, deadline_ns: int) -> None:
        while (left := deadline_ns - time.monotonic_ns()) > 0:
            time.sleep(left / NS)


class FakeClock:
    """A clock that moves by `advance` and by `sleep_until` alone."""

    def __init__(self, now_s: float = 1000.0, wall_s: float = 1_700_000_000.0) -> None:
        self._now_ns = int(now_s * NS)
        self._wall_minus_now_s = wall_s - now_s

    def now_ns(self) -> int:
        return self._now_ns

    def wall_s(self) -> float:
        return self._now_ns / NS + self._wall_minus_now_s

    def sleep_until(self, deadline_ns: int) -> None:
        self._now_ns = max(self._now_ns, deadline_ns)

    def advance(self, seconds: float) -> None:
        self._now_ns += int(seconds * NS)

    def step_wall(self, seconds: float) -> None:
        """Move the wall clock alone, as an NTP step would."""
        self._wall_minus_now_s += seconds


def frames_to_samples(frames: int) -> int:
    return frames * AIR_SAMPLES


def frames_to_ms(frames: int) -> int:
    return frames * 1000 // FPS


def samples_to_ms(samples: int) -> int:
    return samples * 1000 // AIR_HZ


def seconds_to_samples(seconds: float) -> int:
    return round(seconds * AIR_HZ)
