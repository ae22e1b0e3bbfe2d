"""The arithmetic of chaos and soak. Pure: lists of seconds and megabytes in, figures out.

A gap is the time between two arrivals of media at a receiver; the ends of the watch count as arrivals.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

OUTAGE_S = 0.25  # a gap beyond this counts as an outage, with its whole length: it is the bar for destinations at peace
HOUR_S = 3600.0
SLOPE_MIN_S = 1200.0  # a slope in MB/h that was fitted over less says nothing: 0.1 MB of noise would be a failure


@dataclass(frozen=True, slots=True)
class Gap:
    """began_s: since the watch began."""

    began_s: float
    seconds: float


def gaps(arrivals_s: Iterable[float], since_s: float, until_s: float, beyond_s: float = OUTAGE_S) -> list[Gap]:
    """Gaps longer than `beyond_s` between since_s and until_s, in the order of their times."""
    inside = sorted(at_s for at_s in arrivals_s if since_s < at_s < until_s)
    return [
        Gap(before - since_s, after - before)
        for before, after in pairwise([since_s, *inside, until_s])
        if after - before > beyond_s
    ]


def longest_s(arrivals_s: Iterable[float], since_s: float, until_s: float) -> float:
    return max((gap.seconds for gap in gaps(arrivals_s, since_s, until_s, 0.0)), default=0.0)


def availability(outages: Sequence[Gap], watched_s: float) -> float:
    """Share of the time, 0 … 1, that was in no outage."""
    return 1.0 - sum(gap.seconds for gap in outages) / watched_s if watched_s > 0 else 0.0


def slope_per_hour(at_s: Sequence[float], values: Sequence[float]) -> float | None:
    """Theil and Sen: the median of the slopes between all pairs of samples, which a single leap does not move.

    None where the samples span less than 20 minutes.
    """
    if len(at_s) < 3 or at_s[-1] - at_s[0] < SLOPE_MIN_S:
        return None
    x, y = np.asarray(at_s, float), np.asarray(values, float)
    first, second = np.triu_indices(len(x), 1)
    return float(np.median((y[second] - y[first]) / (x[second] - x[first]))) * HOUR_S


def growth(at_s: Sequence[float], values: Sequence[float]) -> float:
    """Median of the last tenth less that of the first: what leaps add up to, which a slope of medians may hide."""
    tenth = max(1, len(values) // 10)
    return float(np.median(values[-tenth:]) - np.median(values[:tenth])) if at_s else 0.0
