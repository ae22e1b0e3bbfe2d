"""How the portrait is alive by itself: blinks, looks, sway, breath, posture, frame by frame.

In: seed, frame index, and for live speech the voice's slow loudness. Out: `Pose`. Pure functions of
their arguments, so hops, restarts and roll-backs agree without anything to carry.

Sway is a sum of slow sines with phases from the seed (smooth at every scale, nothing to interpolate);
blinks, saccades, shifts of posture and small smiles are events at moments from the seed, one in a stretch.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.engines.portrait.chance import chance, held, latest, smoothed
from pipeline.engines.portrait.gaze import gaze
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
BREATH_DRIFTS_S = (41.3, 67.9)  #: periods over which breath goes faster and slower: 3.1 to 6.5 s
BREATH_DRIFT = 0.35  #: of a breath
NOD_BY_VOICE, BROWS_BY_VOICE = 0.55, 0.45  #: share of the range that a loud phrase moves head and brows by
SWAY_SHARE = 0.7  #: of the range of x, roll and yaw; the rest is posture's, and the look's that the head follows
POSTURE_EVERY_S, POSTURE_SPREAD_S, POSTURE_TAKES_S = 24.0, 15.0, 2.2  #: weight goes to the other foot
SMILE_EVERY_S, SMILE_SPREAD_S, SMILE_SHARE = 38.0, 30.0, 0.6  #: a small smile now and then
SMILE_SIZE = (0.14, 0.3)
EYES_STEADY = 0.08  #: of a turn by which the eyes stay behind, so that they rest on what they look at
EYES_FOLLOWED = 0.2  #: of a look that the eyes give back once the head has followed
TAU = 2 * math.pi

#: (period s, share) of the sines of one axis; periods have no common multiple within hours.
WAVES: tuple[tuple[float, float], ...] = ((9.7, 0.48), (5.3, 0.30), (3.1, 0.15), (1.9, 0.07))


class Pose(NamedTuple):
    """All 0: the picture as it is. x, y, roll, yaw, pitch, brows, lean: about -1 … 1 of their range, right, down, up
    for brows. breath, smile, lids (1 = shut), wide (lids apart): 0 … 1. gaze_x, gaze_y: -1 … 1, right and down."""

    x: float = 0.0
    y: float = 0.0
    roll: float = 0.0
    yaw: float = 0.0
    pitch: float = 0.0
    brows: float = 0.0
    breath: float = 0.0
    lean: float = 0.0
    smile: float = 0.0
    lids: float = 0.0
    wide: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0


#: Where a pose ends, whatever is added up in it: further the picture would tear.
LOWEST = Pose(-2.4, -2.4, -2.4, -3.0, -3.0, -1.0, 0.0, -1.6, 0.0, 0.0, 0.0, -1.0, -1.0)
HIGHEST = Pose(2.4, 2.4, 2.4, 3.0, 3.0, 2.8, 1.0, 1.6, 1.0, 1.0, 1.0, 1.0, 1.0)


def pose(seed: int, frame: int, voice: float) -> Pose:
    """The pose of a frame; voice: slow loudness 0 … 1."""
    time_s = frame / FPS
    x, y, roll, yaw, pitch, brows = (_sway(seed, axis, time_s) for axis in ("x", "y", "roll", "yaw", "pitch", "brows"))
    lean, tilt = posture(seed, time_s)
    look = gaze(seed, time_s)
    follow = 1 - SWAY_SHARE
    return Pose(
        x=SWAY_SHARE * x + follow * lean,
        y=y,
        roll=SWAY_SHARE * roll + follow * tilt,
        yaw=SWAY_SHARE * yaw + follow * look.head_x,
        pitch=0.8 * pitch + 0.2 * look.head_y + NOD_BY_VOICE * voice,
        brows=0.35 * brows + BROWS_BY_VOICE * voice,
        breath=breath(_breaths(seed, time_s)),
        lean=0.5 * lean,
        smile=small_smile(seed, time_s),
        lids=lids(seed, frame),
        gaze_x=look.x - EYES_FOLLOWED * look.head_x - EYES_STEADY * SWAY_SHARE * yaw,
        gaze_y=look.y - EYES_FOLLOWED * look.head_y - EYES_STEADY * pitch,
    )


def loop_pose(seed: int, frame: int, frames: int) -> Pose:
    """The pose in a silent loop of `frames`: every motion has a whole number of periods in it, one blink."""
    turn = frame / frames
    x, y, roll, yaw, pitch, brows = (
        0.6 * math.sin(TAU * (turn + chance(seed, axis, 1))) + 0.25 * math.sin(TAU * (2 * turn + chance(seed, axis, 2)))
        for axis in ("x", "y", "roll", "yaw", "pitch", "brows")
    )
    return Pose(
        x,
        y,
        roll,
        yaw,
        pitch,
        0.35 * brows,
        breath(turn),
        lids=_lid_curve(frame / FPS - 0.4 * frames / FPS),
        gaze_x=-EYES_STEADY * yaw,
        gaze_y=-EYES_STEADY * pitch,
    )


def together(poses: tuple[Pose, ...]) -> Pose:
    """Their sum, within LOWEST and HIGHEST; two that shut the eyes shut them once."""
    sums = (sum(values) for values in zip(*poses, strict=True))
    return Pose(*(min(max(value, low), high) for value, low, high in zip(sums, LOWEST, HIGHEST, strict=True)))


def lids(seed: int, frame: int) -> float:
    """How far the lids are shut, 0 … 1."""
    stretch = frame // BLINK_EVERY
    shut = 0.0
    for index in (stretch - 1, stretch):
        begin = index * BLINK_EVERY / FPS + BLINK_SPREAD * chance(seed, "blink", index)
        slow = 0.9 + 0.3 * chance(seed, "slow", index)
        shut = max(shut, _lid_curve((frame / FPS - begin) / slow))
        if chance(seed, "pair", index) < PAIR_SHARE:
            shut = max(shut, _lid_curve((frame / FPS - begin - PAIR_AFTER_S) / slow))
    return shut


def breath(turns: float) -> float:
    """0 … 1: in for BREATH_SHARE of a turn, out for the rest, smooth at both ends."""
    phase = turns % 1.0
    up = phase / BREATH_SHARE if phase < BREATH_SHARE else (1 - phase) / (1 - BREATH_SHARE)
    return 0.5 - 0.5 * math.cos(math.pi * up)


def posture(seed: int, time_s: float) -> tuple[float, float]:
    """How far the weight is to one side and the head is held askew, -1 … 1 each; seldom changed, and slowly."""
    index, since = latest(seed, "posture", time_s, POSTURE_EVERY_S, POSTURE_SPREAD_S)
    share = smoothed(since / POSTURE_TAKES_S)
    lean, tilt = (
        before + share * (after - before)
        for before, after in ((_side(seed, what, index - 1), _side(seed, what, index)) for what in ("lean", "tilt"))
    )
    return lean, tilt


def small_smile(seed: int, time_s: float) -> float:
    """0 … 1; most of the time 0."""
    index, since = latest(seed, "smile", time_s, SMILE_EVERY_S, SMILE_SPREAD_S)
    if chance(seed, "smiles", index) >= SMILE_SHARE:
        return 0.0
    size = SMILE_SIZE[0] + (SMILE_SIZE[1] - SMILE_SIZE[0]) * chance(seed, "smile size", index)
    return size * held(since, 0.8, 1.8, 1.2)


def _side(seed: int, what: str, index: int) -> float:
    return 2 * chance(seed, what, index) - 1


def _breaths(seed: int, time_s: float) -> float:
    """Breaths since the beginning, with a rate that drifts."""
    drift = sum(
        math.sin(TAU * (time_s / period + chance(seed, "breath drift", i))) for i, period in enumerate(BREATH_DRIFTS_S)
    )
    return time_s / BREATH_S + chance(seed, "breath", 0) + BREATH_DRIFT * drift


def _lid_curve(since_s: float) -> float:
    if since_s < CLOSING_S:
        return smoothed(since_s / CLOSING_S)
    return smoothed(1 - (since_s - CLOSING_S - CLOSED_S) / OPENING_S)


def _sway(seed: int, axis: str, time_s: float) -> float:
    return sum(
        share * math.sin(TAU * (time_s / (period * (0.93 + 0.14 * chance(seed, axis, 10 + i))) + chance(seed, axis, i)))
        for i, (period, share) in enumerate(WAVES)
    )
