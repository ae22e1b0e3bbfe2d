"""Whether this room may push to the network now: two machines with one lease never push at once. Pure.

In: what the director's beats say of the lease. Out: yes or no. A director that is dead, or one that cannot reach
Redis, takes nobody off the air; only one that says "elsewhere" does, and that word stands until it says otherwise,
since the other machine is on air.
"""

from __future__ import annotations

from math import inf

OURS, ELSEWHERE, UNKNOWN = "ours", "elsewhere", "unknown"
WORD_WITHIN_S = 8.0  # for the first word of a director: its start takes one second, and three a cold one
UNKNOWN_FOR_S = 4.0  # a director that starts knows nothing until Redis answered; then it is away


class Gate:
    def __init__(self, now_s: float) -> None:
        self.lease = ""  #: the last word; "" = none yet
        self._open = False
        self._opens_s = now_s + WORD_WITHIN_S

    def hear(self, lease: object, now_s: float) -> bool:
        """Take the word of a beat, None when it says nothing; true when it is another one than before."""
        if lease not in (OURS, ELSEWHERE, UNKNOWN) or lease == self.lease:
            return False
        self._open = lease == OURS or (lease == UNKNOWN and self.is_open(now_s))
        self._opens_s = now_s + UNKNOWN_FOR_S if lease == UNKNOWN else inf
        self.lease = str(lease)
        return True

    def is_open(self, now_s: float) -> bool:
        return self._open or now_s >= self._opens_s
