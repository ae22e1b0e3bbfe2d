"""How head, face and shoulders move as one soft sheet: displacement fields on a coarse grid.

In: points and size. Out: `Head`: the region that moves at all, and one field for each entry of a pose.
A frame's field is their weighted sum; it is exactly zero outside, so the background stays as it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.avatar import Eye, Point, Points
from pipeline.engines.portrait.axis import SCALE, Axis, Map
from pipeline.engines.portrait.motion import Pose

CELL = 8  #: pixels between two nodes of the grid
#: Full range of each motion in distances between the eyes; roll in radians.
X_RANGE, Y_RANGE, ROLL_RANGE = 0.050, 0.028, 0.026
YAW_RANGE, PITCH_RANGE, BROWS_RANGE, BREATH_RANGE = 0.045, 0.035, 0.040, 0.024
LEAN_RANGE = 0.050
#: A full smile: corners of the mouth out and up, in halves of its width; cheeks up, in distances between the eyes.
CORNER_OUT, CORNER_UP, CHEEK_UP, CHEEK_OUT = 0.12, 0.17, 0.036, 0.012
JAW_IN, JAW_DOWN = 0.020, 0.022  #: how far the cheeks go in and down with a mouth that is wide open
MARGIN = 0.75  #: of the eye distance around the head over which its motion fades out: hair must not tear off
CHEST_BELOW = 1.6  #: eye distances: arms and belly hang still
CHEST_SIDE, CHEST_FADE = 1.6, 1.5  #: eye distances to each side that move alike, and over which that fades
BORDER = 0.5  #: of the eye distance: motion fades out towards the picture's border, beyond which there is nothing

Box: TypeAlias = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the last ones exclusive; all even."""

Grid: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Head:
    """box: what may move. fields: float32 [10, rows, columns, 2], texture offsets of a full x, y, …, smile, and of
    a mouth that is wide open. still: float32 [h, w, 2], the map of the box that moves nothing."""

    box: Box
    fields: Grid
    still: Map

    def map(self, pose: Pose, gap: float = 0.0) -> Map:
        """Where each pixel of the box reads the texture; gap: how far the mouth is open, 0 … 1."""
        weights = np.array([*pose[: len(self.fields) - 1], gap], np.float32)
        coarse = np.tensordot(weights, self.fields, 1)
        rows, columns = coarse.shape[:2]
        fine = cv2.resize(coarse, (columns * CELL, rows * CELL), interpolation=cv2.INTER_LINEAR)
        height, width = self.still.shape[:2]
        return np.asarray(cv2.add(fine[:height, :width], self.still), np.float32)


def build_head(points: Points, size: tuple[int, int]) -> Head:
    """Fields for these points in a picture of `size` (width, height)."""
    columns, rows = (-(-side // CELL) for side in size)
    x, y = np.meshgrid(_nodes(columns), _nodes(rows))
    fields = _fields(points, x, y, size)
    moving = np.abs(fields).max(axis=(0, 3)) > 0
    used_rows, used_columns = np.flatnonzero(moving.any(axis=1)), np.flatnonzero(moving.any(axis=0))
    top, bottom = max(used_rows[0] - 1, 0), min(used_rows[-1] + 2, rows)
    left, right = max(used_columns[0] - 1, 0), min(used_columns[-1] + 2, columns)
    box = (int(left * CELL), int(top * CELL), int(min(right * CELL, size[0])), int(min(bottom * CELL, size[1])))
    still = np.stack(np.meshgrid(np.arange(box[0], box[2]), np.arange(box[1], box[3])), axis=2) * SCALE
    part = np.ascontiguousarray(fields[:, top:bottom, left:right])
    return Head(box, part, still.astype(np.float32))


def eye_distance(points: Points) -> float:
    """Pixels between the irises: the measure of all motion."""
    return math.dist(points.eyes[0].iris, points.eyes[1].iris)


def _nodes(count: int) -> Grid:
    return (np.arange(count, dtype=np.float32) + 0.5) * CELL - 0.5


def _fields(points: Points, x: Grid, y: Grid, size: tuple[int, int]) -> Grid:
    """float32 [10, rows, columns, 2] over the whole picture, in texture offsets (against the motion)."""
    unit = eye_distance(points)
    head = _outline_weight(points.head, x, y, MARGIN * unit)
    pivot = (points.chin[0], points.chin[1] + 0.6 * unit)
    face = _face_weight(points, x, y)
    both = zip(points.brows, points.eyes, strict=True)
    brows = sum((_raised(brow, eye, x, y, unit) for brow, eye in both), start=np.zeros_like(x))
    chest = _chest_weight(points, x, y, size)
    none = np.zeros_like(x)
    pairs = [
        (head * X_RANGE * unit, none),
        (none, head * Y_RANGE * unit),
        (-head * ROLL_RANGE * (y - pivot[1]), head * ROLL_RANGE * (x - pivot[0])),
        (face * YAW_RANGE * unit, none),
        (none, face * PITCH_RANGE * unit),
        (none, -np.minimum(brows, 1) * BROWS_RANGE * unit),
        (none, -chest * BREATH_RANGE * unit),
        (np.maximum(head, chest) * LEAN_RANGE * unit, none),
        _smile(points, x, y),
        _jaw(points, x, y),
    ]
    inside = _fade(1 - _border_distance(x, y, size) / (BORDER * unit))
    fields = np.stack([np.stack(pair, axis=2) for pair in pairs]) * (inside[..., None] * -SCALE)
    fields[np.abs(fields) < 1e-3] = 0
    return fields.astype(np.float32)


def _outline_weight(outline: list[Point], x: Grid, y: Grid, margin: float) -> Grid:
    """1 inside the outline, fading to 0 at `margin` pixels outside."""
    polygon = np.array(outline, np.float32).reshape(-1, 1, 2)
    signed = [
        cv2.pointPolygonTest(polygon, (float(px), float(py)), True) for px, py in zip(x.flat, y.flat, strict=True)
    ]
    return _fade(-np.array(signed, np.float32).reshape(x.shape) / margin)


def _face_weight(points: Points, x: Grid, y: Grid) -> Grid:
    """1 at the nose, 0 from the outline of the face outwards: what is in front moves more."""
    face = np.array(points.face)
    wide = max(face[:, 0].max() - points.nose[0], points.nose[0] - face[:, 0].min())
    tall = max(face[:, 1].max() - points.nose[1], points.nose[1] - face[:, 1].min())
    square = ((x - points.nose[0]) / (1.1 * wide)) ** 2 + ((y - points.nose[1]) / (1.1 * tall)) ** 2
    weight: Grid = np.maximum(1 - square, 0) ** 1.5
    return weight


def _raised(brow: list[Point], eye: Eye, x: Grid, y: Grid, unit: float) -> Grid:
    """A soft spot over a brow that ends at the lid: the eye is no part of it."""
    middle = np.mean(brow, axis=0)
    length = max(abs(brow[-1][0] - brow[0][0]), 0.3 * unit)
    middle_y = float(middle[1])
    below = max(1.1 * (eye.upper[1] - middle_y), 0.15 * unit)
    tall = np.where(y > middle_y, below, 0.42 * unit)
    return _spot(x, y, (float(middle[0]), middle_y), 0.95 * length, tall)


def _smile(points: Points, x: Grid, y: Grid) -> tuple[Grid, Grid]:
    """The corners of the mouth go out and up, the cheeks up."""
    unit, axis = eye_distance(points), Axis.between(points.mouth.left, points.mouth.right)
    right, down = np.zeros_like(x), np.zeros_like(x)
    for side, corner, eye in zip((-1, 1), (points.mouth.left, points.mouth.right), points.eyes, strict=True):
        along, across = axis.place(corner)
        spot = _spot(x, y, axis.point(along + 0.12 * side, across), 1.0 * axis.half, 0.85 * axis.half)
        cheek = axis.point(along + 0.45 * side, 0.45 * axis.place(eye.lower)[1] + 0.55 * across)
        lift = _spot(x, y, cheek, 0.50 * unit, 0.42 * unit)
        out = side * (spot * CORNER_OUT * axis.half + lift * CHEEK_OUT * unit)
        up = spot * CORNER_UP * axis.half + lift * CHEEK_UP * unit
        right += out * axis.cos + up * axis.sin
        down += out * axis.sin - up * axis.cos
    return right, down


def _jaw(points: Points, x: Grid, y: Grid) -> tuple[Grid, Grid]:
    """The cheeks beside the mouth go in and down with the jaw."""
    unit, axis = eye_distance(points), Axis.between(points.mouth.left, points.mouth.right)
    right, down = np.zeros_like(x), np.zeros_like(x)
    for side in (-1, 1):
        spot = _spot(x, y, axis.point(1.85 * side, 0.15 * unit), 0.50 * unit, 0.60 * unit)
        right += -side * spot * JAW_IN * unit * axis.cos - spot * JAW_DOWN * unit * axis.sin
        down += -side * spot * JAW_IN * unit * axis.sin + spot * JAW_DOWN * unit * axis.cos
    return right, down


def _spot(x: Grid, y: Grid, middle: Point, wide: float, tall: float | Grid) -> Grid:
    """1 in the middle, softly 0 at so many pixels beside and above it."""
    spot: Grid = np.maximum(1 - ((x - middle[0]) / wide) ** 2 - ((y - middle[1]) / tall) ** 2, 0) ** 2
    return spot


def _chest_weight(points: Points, x: Grid, y: Grid, size: tuple[int, int]) -> Grid:
    """1 at the shoulders, 0 at the chin, CHEST_BELOW under the shoulders and far to the sides."""
    unit = eye_distance(points)
    above = max(points.shoulders_y - points.chin[1], 0.5 * unit)
    below = max(min(CHEST_BELOW * unit, size[1] - points.shoulders_y - CELL), 0.5 * unit)
    down = np.where(y < points.shoulders_y, (points.shoulders_y - y) / above, (y - points.shoulders_y) / below)
    middle = (points.chin[0] + points.nose[0]) / 2
    weight: Grid = _fade(down) * _fade((np.abs(x - middle) / unit - CHEST_SIDE) / CHEST_FADE)
    return weight


def _border_distance(x: Grid, y: Grid, size: tuple[int, int]) -> Grid:
    """Pixels to the nearest border of the picture."""
    across, down = np.minimum(x, size[0] - 1 - x), np.minimum(y, size[1] - 1 - y)
    distance: Grid = np.minimum(across, down)
    return distance


def _fade(value: Grid) -> Grid:
    held = np.clip(1 - value, 0, 1)
    faded: Grid = held * held * (3 - 2 * held)
    return faded
