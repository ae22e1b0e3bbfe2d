"""How a lid closes: the skin above the eye is stretched down over it, lashes at its edge.

In: the map of an eye's patch before anything else moved it, and how far the lids are shut. Out: a map
that reads lid skin, and how much of each pixel the lid covers. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from pipeline.avatar import Eye, Point
from pipeline.engines.portrait.axis import Axis, Map, Plane32

EDGE_PX = 0.9  #: softness of the lid's edge
SKIN_SHARE = 0.62  #: of the way from eye to brow is lid skin that stretches
OVERLAP = 0.10  #: of the opening by which a shut lid passes the lower one
MOST_CUBIC = 0.85  #: beyond it the top of the lid would be drawn out to streaks
UPPER_ROUND, LOWER_ROUND = (
    0.7,
    0.5,
)  #: powers that make a parabola a lid: rounder, so that no white stays at the corners
LASH_DARK = 0.42  #: how much the lashes darken the shut lid's edge


class Lid(NamedTuple):
    """grid: float32 [h, w, 2], reads lid skin. alpha: 0 … 1 covered. lash: 0 … 1 factor on luma taken away. [h, w]."""

    grid: Map
    alpha: Plane32
    lash: Plane32


@dataclass(frozen=True, slots=True)
class Lids:
    """One eye. upper, lower: the lids' edges at their peaks, pixels across; peaks: along; skin: pixels of it above."""

    axis: Axis
    upper_peak: float
    upper: float
    lower_peak: float
    lower: float
    skin: float

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """What may change: along from, to; across from, to."""
        return -1.2, 1.2, self.upper - self.skin - 2, self.lower + 3


def build_lids(eye: Eye, brow: list[Point]) -> Lids:
    axis = Axis.between(eye.left, eye.right)
    (upper_peak, upper), (lower_peak, lower) = axis.place(eye.upper), axis.place(eye.lower)
    lowest_brow = max(axis.place(point)[1] for point in brow)
    opening = max(lower - upper, 1.0)
    skin = max(SKIN_SHARE * (upper - lowest_brow), 0.5 * opening)
    return Lids(axis, min(max(upper_peak, -0.5), 0.5), upper, min(max(lower_peak, -0.5), 0.5), lower, skin)


def shut_lid(lids: Lids, grid: Map, shut: float) -> Lid:
    """The lid over the patch whose places in the picture are `grid`; shut: 0 open … 1 closed."""
    along, across = lids.axis.places(grid)
    upper = np.float32(lids.upper) * arch(along, lids.upper_peak) ** UPPER_ROUND
    lower = np.float32(lids.lower) * arch(along, lids.lower_peak) ** LOWER_ROUND
    travel = (lower - upper) * np.float32(shut * (1 + OVERLAP))
    edge = upper + travel
    top = upper - np.float32(lids.skin)
    # the cubic share leaves the skin at the edge unstretched, so lashes travel as they are
    cubic = np.clip(travel / np.float32(2 * lids.skin), 0, MOST_CUBIC)
    part = np.clip((across - top) / (edge - top), 0, 1)
    source = top + np.float32(lids.skin) * part * (1 - cubic * (1 - part * part))
    inside = np.clip((across - top) * 0.5, 0, 1) * (travel > 0)
    alpha = np.clip((edge - across) / EDGE_PX + 0.5, 0, 1) * inside
    skin = grid.copy()
    lids.axis.move(skin, np.zeros_like(along), np.where(across < edge, source, upper) - across)
    lash = np.float32(LASH_DARK * shut) * np.clip(1.4 - np.abs(across - edge), 0, 1) * np.clip(travel, 0, 1)
    return Lid(skin, alpha.astype(np.float32), lash.astype(np.float32))


def arch(along: Plane32, peak: float) -> Plane32:
    """0 at both corners, 1 at the peak, round between."""
    side = np.where(along < peak, (peak - along) / np.float32(1 + peak), (along - peak) / np.float32(1 - peak))
    arch: Plane32 = np.maximum(1 - side * side, 0)
    return arch
