"""How the portrait is alive: blinks, sway, breath and brows, frame by frame.

In: seed, frame index, and for live speech the voice's slow loudness. Out: `Pose`. Pure functions of
their arguments, so hops, restarts and roll-backs agree without anything to carry.

Sway is a sum of slow sines with phases from the seed (smooth at every scale, nothing to interpolate);
blinks are drawn one per stretch of four seconds, at a moment, length and rarely in a pair, from the seed.
"""

from __future__ import annotations

import hashlib
import math
from typing import NamedTuple

from pipeline.media import FPS

BLINK_EVERY = 4 * FPS  #: frames; one blink in each stretch: 15 a minute, pairs included about 17
BLINK_SPREAD = 2.9  #: s of the stretch in which it may begin: the shortest distance of two blinks is about 1 s
PAIR_SHARE = 0.12  #: of the blinks are followed by a second one
PAIR_AFTER_S = 0.42
CLOSING_S, CLOSED_S, OPENING_S = (
    0.07,
    0.045,
    0.12,
)  #: lids shut faster than they open; CLOSED_S > a frame: none misses it
BREATH_S = 4.2  #: one breath, about 14 a minute
BREATH_SHARE = 0.38  #: of a breath is breathing in
NOD_BY_VOICE, BROWS_BY_VOICE = 0.55, 0.6  #: share of the range that a loud phrase moves head and brows by
TAU = 2 * math.pi

#: (period s, share) of the sines of one axis; periods have no common multiple within hours.
WAVES: tuple[tuple[float, float], ...] = ((9.7, 0.48), (5.3, 0.30), (3.1, 0.15), (1.9, 0.07))
AXES = ("x", "y", "roll", "yaw", "pitch", "brows")


class Pose(NamedTuple):
    """x, y, roll, yaw, pitch, brows: about -1 … 1 of their range. breath, lids: 0 … 1 (lids 1 = shut)."""

    x: float
    y: float
    roll: float
    yaw: float
    pitch: float
    brows: float
    breath: float
    lids: float


def pose(seed: int, frame: int, voice: float) -> Pose:
    """The pose of a frame; voice: slow loudness 0 … 1."""
    x, y, roll, yaw, pitch, brows = (_sway(seed, axis, frame / FPS) for axis in AXES)
    return Pose(
        x,
        y,
        roll,
        yaw,
        pitch + NOD_BY_VOICE * voice,
        0.35 * brows + BROWS_BY_VOICE * voice,
        breath(frame / FPS / BREATH_S + _chance(seed, "breath", 0)),
        lids(seed, frame),
    )


def loop_pose(seed: int, frame: int, frames: int) -> Pose:
    """The pose in a silent loop of `frames`: every motion has a whole number of periods in it, one blink."""
    turn = frame / frames
    x, y, roll, yaw, pitch, brows = (
        0.6 * math.sin(TAU * (turn + _chance(seed, axis, 1)))
        + 0.25 * math.sin(TAU * (2 * turn + _chance(seed, axis, 2)))
        for axis in AXES
    )
    begin = 0.4 * frames / FPS
    return Pose(x, y, roll, yaw, pitch, 0.35 * brows, breath(turn), _lid_curve(frame / FPS - begin))


def lids(seed: int, frame: int) -> float:
    """How far the lids are shut, 0 … 1."""
    stretch = frame // BLINK_EVERY
    shut = 0.0
    for index in (stretch - 1, stretch):
        begin = index * BLINK_EVERY / FPS + BLINK_SPREAD * _chance(seed, "blink", index)
        slow = 0.9 + 0.3 * _chance(seed, "slow", index)
        shut = max(shut, _lid_curve((frame / FPS - begin) / slow))
        if _chance(seed, "pair", index) < PAIR_SHARE:
            shut = max(shut, _lid_curve((frame / FPS - begin - PAIR_AFTER_S) / slow))
    return shut


def breath(turns: float) -> float:
    """0 … 1: in for BREATH_SHARE of a turn, out for the rest, smooth at both ends."""
    phase = turns % 1.0
    up = phase / BREATH_SHARE if phase < BREATH_SHARE else (1 - phase) / (1 - BREATH_SHARE)
    return 0.5 - 0.5 * math.cos(math.pi * up)


def _lid_curve(since_s: float) -> float:
    if since_s < CLOSING_S:
        return _smooth(since_s / CLOSING_S)
    return _smooth(1 - (since_s - CLOSING_S - CLOSED_S) / OPENING_S)


def _smooth(value: float) -> float:
    value = min(max(value, 0.0), 1.0)
    return value * value * (3 - 2 * value)


def _sway(seed: int, axis: str, time_s: float) -> float:
    return sum(
        share
        * math.sin(TAU * (time_s / (period * (0.93 + 0.14 * _chance(seed, axis, 10 + i))) + _chance(seed, axis, i)))
        for i, (period, share) in enumerate(WAVES)
    )


def _chance(seed: int, what: str, index: int) -> float:
    """A number in [0, 1) that depends on the arguments alone, on every machine alike."""
    digest = hashlib.blake2b(f"{seed} {what} {index}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)
