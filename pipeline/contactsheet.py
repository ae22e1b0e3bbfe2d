"""What an avatar looks like at work, on one picture: its points, at rest, blinking, and six sounds.

In: an engine and an avatar. Out: a picture of two rows, and a PNG of it. It moves nothing by itself.
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from pipeline.arrays import Frame, Frames, Pcm, Picture, silence
from pipeline.avatar import Avatar, Points
from pipeline.color import to_picture
from pipeline.engine import AvatarEngine, Job
from pipeline.errors import BadInput
from pipeline.media import AIR_PER_DRIVE, DRIVE_HZ, DRIVE_SAMPLES, PHONEME, Mark

SOUNDS = ("ɑ", "i", "u", "ɛ", "f", "m")  #: open, spread, rounded, half open, teeth on the lip, shut
SOUND_FRAMES = 15  #: 600 ms each: the lips have arrived in the middle of it
BLINK_FRAMES = 8  #: 320 ms: longer than a blink
COLUMNS = 5
VOICE_HZ, VOICE_PEAK = 120, 9000  #: a low voice at the loudness of speech
POINT_RGB, LINE_RGB = (80, 255, 80), (80, 200, 255)


def contact_sheet(engine: AvatarEngine, avatar: Avatar, seed: int) -> Picture:
    """uint8 [H, W, 3] RGB: the points · at rest · eyes shut, then the sounds of SOUNDS, left to right."""
    hold = engine.hold(avatar, seed)
    tiles = [_with_points(avatar), to_picture(hold[0]), to_picture(_blink(hold, avatar))]
    tiles += [to_picture(frame) for frame in _sounds(engine, avatar, seed)]
    tiles += [np.zeros_like(tiles[0])] * (-len(tiles) % COLUMNS)
    rows = [np.hstack(tiles[first : first + COLUMNS]) for first in range(0, len(tiles), COLUMNS)]
    return np.vstack(rows)


def write_png(path: Path, picture: Picture) -> None:
    """BadInput when the file cannot be written or is no PNG by its name."""
    if path.suffix.lower() != ".png":
        raise BadInput(f"{path}: the file to make must end in .png")
    done, png = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done, picture.shape
    try:
        path.write_bytes(png.tobytes())
    except OSError as error:
        raise BadInput(f"{path}: cannot be written: {error.strerror}") from error


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


def _blink(hold: Frames, avatar: Avatar) -> Frame:
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


def _sounds(engine: AvatarEngine, avatar: Avatar, seed: int) -> list[Frame]:
    """The frame in the middle of each sound."""
    hop = engine.format(avatar).hop_frames
    state = engine.open(avatar, seed)
    span = SOUND_FRAMES * DRIVE_SAMPLES * AIR_PER_DRIVE
    marks = [Mark(index * span, PHONEME, text=sound, span=span) for index, sound in enumerate(SOUNDS)]
    wanted = [index * SOUND_FRAMES + SOUND_FRAMES // 2 for index in range(len(SOUNDS))]
    found: list[Frame] = []
    for first in range(0, len(SOUNDS) * SOUND_FRAMES, hop):
        start = first * DRIVE_SAMPLES * AIR_PER_DRIVE
        end = start + hop * DRIVE_SAMPLES * AIR_PER_DRIVE
        told = [mark.moved(-start) for mark in marks if start <= mark.at < end]
        made = engine.step([Job(state, _voice(first, hop), silence(0), told)])[0]
        state = made.state
        found += [made.frames[frame - first].copy() for frame in wanted if first <= frame < first + hop]
    return found


def _voice(first: int, frames: int) -> Pcm:
    """A buzz, so that there is something to be heard."""
    place = np.arange(first * DRIVE_SAMPLES, (first + frames) * DRIVE_SAMPLES)
    tone = sum(np.sin(2 * np.pi * VOICE_HZ * harmonic * place / DRIVE_HZ) / harmonic for harmonic in range(1, 12))
    return np.asarray(VOICE_PEAK * tone / 2, np.int16)
