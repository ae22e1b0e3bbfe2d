"""What a viewer sees of a face beside its lip-sync, measured in pictures: vowels, blinks, steps, what stands still.

In: I420 frames, the avatar's points, PHONEME marks. Out: numbers. It knows nothing of how the frames were made.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from benchmarks.lipsync import Series, found_again, sway
from pipeline.arrays import Frame, Frames
from pipeline.avatar import Avatar, need_points
from pipeline.color import planes, to_i420
from pipeline.engines.portrait.mouth import letters
from pipeline.media import AIR_HZ, AIR_SAMPLES, PHONEME, Mark

CORNER = 0.34  #: of half the mouth's width: half the side of the square by which a corner is found again
OUTWARD = 0.12  #: of half the mouth's width that its middle lies outside the corner: skin changes less than lips
VOWELS = ("i", "a", "u")
LONG_VOWEL = AIR_HZ * 70 // 1000  #: shorter ones are over before lips are there
ARRIVED = 0.6  #: of a vowel: where its shape is looked at
IRIS_PART = 0.5  #: of the radius: the square in its middle that is looked at
COVERED = 0.5  #: of the way from the iris' luma to that of the lid's skin: the eye is shut


def corners_apart(frames: Frames, avatar: Avatar) -> Series:
    """float64 [T]: pixels by which the mouth is wider than in the still picture."""
    mouth = need_points(avatar).mouth
    rest = planes(to_i420(avatar.picture)).y
    half = (mouth.right[0] - mouth.left[0]) / 2
    places = [(x + side * OUTWARD * half, y) for side, (x, y) in ((-1, mouth.left), (1, mouth.right))]
    found = []
    for frame in frames:
        left, right = (found_again(planes(frame).y, rest, place, CORNER * half)[0] for place in places)
        found.append(right - left)
    return np.array(found)


def vowel_widths(widths: Series, marks: Sequence[Mark]) -> dict[str, list[float]]:
    """The mouth's widths in the vowels of VOWELS that last long enough."""
    found: dict[str, list[float]] = {vowel: [] for vowel in VOWELS}
    for mark in marks:
        sounds = letters(mark.text) if mark.kind == PHONEME else []
        frame = int((mark.at + ARRIVED * mark.span) // AIR_SAMPLES)
        if len(sounds) == 1 and sounds[0] in found and mark.span >= LONG_VOWEL and frame < len(widths):
            found[sounds[0]].append(float(widths[frame]))
    return found


def blinks(frames: Iterable[Frame], avatar: Avatar) -> int:
    """How often both eyes were covered."""
    points = need_points(avatar)
    rest = planes(to_i420(avatar.picture)).y
    halves = [max(IRIS_PART * eye.iris_radius, 1.0) for eye in points.eyes]
    seen = []
    for frame in frames:
        luma = planes(frame).y
        x, y = sway(luma, rest, avatar)
        both = zip(points.eyes, halves, strict=True)
        seen.append([_mean(luma, eye.iris[0] + x, eye.iris[1] + y, half) for eye, half in both])
    irises = np.array(seen)
    pairs = zip(points.eyes, points.brows, strict=True)
    lids = [(eye.upper[1] + max(y for _, y in brow)) / 2 for eye, brow in pairs]
    skin = [_mean(rest, eye.upper[0], y, half) for eye, y, half in zip(points.eyes, lids, halves, strict=True)]
    open_ = np.median(irises, axis=0)
    covered = (irises > open_ + COVERED * (np.array(skin) - open_)).all(axis=1)
    return int((covered[1:] & ~covered[:-1]).sum())


def steps(frames: Frames) -> Series:
    """float64 [T - 1]: mean change of luma from each frame to the next."""
    pairs = pairwise(planes(frame).y.astype(np.int16) for frame in frames)
    return np.array([np.abs(after - before).mean() for before, after in pairs])


def at_edges(changes: Series, hop: int) -> tuple[Series, Series]:
    """The changes from one hop to the next, and those inside hops; the first frame begins a hop."""
    is_edge = np.arange(1, len(changes) + 1) % hop == 0
    return changes[is_edge], changes[~is_edge]


def touched(frames: Frames, still: Frame) -> npt.NDArray[np.bool_]:
    """bool [H, W]: pixels whose luma is ever another one than in the still picture."""
    rest = planes(still).y
    found = np.zeros(rest.shape, bool)
    for frame in frames:
        found |= planes(frame).y != rest
    return found


def _mean(luma: npt.NDArray[np.uint8], x: float, y: float, half: float) -> float:
    return float(luma[round(y - half) : round(y + half) + 1, round(x - half) : round(x + half) + 1].mean())
