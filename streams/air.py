"""The air clock's thread: every 40 ms one slot is composed and handed to the encoder, come what may.

In: segments, cuts and panic, put in by the I/O thread. Out: composed slots, and reports of what went
on air. Owners: one lock guards the buffer, the cuts that wait and the last pictures on air, and is held
for microseconds; programme, overlay and what it shows belong to the clock's thread alone. It waits for the
clock and for nothing else: what is not there in time is held, what is wrong was dropped before.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import numpy as np

from pipeline.arrays import Frame, Frames
from pipeline.clock import Clock
from pipeline.media import AIR_SAMPLES
from pipeline.wire import Cut, Demand, EngineBye, EngineHello, Segment
from streams.asked import Asked
from streams.buffer import Buffer, Take
from streams.holdloop import HoldLoop
from streams.overlay import Overlay
from streams.pacer import Pacer
from streams.programme import LIVE, SLATE, Programme
from streams.reports import Reporter
from streams.subtitles import Subtitles
from streams.transmitter import FramePool, Slot, Transmitter
from streams.watched import Watched

RECENT_FRAMES = 32  # kept for an engine that continues from what is on air; the longest overlap known is 9
LATENESS_EVERY_SLOTS = 12  # how often the percentile is worked out
FINISH_S = 2.0  # for the clock's thread to notice that it ends


class Air:
    """Started by `start`, ended by `finish`. Its methods are for the I/O thread."""

    def __init__(
        self,
        clock: Clock,
        buffer: Buffer,
        programme: Programme,
        overlay: Overlay,
        reporter: Reporter,
        transmitter: Transmitter,
        pool: FramePool,
        first_slot: int,
        keep: Callable[[Frame], None] = lambda _: None,
    ) -> None:
        """`keep` gets each slot's picture as it is without label and subtitles; it must return at once."""
        self._clock = clock
        self._buffer = buffer
        self._programme = programme
        self._overlay = overlay
        self._subtitles = Subtitles(overlay.typeface, overlay.max_px - 2 * overlay.typeface.size_px)
        self._asked = Asked(overlay.typeface, overlay.max_px - 2 * overlay.typeface.size_px)
        self._reporter = reporter
        self._transmitter = transmitter
        self._pool = pool
        self._keep = keep
        self._pacer = Pacer(first_slot, clock.now_ns())
        self._lock = threading.Lock()
        self._cuts: list[str] = []  # utterances of cuts that the clock has yet to account for
        self._recent: deque[Frame] = deque(maxlen=RECENT_FRAMES)
        self._last_slot: int | None = None
        self.ticks = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)  #: readable after each slot
        self.slots = self.left_out = self.repeated = 0
        self.buffer_frames = 0
        self.source = SLATE
        self.lateness_ms = 0.0
        self.thread = Watched("clock", self._run)

    def start(self) -> None:
        self.thread.start()

    # ── the I/O thread's side ────────────────────────────────────────────────────────────────────

    def hello(self, hello: EngineHello) -> bool:
        """True when this incarnation is new; WireError when it is refused."""
        with self._lock:
            return self._buffer.hello(hello)

    def bye(self, bye: EngineBye) -> bool:
        """False when that incarnation is not known any more."""
        with self._lock:
            return self._buffer.bye(bye)

    def hold(self, loop: HoldLoop) -> None:
        self._programme.hold = loop

    def accept(self, segment: Segment, buffers: Sequence[memoryview]) -> bool:
        """False for a stale segment; WireError for a wrong one. Both are dropped."""
        with self._lock:
            return self._buffer.accept(segment, buffers)

    def cut(self, cut: Cut) -> bool:
        """False when this cut was known."""
        with self._lock:
            if not self._buffer.cut(cut.timeline):
                return False
            self._reporter.timeline = cut.timeline
            self._cuts.append(cut.utterance)
            return True

    @property
    def slate(self) -> Frame:
        return self._programme.slate

    def notice(self, picture: Frame | None) -> None:
        """What a panic shows in the slate's place; None for the slate."""
        self._programme.notice = picture

    def panic(self, on: bool) -> bool:
        """Slate and mute, or back to the programme; false when it is so already."""
        with self._lock:
            if on == self._programme.panic:
                return False
            self._programme.panic = on
            if on:
                self._buffer.halt()
                self._cuts.append("")
            else:
                self._buffer.resume()
            return True

    def drain(self) -> None:
        """Fade to slate and silence, for good; what was not said to its end is lost, not cut."""
        with self._lock:
            if not self._programme.panic:
                self._programme.notice = None
            self._programme.panic = True
            self._buffer.halt()

    def demands(self) -> list[tuple[Demand, Frames | None]]:
        """Demands that are due, with the last pictures before theirs where the engine is to continue from them."""
        with self._lock:
            due = self._buffer.demands(self._clock.now_ns())
            wanted = self._buffer.overlap_frames
            recent = [*self._recent, *self._buffer.last(wanted)][-wanted:] if any(one.after for one in due) else []
            short = wanted - len(recent)
        if not recent:
            return [(msgspec.structs.replace(one, after=False), None) for one in due]
        after = np.stack([*[recent[0]] * short, *recent])
        return [(one, after if one.after else None) for one in due]

    def facts(self) -> dict[str, Any]:
        """Counters for the status; any thread."""
        return {
            "slots": self.slots,
            "skipped": self.skipped,
            "dup": self.repeated,
            "source": self.source,
            "engine": self._buffer.engine,
            "buffer_frames": self.buffer_frames,
            "bad_segments": self._buffer.bad,
            "stale_segments": self._buffer.stale,
            "lateness_ms_p99": self.lateness_ms,
            "speaking": self._reporter.speaking,
            "timeline": self._buffer.timeline,
        }

    @property
    def skipped(self) -> int:
        """Slots left out because the clock's thread came too late, or the encoder could not follow."""
        return self._pacer.skipped + self.left_out

    def finish(self) -> None:
        """End the thread; the slot it is at is still handed over."""
        self._last_slot = self._pacer.slot
        self.thread.join(FINISH_S)

    # ── the clock's side ─────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while self._last_slot is None or self._pacer.slot <= self._last_slot:
            self._clock.sleep_until(self._pacer.deadline_ns)
            slot, _ = self._pacer.begin(self._clock.now_ns())
            self.fill(slot)
            self._wake()

    def fill(self, slot: int) -> None:
        """Compose one slot and hand it over."""
        with self._lock:
            cuts, self._cuts = self._cuts, []
            take = self._buffer.take()
            broken = self._is_broken(take)
            self.buffer_frames = self._buffer.frames
        self._account(slot, cuts, broken, take)
        shot = self._programme.step(take)
        with self._lock:
            if shot.source != SLATE:
                self._recent.append(shot.frame)
        self._keep(shot.frame)
        frame = self._pool.take()
        lines = self._subtitles.lines(slot * AIR_SAMPLES, live=take is not None)
        asked = self._asked.lines(slot * AIR_SAMPLES, live=take is not None)
        self._overlay.draw(shot.frame, lines, frame, asked)
        if not self._transmitter.offer(Slot(slot, frame, shot.pcm)):
            self.left_out += 1
        self.slots += 1
        self.repeated += shot.repeated and shot.source == LIVE
        self.source = shot.source
        if self.slots % LATENESS_EVERY_SLOTS == 0:
            self.lateness_ms = self._pacer.lateness_ms()

    def _is_broken(self, take: Take | None) -> bool:
        """Whether what is being said cannot go on."""
        lineage = self._reporter.lineage
        if lineage is None or (take is not None and take.lineage == lineage):
            return False
        return take is not None or not self._buffer.may_continue(lineage)

    def _account(self, slot: int, cuts: Sequence[str], broken: bool, take: Take | None) -> None:
        for utterance in cuts:
            self._reporter.cut(slot, utterance)
        if broken and not cuts:
            self._reporter.broken(slot)
        if cuts or broken:
            self._subtitles.clear()
            self._asked.clear()
        if take is not None:
            self._reporter.slot(slot, take.marks, take.lineage)
            for mark in take.marks:
                self._subtitles.mark(mark, slot * AIR_SAMPLES + mark.at)
                self._asked.mark(mark, slot * AIR_SAMPLES + mark.at)

    def _wake(self) -> None:
        try:
            os.eventfd_write(self.ticks, 1)
        except BlockingIOError:  # nobody read for ages: it is readable anyway
            pass
