"""Which syllables the speaker stresses: each gives a small beat of head or brows.

In: loudness frame by frame. Out: beats, and the `Pose` they add. Pure: what it must remember is a value.

A beat falls on the first strong syllable after a pause, and on syllables clearly louder than the others, never two
within a moment that is drawn anew each time: people do not beat time.
"""

from __future__ import annotations

import msgspec

from pipeline.engines.portrait.chance import chance, held
from pipeline.engines.portrait.motion import Pose
from pipeline.media import FPS

STRONG = 0.55  #: loudness below which no syllable is stressed; 1 is as loud as this voice gets
RISE = 0.22  #: above the last dip: it begins a syllable
DIP_SPEED = 0.05  #: a frame: how fast a dip is forgotten
LOUDER = 1.25  #: times the usual loudness of syllables
USUAL_RISE, USUAL_FALL = 0.12, 0.03  #: a frame: what is usual lies nearer to the peaks than to the dips between them
PAUSE_FRAMES = 5  #: 200 ms
APART_S, APART_SPREAD_S = 0.8, 1.6  #: between two beats at least, and at most as much more by chance
LEAST, AFTER_PAUSE = 0.55, 0.8  #: size of the smallest beat; of the one that opens a phrase
BEAT_S = (0.14, 0.16, 0.34)  #: attack, until, release: half a second
LENGTH_S = 0.52
HEAD_SHARE, BROW_SHARE = 0.75, 0.6  #: of the beats that head and brows have a part in; one of them always
LONG_AGO = -1_000_000  #: frame of a beat that counts for nothing


class Beat(msgspec.Struct, frozen=True, array_like=True):
    """begin: frame. size: 0 … 1."""

    begin: int
    size: float


class Stress(msgspec.Struct, frozen=True, array_like=True):
    """quiet: frames since the last sound. dip, usual: loudness between syllables and of them. last: frame of the
    newest beat. beats: those that still show."""

    quiet: int = PAUSE_FRAMES
    dip: float = 0.0
    usual: float = 0.65
    last: int = LONG_AGO
    beats: tuple[Beat, ...] = ()


def hear(stress: Stress, seed: int, frame: int, loud: float) -> Stress:
    """What is known after a frame that is `loud`, 0 … 1."""
    beats = tuple(beat for beat in stress.beats if (frame - beat.begin) / FPS < LENGTH_S)
    if loud == 0:
        return msgspec.structs.replace(stress, quiet=min(stress.quiet + 1, PAUSE_FRAMES), dip=0.0, beats=beats)
    after_pause = stress.quiet >= PAUSE_FRAMES
    is_strong = loud >= STRONG and loud - stress.dip >= RISE and (after_pause or loud >= LOUDER * stress.usual)
    apart_s = APART_S + APART_SPREAD_S * chance(seed, "apart", stress.last)
    is_beat = is_strong and (frame - stress.last) / FPS >= (APART_S if after_pause else apart_s)
    if is_beat:
        least = AFTER_PAUSE if after_pause else LEAST
        size = least + (1 - least) * chance(seed, "beat", frame)
        beats = (*beats, Beat(frame, size))
    is_quiet_still = after_pause and not is_beat and loud < STRONG  # the first syllables may be weak
    return Stress(
        quiet=stress.quiet if is_quiet_still else 0,
        dip=min(loud, stress.dip + DIP_SPEED),
        usual=stress.usual + (USUAL_RISE if loud > stress.usual else USUAL_FALL) * (loud - stress.usual),
        last=frame if is_beat else stress.last,
        beats=beats,
    )


def beats_of(stress: Stress, seed: int, frame: int) -> tuple[Pose, ...]:
    """What the beats add to the pose of a frame."""
    return tuple(_beat(beat, seed, frame) for beat in stress.beats)


def _beat(beat: Beat, seed: int, frame: int) -> Pose:
    share = beat.size * held((frame - beat.begin + 1) / FPS, *BEAT_S)
    part = chance(seed, "part", beat.begin)
    head, brows = part < HEAD_SHARE, part >= 1 - BROW_SHARE
    side = 2 * chance(seed, "beat side", beat.begin) - 1
    return Pose(
        pitch=0.75 * share * head,
        y=0.5 * share * head,
        roll=0.3 * side * share * head,
        brows=0.9 * share * brows,
    )
