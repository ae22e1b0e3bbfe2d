"""Which part of a picture is on air: all that covers the size there, or the face with room around it.

In: the sizes of both, and where the face is. Out: `Window`. Pure. Its part has the shape of the size on air, and
depends on nothing else of it: all tiers of a room, which have one shape, show the same part.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from pipeline.avatar import Points

Crop: TypeAlias = Literal["none", "face"]
Box: TypeAlias = tuple[float, float, float, float]
"""x0, y0, x1, y1 in pixels of the whole picture."""

UNDER_CHIN = 0.12  #: of the height: room below the chin when not all of the head fits
ROOM = 2.0  #: the part is so many times as wide and as high as the face, at least
FACE_DOWN = 0.44  #: of the height: the middle of the face; hair and some air above it, shoulders below
#: In distances between the irises, across and half sizes: hairline to chin.
FACE_CENTRE, FACE_HALF = 0.22, (1.03, 1.58)


@dataclass(frozen=True, slots=True)
class Window:
    """scale: from the picture to the air. x, y: the part's top left corner, in pixels of the scaled picture."""

    scale: float
    x: float
    y: float

    def part(self, size: tuple[int, int]) -> Box:
        """What `size` (width, height on air) shows of the picture."""
        return (
            self.x / self.scale,
            self.y / self.scale,
            (self.x + size[0]) / self.scale,
            (self.y + size[1]) / self.scale,
        )


def shown(whole: tuple[int, int], size: tuple[int, int], points: Points | None, face: Box | None) -> Window:
    """The part of a picture of size `whole` that `size` shows. face: what it is cropped to, None: to nothing."""
    return _covering(whole, size, points) if face is None else _around(face, whole, size)


def _covering(whole: tuple[int, int], size: tuple[int, int], points: Points | None) -> Window:
    """As much as covers `size`; where some must go, face before hair stays inside."""
    scale = max(size[0] / whole[0], size[1] / whole[1])
    spare = [max(0.0, whole[axis] * scale - size[axis]) for axis in (0, 1)]
    x, y = spare[0] / 2, spare[1] / 2
    if points is not None:
        x = points.nose[0] * scale - size[0] / 2
        y = min(y, min(point[1] for point in points.head) * scale)
        y = max(y, points.chin[1] * scale + UNDER_CHIN * size[1] - size[1])
    return Window(scale, min(max(x, 0.0), spare[0]), min(max(y, 0.0), spare[1]))


def _around(face: Box, whole: tuple[int, int], size: tuple[int, int]) -> Window:
    """The face with room around it, or what the picture has of that: nothing is made up beyond its edges."""
    shape = size[0] / size[1]
    width = min(ROOM * max(face[2] - face[0], (face[3] - face[1]) * shape, 1.0), whole[0], whole[1] * shape)
    height = width / shape
    x = (face[0] + face[2] - width) / 2
    y = (face[1] + face[3]) / 2 - FACE_DOWN * height
    scale = size[0] / width
    return Window(
        scale,
        min(max(x, 0.0), max(whole[0] - width, 0.0)) * scale,
        min(max(y, 0.0), max(whole[1] - height, 0.0)) * scale,
    )


def face_of(points: Points) -> Box:
    """What the outline of the face spans."""
    across, down = zip(*points.face, strict=True)
    return min(across), min(down), max(across), max(down)


def face_between(left: tuple[float, float], right: tuple[float, float]) -> Box:
    """About the same, of the irises alone."""
    unit = math.dist(left, right)
    x, y = (left[0] + right[0]) / 2, (left[1] + right[1]) / 2 + FACE_CENTRE * unit
    return x - FACE_HALF[0] * unit, y - FACE_HALF[1] * unit, x + FACE_HALF[0] * unit, y + FACE_HALF[1] * unit
