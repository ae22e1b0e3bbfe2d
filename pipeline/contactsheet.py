"""What an avatar looks like at work, on one picture: what is on air of it, its points, how it moves, and six sounds.

In: an engine, an avatar, and the whole picture that it is a part of. Out: named tiles, one picture of them, and a PNG
of it. It moves nothing by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Frame, Frames, Mask, Pcm, Picture, silence
from pipeline.avatar import Avatar, Points
from pipeline.color import Plane, planes, to_i420, to_picture
from pipeline.crop import Box
from pipeline.engine import AvatarEngine, Job, Masked
from pipeline.errors import BadInput
from pipeline.imagecode import as_png
from pipeline.media import AIR_PER_DRIVE, DRIVE_HZ, DRIVE_SAMPLES, PHONEME, Mark

SOUNDS = {"a": "ɑ", "i": "i", "u": "u", "e": "ɛ", "f": "f", "m": "m"}
"""Open, spread, rounded, half open, teeth on the lip, shut; in IPA."""
SOUND_FRAMES = 15  #: 600 ms each: the lips have arrived in the middle of it
BLINK_FRAMES = 8  #: 320 ms: longer than a blink
COLUMNS = 4
VOICE_HZ, VOICE_PEAK = 120, 9000  #: a low voice at the loudness of speech
POINT_RGB, LINE_RGB, FRAME_RGB = (80, 255, 80), (80, 200, 255), (255, 210, 60)
DIMMED = 0.3  #: of its light that the part of a picture keeps which is not meant
CAPTION_SHARE = 0.06  #: of a tile's width: height of the strip under its name
CAPTION_RGB, CAPTION_GROUND = (240, 240, 240), 0.35

Plane32 = npt.NDArray[np.float32]
Tiles = Mapping[str, Picture]
"""Name → uint8 [H, W, 3] RGB of the size on air, in the order in which they are shown."""


def tiles(engine: AvatarEngine, avatar: Avatar, seed: int, whole: Picture, part: Box) -> Tiles:
    """`part`: of the picture `whole` that is on air. An engine that says nothing of what may move has no such tile."""
    hold = engine.hold(avatar, seed)
    made = {"on air": _framed(whole, part, avatar.size), "points": _with_points(avatar)}
    if isinstance(engine, Masked):
        mask = engine.mask(avatar)
        made[f"may move: {mask.mean():.0%}"] = _dimmed(avatar.picture, mask)
    made |= {"rest": to_picture(hold[0]), "blink": to_picture(blink(hold, avatar))}
    made["turned"] = to_picture(_turned(hold, avatar))
    frames = sounds(engine, avatar, seed, tuple(SOUNDS.values()))
    return made | {name: to_picture(frame) for name, frame in zip(SOUNDS, frames, strict=True)}


def contact_sheet(named: Tiles) -> Picture:
    """uint8 [H, W, 3] RGB: rows of COLUMNS tiles, each with its name."""
    shown = [_captioned(tile, name) for name, tile in named.items()]
    shown += [np.zeros_like(shown[0])] * (-len(shown) % COLUMNS)
    return np.vstack([np.hstack(shown[first : first + COLUMNS]) for first in range(0, len(shown), COLUMNS)])


def write_png(path: Path, picture: Picture) -> None:
    """BadInput when the file cannot be written."""
    try:
        path.write_bytes(as_png(picture))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error


# ── what the engine makes ────────────────────────────────────────────────────────────────────────


def blink(hold: Frames, avatar: Avatar) -> Frame:
    """The frame whose eyes differ most from those shortly before and after it: a blink passes, a pose stays."""
    points, (width, height) = avatar.points, avatar.size
    rows, columns = slice(0, height), slice(0, width)
    if points is not None:
        corners = np.array([point for eye in points.eyes for point in (eye.left, eye.right, eye.upper, eye.lower)])
        (x0, y0), (x1, y1) = corners.min(axis=0).astype(int), corners.max(axis=0).astype(int) + 1
        rows, columns = slice(y0, y1), slice(x0, x1)
    eyes = hold[:, rows, columns].astype(np.int16)
    around = (np.roll(eyes, BLINK_FRAMES, axis=0) + np.roll(eyes, -BLINK_FRAMES, axis=0)) // 2
    frame: Frame = hold[int(np.abs(eyes - around).mean(axis=(1, 2)).argmax())]
    return frame


def sounds(engine: AvatarEngine, avatar: Avatar, seed: int, ipa: Sequence[str]) -> list[Frame]:
    """The frame in the middle of each sound, one spoken after the other."""
    hop = engine.format(avatar).hop_frames
    state = engine.open(avatar, seed)
    span = SOUND_FRAMES * DRIVE_SAMPLES * AIR_PER_DRIVE
    marks = [Mark(index * span, PHONEME, text=sound, span=span) for index, sound in enumerate(ipa)]
    wanted = [index * SOUND_FRAMES + SOUND_FRAMES // 2 for index in range(len(ipa))]
    found: list[Frame] = []
    for first in range(0, wanted[-1] + 1, hop):
        start = first * DRIVE_SAMPLES * AIR_PER_DRIVE
        end = start + hop * DRIVE_SAMPLES * AIR_PER_DRIVE
        told = [mark.moved(-start) for mark in marks if start <= mark.at < end]
        made = engine.step([Job(state, hum(first, hop), silence(0), told)])[0]
        state = made.state
        found += [made.frames[frame - first].copy() for frame in wanted if first <= frame < first + hop]
    return found


def hum(first: int, frames: int) -> Pcm:
    """A buzz of so many frames from one on, 16 kHz: something to be heard where there is no voice."""
    place = np.arange(first * DRIVE_SAMPLES, (first + frames) * DRIVE_SAMPLES)
    tone = sum(np.sin(2 * np.pi * VOICE_HZ * harmonic * place / DRIVE_HZ) / harmonic for harmonic in range(1, 12))
    return np.asarray(VOICE_PEAK * tone / 2, np.int16)


def _turned(hold: Frames, avatar: Avatar) -> Frame:
    """The frame whose nose is farthest from where the picture has it."""
    x, y = _nose(avatar)
    reach = max(avatar.size[0] // 16, 4)
    spots = [_spot(planes(frame).y, x, y, reach) for frame in hold]
    still = _spot(planes(to_i420(avatar.picture)).y, x, y, reach)
    offs = [np.abs(spot - spot.mean() - (still - still.mean())).mean() for spot in spots]
    frame: Frame = hold[int(np.argmax(offs))]
    return frame


def _nose(avatar: Avatar) -> tuple[int, int]:
    x, y = avatar.points.nose if avatar.points is not None else (avatar.size[0] / 2, avatar.size[1] / 2)
    return round(x), round(y)


def _spot(luma: Plane, x: int, y: int, reach: int) -> Plane32:
    part: Plane32 = luma[max(y - reach, 0) : y + reach, max(x - reach, 0) : x + reach].astype(np.float32)
    return part


# ── what is drawn beside it ──────────────────────────────────────────────────────────────────────


def _framed(whole: Picture, part: Box, size: tuple[int, int]) -> Picture:
    """The whole picture, all but the part that is on air dimmed, made to fit a tile of `size`."""
    height, width = whole.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    fitting = (max(round(width * scale), 1), max(round(height * scale), 1))
    small = cv2.resize(whole, fitting, interpolation=cv2.INTER_AREA)
    x0, y0, x1, y1 = (round(value * scale) for value in part)
    inside = np.zeros(small.shape[:2], np.bool_)
    inside[y0:y1, x0:x1] = True
    drawn = _dimmed(np.asarray(small, np.uint8), inside)
    cv2.rectangle(drawn, (x0, y0), (x1 - 1, y1 - 1), FRAME_RGB, 2)
    tile: Picture = np.zeros((size[1], size[0], 3), np.uint8)
    top, left = (size[1] - drawn.shape[0]) // 2, (size[0] - drawn.shape[1]) // 2
    tile[top : top + drawn.shape[0], left : left + drawn.shape[1]] = drawn
    return tile


def _dimmed(picture: Picture, meant: Mask) -> Picture:
    return np.where(meant[:, :, None], picture, picture * np.float32(DIMMED)).astype(np.uint8)


def _with_points(avatar: Avatar) -> Picture:
    picture = avatar.picture.copy()
    points = avatar.points
    if points is None:
        return picture
    for outline in (points.face, points.head):
        cv2.polylines(picture, [np.array(outline, np.int32)], True, LINE_RGB, 1, cv2.LINE_AA)
    for x, y in _dots(points):
        cv2.circle(picture, (round(x), round(y)), 2, POINT_RGB, -1, cv2.LINE_AA)
    return picture


def _dots(points: Points) -> list[tuple[float, float]]:
    mouth = [getattr(points.mouth, name) for name in points.mouth.__struct_fields__]
    eyes = [getattr(eye, name) for eye in points.eyes for name in ("left", "right", "upper", "lower", "iris")]
    return [*mouth, *eyes, *points.brows[0], *points.brows[1], points.nose, points.chin]


def _captioned(tile: Picture, name: str) -> Picture:
    """The tile with its name on a strip along its lower edge."""
    captioned = tile.copy()
    height = max(round(tile.shape[1] * CAPTION_SHARE), 12)
    captioned[-height:] = (captioned[-height:] * np.float32(CAPTION_GROUND)).astype(np.uint8)
    place, scale = (height // 3, tile.shape[0] - height // 3), height / 36
    cv2.putText(captioned, name, place, cv2.FONT_HERSHEY_SIMPLEX, scale, CAPTION_RGB, 1, cv2.LINE_AA)
    return captioned
