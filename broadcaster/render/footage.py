"""From the tape to pictures: hop by hop through the engine, with label and subtitles, into groups that stand alone.

In: a tape, an engine, the avatar. Out: one file of pictures a group, and the engine's state after it, in the unfinished
file's directory. Groups that are there are not made again. It makes no sound and joins nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np

from broadcaster.config import LabelSection
from broadcaster.render.tape import Tape, place_of
from broadcaster.render.unfinished import Unfinished
from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar
from pipeline.engine import AvatarEngine, Job
from pipeline.media import AIR_SAMPLES, Mark, MediaFormat
from pipeline.seat import AHEAD_SAMPLES
from streams.clip import GroupWriter
from streams.overlay import Overlay
from streams.subtitles import Subtitles

GROUP_FRAMES = 250  # 10 s: what a kill costs at most; a longer group would compress no better


class Captions:
    """The lines of subtitles for one slot after the other, beginning with the first."""

    def __init__(self, tape: Tape, overlay: Overlay) -> None:
        self._subtitles = Subtitles(overlay.typeface, overlay.max_px - 2 * overlay.typeface.size_px)
        self._marks = tape.marks()
        self._held: Mark | None = None  # read, and not yet due

    def lines(self, slot: int) -> tuple[str, ...]:
        end = (slot + 1) * AIR_SAMPLES
        while (mark := self._held or next(self._marks, None)) is not None:
            self._held = mark if place_of(mark) >= end else None
            if self._held is not None:
                break
            self._subtitles.mark(mark, mark.at)
        return self._subtitles.lines(slot * AIR_SAMPLES, live=True)


class Footage:
    """`open` takes up what is there, `run` makes the rest. Two threads: the engine's, and one that encodes."""

    def __init__(
        self, tape: Tape, engine: AvatarEngine, avatar: Avatar, label: LabelSection, place: Unfinished
    ) -> None:
        self._tape, self._engine, self._avatar, self._place = tape, engine, avatar, place
        self._media: MediaFormat = engine.format(avatar)
        self._hops_a_group = -(-GROUP_FRAMES // self._media.hop_frames)
        self._overlay = Overlay(*avatar.size, label.text, label.corner)
        self._captions = Captions(tape, self._overlay)
        self._drawn = np.empty((self._media.rows, self._media.width), np.uint8)
        self._groups = 0  # that are there
        self.frame = 0  #: the next one to be made

    def open(self, seed: int) -> None:
        """Go on after the groups that are there. EngineError when their state cannot be read."""
        self._groups = self._place.groups_done()
        if self._groups:
            self._state = self._engine.restore(self._avatar, self._place.state(self._groups - 1))
        else:
            self._state = self._engine.open(self._avatar, seed)
        self.frame = min(self._groups * self._hops_a_group * self._media.hop_frames, self._tape.frames)
        for slot in range(self.frame):
            self._captions.lines(slot)

    def run(self, on_frame: Callable[[int], None]) -> None:
        """Make all groups that are missing. `on_frame`: so many pictures are made."""
        hops = self._tape.hops(self._media.hop_air_samples, AHEAD_SAMPLES, self._groups * self._hops_a_group)
        while self.frame < self._tape.frames:
            writer = GroupWriter(self._place.group(self._groups), self._media.width, self._media.height)
            writer.open()
            try:
                self._group(writer, hops, on_frame)
                self._place.keep_state(self._groups, self._engine.save(self._state))
                writer.end()
            except BaseException:
                writer.abandon()
                raise
            self._groups += 1

    def _group(
        self, writer: GroupWriter, hops: Iterator[tuple[Pcm, Pcm, list[Mark]]], on_frame: Callable[[int], None]
    ) -> None:
        """The engine makes a hop while the one before, and no other, is drawn on and encoded."""
        with ThreadPoolExecutor(1, "encoder") as encoder:
            written: Future[None] | None = None
            for _, (audio, ahead, marks) in zip(range(self._hops_a_group), hops, strict=False):
                made = self._engine.step([Job(self._state, audio, ahead, marks)])[0]
                self._state = made.state
                if written is not None:
                    written.result()
                frames = made.frames[: self._tape.frames - self.frame]  # the last hop may reach beyond the tape
                written = encoder.submit(self._write, writer, frames, self.frame)
                self.frame += len(frames)
                on_frame(self.frame)
            if written is not None:
                written.result()

    def _write(self, writer: GroupWriter, frames: Frames, first: int) -> None:
        for slot, picture in enumerate(frames, first):
            self._overlay.draw(picture, self._captions.lines(slot), self._drawn)
            writer.write(self._drawn)
