"""Chance without a generator: numbers that depend on a seed and a name alone, and events at moments of their own.

In: seed, what it is for, index or time. Out: numbers, the same on every machine. Pure; nothing to carry.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache


@lru_cache(maxsize=4096)
def chance(seed: int, what: str, index: int) -> float:
    """A number in [0, 1) that depends on the arguments alone."""
    digest = hashlib.blake2b(f"{seed} {what} {index}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)


def latest(seed: int, what: str, time_s: float, every_s: float, spread_s: float) -> tuple[int, float]:
    """Index of the newest event of a kind, and seconds since it: one falls into each stretch of `every_s`, somewhere in
    its first `spread_s`, so that two are `every_s` ± `spread_s` apart."""
    index = int(time_s // every_s)
    since = time_s - index * every_s - spread_s * chance(seed, what, index)
    if since < 0:
        index -= 1
        since = time_s - index * every_s - spread_s * chance(seed, what, index)
    return index, since


def smoothed(value: float) -> float:
    """0 below 0, 1 above 1, without a kink between."""
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


def held(since_s: float, attack_s: float, until_s: float, release_s: float) -> float:
    """0 … 1: rises from 0 on, stays, is gone `release_s` after `until_s`."""
    return smoothed(since_s / attack_s) * smoothed((until_s + release_s - since_s) / release_s)
