"""Where the one frontal face of a picture is: OpenCV's cascades (Viola & Jones 2001), then the irises by darkness.

In: a picture. Out: the irises in pixels. AvatarError says what is in the way: no face, several, one that is too
small, eyes that cannot be found. It needs no weights; the cascades come with OpenCV 4.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Picture
from pipeline.color import Plane
from pipeline.errors import AvatarError

FACES = "haarcascade_frontalface_alt2.xml"
EYES = ("haarcascade_eye_tree_eyeglasses.xml", "haarcascade_eye.xml")
SEARCH_PX = (640, 1920)  #: longest side of the picture that is searched; the second finds a small face in a large one
NEIGHBOURS = 4  #: detections that must agree: fewer see faces in curtains
OTHER_SHARE = 0.35  #: of the largest face's width: a smaller one is a picture on the wall
SMALLEST_FACE_PX = 96  #: its mouth is 30 pixels wide: less shows no speech
FACE_PX = 320  #: width at which eyes are looked for
EYES_BELOW = 0.62  #: of the face's height: nothing further down is an eye
TURN_MAX = 0.30  #: slope of the line between the eyes: 17 degrees
EYES_APART = (0.26, 0.56)  #: of the face's width; about 0.38 in a face seen from the front
IRIS_REACH = 0.10  #: of the distance between the eyes: how far aside the iris may be of where a cascade sees an eye
IRIS_BLUR = 0.07  #: of the same: about the radius of an iris
TURNS = (  # of pictures that come out of a scanner, or lost their EXIF rotation
    (cv2.ROTATE_90_CLOCKWISE, "lies on its side"),
    (cv2.ROTATE_90_COUNTERCLOCKWISE, "lies on its side"),
    (cv2.ROTATE_180, "is upside down"),
)
BY_HAND = "place its points by hand with `broadcaster avatar points`, or give them with --points FILE"

Point: TypeAlias = tuple[float, float]
Plane32: TypeAlias = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Box:
    """Pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True, slots=True)
class Irises:
    """Centres in pixels, the picture's left one first."""

    left: Point
    right: Point


def find_irises(picture: Picture, name: str) -> Irises:
    """`picture`: uint8 [H, W, 3] RGB. `name` is what errors call it."""
    grey = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    found = [(face, _eyes(grey, face)) for face in _faces(grey)]
    if not found:
        raise AvatarError(f"{name}: {_why_none(grey)}, or {BY_HAND}")
    largest, eyes = found[0]
    others = [face for face, seen in found[1:] if seen is not None and face.width >= OTHER_SHARE * largest.width]
    if others:
        raise AvatarError(f"{name}: {len(others) + 1} faces are in it; crop it to one, or {BY_HAND}")
    if largest.width < SMALLEST_FACE_PX:
        raise AvatarError(
            f"{name}: the face is {largest.width:.0f} pixels wide; {SMALLEST_FACE_PX} at least: "
            f"take a picture {SMALLEST_FACE_PX / largest.width:.1f} times as large"
        )
    if eyes is None:
        raise AvatarError(
            f"{name}: a face is in it, but its two open eyes were not found (hair, glasses, turned away?); {BY_HAND}"
        )
    return _refined(grey, eyes)


def _why_none(grey: Plane) -> str:
    """What a picture without an upright face may have instead."""
    scale = min(1.0, SEARCH_PX[0] / max(grey.shape))
    small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
    for turn, words in TURNS:
        turned = np.asarray(cv2.rotate(small, turn), np.uint8)
        if any(_eyes(turned, face) for face in _faces(turned)[:1]):
            return f"no face is upright in it, but one that {words}: turn the picture"
    return "no face is seen from the front in it; take another picture"


def _cascade(file: str) -> Any:
    data = getattr(cv2, "data", None)
    path = Path(getattr(data, "haarcascades", "")) / file
    if not hasattr(cv2, "CascadeClassifier") or not path.is_file():
        raise AvatarError(
            f"OpenCV {cv2.__version__} has no face cascades, so no face can be found: "
            f"install 'opencv-python-headless<5', or {BY_HAND}"
        )
    return cv2.CascadeClassifier(str(path))


def _faces(grey: Plane) -> list[Box]:
    """Largest first; none inside another."""
    cascade = _cascade(FACES)
    for side in SEARCH_PX:
        scale = min(1.0, side / max(grey.shape))
        small = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA) if scale < 1 else grey
        boxes = cascade.detectMultiScale(cv2.equalizeHist(small), 1.1, NEIGHBOURS, minSize=(24, 24))
        faces = sorted((Box(*(float(v) / scale for v in box)) for box in boxes), key=lambda box: -box.width)
        if faces:
            return [face for index, face in enumerate(faces) if not any(_inside(face, b) for b in faces[:index])]
        if scale == 1:
            break
    return []


def _inside(face: Box, larger: Box) -> bool:
    x, y = face.x + face.width / 2 - larger.x, face.y + face.height / 2 - larger.y
    return 0 <= x <= larger.width and 0 <= y <= larger.height


def _eyes(grey: Plane, face: Box) -> Irises | None:
    """The pair of eyes in the upper part of a face that looks most like one."""
    x, y = max(0, int(face.x)), max(0, int(face.y))
    part = grey[y : y + int(EYES_BELOW * face.height), x : x + int(face.width)]
    scale = FACE_PX / face.width
    large = cv2.resize(part, None, fx=scale, fy=scale, interpolation=cv2.INTER_LINEAR)
    for file in EYES:
        boxes = _cascade(file).detectMultiScale(large, 1.05, NEIGHBOURS, minSize=(FACE_PX // 10, FACE_PX // 10))
        spots = [(float(x + (left + w / 2) / scale), float(y + (top + h / 2) / scale)) for left, top, w, h in boxes]
        pairs = [pair for one, other in product(spots, spots) if (pair := Irises(one, other)) and _is_pair(pair, face)]
        if pairs:
            return min(pairs, key=lambda pair: _oddness(pair, face))
    return None


def _is_pair(eyes: Irises, face: Box) -> bool:
    dx, dy = eyes.right[0] - eyes.left[0], eyes.right[1] - eyes.left[1]
    return EYES_APART[0] <= dx / face.width <= EYES_APART[1] and abs(dy) <= TURN_MAX * dx


def _oddness(eyes: Irises, face: Box) -> float:
    """How far the middle of the eyes is from where faces have it, in widths of the face."""
    middle = (eyes.left[0] + eyes.right[0]) / 2 - face.x, (eyes.left[1] + eyes.right[1]) / 2 - face.y
    return math.hypot(middle[0] / face.width - 0.5, middle[1] / face.height - 0.39)


def _refined(grey: Plane, eyes: Irises) -> Irises:
    """Each iris where a disc of its size is darkest; its height as the cascade saw it, for lashes are dark too."""
    apart = math.dist(eyes.left, eyes.right)
    blurred = cv2.GaussianBlur(grey, (0, 0), max(1.0, IRIS_BLUR * apart)).astype(np.float32)
    return Irises(_darkest(blurred, eyes.left, IRIS_REACH * apart), _darkest(blurred, eyes.right, IRIS_REACH * apart))


def _darkest(blurred: Plane32, near: Point, reach: float) -> Point:
    """The darkest place beside `near`, of places alike the nearest one."""
    y, first = round(near[1]), max(0, round(near[0] - reach))
    row = blurred[max(0, y - 1) : y + 2, first : round(near[0] + reach) + 1].mean(axis=0)
    off = np.abs(first + np.arange(len(row)) - near[0]) / reach
    return float(first + int(np.argmin(row + 4 * off))), near[1]
