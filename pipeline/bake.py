"""A picture becomes an avatar: its face is found, or its points are taken, and both go into one file.

In: a picture file, and a points file or none. Out: an `.avatar` file that was tried before it got its name. AvatarError
says what is wrong with the picture, and what to do.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from pipeline.arrays import Picture
from pipeline.avatar import (
    Points,
    check_points,
    fitted,
    load_avatar,
    need_points,
    points_path,
    read_avatar,
    read_points,
)
from pipeline.avatarfile import SUFFIX, is_avatar, pack
from pipeline.errors import AvatarError
from pipeline.facefinder import find_irises
from pipeline.faceplan import plan_face
from pipeline.picturefile import read_still

KEPT_PX = 2160  #: longest side that is stored: no size on air shows more
TRIED_SIZE = (448, 768)  #: on air, unless another one is asked for


@dataclass(frozen=True, slots=True)
class Baked:
    """path: of the file. size: of its picture. points_from: the points file, or None when the face was found."""

    path: Path
    size: tuple[int, int]
    points_from: Path | None


@dataclass(frozen=True, slots=True)
class Seen:
    """picture: whole. points_from: the file that the points are of, or None when the face was found."""

    picture: Picture
    points: Points
    points_from: Path | None


def see(path: Path, points: Path | None = None) -> Seen:
    """A picture, or an `.avatar` file, with its points. points: the file they are in; default: the `.json` beside it.

    Where there is none the face is looked for; AvatarError says what is in the way.
    """
    if is_avatar(path):
        stored, within = read_avatar(path)
        assert within is not None, path
        return Seen(np.asarray(stored), within, path)
    whole = read_still(path)
    beside = points_path(path)
    given = points or (beside if beside.is_file() else None)
    picture = np.asarray(whole)
    if given is not None:
        return Seen(picture, read_points(given, whole.size, path.name), given)
    found = plan_face(picture, find_irises(picture, str(path)), path.name)
    check_points(found, f"{path}: the face that was found")
    return Seen(picture, found, None)


def bake(picture: Path, points: Path | None, out: Path | None, size: tuple[int, int] | None) -> Baked:
    """Make `out` (default: the picture's name with `.avatar`).

    points: default, the `.json` beside the picture; without one the face is looked for. size: the picture is cropped
    and scaled to cover it, as it would be on air; default: it is kept whole.
    """
    if is_avatar(picture):
        raise AvatarError(f"{picture}: is an avatar already; give the picture that it was made of")
    seen = see(picture, points)
    path = out or picture.with_suffix(SUFFIX)
    if not is_avatar(path):
        raise AvatarError(f"{path}: the file to make must end in {SUFFIX}")
    return Baked(path, _write(path, seen.picture, seen.points, size), seen.points_from)


def _write(path: Path, whole: Picture, points: Points, size: tuple[int, int] | None) -> tuple[int, int]:
    """Write so that the name shows a file that works, or the one before; returns the size of its picture."""
    part = path.with_name(f"{path.stem}.part{SUFFIX}")
    whole, points = smaller(whole, points)
    try:
        part.write_bytes(pack(whole, points))
        avatar = load_avatar(part, size or TRIED_SIZE)
        if size is not None:
            part.write_bytes(pack(avatar.picture, need_points(avatar)))
        part.replace(path)
    except OSError as error:
        raise AvatarError(f"{path}: cannot be written: {error.strerror}") from error
    except AvatarError as error:
        raise AvatarError(str(error).replace(str(part), path.name)) from error
    finally:
        part.unlink(missing_ok=True)
    return size or points.size


def smaller(whole: Picture, points: Points) -> tuple[Picture, Points]:
    """At most KEPT_PX a side: what is stored."""
    width, height = points.size
    scale = min(1.0, KEPT_PX / max(width, height))
    if scale == 1:
        return whole, points
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8), fitted(
        points, scale, 0, 0, size
    )
