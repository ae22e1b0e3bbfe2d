"""A clock that goes as fast as the work is done: who sleeps on it has time handed over, once all that is downstream
has caught up.

In: `caught_up`, which returns when nothing is left to be done for the time that is now. Out: a pipeline.clock.Clock.
One thread sleeps on it, and every other one only asks it.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.clock import NS


class SimClock:
    def __init__(self, wall_s: float = 1_700_000_000.0) -> None:
        self._now_ns = NS  # 0 means never, here and there
        self._wall_minus_now_s = wall_s - 1.0
        self.caught_up: Callable[[], None] = lambda: None
        self.leap_ns = 0  #: added to the next moment that is slept for: a machine that was away

    def now_ns(self) -> int:
        return self._now_ns

    def wall_s(self) -> float:
        return self._now_ns / NS + self._wall_minus_now_s

    def sleep_until(self, deadline_ns: int) -> None:
        self.caught_up()
        leap_ns, self.leap_ns = self.leap_ns, 0
        self._now_ns = max(self._now_ns, deadline_ns) + leap_ns
