"""Which report of a cut answers an order of ours, and how long it is in doubt what of a sentence was heard.

In: cuts that were ordered, reports of the journal, the time. Out: whether a report answers an order of ours, or tells
of something that was lost. Pure but for the clock.

Playout answers a cut within two seconds, or never; what was out by then is in doubt until it does. A report names the
sentence that was cut, and that may be out again by the time it is read: so each order has one answer at most.
"""

from __future__ import annotations

from pipeline.clock import NS, Clock

ANSWERED_NS = 2 * NS


class Cuts:
    """On the director's loop."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._ours_until_ns = 0  #: so long the next report of a cut may be the answer to ours
        self._doubt_until_ns: int | None = None

    def expect(self) -> None:
        """A cut is under way: its report is no news."""
        self._ours_until_ns = self._clock.now_ns() + ANSWERED_NS

    def doubt(self) -> None:
        """A cut is under way, and its report alone can say how much was heard."""
        self.expect()
        self._doubt_until_ns = self._ours_until_ns

    def passed(self) -> None:
        """A sentence began: the journal is in order, so a cut of ours was reported before, or never will be."""
        self._ours_until_ns = 0

    def is_ours(self) -> bool:
        """Whether a report of a cut that came now answers ours: once for each."""
        ours = self._clock.now_ns() < self._ours_until_ns
        self._ours_until_ns = 0
        return ours

    def settle(self) -> bool:
        """There is no doubt any more; whether there was one."""
        doubted = self._doubt_until_ns is not None
        self._doubt_until_ns = None
        return doubted

    def is_overdue(self) -> bool:
        """Nobody answered: what is in doubt was not heard."""
        return self._doubt_until_ns is not None and self._clock.now_ns() >= self._doubt_until_ns
