"""Coordinates of a feature: along a mouth or an eye from corner to corner, and across it.

In: texture maps (where each output pixel reads the picture). Out: the same places in the feature's own
terms, and maps moved in those terms. Pure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from pipeline.avatar import Point

Map: TypeAlias = npt.NDArray[np.float32]
"""float32 [h, w, 2]: x and y in the texture, which has SCALE samples a pixel."""

Plane32: TypeAlias = npt.NDArray[np.float32]
"""float32 [h, w]."""

SCALE = 2  #: texture samples per pixel of the frame, in both directions


@dataclass(frozen=True, slots=True)
class Axis:
    """From one corner of a feature to the other: centre, direction (unit vector) and half the length, pixels."""

    x: float
    y: float
    cos: float
    sin: float
    half: float

    @classmethod
    def between(cls, left: Point, right: Point) -> Axis:
        dx, dy = right[0] - left[0], right[1] - left[1]
        length = math.hypot(dx, dy)
        return cls((left[0] + right[0]) / 2, (left[1] + right[1]) / 2, dx / length, dy / length, length / 2)

    def place(self, point: Point) -> Point:
        """along (-1 at the left corner, 1 at the right one), across (pixels, down) of a point."""
        dx, dy = point[0] - self.x, point[1] - self.y
        return (dx * self.cos + dy * self.sin) / self.half, dy * self.cos - dx * self.sin

    def point(self, along: float, across: float) -> Point:
        """Undo `place`."""
        dx = along * self.half
        return self.x + dx * self.cos - across * self.sin, self.y + dx * self.sin + across * self.cos

    def places(self, grid: Map) -> tuple[Plane32, Plane32]:
        """along and across [h, w] of the places a map reads."""
        x, y = grid[:, :, 0], grid[:, :, 1]
        c, s = np.float32(self.cos / SCALE), np.float32(self.sin / SCALE)
        along = x * (c / np.float32(self.half))
        along += y * (s / np.float32(self.half))
        along -= np.float32((self.x * self.cos + self.y * self.sin) / self.half)
        across = y * c
        across -= x * s
        across -= np.float32(self.y * self.cos - self.x * self.sin)
        return along, across

    def move(self, grid: Map, along: Plane32, across: Plane32) -> None:
        """Let a map read `along` (in halves) and `across` (pixels) further, in place."""
        c, s = np.float32(self.cos * SCALE), np.float32(self.sin * SCALE)
        half = np.float32(self.half)
        grid[:, :, 0] += along * (c * half) - across * s
        grid[:, :, 1] += along * (s * half) + across * c


def smooth(value: Plane32) -> Plane32:
    """0 below 0, 1 above 1, without a kink between."""
    held: Plane32 = np.clip(value, 0, 1)
    held *= held * (3 - 2 * held)
    return held
