"""Whether something grows without an end: memory that is never given back.

In: samples in megabytes. Out: how much it grew, when it grew steadily, or None. Pure; times are arguments, monotonic.

The window is cut into three; what grew from the first third to the second *and* from the second to the last is a
leak. One leap (a voice that was loaded, a cache that filled) shows in one of them only.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from statistics import median

EVERY_S = 60.0  # between samples
WARM_UP_S = 600.0  # of a new process: buffers, caches and arenas come to their size
WINDOW_S = 86_400.0
WINDOW_MIN_S = 5_400.0  # thirds of half an hour


@dataclass(slots=True)
class Growth:
    """least_mb: growth in the window below which nothing is said. share: the same, of where it began."""

    least_mb: float
    share: float
    _samples: deque[tuple[float, float]] = field(default_factory=deque)
    _begun_s: float | None = None

    def add(self, now_s: float, value_mb: float) -> None:
        """To be called at any rate; it keeps one sample a minute."""
        if self._begun_s is None:
            self._begun_s = now_s
        if now_s - self._begun_s < WARM_UP_S or (self._samples and now_s - self._samples[-1][0] < EVERY_S):
            return
        self._samples.append((now_s, value_mb))
        while now_s - self._samples[0][0] > WINDOW_S:
            self._samples.popleft()

    def grown(self) -> tuple[float, float] | None:
        """Megabytes, and the hours in which; None while nothing leaks."""
        if not self._samples:
            return None
        first_s, last_s = self._samples[0][0], self._samples[-1][0]
        if last_s - first_s < WINDOW_MIN_S:
            return None
        third_s = (last_s - first_s) / 3
        thirds: tuple[list[float], ...] = ([], [], [])
        for at_s, value in self._samples:
            thirds[min(2, int((at_s - first_s) / third_s))].append(value)
        if not all(thirds):
            return None
        levels = [median(third) for third in thirds]
        steady_mb = 3 * min(levels[1] - levels[0], levels[2] - levels[1])
        if steady_mb < max(self.least_mb, self.share * levels[0]):
            return None
        return steady_mb, (last_s - first_s) / 3600
