"""When to try a destination again: soon at first, every few seconds for ever after. Pure.

In: what happened and when (monotonic nanoseconds). Out: the moment of the next try. It never gives
up, and never tries more than twice a second, however often the other side hangs up.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.clock import NS

DELAYS_S = (0.3, 0.6, 1.0, 2.0, 3.0, 5.0)  # the last one for ever: an ingest that is back is found within it
JITTER = 0.2  # of the delay: many outputs of one host must not return in step
APART_NS = NS // 2  # between two tries
HEALTHY_NS = 60 * NS  # live so long, and the next loss begins with the first delay


class Backoff:
    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` yields numbers from −1 to 1, as `lambda: random.uniform(-1, 1)`."""
        self._jitter = jitter
        self._tried_ns = 0
        self._live_ns: int | None = None
        self.failures = 0  #: since the last healthy time

    def tried(self, now_ns: int) -> None:
        self._tried_ns = now_ns

    def live(self, now_ns: int) -> None:
        self._live_ns = now_ns

    def failed(self, now_ns: int) -> int:
        """A try failed or a connection was lost: when to try next."""
        if self._live_ns is not None and now_ns - self._live_ns >= HEALTHY_NS:
            self.failures = 0
        self._live_ns = None
        delay_s = DELAYS_S[min(self.failures, len(DELAYS_S) - 1)] * (1 + JITTER * self._jitter())
        self.failures += 1
        return max(now_ns + int(delay_s * NS), self._tried_ns + APART_NS)
