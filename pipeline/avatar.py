"""An avatar: one picture fitted to the size on air, and the points of its face.

In: a picture file and, beside it, `<stem>.json` with the points, or an `.avatar` file with both. Out:
`Avatar`, a value; `digest` tells two of them apart. It warps nothing and knows no engine. AvatarError
says what is wrong with a file and what would be right.

Points are pixels of the upright picture, x right, y down; "left" is the picture's left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import msgspec
import numpy as np
from PIL import Image

from pipeline.arrays import Picture
from pipeline.avatarfile import is_avatar, unpack
from pipeline.crop import Box, Crop, face_between, face_of, shown
from pipeline.errors import AvatarError
from pipeline.facefinder import find_irises
from pipeline.picturefile import SMALLEST_PX, read_picture
from pipeline.shipped import PRESENTER

SCHEMA = 1  #: version of the points file
SMALLEST_MOUTH_PX = 12.0  #: mouth width on air below which nothing can be seen to open
LARGEST_SIDE_PX = 4096  #: of the size on air; H.264 level 5.1 ends here

Point: TypeAlias = tuple[float, float]


class Mouth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Corners, and the middle of the lips' outer and inner lines; inner ones equal when it is closed."""

    left: Point
    right: Point
    upper_out: Point
    upper_in: Point
    lower_in: Point
    lower_out: Point


class Eye(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Corners, the middle of the lids' edges, and the iris."""

    left: Point
    right: Point
    upper: Point
    lower: Point
    iris: Point
    iris_radius: float


class Points(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"version": "schema"}):
    """The points file. eyes, brows: the picture's left one first. face, head: outlines (head with hair)."""

    version: int
    picture: str
    size: tuple[int, int]
    mouth: Mouth
    eyes: tuple[Eye, Eye]
    brows: tuple[list[Point], list[Point]]
    nose: Point
    chin: Point
    face: list[Point]
    head: list[Point]
    shoulders_y: float


@dataclass(frozen=True, slots=True, eq=False)
class Avatar:
    """picture: uint8 [H, W, 3] RGB, read-only, of exactly `size`. points: in its pixels; None without a points file."""

    name: str
    picture: Picture
    points: Points | None
    size: tuple[int, int]  # width, height
    digest: str  # sha256 of picture, points and size
    source: str = ""  # sha256 of the files it was made of, and the crop: the same at every size


def load_avatar(
    image: Path | None, size: tuple[int, int], crop: Crop = "none", on_air: tuple[int, int] | None = None
) -> Avatar:
    """Read a picture (None: the shipped presenter) and cover `size` (width, height, both even) with it.

    crop: face = with the part around its face alone, which is looked for where there are no points. on_air: the size
    there, where what is drawn is resized to it. The part of the picture that covers it is taken then, and stretched to
    `size`: whatever size draws it, a face is in the same place and of the same shape on air.

    AvatarError when the file is missing, is no picture, is too small, has no one face to crop to, or its points are
    wrong. A picture without a points file is not an error here: `points` is None, and `need_points` says so.
    """
    path = image or PRESENTER
    _check_size(size)
    whole, points = read_avatar(path)
    return replace(_shown_at(whole, points, size, crop, str(path), on_air), name=path.stem, source=_source(path, crop))


def fit_avatar(picture: Picture, points: Points, size: tuple[int, int], crop: Crop, name: str) -> Avatar:
    """The same of a picture that was read, and of points that were checked."""
    _check_size(size)
    return _shown_at(Image.fromarray(picture), points, size, crop, name)


def _check_size(size: tuple[int, int]) -> None:
    width, height = size
    if width % 2 or height % 2 or not all(SMALLEST_PX <= side <= LARGEST_SIDE_PX for side in size):
        raise AvatarError(f"avatar size {width}x{height}: both sides must be even, {SMALLEST_PX} to {LARGEST_SIDE_PX}")


def _shown_at(
    whole: Image.Image,
    points: Points | None,
    size: tuple[int, int],
    crop: Crop,
    name: str,
    on_air: tuple[int, int] | None = None,
) -> Avatar:
    seen = on_air or size
    window = shown(whole.size, seen, points, None if crop == "none" else _face(whole, points, name))
    picture = np.asarray(whole.resize(size, Image.Resampling.LANCZOS, box=window.part(seen)))
    picture.flags.writeable = False
    if points is not None:
        stretch = (size[0] / seen[0], size[1] / seen[1])
        points = fitted(points, window.scale, window.x, window.y, size, stretch)
        _check_inside(points, size, f"{name}: after fitting to {size[0]}x{size[1]}")
    return Avatar(name, picture, points, size, _digest(picture, points))


def _face(whole: Image.Image, points: Points | None, name: str) -> Box:
    if points is not None:
        return face_of(points)
    irises = find_irises(np.asarray(whole), name)
    return face_between(irises.left, irises.right)


def need_points(avatar: Avatar) -> Points:
    """The avatar's points; AvatarError when it has none."""
    if avatar.points is None:
        raise AvatarError(
            f"{avatar.name}: no points file {avatar.name}.json beside the picture; `broadcaster avatar bake` finds the "
            "face, `broadcaster avatar points` lets you place them"
        )
    return avatar.points


def points_path(picture: Path) -> Path:
    """Where the points of a picture are."""
    return picture.with_suffix(".json")


_CONTENT = "schema, picture, size, mouth, eyes, brows, nose, chin, face, head and shoulders_y"


def read_avatar(path: Path) -> tuple[Image.Image, Points | None]:
    """A picture, whole, with the points beside it or in it; None where there are none."""
    if not is_avatar(path):
        whole = read_picture(path)
        beside = points_path(path)
        return whole, read_points(beside, whole.size, path.name) if beside.is_file() else None
    if not path.is_file():
        raise AvatarError(f"{path}: no such file")
    picture, points = unpack(path)
    whole = Image.fromarray(picture)
    return whole, parse_points(points, str(path), whole.size, "the one in it")


def read_points(path: Path, size: tuple[int, int], picture: str) -> Points:
    """The points file of a picture of `size`; AvatarError names the place that is wrong."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AvatarError(f"{path}: {error.strerror}") from error
    return parse_points(data, str(path), size, picture)


def parse_points(data: bytes, where: str, size: tuple[int, int], picture: str) -> Points:
    """Points as JSON for a picture of `size`; `where` and `picture` name both in errors."""
    try:
        points = msgspec.json.decode(data, type=Points)
    except ValueError as error:  # msgspec's errors are ValueErrors and name the place
        raise AvatarError(f"{where}: {error}; it must hold {_CONTENT}") from error
    if points.version != SCHEMA:
        raise AvatarError(f"{where}: schema {points.version}; this version reads schema {SCHEMA}")
    if points.size != size:
        was, now = "x".join(map(str, points.size)), "x".join(map(str, size))
        raise AvatarError(f"{where}: made for a picture of {was}, but {picture} has {now}")
    check_points(points, where)
    return points


def check_points(points: Points, where: str) -> None:
    """AvatarError when points lie outside their picture or in an order that no face has."""
    _check_inside(points, points.size, where)
    _check_order(points, where)


def _named_points(points: Points) -> Iterator[tuple[str, Point]]:
    for name in Mouth.__struct_fields__:
        yield f"mouth.{name}", getattr(points.mouth, name)
    for index, eye in enumerate(points.eyes):
        for name in ("left", "right", "upper", "lower", "iris"):
            yield f"eyes[{index}].{name}", getattr(eye, name)
    for index, brow in enumerate(points.brows):
        yield from ((f"brows[{index}][{i}]", point) for i, point in enumerate(brow))
    yield "nose", points.nose
    yield "chin", points.chin


def _check_inside(points: Points, size: tuple[int, int], where: str) -> None:
    for name, (x, y) in _named_points(points):
        if not (0 <= x <= size[0] and 0 <= y <= size[1]):
            raise AvatarError(f"{where}: {name} ({x:g}, {y:g}) lies outside the picture ({size[0]}x{size[1]})")
    width = points.mouth.right[0] - points.mouth.left[0]
    if width < SMALLEST_MOUTH_PX:
        raise AvatarError(f"{where}: the mouth is {width:.0f} pixels wide; {SMALLEST_MOUTH_PX:.0f} at least")


def _check_order(points: Points, where: str) -> None:
    mouth, (one, other) = points.mouth, points.eyes
    rows = [mouth.upper_out[1], mouth.upper_in[1], mouth.lower_in[1], mouth.lower_out[1]]
    wrong = {
        "mouth: upper_out, upper_in, lower_in, lower_out must follow each other downwards": rows != sorted(rows),
        "eyes: the picture's left one comes first": one.iris[0] >= other.iris[0],
        "eyes: left must be left of right, upper above lower, iris_radius positive": any(
            e.left[0] >= e.right[0] or e.upper[1] >= e.lower[1] or e.iris_radius <= 0 for e in points.eyes
        ),
        "nose must lie above the mouth and the mouth above the chin": not points.nose[1] < rows[1] < points.chin[1],
        "brows: two points each at least": min(len(brow) for brow in points.brows) < 2,
        "face and head: three points each at least": min(len(points.face), len(points.head)) < 3,
    }
    for text, is_wrong in wrong.items():
        if is_wrong:
            raise AvatarError(f"{where}: {text}")


def fitted(
    points: Points, scale: float, x: float, y: float, size: tuple[int, int], stretch: tuple[float, float] = (1.0, 1.0)
) -> Points:
    """The points in a picture that was scaled, and of which the part from x, y (scaled) on is left.

    stretch: of that part, width and height, which makes it `size`.
    """

    def move(point: Point) -> Point:
        return ((point[0] * scale - x) * stretch[0], (point[1] * scale - y) * stretch[1])

    round_scale = scale * (stretch[0] * stretch[1]) ** 0.5
    mouth = Mouth(*(move(getattr(points.mouth, name)) for name in Mouth.__struct_fields__))
    eyes = [
        Eye(move(e.left), move(e.right), move(e.upper), move(e.lower), move(e.iris), e.iris_radius * round_scale)
        for e in points.eyes
    ]
    return Points(
        version=points.version,
        picture=points.picture,
        size=size,
        mouth=mouth,
        eyes=(eyes[0], eyes[1]),
        brows=([move(p) for p in points.brows[0]], [move(p) for p in points.brows[1]]),
        nose=move(points.nose),
        chin=move(points.chin),
        face=[move(p) for p in points.face],
        head=[move(p) for p in points.head],
        shoulders_y=(points.shoulders_y * scale - y) * stretch[1],
    )


def _source(path: Path, crop: Crop) -> str:
    digest = hashlib.sha256(path.read_bytes())
    if crop != "none":
        digest.update(crop.encode())
    beside = points_path(path)
    if beside != path and beside.is_file() and not is_avatar(path):
        digest.update(beside.read_bytes())
    return digest.hexdigest()


def _digest(picture: Picture, points: Points | None) -> str:
    digest = hashlib.sha256(f"avatar {SCHEMA} {picture.shape}".encode())
    digest.update(np.ascontiguousarray(picture).data)
    digest.update(msgspec.json.encode(points))
    return digest.hexdigest()
