"""Where the eyes look: still for a while, then quickly elsewhere, and the head follows.

In: seed and time. Out: `Gaze`. Pure, so there is nothing to carry. One saccade falls into each stretch, so that two
are 1 to 4 s apart; most fixations are at the viewer, and none is exactly where the last one was.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from pipeline.engines.portrait.chance import chance, latest, smoothed

EVERY_S, SPREAD_S = 2.5, 1.5  #: between two saccades 1 to 4 s
SACCADE_S = 0.07  #: small ones take 30 to 60 ms (Bahill's main sequence): one frame between two fixations
HEAD_AFTER_S, HEAD_TAKES_S = 0.10, 0.75  #: eyes lead the head; done before the next saccade can be
AWAY_SHARE = 0.28  #: of the fixations are not at the viewer
AT_VIEWER = 0.07  #: of the range around the viewer's eyes in which the others lie
AWAY = (0.25, 0.55)  #: of the range
DOWN = 0.6  #: radians around the horizontal that a look away may rise or sink
TAU = 2 * math.pi


class Gaze(NamedTuple):
    """x, y: eyes, -1 … 1 of their range, right and down. head_x, head_y: how far of that the head has followed."""

    x: float
    y: float
    head_x: float
    head_y: float


def gaze(seed: int, time_s: float) -> Gaze:
    index, since = latest(seed, "saccade", time_s, EVERY_S, SPREAD_S)
    (x0, y0), (x1, y1) = fixation(seed, index - 1), fixation(seed, index)
    eyes, head = smoothed(since / SACCADE_S), smoothed((since - HEAD_AFTER_S) / HEAD_TAKES_S)
    return Gaze(x0 + eyes * (x1 - x0), y0 + eyes * (y1 - y0), x0 + head * (x1 - x0), y0 + head * (y1 - y0))


def fixation(seed: int, index: int) -> tuple[float, float]:
    """Where the eyes rest after a saccade."""
    turn, far = chance(seed, "turn", index), chance(seed, "far", index)
    if chance(seed, "away", index) >= AWAY_SHARE:
        return AT_VIEWER * far * math.cos(TAU * turn), AT_VIEWER * far * math.sin(TAU * turn)
    reach = AWAY[0] + (AWAY[1] - AWAY[0]) * far
    side, rise = (1 if turn < 0.5 else -1), DOWN * (4 * (turn % 0.5) - 1)
    return side * reach * math.cos(rise), reach * math.sin(rise)
