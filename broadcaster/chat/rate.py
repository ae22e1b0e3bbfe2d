"""How often something may happen: a bucket that fills with time. Pure; time is an argument, and may jump."""

from __future__ import annotations


class Bucket:
    """full: tokens it holds at most, and at first. per_s: how fast it fills."""

    __slots__ = ("_full", "_left", "_per_s", "_since_s")

    def __init__(self, full: float, per_s: float, now_s: float) -> None:
        self._full, self._per_s = full, per_s
        self._left, self._since_s = full, now_s

    def holds(self, now_s: float) -> bool:
        """Whether there is one to take."""
        self._left = min(self._full, self._left + max(0.0, now_s - self._since_s) * self._per_s)
        self._since_s = now_s
        return self._left >= 1.0

    def take(self, now_s: float) -> bool:
        """Take one, if there is one."""
        if not self.holds(now_s):
            return False
        self._left -= 1.0
        return True

    def give_back(self) -> None:
        """What was taken came to nothing."""
        self._left = min(self._full, self._left + 1.0)
