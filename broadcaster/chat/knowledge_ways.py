"""Known ways to ask, and how like a question is to the nearest one of each owner. Pure.

In: ways to ask, as weighed features, each with whose it is. Out: for a question the likeness of every owner that shares
a feature with it, and how much of its nearest way was said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from broadcaster.chat.knowledge_features import Features, length_of

NEAREST_MAX = 10  # owners that are told of


class Way(NamedTuple):
    """worth: 1, less where it is not the owner's own."""

    owner: str
    features: Features
    worth: float


class Ways:
    def __init__(self, ways: Iterable[Way]) -> None:
        self._ways = sorted(ways, key=lambda way: way.owner)
        self._owners = list(dict.fromkeys(way.owner for way in self._ways))
        owned = [way.owner for way in self._ways]
        self._begins = [owned.index(owner) for owner in self._owners]
        self._worths = np.array([way.worth / (length_of(way.features) or 1.0) for way in self._ways], np.float32)
        numbers: dict[str, list[int]] = defaultdict(list)
        weights: dict[str, list[float]] = defaultdict(list)
        for number, way in enumerate(self._ways):
            for feature, weight in way.features.items():
                numbers[feature].append(number)
                weights[feature].append(weight)
        self._by_feature: dict[str, tuple[NDArray[np.int32], NDArray[np.float32]]] = {
            feature: (np.array(held, np.int32), np.array(weights[feature], np.float32))
            for feature, held in numbers.items()
        }

    def nearest(self, weighed: Mapping[str, float]) -> dict[str, tuple[float, float]]:
        """Owner → (cosine with their nearest way, share of that one's words), of the nearest owners."""
        likeness = np.zeros(len(self._ways), np.float32)
        for feature, weight in weighed.items():
            if feature in self._by_feature:
                numbers, weights = self._by_feature[feature]
                likeness[numbers] += weights * weight
        if not self._ways or not likeness.any():
            return {}
        likeness *= self._worths / (length_of(weighed) or 1.0)
        best = np.maximum.reduceat(likeness, self._begins)
        ends = [*self._begins[1:], len(self._ways)]
        found: dict[str, tuple[float, float]] = {}
        for at in np.argsort(-best)[:NEAREST_MAX].tolist():
            if best[at] > 0.0:
                begin = self._begins[at]
                way = self._ways[begin + int(likeness[begin : ends[at]].argmax())]
                found[way.owner] = float(best[at]), _share(weighed, way)
        return found


def _share(weighed: Mapping[str, float], way: Way) -> float:
    shared = sum(min(weight, weighed[feature]) for feature, weight in way.features.items() if feature in weighed)
    return way.worth * shared / (sum(way.features.values()) or 1.0)


def nearest_of(found: Mapping[str, tuple[float, float]], owners: Sequence[str]) -> float:
    """The greatest likeness among these owners."""
    return max((found[owner][0] for owner in owners if owner in found), default=0.0)
