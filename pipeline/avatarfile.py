"""An avatar in one file: `NAME.avatar` holds a picture and the points of its face.

In: a picture and points that were checked. Out: bytes (a mark, then msgpack), and back. A file of another version or
one that was damaged is AvatarError. It judges no points; pipeline.avatar does.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import cv2
import msgspec
import numpy as np

from pipeline.arrays import Picture
from pipeline.errors import AvatarError
from pipeline.imagecode import as_png

if TYPE_CHECKING:
    from pipeline.avatar import Points

SUFFIX = ".avatar"
MARK = b"broadcaster avatar\n"  #: what such a file begins with
SCHEMA = 1  #: version of what follows


class _Content(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """picture: a PNG, 8-bit RGB, upright. points: as JSON, of that picture. digest: sha256 of both."""

    schema: int
    picture: bytes
    points: bytes
    digest: str


def is_avatar(path: Path) -> bool:
    return path.suffix.lower() == SUFFIX


def pack(picture: Picture, points: Points) -> bytes:
    """One file; the same picture and points give the same bytes."""
    parts = (as_png(picture), msgspec.json.encode(points))
    return MARK + msgspec.msgpack.encode(_Content(SCHEMA, *parts, digest=_digest(*parts)))


def unpack(path: Path) -> tuple[Picture, bytes]:
    """uint8 [H, W, 3] RGB and the points as JSON; AvatarError says what is wrong with the file."""
    content = _read(path)
    decoded: Any = cv2.imdecode(np.frombuffer(content.picture, np.uint8), cv2.IMREAD_COLOR)
    if decoded is None:
        raise AvatarError(f"{path}: the picture in it cannot be read; bake it again")
    return np.asarray(cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB), np.uint8), content.points


def picture_bytes(path: Path) -> bytes:
    """The PNG in it."""
    return _read(path).picture


def _read(path: Path) -> _Content:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise AvatarError(f"{path}: {error.strerror}") from error
    if not data.startswith(MARK):
        raise AvatarError(f"{path}: not an avatar file; `broadcaster avatar bake PICTURE` makes one")
    try:
        version = msgspec.msgpack.decode(data[len(MARK) :], type=dict[str, Any]).get("schema")
        if version != SCHEMA:
            raise AvatarError(f"{path}: version {version}; this program reads version {SCHEMA}: bake it again")
        content = msgspec.msgpack.decode(data[len(MARK) :], type=_Content)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise AvatarError(f"{path}: it is damaged ({error})") from error
    if _digest(content.picture, content.points) != content.digest:
        raise AvatarError(f"{path}: it is damaged (its digest does not fit)")
    return content


def _digest(picture: bytes, points: bytes) -> str:
    return hashlib.sha256(picture + b"\n" + points).hexdigest()
