"""Which section comes next when they are shuffled, and which alternative of a line: by dice that fall the same again.

In: the sections that may be said now with their weights, what was said so far, a seed. Out: the next section's name, or
an index. Pure: the same arguments give the same answer, in any process.

Each section has a time at which it is due, in laps: its weight is how often that is in one lap, about. Of those that
were not among the last half of the pool the one that has been due longest comes next.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import msgspec


class Turn(msgspec.Struct, frozen=True, array_like=True):
    """count: how often a section was said. due: when it is next, in laps."""

    count: int = 0
    due: float = 0.0


def admitted(turns: Mapping[str, Turn], pool: Mapping[str, float], now: float, seed: int) -> dict[str, Turn]:
    """The turns with those sections of the pool that are new, each due somewhere in the lap that begins now."""
    new = {name: Turn(due=now + fraction(seed, name, 0) / weight) for name, weight in pool.items() if name not in turns}
    return {**new, **turns}


def drawn(turns: Mapping[str, Turn], pool: Mapping[str, float]) -> str:
    """The section that comes next. turns: of the whole pool, least recently said first. The pool is not empty."""
    said = [name for name, turn in turns.items() if turn.count]
    recent = set(said[len(said) - min(len(said), len(pool) // 2) :])
    return min((name for name in pool if name not in recent), key=lambda name: (turns[name].due, name))


def taken(turns: Mapping[str, Turn], name: str, weight: float, now: float, seed: int) -> dict[str, Turn]:
    """The turns after this section. What it missed, it does not catch up with: one turn at most."""
    turn = turns.get(name, Turn())
    due = turn.due
    if weight:  # the n-th turn is somewhere in the n-th share of time, so that all get theirs
        share, count = 1 / weight, turn.count
        begin = max(due - share * fraction(seed, name, count), now - share) + share
        due = begin + share * fraction(seed, name, count + 1)
    return {other: kept for other, kept in turns.items() if other != name} | {name: Turn(turn.count + 1, due)}


def choice(turn: int, count: int, *what: object) -> int:
    """An index below `count` for the turn-th time: all come before one comes again, and none twice in a row."""
    if count < 3:
        return (turn + int(fraction(*what, "phase") * count)) % max(count, 1)
    block, at = divmod(turn, count)
    order, before = _order(block, count, *what), _order(block - 1, count, *what)
    if order[0] == before[-1]:
        order[0], order[1] = order[1], order[0]  # its last one stays, so that the next block may rely on it
    return order[at]


def fraction(*what: object) -> float:
    """A number in [0, 1) that is always the same for the same things."""
    digest = hashlib.blake2b("\0".join(map(str, what)).encode("utf-8", "replace"), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


def _order(block: int, count: int, *what: object) -> list[int]:
    return sorted(range(count), key=lambda index: fraction(*what, block, index))
