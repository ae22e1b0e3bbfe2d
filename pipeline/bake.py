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
    is_moving,
    load_avatar,
    need_points,
    points_path,
    read_picture,
    read_points,
)
from pipeline.avatarfile import SUFFIX, is_avatar, pack
from pipeline.errors import AvatarError
from pipeline.facefinder import find_irises
from pipeline.faceplan import plan_face

KEPT_PX = 2160  #: longest side that is stored: no size on air shows more
TRIED_SIZE = (448, 768)  #: on air, unless another one is asked for


@dataclass(frozen=True, slots=True)
class Baked:
    """path: of the file. size: of its picture. points_from: the points file, or None when the face was found."""

    path: Path
    size: tuple[int, int]
    points_from: Path | None


def bake(picture: Path, points: Path | None, out: Path | None, size: tuple[int, int] | None) -> Baked:
    """Make `out` (default: the picture's name with `.avatar`).

    points: default, the `.json` beside the picture; without one the face is looked for. size: the picture is cropped
    and scaled to cover it, as it would be on air; default: it is kept whole.
    """
    if is_avatar(picture):
        raise AvatarError(f"{picture}: is an avatar already; give the picture that it was made of")
    if is_moving(picture):
        raise AvatarError(f"{picture}: holds several pictures (an animation); save the one that you want by itself")
    whole = np.asarray(read_picture(picture))
    beside = points_path(picture)
    given = points or (beside if beside.is_file() else None)
    upright = (whole.shape[1], whole.shape[0])
    known = read_points(given, upright, picture.name) if given else _found(whole, picture)
    path = out or picture.with_suffix(SUFFIX)
    if not is_avatar(path):
        raise AvatarError(f"{path}: the file to make must end in {SUFFIX}")
    return Baked(path, _write(path, whole, known, size), given)


def _found(whole: Picture, picture: Path) -> Points:
    points = plan_face(whole, find_irises(whole, str(picture)), picture.name)
    check_points(points, f"{picture}: the face that was found")
    return points


def _write(path: Path, whole: Picture, points: Points, size: tuple[int, int] | None) -> tuple[int, int]:
    """Write so that the name shows a file that works, or the one before; returns the size of its picture."""
    part = path.with_name(f"{path.stem}.part{SUFFIX}")
    whole, points = _smaller(whole, points)
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


def _smaller(whole: Picture, points: Points) -> tuple[Picture, Points]:
    """At most KEPT_PX a side."""
    width, height = points.size
    scale = min(1.0, KEPT_PX / max(width, height))
    if scale == 1:
        return whole, points
    size = (round(width * scale), round(height * scale))
    return np.asarray(cv2.resize(whole, size, interpolation=cv2.INTER_AREA), np.uint8), fitted(
        points, scale, 0, 0, size
    )
