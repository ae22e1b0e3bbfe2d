"""Which of an output's two URLs is used. Pure.

In: how tries end, and when (monotonic nanoseconds). Out: 0, the first URL, or 1, the backup. Three tries in a row
that do not come to live, and the other one's turn has come. While the backup is live the first is asked each
minute whether it would have us, without publishing; when it would, the connection moves back. A first one that
then refuses after all is left alone for twice as long each time, up to a quarter of an hour: every move is a gap.
"""

from __future__ import annotations

from pipeline.clock import NS

REFUSALS = 3
ASK_EVERY_NS = 60 * NS
ASK_MAX_NS = 900 * NS
SETTLED_NS = 60 * NS  # live so long, and a move back was right
FLASH_NS = 5 * NS  # live no longer than that, twice in a row, is no better than a refusal


class Route:
    def __init__(self, has_backup: bool) -> None:
        self._has_backup = has_backup
        self._failures = 0  # in a row, of the URL in use
        self._wait_ns = ASK_EVERY_NS
        self._ask_ns: int | None = None
        self._live_ns: int | None = None
        self._moved_back = False  # and has not been live for a minute since
        self._flashed = False  # the last loss came at once
        self.index = 0

    def live(self, now_ns: int) -> None:
        self._live_ns = now_ns
        self._ask_ns = now_ns + self._wait_ns if self.index else None

    def failed(self, now_ns: int) -> bool:
        """A try failed or a connection was lost; true when the other URL is to be used now."""
        lived_ns = now_ns - self._live_ns if self._live_ns is not None else None
        self._live_ns = self._ask_ns = None
        if self.index == 0 and lived_ns is not None and lived_ns >= SETTLED_NS:
            self._moved_back, self._wait_ns = False, ASK_EVERY_NS
        self._count(lived_ns)
        if not self._has_backup:
            return False
        if self.index == 0 and self._moved_back:  # it said it would have us, and does not
            self._wait_ns = min(2 * self._wait_ns, ASK_MAX_NS)
        elif self._failures < REFUSALS:
            return False
        self._turn(1 - self.index)
        return True

    def is_to_ask(self, now_ns: int) -> bool:
        """Whether the first URL is to be asked now, if it would have us."""
        return self._ask_ns is not None and now_ns >= self._ask_ns

    def answered(self, yes: bool, now_ns: int) -> bool:
        """What the first URL said; true when the connection is to move there."""
        if not yes:
            self._ask_ns = now_ns + self._wait_ns
            return False
        self._turn(0)
        self._moved_back = True
        return True

    def _count(self, lived_ns: int | None) -> None:
        """A loss is no refusal; losses at once, again and again, are."""
        if lived_ns is None or (lived_ns < FLASH_NS and self._flashed):
            self._failures += 1
        else:
            self._failures, self._flashed = 0, lived_ns < FLASH_NS

    def _turn(self, index: int) -> None:
        self.index, self._failures = index, 0
        self._ask_ns = self._live_ns = None
        self._moved_back = self._flashed = False
