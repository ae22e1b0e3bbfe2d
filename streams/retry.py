"""When to try a destination again: soon at first, then steadily, for ever. Pure.

In: what happened and when (monotonic nanoseconds). Out: the moment of the next try. It never gives up, and
never tries more than twice a second, however often the other side hangs up.

What costs the other side nothing is asked each second, so that one that comes back is found at once: a port that
nobody listens on, a host that does not answer, a server that accepts and stays silent. A server that says no is
asked about every five seconds in the end. Who answered nothing and then says or ends something is being started anew,
perhaps: the delays begin again.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.clock import NS

DELAYS_S = (0.3, 0.6, 1.0, 2.0, 3.0, 4.5)  # the last one for ever: a key that is free again is found within 6 s
ABSENT_MAX_S = {"connect": 0.8, "timeout": 0.1, "stall": 0.3}  # kinds that say that nobody is there; a
# time-out has waited for an answer already, and the next try has to begin within 2 s of the return
JITTER = 0.2  # of the delay: many outputs of one host must not return in step
APART_NS = 55 * NS // 100  # between two tries: no second sees three, also when one of them is slow on its way
HEALTHY_NS = 5 * NS  # live so long, and the next loss begins with the first delay


class Backoff:
    def __init__(self, jitter: Callable[[], float]) -> None:
        """`jitter` yields numbers from −1 to 1, as `lambda: random.uniform(-1, 1)`."""
        self._jitter = jitter
        self._tried_ns = 0
        self._live_ns: int | None = None
        self._step = 0  # of the delays
        self._kind = ""  # of the last failure
        self.failures = 0  #: since the last healthy time

    def tried(self, now_ns: int) -> None:
        self._tried_ns = now_ns

    def live(self, now_ns: int) -> None:
        self._live_ns = now_ns

    def failed(self, now_ns: int, kind: str = "") -> int:
        """A try failed or a connection was lost: when to try next. `kind`: that of the OutputError."""
        if self._live_ns is not None and now_ns - self._live_ns >= HEALTHY_NS:
            self.failures = self._step = 0
        if self._kind in ABSENT_MAX_S and kind not in ABSENT_MAX_S:
            self._step = 0
        self._live_ns, self._kind = None, kind
        delay_s = DELAYS_S[min(self._step, len(DELAYS_S) - 1)]
        delay_s = min(delay_s, ABSENT_MAX_S.get(kind, delay_s))
        self.failures += 1
        self._step += 1
        return max(now_ns + int(delay_s * (1 + JITTER * self._jitter()) * NS), self._tried_ns + APART_NS)
