"""The points of a face from its irises: proportions of an adult face, then the mouth where the picture shows it.

In: a picture, the irises. Out: `Points`, or AvatarError when the mouth is covered. All measures are in distances
between the irises (63 mm in an adult, ISO 7250 / ANSUR), along the line between them and across it, downwards; so a
head that is tilted comes out right. It finds no face and reads no file.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Picture
from pipeline.avatar import SCHEMA, Eye, Mouth, Point, Points
from pipeline.crop import FACE_CENTRE, FACE_HALF
from pipeline.errors import AvatarError
from pipeline.facefinder import BY_HAND, Irises

# along, across
EYE_HALF = 0.25  #: from the iris to a corner
LID_UPPER, LID_LOWER = -0.125, 0.095  #: above the lashes, which would be drawn out to streaks
IRIS_RADIUS = 0.112
BROW = ((-0.34, -0.27), (-0.08, -0.36), (0.28, -0.28))  #: from the outer end to the inner one, from the iris
NOSE = 0.65
CHIN = 1.80
HEAD_CENTRE, HEAD_HALF = -0.05, (1.62, 2.05)  #: with hair
SHOULDERS_BELOW_CHIN = 0.9
OUTLINE_POINTS = 32

MOUTH = 1.10  #: across, of the line between the lips
MOUTH_WINDOW = (0.90, 1.36)  #: across, where that line is looked for
MOUTH_HALF = 0.41  #: from the middle to a corner
MOUTH_HALF_WINDOW = (0.30, 0.54)
MOUTH_SHIFT = 0.14  #: along: a head that is turned has it off the middle
LIP_UPPER, LIP_LOWER = 0.11, 0.17  #: thickness
LIP_UPPER_WINDOW, LIP_LOWER_WINDOW = (0.07, 0.19), (0.10, 0.25)
PATCH_SCALE = 100  #: pixels per eye distance in the upright patch in which the mouth is looked for
PATCH = (1.4, 0.75, 1.70)  #: width; across from, to
REDNESS_MIN = 4.0  #: Lab a*: lips differ from skin by at least this, else only their line is believed
LINE_MIN = 2.0  #: Lab L*, of 255: a line between lips is darker than its surroundings by at least this
TYPICAL_UNIT, TYPICAL_DOWN = 0.16, 0.40  #: between the irises, of the shorter side; where they are, of the height

Plane32 = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Frame:
    """The face's own coordinates. unit: pixels between the irises."""

    x: float
    y: float
    cos: float
    sin: float
    unit: float

    @classmethod
    def of(cls, irises: Irises) -> Frame:
        (x0, y0), (x1, y1) = irises.left, irises.right
        unit = math.hypot(x1 - x0, y1 - y0)
        return cls((x0 + x1) / 2, (y0 + y1) / 2, (x1 - x0) / unit, (y1 - y0) / unit, unit)

    def point(self, along: float, across: float, origin: Point | None = None) -> Point:
        """Pixels of a place; `origin`: counted from there instead of from between the eyes."""
        x, y = origin or (self.x, self.y)
        u, v = along * self.unit, across * self.unit
        return float(x + u * self.cos - v * self.sin), float(y + u * self.sin + v * self.cos)


@dataclass(frozen=True, slots=True)
class _Lips:
    """Where the mouth is: middle along; line, edges and corners across; half its width."""

    middle: float
    half: float
    line: float
    left: float
    right: float
    upper: float
    lower: float


def plan_face(picture: Picture, irises: Irises, name: str) -> Points:
    """`picture`: uint8 [H, W, 3] RGB; `name`: of its file. AvatarError when no mouth is seen."""
    frame = Frame.of(irises)
    lips = _find_lips(picture, frame)
    if lips is None:
        raise AvatarError(f"{name}: a face is in it, but no mouth (covered?); take another picture, or {BY_HAND}")
    return _plan(frame, irises, lips, (picture.shape[1], picture.shape[0]), name)


def typical_face(size: tuple[int, int], name: str) -> Points:
    """A face in the middle of a picture of `size`, for a person to drag into place."""
    width, height = size
    half, y = TYPICAL_UNIT * min(size) / 2, TYPICAL_DOWN * height
    irises = Irises((width / 2 - half, y), (width / 2 + half, y))
    lips = _Lips(0.0, MOUTH_HALF, MOUTH, MOUTH, MOUTH, MOUTH - LIP_UPPER, MOUTH + LIP_LOWER)
    return _plan(Frame.of(irises), irises, lips, size, name)


def _plan(frame: Frame, irises: Irises, lips: _Lips, size: tuple[int, int], name: str) -> Points:
    points = Points(
        version=SCHEMA,
        picture=name,
        size=size,
        mouth=Mouth(
            left=frame.point(lips.middle - lips.half, lips.left),
            right=frame.point(lips.middle + lips.half, lips.right),
            upper_out=frame.point(lips.middle, lips.upper),
            upper_in=frame.point(lips.middle, lips.line),
            lower_in=frame.point(lips.middle, lips.line),
            lower_out=frame.point(lips.middle, lips.lower),
        ),
        eyes=(_eye(frame, irises.left), _eye(frame, irises.right)),
        brows=(
            [frame.point(along, across, irises.left) for along, across in BROW],
            [frame.point(-along, across, irises.right) for along, across in reversed(BROW)],
        ),
        nose=frame.point(lips.middle * 0.8, NOSE),
        chin=frame.point(lips.middle, max(CHIN, lips.lower + 0.3)),
        face=_oval(frame, FACE_CENTRE, FACE_HALF),
        head=_oval(frame, HEAD_CENTRE, HEAD_HALF),
        shoulders_y=0,
    )
    return _kept_inside(points, frame)


def _eye(frame: Frame, iris: Point) -> Eye:
    return Eye(
        left=frame.point(-EYE_HALF, 0.01, iris),
        right=frame.point(EYE_HALF, 0.01, iris),
        upper=frame.point(0, LID_UPPER, iris),
        lower=frame.point(0, LID_LOWER, iris),
        iris=iris,
        iris_radius=IRIS_RADIUS * frame.unit,
    )


def _oval(frame: Frame, centre: float, half: tuple[float, float]) -> list[Point]:
    turns = np.linspace(0, 2 * math.pi, OUTLINE_POINTS, endpoint=False)
    return [frame.point(half[0] * math.sin(turn), centre - half[1] * math.cos(turn)) for turn in turns]


def _kept_inside(points: Points, frame: Frame) -> Points:
    """What a picture that is cropped close does not show is moved to its edge."""
    width, height = points.size

    def held(point: Point) -> Point:
        return min(max(point[0], 0.0), width - 1.0), min(max(point[1], 0.0), height - 1.0)

    chin = held(points.chin)
    return msgspec.structs.replace(
        points,
        chin=chin,
        brows=([held(point) for point in points.brows[0]], [held(point) for point in points.brows[1]]),
        shoulders_y=min(chin[1] + SHOULDERS_BELOW_CHIN * frame.unit, height - 1.0),
    )


# ── the mouth ────────────────────────────────────────────────────────────────────────────────────


def _find_lips(picture: Picture, frame: Frame) -> _Lips | None:
    """The line between the lips is the darkest one under the nose; the lips are redder than the skin around them.

    None where there is neither.
    """
    patch = _patch(picture, frame)
    lab = cv2.cvtColor(patch, cv2.COLOR_RGB2LAB).astype(np.float32)
    line, contrast = _lip_line(lab[:, :, 0])
    red = _redness(lab[:, :, 1], line)
    if red is None and contrast < LINE_MIN:
        return None
    middle, half, upper, lower = 0.0, MOUTH_HALF, line - LIP_UPPER, line + LIP_LOWER
    if red is not None:
        middle, half = _span(red.max(axis=0), -PATCH[0] / 2)
        rows = red[:, _column(middle - 0.08) : _column(middle + 0.08)].mean(axis=1)
        upper = line - _held(_run(rows, _row(line), -1), LIP_UPPER_WINDOW)
        lower = line + _held(_run(rows, _row(line), 1), LIP_LOWER_WINDOW)
    ends = [_corner(lab[:, :, 0], middle + side * half, line) for side in (-1, 1)]
    return _Lips(middle, half, line, ends[0], ends[1], upper, lower)


def _patch(picture: Picture, frame: Frame) -> Picture:
    """The lower face, upright, PATCH_SCALE pixels per eye distance."""
    corner = frame.point(-PATCH[0] / 2, PATCH[1])
    step = frame.unit / PATCH_SCALE
    place = np.array(
        [[frame.cos * step, -frame.sin * step, corner[0]], [frame.sin * step, frame.cos * step, corner[1]]]
    )
    size = (round(PATCH[0] * PATCH_SCALE), round((PATCH[2] - PATCH[1]) * PATCH_SCALE))
    flags = cv2.INTER_AREA if step > 1 else cv2.INTER_LINEAR
    soft = cv2.GaussianBlur(picture, (0, 0), step / 2) if step > 1 else picture
    warped = cv2.warpAffine(soft, place, size, flags=flags | cv2.WARP_INVERSE_MAP, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(warped, np.uint8)


def _lip_line(luma: Plane32) -> tuple[float, float]:
    """Across: the row that is darker than those around it, by preference where mouths are; and by how much it is."""
    strip = luma[:, _column(-0.22) : _column(0.22)].mean(axis=1)
    wide = cv2.GaussianBlur(strip.reshape(-1, 1), (1, 0), sigmaX=1, sigmaY=10).ravel()
    fine = cv2.GaussianBlur(strip.reshape(-1, 1), (1, 0), sigmaX=1, sigmaY=2).ravel()
    rows = np.arange(len(strip))
    across = PATCH[1] + rows / PATCH_SCALE
    darkness = wide - fine - 30 * (across - MOUTH) ** 2
    darkness[(across < MOUTH_WINDOW[0]) | (across > MOUTH_WINDOW[1])] = -np.inf
    row = int(np.argmax(darkness))
    return float(across[row]), float(wide[row] - fine[row])


def _redness(a: Plane32, line: float) -> Plane32 | None:
    """float32 [h, w], 0 skin … 1 lips around the line; None where they do not differ enough."""
    top, bottom = _row(line - 0.32), _row(line + 0.38)
    part = cv2.GaussianBlur(a, (0, 0), 2)
    lips = float(np.median(part[_row(line) : _row(line + 0.12), _column(-0.15) : _column(0.15)]))
    sides = [part[top:bottom, : _column(-0.55)], part[top:bottom, _column(0.55) :]]
    skin = float(np.median(np.concatenate([side.ravel() for side in sides])))
    if lips - skin < REDNESS_MIN:
        return None
    red: Plane32 = np.clip((part - skin) / (lips - skin), 0, 1).astype(np.float32)
    red[:top], red[bottom:] = 0, 0
    return red


def _span(profile: Plane32, first: float) -> tuple[float, float]:
    """Middle and half width of what is red around the middle of a profile that begins at `first`."""
    centre = len(profile) // 2
    left, right = (_run(profile, centre, side) for side in (-1, 1))
    shift = (right - left) / 2
    middle = first + centre / PATCH_SCALE + min(max(shift, -MOUTH_SHIFT), MOUTH_SHIFT)
    return middle, _held((left + right) / 2, MOUTH_HALF_WINDOW)


def _run(profile: Plane32, start: int, step: int) -> float:
    """How far, in eye distances, a profile stays above a half from `start` on."""
    at = start
    while 0 <= at + step < len(profile) and profile[at + step] >= 0.5:
        at += step
    return abs(at - start) / PATCH_SCALE


def _corner(luma: Plane32, along: float, line: float) -> float:
    """Across: where the mouth's line is at one of its ends."""
    top, bottom = _row(line - 0.07), _row(line + 0.07)
    column = _column(along)
    strip = luma[top:bottom, max(0, column - 4) : column + 5].mean(axis=1)
    slope = 12 * ((np.arange(len(strip)) - len(strip) / 2) / len(strip)) ** 2
    return PATCH[1] + (top + int(np.argmin(strip + slope))) / PATCH_SCALE


def _row(across: float) -> int:
    return max(0, round((across - PATCH[1]) * PATCH_SCALE))


def _column(along: float) -> int:
    return max(0, round((along + PATCH[0] / 2) * PATCH_SCALE))


def _held(value: float, window: tuple[float, float]) -> float:
    return min(max(value, window[0]), window[1])
