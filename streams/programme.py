"""What viewers see: live → hold → slate, for every slot, without a gap and without a jump. Pure.

In: the buffer's take for the slot, or None; the hold loop once an engine brought one; the slate; panic, with
or without a notice in the slate's place; the last picture of a playout that died.
Out: a picture and its sound. Live that runs dry repeats its last picture for 120 ms, then the hold loop
fades in; without a loop the picture stands for a second, then the slate fades in. Every change of
source, of the engine, and of the loop is a cross-fade from the last picture that was out, so it begins where the
viewer's eye is.
It draws no label, reads no clock, and has an answer to everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.arrays import Frame, Pcm
from streams.buffer import Take
from streams.holdloop import HoldLoop
from streams.mixer import Mixer

FADE_FRAMES = 8  # 320 ms: a change of pose is seen as a movement
PANIC_FADE_FRAMES = 3  # 120 ms: slate and mute within 0.2 s
REPEAT_FRAMES = 3  # a late segment must not show as a fade to hold and back
FREEZE_FRAMES = 25  # 1 s: longer, a still picture looks like a broken stream

LIVE, HOLD, SLATE = "live", "hold", "slate"


@dataclass(frozen=True, slots=True)
class Shot:
    """One slot. `frame` must not be written to. `repeated`: the picture is that of the slot before."""

    frame: Frame
    pcm: Pcm  # int16 [1920], mono
    source: str
    repeated: bool


class Programme:
    """One thread, but for `hold`, `panic` and `notice`, which are plain values that any thread may set.

    `last`: what viewers see at this moment; the first slot fades from it.
    """

    def __init__(self, slate: Frame, last: Frame | None = None) -> None:
        self.slate = slate
        self.hold: Sequence[Frame] | HoldLoop | None = None  #: of the slate's size
        self.panic = False
        self.notice: Frame | None = None  #: in the slate's place during a panic
        self.source = SLATE if last is None else ""
        self._mixer = Mixer()
        self._last = slate if last is None else last
        self._fade_from = self._last
        self._fade_length = self._faded = FADE_FRAMES  # no fade under way
        self._drawn_by: tuple[str, int] | None = None  # engine and incarnation of the last live picture
        self._dry = 0  # slots since live ran dry
        self._hold_at = 0
        self._looped: Sequence[Frame] | HoldLoop | None = None  # the loop of the slot before

    def step(self, take: Take | None) -> Shot:
        """Fill the next slot."""
        panic = self.panic
        if panic:
            take = None
        self._dry = 0 if take is not None else self._dry + 1
        source = self._choose(take, panic)
        if source != self.source or (source == HOLD and self.hold is not self._looped):
            self._change(source, panic)
        elif take is not None and take.lineage[:2] != self._drawn_by:
            self._fade(FADE_FRAMES)  # another engine, or the same on another tier
        self._looped = self.hold
        if take is not None:
            self._drawn_by = take.lineage[:2]
        picture = self._picture(take, source)
        frame = self._blend(picture)
        repeated = frame is self._last and source == LIVE
        self._last = frame
        pcm = self._mixer.quiet() if take is None else self._mixer.live(take.pcm, take.fresh)
        return Shot(frame, pcm, source, repeated)

    def _choose(self, take: Take | None, panic: bool) -> str:
        if panic:
            return SLATE
        if take is not None:
            return LIVE
        if self.source == LIVE and self._dry <= (REPEAT_FRAMES if self.hold is not None else FREEZE_FRAMES):
            return LIVE
        return SLATE if self.hold is None else HOLD

    def _change(self, source: str, panic: bool) -> None:
        if source == HOLD:
            self._hold_at = 0
        self.source = source
        self._fade(PANIC_FADE_FRAMES if panic else FADE_FRAMES)

    def _fade(self, frames: int) -> None:
        """Begin to cross-fade from the picture that is out."""
        self._fade_from, self._fade_length, self._faded = self._last, frames, 0

    def _picture(self, take: Take | None, source: str) -> Frame:
        if take is not None:
            return take.frame
        if source == HOLD and self.hold is not None:
            at, self._hold_at = self._hold_at % len(self.hold), self._hold_at + 1
            return self.hold[at]
        if source == LIVE:
            return self._last
        notice = self.notice
        return notice if self.panic and notice is not None else self.slate

    def _blend(self, picture: Frame) -> Frame:
        """The picture, or a step of the cross-fade towards it."""
        if self._faded >= self._fade_length or picture is self._last:
            return picture
        self._faded += 1
        if self._faded == self._fade_length:
            return picture
        return cross_fade(self._fade_from, picture, self._faded, self._fade_length)


def cross_fade(old: Frame, new: Frame, step: int, steps: int) -> Frame:
    """`new` by step/steps, the rest `old`; uint8 [H * 3 // 2, W]."""
    share = step * 256 // steps
    mixed = old.astype(np.uint16)
    mixed *= 256 - share
    mixed += new.astype(np.uint16) * np.uint16(share)
    mixed >>= 8
    return mixed.astype(np.uint8)
