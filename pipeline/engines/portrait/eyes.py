"""How the eyes look about: the iris slides in its opening, whose lids stay, and the opening grows or narrows.

In: the map of an eye's patch before lids close over it, and where it looks. Out: the map moved in place. Pure.

The opening is a lens between two arches; a place in it keeps its share of the way from lid to lid, so that what lies
under a lid stays under it. White is drawn out on one side of the iris and pushed together on the other.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pipeline.avatar import Eye
from pipeline.engines.portrait.axis import Axis, Map, Plane32, smooth
from pipeline.engines.portrait.lids import LOWER_ROUND, UPPER_ROUND, Lids, arch
from pipeline.engines.portrait.motion import Pose

X_RANGE, Y_RANGE = 0.55, 0.34  #: of the iris' radius: some 16° aside and 10° up or down
EDGE = 0.16  #: of the opening: how near the lids the eyeball is held back, for points that are not exact
IRIS_SHARE = 0.9  #: of its radius to each side of the iris all moves alike
WIDE, SQUINT = 0.16, 0.16  #: of the opening: how far surprise lifts the upper lid, and a smile the lower one
BELOW = 1.1  #: openings below the lower lid over which its lift fades out
SEEN = 0.004  #: less than that of all ranges together moves nothing: the picture's own eyes to the bit
LEAST_PX = np.float32(0.25)  #: between the lids, at their corners: they are never divided by nothing
LINE = 257  #: samples from corner to corner

Line = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Eyeball:
    """One eye. iris, across: its middle, along and across. radius: pixels. upper, lower: float32 [LINE], edges of lids.
    bow: float32 [LINE], 0 at the corners, 1 at the upper lid's peak. opening: pixels between the lids; skin: above."""

    axis: Axis
    iris: float
    across: float
    radius: float
    upper: Line
    lower: Line
    bow: Line
    opening: float
    skin: float

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """What may change: along from, to; across from, to."""
        top, bottom = float(self.upper.min()), float(self.lower.max())
        return -1.2, 1.2, top - self.skin - 2, bottom + BELOW * self.opening + 2


def build_eyeball(eye: Eye, lids: Lids) -> Eyeball:
    along = np.linspace(-1, 1, LINE, dtype=np.float32)
    iris, across = lids.axis.place(eye.iris)
    upper = np.float32(lids.upper) * arch(along, lids.upper_peak) ** UPPER_ROUND
    lower = np.float32(lids.lower) * arch(along, lids.lower_peak) ** LOWER_ROUND
    bow = arch(along, lids.upper_peak)
    opening = max(lids.lower - lids.upper, 1.0)
    inside = min(max(iris, -0.6), 0.6), min(max(across, 0.7 * lids.upper), 0.7 * lids.lower)
    return Eyeball(lids.axis, *inside, eye.iris_radius, upper, lower, bow, opening, lids.skin)


def turn(eye: Eyeball, grid: Map, pose: Pose) -> None:
    """Let the map of the patch show the eye as it looks and opens in this pose."""
    if abs(pose.gaze_x) + abs(pose.gaze_y) + pose.wide + pose.smile < SEEN:
        return
    along, across = eye.axis.places(grid)
    place = np.clip((along + 1) * ((LINE - 1) / 2) + 0.5, 0, LINE - 1).astype(np.int32)
    upper, lower = eye.upper[place], eye.lower[place]
    moved, sunk = _looked(eye, along, across, upper, lower, pose)
    if pose.wide > 0 or pose.smile > 0:
        sunk += eye.bow[place] * _opened(eye, across, upper, lower, pose)
    eye.axis.move(grid, moved, sunk)


def _looked(
    eye: Eyeball, along: Plane32, across: Plane32, upper: Plane32, lower: Plane32, pose: Pose
) -> tuple[Plane32, Plane32]:
    """How far along (halves) and across (pixels) each place reads for the gaze."""
    height = np.maximum(lower - upper, LEAST_PX)
    share = (across - upper) / height
    near = np.minimum(share, 1 - share)
    room = np.where(along < eye.iris, np.float32(1 + eye.iris), np.float32(1 - eye.iris))
    held = np.float32(IRIS_SHARE * eye.radius / eye.axis.half) / room
    side = smooth((1 - np.abs(along - np.float32(eye.iris)) / room) / np.maximum(1 - held, np.float32(0.2)))
    moved = side * smooth(near * (1 / EDGE)) * np.float32(-pose.gaze_x * X_RANGE * eye.radius / eye.axis.half)
    there = np.clip((along + moved + 1) * ((LINE - 1) / 2) + 0.5, 0, LINE - 1).astype(np.int32)
    other = np.maximum(eye.lower[there] - eye.upper[there], LEAST_PX)
    lens = eye.upper[there] - upper + share * (other - height)
    rise = side * smooth(2 * near) * np.float32(-pose.gaze_y * Y_RANGE * eye.radius)
    inside = near > 0
    return moved, np.where(inside, lens + rise, np.float32(0))


def _opened(eye: Eyeball, across: Plane32, upper: Plane32, lower: Plane32, pose: Pose) -> Plane32:
    """How far below itself each place reads where the upper lid rises and the lower one does."""
    over = smooth((across - upper + np.float32(eye.skin)) / np.float32(eye.skin))
    under = _from_middle((np.float32(eye.across) - across) / np.maximum(np.float32(eye.across) - upper, 1))
    raised = np.where(across < upper, over, under) * np.float32(WIDE * eye.opening * pose.wide)
    fall = smooth(1 - (across - lower) / np.float32(BELOW * eye.opening))
    climb = _from_middle((across - np.float32(eye.across)) / np.maximum(lower - np.float32(eye.across), 1))
    lifted = np.where(across > lower, fall, climb) * np.float32(SQUINT * eye.opening * pose.smile)
    opened: Plane32 = raised + lifted
    return opened


def _from_middle(share: Plane32) -> Plane32:
    """0 in the middle of the iris, 1 at the lid, most of it near the lid: the pupil stays round."""
    held: Plane32 = np.clip(share, 0, 1)
    held *= held
    return held
