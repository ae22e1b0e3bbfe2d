"""What cues in the text make of face and head: a smile, surprise, a nod, a look or a turn aside.

In: CUE marks (48 kHz samples from the hop's first sample), the cues still at work, a frame. Out: the `Pose` they add.
Pure. A cue is carried with the frame it began in; of two alike at once the stronger one shows, different ones add up.

A cue that lies beyond the hop is not taken: it comes again with the hop it belongs to. One that nobody knows is none.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import msgspec

from pipeline.engines.portrait.chance import held
from pipeline.engines.portrait.motion import Pose
from pipeline.media import AIR_SAMPLES, CUE, FPS, Mark

AGAIN_FRAMES = 15  #: 0.6 s: the same cue again within it is the same one, so only a few are ever at work
SMILE_S = (0.35, 1.85, 0.75)  #: attack, until, release: 2.6 s in all
SURPRISE_S = (0.16, 0.68, 0.52)  #: 1.2 s
NOD_S = 1.1  #: two nods, the second one smaller
SECOND_NOD = 0.55
EYES_S, HEAD_S = (0.08, 1.35, 0.08), (0.45, 1.30, 0.60)  #: of a look aside; eyes come first and go back first
HEAD_AFTER_S = 0.12
TURN_EYES_S, TURN_HEAD_S = (0.08, 1.15, 0.10), (0.38, 1.15, 0.62)
BLINK_S = (0.08, 0.10, 0.14)  #: of the lids: people blink as they look far aside
LOOK_BACK = 0.3  #: of the look that the eyes give back once the head has followed


class Cue(msgspec.Struct, frozen=True, array_like=True):
    """begin: index of the frame it began in."""

    name: str
    begin: int


def taken(cues: Sequence[Cue], marks: Sequence[Mark], frame: int, frames: int) -> tuple[Cue, ...]:
    """The cues at work, and those that begin in the `frames` frames from `frame` on, in order of time."""
    found = list(cues)
    now = [mark for mark in marks if mark.kind == CUE and 0 <= mark.at < frames * AIR_SAMPLES]
    for mark in sorted(now, key=lambda mark: mark.at):
        cue = Cue(mark.text, frame + mark.at // AIR_SAMPLES)
        if cue.name in GESTURES and not any(_is_same(cue, other) for other in found):
            found.append(cue)
    return tuple(found)


def at_work(cues: Sequence[Cue], frame: int) -> tuple[Cue, ...]:
    """Those that still show at that frame or after it."""
    return tuple(cue for cue in cues if (frame - cue.begin) / FPS < LENGTH_S)


def gestures(cues: Sequence[Cue], frame: int) -> tuple[Pose, ...]:
    """What they add to the pose of a frame, kind by kind."""
    found: dict[str, Pose] = {}
    for cue in cues:
        shown = GESTURES[cue.name](max(0, frame - cue.begin + 1) / FPS)  # its first frame moves already
        found[cue.name] = _stronger(found[cue.name], shown) if cue.name in found else shown
    return tuple(found.values())


def _is_same(cue: Cue, other: Cue) -> bool:
    return cue.name == other.name and cue.begin - other.begin < AGAIN_FRAMES


def _stronger(one: Pose, other: Pose) -> Pose:
    return Pose(*(max(a, b, key=abs) for a, b in zip(one, other, strict=True)))


def _smile(since_s: float) -> Pose:
    share = held(since_s, *SMILE_S)
    return Pose(smile=0.85 * share, brows=0.25 * share, y=-0.1 * share)


def _surprised(since_s: float) -> Pose:
    share = held(since_s, *SURPRISE_S)
    return Pose(brows=2.0 * share, wide=0.9 * share, y=-0.9 * share, pitch=-0.9 * share)


def _nod(since_s: float) -> Pose:
    if since_s >= NOD_S:
        return Pose()
    deep = math.sin(2 * math.pi * since_s / NOD_S) ** 2 * (1.0 if since_s < NOD_S / 2 else SECOND_NOD)
    return Pose(pitch=1.7 * deep, y=1.2 * deep, gaze_y=-0.25 * deep)


def _look(since_s: float) -> Pose:
    """At the card: to the right and a little down, eyes first."""
    eyes, head = held(since_s, *EYES_S), held(since_s - HEAD_AFTER_S, *HEAD_S)
    return Pose(
        x=0.5 * head,
        yaw=1.9 * head,
        pitch=0.6 * head,
        roll=0.25 * head,
        lids=0.9 * held(since_s, *BLINK_S),
        gaze_x=0.9 * eyes - LOOK_BACK * head * eyes,
        gaze_y=0.5 * eyes,
    )


def _left(since_s: float) -> Pose:
    return _turned(since_s, -1)


def _right(since_s: float) -> Pose:
    return _turned(since_s, 1)


def _turned(since_s: float, side: int) -> Pose:
    """Without arms the head points: gaze, turn and tilt to the side, and the shoulders lean there."""
    eyes, head = held(since_s, *TURN_EYES_S), held(since_s - HEAD_AFTER_S, *TURN_HEAD_S)
    return Pose(
        x=0.8 * side * head,
        roll=1.0 * side * head,
        yaw=2.1 * side * head,
        lean=1.1 * side * head,
        brows=0.5 * head,
        lids=0.9 * held(since_s, *BLINK_S),
        gaze_x=side * (0.9 * eyes - LOOK_BACK * head * eyes),
    )


#: By the cue's name: what it adds so many seconds after it began.
GESTURES: Mapping[str, Callable[[float], Pose]] = {
    "smile": _smile,
    "surprised": _surprised,
    "nod": _nod,
    "point left": _left,
    "point right": _right,
    "look at card": _look,
}
LENGTH_S = 2.6  #: of the longest
