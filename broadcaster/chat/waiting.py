"""Questions that wait, in order of their worth, within a bound of comments and bytes. Pure.

In: comments that are worth an answer. Out: the best question; and each comment that goes without one, with the reason.
A question that was answered stays known for a while, so that nobody who asks it then is answered again.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable

from broadcaster.chat.group import Group, Likes
from broadcaster.chat.model import Comment, Reason
from broadcaster.chat.sameness import Words

SWEEP_S = 1.0


class Waiting:
    """most, most_bytes: the bound. again_s: how long an answered question is known. end: takes what goes without."""

    def __init__(
        self, most: int, most_bytes: int, stale_s: float, again_s: float, end: Callable[[Comment, Reason], None]
    ) -> None:
        self._most, self._most_bytes = most, most_bytes
        self._stale_s, self._again_s = stale_s, again_s
        self._end = end
        self._likes = Likes()
        self._order: list[tuple[float, int, Group]] = []  # worth least first
        self._answered: deque[Group] = deque()
        self._number = 0
        self._swept_s = 0.0
        self.comments = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._order)

    def put(self, comment: Comment, words: Words, said: str, weight: int, now_s: float) -> None:
        """Let it wait, alone or with those who ask the same. No words: it is like no other."""
        asked_s = min(comment.sent_s, now_s)
        group = self._likes.find(words) if words else None
        if group is not None and group.until_s:
            if self._is_known(group, now_s):
                self._end(comment, Reason.MERGED)
                return
            self._likes.remove(group)
            group = None
        if group is not None:
            self._leave(group)
            if left := group.join(comment, said, weight, asked_s):
                self._end(left, Reason.MERGED)
        else:
            group = self._group(comment, words, said, weight, asked_s)
        self._enter(group)
        while self.comments > self._most or self.bytes > self._most_bytes:
            self._drop(self._order[0][2], Reason.CROWDED)

    def best(self, now_s: float) -> Group | None:
        """Take the one that is worth most."""
        self.sweep(now_s, at_once=True)
        if not self._order:
            return None
        group = self._order[-1][2]
        self._leave(group)
        self._know(group, now_s)
        return group

    def know(self, comment: Comment, words: Words, now_s: float) -> None:
        """It is answered already, or about to be."""
        if words and self._likes.find(words) is None:
            self._know(self._group(comment, words, "", 0, now_s), now_s)

    def sweep(self, now_s: float, at_once: bool = False) -> None:
        """Let go what has become stale, and forget what was answered long enough ago."""
        if not at_once and 0 <= now_s - self._swept_s < SWEEP_S:
            return
        self._swept_s = now_s
        for group in [group for _, _, group in self._order if now_s - group.asked_s > self._stale_s]:
            self._drop(group, Reason.STALE)
        while self._answered and not self._is_known(self._answered[0], now_s):
            self._likes.remove(self._answered.popleft())

    def clear(self) -> None:
        """Forget all of it; nobody is told."""
        self._likes, self._order, self.comments, self.bytes = Likes(), [], 0, 0
        self._answered.clear()

    # ── groups ───────────────────────────────────────────────────────────────────────────────────

    def _group(self, comment: Comment, words: Words, said: str, weight: int, asked_s: float) -> Group:
        self._number += 1
        group = Group(self._number, words, said, comment, weight, asked_s)
        if words:
            self._likes.put(group)
        return group

    def _enter(self, group: Group) -> None:
        group.key = (group.weight + group.asked_s / self._stale_s, group.number)
        insort(self._order, (*group.key, group))
        self.comments += len(group.comments)
        self.bytes += group.bytes

    def _leave(self, group: Group) -> None:
        """Out of the order; its like still find it."""
        del self._order[bisect_left(self._order, group.key)]
        self.comments -= len(group.comments)
        self.bytes -= group.bytes

    def _is_known(self, group: Group, now_s: float) -> bool:
        """Whether it was answered lately. Of a clock that was set back nobody knows when that was."""
        return 0 < group.until_s - now_s <= self._again_s

    def _know(self, group: Group, now_s: float) -> None:
        group.until_s = now_s + self._again_s
        if group.words:
            self._answered.append(group)

    def _drop(self, group: Group, reason: Reason) -> None:
        self._leave(group)
        self._likes.remove(group)
        self._end(group.comments[0], reason)
        for comment in group.comments[1:]:
            self._end(comment, Reason.MERGED)
