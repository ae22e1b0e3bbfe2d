"""One picture whose points a person is placing: where they begin, how they look, and where they are kept.

In: a picture file, then points as the page has them. Out: a small picture of the face at work, the points file beside
the picture, an `.avatar` file if it is asked for. AvatarError says what is wrong with points, in words for that person.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from pipeline.arrays import Picture
from pipeline.avatar import Points, check_points, fit_avatar, parse_points, points_path, read_points
from pipeline.avatarfile import SUFFIX, is_avatar
from pipeline.bake import bake, smaller
from pipeline.color import to_picture
from pipeline.contactsheet import blink, sounds
from pipeline.engine import load_engine
from pipeline.errors import AvatarError
from pipeline.facefinder import find_irises
from pipeline.faceplan import plan_face, typical_face
from pipeline.imagecode import as_jpeg
from pipeline.picturefile import read_still
from pipeline.wholefile import write_whole

LOOK_SIZE = (256, 256)  # of each of three pictures: large enough to see a mouth, drawn in a fifth of a second
OPEN_SOUND = "ɑ"


class Pointing:
    """Any thread calls it. `tell`: hears what was written, in a line."""

    def __init__(self, path: Path, given: Path | None, tell: Callable[[str], None]) -> None:
        self._path = path
        self._given = given
        self._tell = tell
        self._engine = load_engine("portrait")
        self._lock = threading.Lock()  # the engine is one thread's

    def open(self) -> None:
        """Read the picture, and find where its points begin. AvatarError when it or the given points cannot be used."""
        if is_avatar(self._path):
            raise AvatarError(f"{self._path}: is an avatar already; give the picture that it was made of")
        self._picture: Picture = np.asarray(read_still(self._path))
        self._points, self._found, self._why = self._begun()

    def close(self) -> None:
        with self._lock:
            self._engine.close()

    @property
    def about(self) -> dict[str, Any]:
        """What the page begins with. found: whether the points are of this face. why: where they come from."""
        return {
            "name": self._path.name,
            "file": points_path(self._path).name,
            "avatar": self._path.with_suffix(SUFFIX).name,
            "found": self._found,
            "why": self._why,
            "points": msgspec.json.decode(msgspec.json.encode(self._points)),
        }

    def picture(self) -> bytes:
        """A JPEG of it, upright; smaller than the points' pixels where it is very large."""
        return as_jpeg(smaller(self._picture, self._points)[0])

    def look(self, points: bytes) -> bytes:
        """A JPEG of the face with these points: at rest, with an open mouth, and blinking, side by side."""
        whole, known = smaller(self._picture, self._parsed(points))
        avatar = fit_avatar(whole, known, LOOK_SIZE, "face", self._path.name)
        with self._lock:
            wide = sounds(self._engine, avatar, 0, (OPEN_SOUND,))[0]
            shut = blink(self._engine.hold(avatar, 0), avatar)
        return as_jpeg(np.hstack([avatar.picture, to_picture(wide), to_picture(shut)]))

    def save(self, points: bytes, *, baked: bool) -> str:
        """Write the points beside the picture, then the `.avatar` file where that is wanted; says what was written."""
        known = self._parsed(points)
        path = points_path(self._path)
        try:
            write_whole(path, msgspec.json.format(msgspec.json.encode(known), indent=1) + b"\n")
        except OSError as error:
            raise AvatarError(f"{path}: cannot be written: {error.strerror}") from error
        text = f"{path} is saved"
        if baked:
            text += f", and {bake(self._path, path, None, None).path} is made of it"
        self._tell(text)
        return text

    def _parsed(self, points: bytes) -> Points:
        return parse_points(points, points_path(self._path).name, self._points.size, self._path.name)

    def _begun(self) -> tuple[Points, bool, str]:
        """Points, whether they are of this face, and where they come from."""
        size, name = (self._picture.shape[1], self._picture.shape[0]), self._path.name
        if self._given is not None:
            return read_points(self._given, size, name), True, f"These are the points of {self._given}."
        beside = points_path(self._path)
        spoilt = ""
        if beside.is_file():
            try:
                return read_points(beside, size, name), True, f"These are the points of {beside.name}."
            except AvatarError as error:
                spoilt = f"{error}. Saving replaces it. "
        try:
            found = plan_face(self._picture, find_irises(self._picture, name), name)
            check_points(found, f"{name}: the face that was found")
        except AvatarError as error:
            why = str(error).partition(";")[0]  # what to do about it is being done
            return typical_face(size, name), False, f"{spoilt}{why}. Drag the face onto it, by its eyes first."
        return found, True, f"{spoilt}One face was found. Look whether eyes and mouth are where they should be."
