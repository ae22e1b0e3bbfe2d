"""From a pose and lips to a picture: the portrait's renderer.

In: an avatar, baked once, then poses and lips. Out: I420 frames. One thread; OpenCV is told to use no other.

The picture is kept in the planes the encoder wants, twice as fine as the frame: even samples are the
picture itself, so what does not move is copied to the bit, and sub-pixel motion stays sharp.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

import cv2
import numpy as np

from pipeline.arrays import Frame
from pipeline.avatar import Avatar, need_points
from pipeline.color import C_MID, Plane, Planes, planes, to_i420
from pipeline.engines.portrait.axis import SCALE, Axis, Map, Plane32
from pipeline.engines.portrait.eyes import Eyeball, build_eyeball, turn
from pipeline.engines.portrait.head import Box, Head, build_head, eye_distance
from pipeline.engines.portrait.lids import Lid, Lids, build_lids, shut_lid
from pipeline.engines.portrait.lips import Cavity, Mouth, build_mouth, part_lips
from pipeline.engines.portrait.motion import Pose
from pipeline.engines.portrait.mouth import Lips

PATCH_MARGIN = 0.14  #: of the eye distance: how far a feature turns and stretches out of its patch, which sways along
LIDS_FOLLOW, LEVEL = 0.32, 0.12  #: how far the lids go down with a look below LEVEL
LIDS_OPEN = 0.02  #: below this a lid is where the picture has it
LIP_WARMTH = 0.9  #: of the lips' colour that the tongue has
STRIP_PIXELS = 16_000  #: 64 kB a plane, about a dozen planes at a time
ONE_MAP = np.empty(0, np.float32)  #: cv2.remap's second map, which it has no use for

Patch: TypeAlias = tuple[slice, slice]
"""Rows and columns of the head's box, even."""


@dataclass(frozen=True, slots=True)
class Portrait:
    """All that is constant for an avatar. base: the still frame. luma [2H, 2W], chroma [H, W, 2]: the textures.
    lip_u, lip_v: the lips' colour, code values."""

    digest: str
    base: Frame
    luma: Plane
    chroma: Plane
    head: Head
    mouth: Mouth
    mouth_patch: Patch
    eyes: tuple[tuple[Eyeball, Lids, Patch], ...]
    lip_u: float
    lip_v: float

    @property
    def size(self) -> tuple[int, int]:
        """Width, height."""
        return self.base.shape[1], self.base.shape[0] * 2 // 3


def bake(avatar: Avatar) -> Portrait:
    """Prepare an avatar, about 0.2 s; AvatarError when it has no points."""
    points = need_points(avatar)
    base = to_i420(avatar.picture)
    part = planes(base)
    head = build_head(points, avatar.size)
    mouth = build_mouth(points, part.y)
    margin = PATCH_MARGIN * eye_distance(points)
    lids = [build_lids(eye, brow) for eye, brow in zip(points.eyes, points.brows, strict=True)]
    balls = [build_eyeball(eye, lid) for eye, lid in zip(points.eyes, lids, strict=True)]
    x, y = (
        int(value) // 2 for value in mouth.axis.point(0, mouth.axis.place(points.mouth.lower_in)[1] + mouth.lip / 2)
    )
    return Portrait(
        digest=avatar.digest,
        base=base,
        luma=_finer(part.y),
        chroma=np.stack([_finer(part.u), _finer(part.v)], axis=2),
        head=head,
        mouth=mouth,
        mouth_patch=_patch(mouth.axis, mouth.reach, margin, head.box),
        eyes=tuple(
            (ball, lid, _patch(ball.axis, ball.reach, margin, head.box)) for ball, lid in zip(balls, lids, strict=True)
        ),
        lip_u=float(part.u[y, x]),
        lip_v=float(part.v[y, x]),
    )


def render(portrait: Portrait, pose: Pose, lips: Lips, out: Frame) -> None:
    """Draw one frame, uint8 [H * 3 // 2, W], into `out` (contiguous)."""
    out[:] = portrait.base
    box = _cut(planes(out), portrait.head.box)
    grid = portrait.head.map(pose, lips.gap)
    shut = pose.lids + (1 - pose.lids) * LIDS_FOLLOW * max(pose.gaze_y - LEVEL, 0.0)
    lids: list[tuple[Patch, Lid]] = []
    for ball, eye, rest in portrait.eyes:
        patch = _swayed(rest, grid, portrait.head.still)
        if shut > LIDS_OPEN:
            lids.append((patch, shut_lid(eye, np.ascontiguousarray(grid[patch]), shut)))
        turn(ball, grid[patch], pose)
    mouth = _swayed(portrait.mouth_patch, grid, portrait.head.still)
    cavities = [(strip, part_lips(portrait.mouth, grid[strip], lips)) for strip in _strips(mouth)]
    _sample(portrait, grid, box)
    for strip, cavity in cavities:
        if cavity is not None:
            _blend_cavity(portrait, _cut_patch(box, strip), cavity)
    for patch, lid in lids:
        part = _cut_patch(box, patch)
        skin = Planes(*(np.empty_like(plane) for plane in part))
        _sample(portrait, lid.grid, skin)
        _mix(part.y, skin.y * (1 - lid.lash), lid.alpha)
        _mix(part.y, part.y * (1 - lid.lash), 1 - lid.alpha)
        for plane, over in zip(part[1:], skin[1:], strict=True):
            _mix(plane, over, _halved(lid.alpha))


def _finer(plane: Plane) -> Plane:
    """Twice as many samples each way: the even ones are the plane's own, the others lie between."""
    height, width = plane.shape
    inverse = np.array([[1 / SCALE, 0, 0], [0, 1 / SCALE, 0]])
    flags = cv2.INTER_LANCZOS4 | cv2.WARP_INVERSE_MAP
    size = (width * SCALE, height * SCALE)
    return np.asarray(cv2.warpAffine(plane, inverse, size, flags=flags, borderMode=cv2.BORDER_REPLICATE), np.uint8)


def _sample(portrait: Portrait, grid: Map, into: Planes) -> None:
    """Read the textures where the map says."""
    into.y[:] = cv2.remap(portrait.luma, grid, ONE_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    coarse = grid[::2, ::2] * np.float32(0.5)
    chroma = cv2.remap(portrait.chroma, coarse, ONE_MAP, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    into.u[:], into.v[:] = chroma[:, :, 0], chroma[:, :, 1]


def _blend_cavity(portrait: Portrait, part: Planes, cavity: Cavity) -> None:
    _mix(part.y, cavity.luma, cavity.alpha)
    alpha, warmth = _halved(cavity.alpha), _halved(cavity.warmth) * LIP_WARMTH
    _mix(part.u, C_MID + warmth * (portrait.lip_u - C_MID), alpha)
    _mix(part.v, C_MID + warmth * (portrait.lip_v - C_MID), alpha)


def _mix(plane: Plane, over: Plane32 | Plane, alpha: Plane32) -> None:
    """Lay `over` on the plane, in place."""
    mixed = plane + alpha * (over - plane.astype(np.float32))
    plane[:] = np.rint(mixed)


def _halved(plane: Plane32) -> Plane32:
    size = (plane.shape[1] // 2, plane.shape[0] // 2)
    return np.asarray(cv2.resize(plane, size, interpolation=cv2.INTER_AREA), np.float32)


def _patch(axis: Axis, reach: tuple[float, float, float, float], margin: float, box: Box) -> Patch:
    """The even rectangle that holds a feature's reach, counted from the box's corner; it may lie beyond the box."""
    corners = np.array([axis.point(along, across) for along in reach[:2] for across in reach[2:]])
    low = corners.min(axis=0) - margin - box[:2]
    high = corners.max(axis=0) + margin - box[:2]
    (x0, y0), (x1, y1) = ([int(v) // 2 * 2 for v in edge] for edge in (low, high + 1))
    return slice(y0, max(y1, y0 + 2)), slice(x0, max(x1, x0 + 2))


def _swayed(patch: Patch, grid: Map, still: Map) -> Patch:
    """The patch where its middle has gone, as far as it lies in the box."""
    middle = tuple(
        min(max((side.start + side.stop) // 2, 0), limit - 1) for side, limit in zip(patch, grid.shape[:2], strict=True)
    )
    right, down = ((still[middle] - grid[middle]) / SCALE).tolist()
    return _moved(patch[0], down, grid.shape[0]), _moved(patch[1], right, grid.shape[1])


def _moved(side: slice, by: float, limit: int) -> slice:
    by = round(by / 2) * 2
    start = min(max(side.start + by, 0), limit - 2)
    return slice(start, min(max(side.stop + by, start + 2), limit))


def _strips(patch: Patch) -> list[Patch]:
    """The patch from top to bottom in pieces that a core's cache holds, which halves the time of a large mouth."""
    rows, columns = patch
    step = max(STRIP_PIXELS // (columns.stop - columns.start) // 2 * 2, 2)
    return [(slice(row, min(row + step, rows.stop)), columns) for row in range(rows.start, rows.stop, step)]


def _cut(part: Planes, box: Box) -> Planes:
    x0, y0, x1, y1 = box
    return _cut_patch(part, (slice(y0, y1), slice(x0, x1)))


def _cut_patch(part: Planes, patch: Patch) -> Planes:
    half = tuple(slice(side.start // 2, side.stop // 2) for side in patch)
    return Planes(part.y[patch], part.u[half], part.v[half])
