"""What kind of question it is, by all of its words together: naive Bayes over known ways to ask. Pure.

In: ways to ask, by kind, as features; the features of a question. Out: for each kind how likely it is that one, 0 to 1
together. A word that nobody has used says that it may be any.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from broadcaster.chat.knowledge_features import Features

SMOOTHING = 0.1  # of a feature that a kind has not
UNKNOWN = 7.0  # how rare a feature is that no way has: as rare as one of a thousand
SHARPNESS = 3.0  # of the choice: fitted to questions whose kind was held back

Leanings: TypeAlias = Mapping[str, float]


class Leaning:
    """ways: each with its kind."""

    def __init__(self, ways: Sequence[tuple[str, Features]]) -> None:
        self.kinds = sorted({kind for kind, _ in ways})
        numbers = {kind: number for number, kind in enumerate(self.kinds)}
        self._rows: dict[str, int] = {}
        counts: list[int] = []
        for _, features in ways:
            for feature in features:
                row = self._rows.setdefault(feature, len(counts))
                if row == len(counts):
                    counts.append(0)
                counts[row] += 1
        self._rare = [math.log((len(ways) + 1) / (count + 1)) for count in counts]
        said = np.zeros((len(counts), len(self.kinds)))  # [features, kinds]
        for kind, features in ways:
            rows, weights = self._weighed(features)
            said[rows, numbers[kind]] += weights
        likely = np.log((said + SMOOTHING) / (said + SMOOTHING).sum(axis=0, keepdims=True))
        usual = likely.mean(axis=1, keepdims=True) if self.kinds else 0.0
        self._likely: NDArray[np.float32] = (likely - usual).astype(np.float32)

    def of(self, features: Features) -> Leanings:
        rows, weights = self._weighed(features)
        if not rows:
            return {}
        odds = SHARPNESS * (weights @ self._likely[rows])
        chances = np.exp(odds - odds.max())
        return dict(zip(self.kinds, (chances / chances.sum()).tolist(), strict=True))

    def _weighed(self, features: Features) -> tuple[list[int], NDArray[np.float32]]:
        """Of those that are known; the weights of all are 1 long together."""
        rows: list[int] = []
        weights: list[float] = []
        whole = 0.0
        for feature, weight in features.items():
            row = self._rows.get(feature)
            weight *= UNKNOWN if row is None else self._rare[row]
            whole += weight * weight
            if row is not None:
                rows.append(row)
                weights.append(weight)
        return rows, np.array(weights, np.float32) / (math.sqrt(whole) or 1.0)
