"""How the lips part: the lower face follows the jaw, and between the lips there is a dark mouth.

In: the map of the mouth's patch and `Lips`. Out: the map moved in place, and `Cavity`, what is seen
between the lips. Pure.

Everything is measured across the mouth from the line of its corners, in pixels, down positive. Pixels
above the gap read higher up in the picture, those below it lower down; both shifts fade out towards
nose, cheeks and neck.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.avatar import Points
from pipeline.color import Plane
from pipeline.engines.portrait.axis import Axis, Map, Plane32, smooth
from pipeline.engines.portrait.mouth import Lips

GAP_RANGE = 0.62  #: widest gap, of half the mouth's width
UPPER_SHARE, UPPER_TEETH = 0.16, 0.16  #: of the gap that the upper lip lifts, and more where teeth show
CHIN_SHARE = 0.62  #: of the gap by which the chin goes down
SPREAD, ROUND = 0.13, 0.26  #: share of its width by which the mouth widens (i) and narrows (u)
ROUND_PUFF = 0.10  #: of half the width: how much rounded lips part more
REACH = 2.3  #: half-widths to each side that a wider or narrower mouth pulls along
PULL = 0.9  #: of the way to the chin, above and below, that a wider or narrower mouth pulls along
JAW_REACH = 2.6  #: half-widths to each side that the jaw moves
EDGE_PX = 1.1  #: softness of the lips' inner edge
LINE = 257  #: samples of the lip line from corner to corner
SNAP = 0.14  #: of half the width: how far the true lip line may lie from the curve through the points
CAVITY_Y, TONGUE_Y, TEETH_Y = 20.0, 52.0, 142.0  #: luma code values; teeth are in the shade of the lip
TEETH_DROP = 0.07  #: of half the width that the upper teeth hang below the resting lip line
TEETH_HIDDEN = 0.25  #: of that where the lips are round: they hide the teeth and their shade is deeper
TONGUE_LIES, TONGUE_RISES = 0.34, 0.44  #: of the gap that the tongue fills, and more where its tip is up
TONGUE_TIP_Y = 22.0  #: luma that a raised tip has more: it is nearer to the light
PRESSED, SWOLLEN = 0.20, 0.16  #: of their thickness that pressed lips are thinner and rounded ones thicker
BEYOND = 2.0  #: thicknesses of skin that take up what a lip grows or shrinks by

Line = npt.NDArray[np.float32]


class Cavity(NamedTuple):
    """alpha: 0 … 1, share of the pixel inside the mouth; luma: its Y; warmth: 0 grey … 1 tongue. float32 [h, w]."""

    alpha: Plane32
    luma: Plane32
    warmth: Plane32


@dataclass(frozen=True, slots=True)
class Mouth:
    """axis: corner to corner. upper, lower: float32 [LINE], the lips' inner lines in the picture; the rest in pixels
    across. lip, upper_lip: thickness of the lower and the upper one."""

    axis: Axis
    upper: Line
    lower: Line
    nose: float
    chin: float
    lip: float
    upper_lip: float

    @property
    def reach(self) -> tuple[float, float, float, float]:
        """What may move: along from, to; across from, to."""
        return -JAW_REACH, JAW_REACH, min(self.nose, -PULL * self.chin), self.chin + self.neck

    @property
    def neck(self) -> float:
        """Pixels below the chin over which its motion fades out."""
        return 0.9 * self.chin


def build_mouth(points: Points, luma: Plane) -> Mouth:
    """luma: uint8 [H, W] of the picture, in which the lip line is looked for."""
    mouth = points.mouth
    axis = Axis.between(mouth.left, mouth.right)
    upper, lower = (_curve(*axis.place(point)) for point in (mouth.upper_in, mouth.lower_in))
    if float((lower - upper).max()) < 0.06 * axis.half:
        upper = lower = _snapped(upper, axis, luma)
    lip = max(axis.place(mouth.lower_out)[1] - axis.place(mouth.lower_in)[1], 2.0)
    upper_lip = max(axis.place(mouth.upper_in)[1] - axis.place(mouth.upper_out)[1], 2.0)
    return Mouth(axis, upper, lower, axis.place(points.nose)[1], axis.place(points.chin)[1], lip, upper_lip)


def part_lips(mouth: Mouth, grid: Map, lips: Lips) -> Cavity | None:
    """Move the map of the mouth's patch, or a part of it, for these lips; returns what is between them, if any."""
    along, across = mouth.axis.places(grid)
    narrowed = _narrowed(mouth, along, across, lips.width)
    belly, rest_upper, rest_lower = _lines(mouth, narrowed)
    middle = 0.5 * (rest_upper + rest_lower)
    gap = _gap_px(mouth, lips)
    lift = gap * (UPPER_SHARE + UPPER_TEETH * lips.teeth)
    upper: Plane32 = middle - lift * belly
    lower: Plane32 = middle + (gap - lift) * belly
    rising: Plane32 = (across - mouth.nose) / (upper - mouth.nose)
    up = (rest_upper - upper) * smooth(rising)
    down = _jaw(mouth, along, across, lower, rest_lower, gap)
    swell = _swell(lips)
    if swell:
        side = np.maximum(1 - narrowed * narrowed, 0) * np.float32(swell)
        up += side * _thicker((upper - across) / mouth.upper_lip, mouth.upper_lip)
        down -= side * _thicker((across - lower) / mouth.lip, mouth.lip)
    mouth.axis.move(grid, narrowed - along, np.where(across < 0.5 * (upper + lower), up, down))
    return _cavity(mouth, narrowed, across, upper, lower, middle, gap, lips)


def _gap_px(mouth: Mouth, lips: Lips) -> float:
    puff = ROUND_PUFF * max(-lips.width, 0.0) * min(lips.gap * 3, 1.0)
    return mouth.axis.half * (GAP_RANGE * lips.gap + puff)


def _swell(lips: Lips) -> float:
    """Share by which the lips are thicker; 0 where that would not be seen."""
    share = SWOLLEN * max(-lips.width, 0.0) * min(lips.gap * 3, 1.0) - PRESSED * lips.press
    return share if abs(share) > 0.01 else 0.0


def _thicker(distance: Plane32, thickness: float) -> Plane32:
    """Pixels that a place moves out when the lip is twice as thick; distance: from its inner edge, in thicknesses."""
    grown: Plane32 = np.clip(distance, 0, 1) * smooth((1 + BEYOND - distance) / BEYOND) * np.float32(thickness)
    return grown


def _narrowed(mouth: Mouth, along: Plane32, across: Plane32, width: float) -> Plane32:
    """Where along the resting mouth each pixel of the wider or narrower one belongs."""
    amount = np.float32(width * (SPREAD if width > 0 else ROUND) * 1.6)  # the window is 0.6 at the corners
    window = np.maximum(1 - (along / REACH) ** 2 - (across / (mouth.chin * PULL)) ** 2, 0) ** 2
    moved: Plane32 = along * (1 - amount * window)
    return moved


def _lines(mouth: Mouth, along: Plane32) -> tuple[Plane32, Plane32, Plane32]:
    """Shape of the gap (0 at the corners, 1 in the middle) and the resting inner lines, at each pixel."""
    place = np.clip((along + 1) * ((LINE - 1) / 2) + 0.5, 0, LINE - 1).astype(np.int32)
    square = np.maximum(1 - along * along, 0)
    return square * (1.35 - 0.35 * square), mouth.upper[place], mouth.lower[place]


def _jaw(mouth: Mouth, along: Plane32, across: Plane32, lower: Plane32, rest: Plane32, gap: float) -> Plane32:
    """How far below itself each pixel under the gap reads (negative: from above)."""
    below = smooth((across - lower) / (1.7 * mouth.lip))
    side = np.maximum(1 - (along / JAW_REACH) ** 2, 0) ** 2
    tail = smooth((mouth.chin + mouth.neck - across) / mouth.neck)
    lip = rest - lower
    down: Plane32 = (lip + below * (np.float32(-CHIN_SHARE * gap) * side - lip)) * tail
    return down


def _cavity(
    mouth: Mouth,
    along: Plane32,
    across: Plane32,
    upper: Plane32,
    lower: Plane32,
    middle: Plane32,
    gap: float,
    lips: Lips,
) -> Cavity | None:
    depth, height = across - upper, lower - across
    inside = np.minimum(depth, height)
    if float(inside.max()) <= 0:
        return None
    alpha = np.clip(inside * (1 / EDGE_PX), 0, 1)
    side = np.maximum(1 - along * along, 0)
    shown = 1 - (1 - TEETH_HIDDEN) * min(max(-lips.width, 0.0) * 1.5, 1.0)
    edge = middle + np.float32(TEETH_DROP * mouth.axis.half * shown)
    teeth = np.clip(edge - across, 0, 1.5) / 1.5 * np.clip(depth / 2.5, 0.25, 1) * side * np.float32(shown)
    fills = TONGUE_LIES * shown + TONGUE_RISES * lips.tongue
    tongue = smooth((fills * gap - height) / (0.2 * gap + 1)) * np.maximum(1 - (along / 0.72) ** 2, 0)
    tongue_y = TONGUE_Y + TONGUE_TIP_Y * lips.tongue
    luma = CAVITY_Y + (TEETH_Y - CAVITY_Y) * teeth + (tongue_y - CAVITY_Y) * tongue * (1 - teeth)
    return Cavity(alpha, luma, 0.35 + 0.65 * tongue - 0.3 * teeth)


def _curve(along: float, across: float) -> Line:
    """A line through both corners and a point between them."""
    place = np.linspace(-1, 1, LINE, dtype=np.float32)
    belly: Line = (1 - place**2) * np.float32(across / max(1 - along**2, 0.25))
    return belly


def _snapped(line: Line, axis: Axis, luma: Plane) -> Line:
    """The darkest line near `line`: where the lips of the picture really meet."""
    offsets = np.arange(-1, 1.01, 1 / 8) * SNAP * axis.half
    place = np.linspace(-1, 1, LINE)
    across = line[:, None] + offsets[None, :] * (1 - place[:, None] ** 4)
    x = axis.x + place[:, None] * axis.half * axis.cos - across * axis.sin
    y = axis.y + place[:, None] * axis.half * axis.sin + across * axis.cos
    rows = np.clip(np.rint(y).astype(int), 0, luma.shape[0] - 1)
    columns = np.clip(np.rint(x).astype(int), 0, luma.shape[1] - 1)
    cost = luma[rows, columns] + 30.0 * (offsets / (SNAP * axis.half)) ** 2
    chosen = offsets[cost.argmin(axis=1)]
    width = LINE // 8
    kernel = np.hanning(2 * width + 1)
    smoothed = np.convolve(np.pad(chosen, width, mode="edge"), kernel / kernel.sum(), mode="valid")
    snapped: Line = (line + smoothed * (1 - place**4)).astype(np.float32)
    return snapped
