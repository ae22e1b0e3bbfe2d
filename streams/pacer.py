"""When each slot is due, as arithmetic: slot counters against a monotonic clock. Pure.

In: the time now. Out: deadlines, and how many slots to leave out. Deadlines are absolute, so lateness
never adds up. Up to a second late, slots follow at once until the lateness is gone and none is left
out; later than that (a stopped process, a sleeping machine) whole slots are skipped, in picture and
sound alike. It never sleeps and never reads a clock.
"""

from __future__ import annotations

from collections import deque

from pipeline.clock import SLOT_NS

CATCH_UP_NS = 1_000_000_000  # what a player's buffer forgives; more would arrive as a burst
LATENESS_SLOTS = 1000  # 40 s of history for the percentile


class Pacer:
    """`slot` is the next one due. One thread."""

    def __init__(self, first_slot: int, now_ns: int) -> None:
        self.slot = first_slot
        self.skipped = 0
        self._first_slot = first_slot
        self._t0_ns = now_ns
        self._late_ns: deque[int] = deque(maxlen=LATENESS_SLOTS)

    @property
    def deadline_ns(self) -> int:
        """When `slot` is due."""
        return self._t0_ns + (self.slot - self._first_slot) * SLOT_NS

    def begin(self, now_ns: int) -> tuple[int, int]:
        """The slot to fill now, and how many were skipped before it; call at or after the deadline."""
        late_ns = max(0, now_ns - self.deadline_ns)
        skipped = late_ns // SLOT_NS if late_ns > CATCH_UP_NS else 0
        self.slot += skipped
        self.skipped += skipped
        self._late_ns.append(late_ns)
        slot = self.slot
        self.slot += 1
        return slot, skipped

    def lateness_ms(self, percentile: int = 99) -> float:
        """How late slots began, over the last 40 s; call from the pacer's thread."""
        history = sorted(self._late_ns)
        return round(history[len(history) * percentile // 100] / 1e6, 1) if history else 0.0
