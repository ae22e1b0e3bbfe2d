"""What was there lately, in bounded memory: the oldest half is forgotten at once when the newer one is full. Pure."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lately(Generic[K, V]):
    """A mapping that remembers the last `most` keys at least, twice as many at most, and none longer than 2 × `for_s`.

    Each key that is asked for or put counts as new.
    """

    __slots__ = ("_for_s", "_most", "_new", "_old", "_since_s")

    def __init__(self, most: int, for_s: float, now_s: float) -> None:
        self._most, self._for_s, self._since_s = most, for_s, now_s
        self._new: dict[K, V] = {}
        self._old: dict[K, V] = {}

    def __len__(self) -> int:
        return len(self._new) + len(self._old)

    def get(self, key: K, now_s: float) -> V | None:
        self._turn(now_s)
        found = self._new.get(key)
        if found is None and (found := self._old.pop(key, None)) is not None:
            self._new[key] = found
        return found

    def put(self, key: K, value: V, now_s: float) -> None:
        self._turn(now_s)
        self._old.pop(key, None)
        self._new[key] = value

    def clear(self) -> None:
        self._new, self._old = {}, {}

    def _turn(self, now_s: float) -> None:
        if len(self._new) >= self._most or not self._since_s <= now_s < self._since_s + self._for_s:
            if now_s >= self._since_s + 2 * self._for_s:
                self._new = {}
            self._old, self._new, self._since_s = self._new, {}, now_s
