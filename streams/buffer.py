"""What is ready to be shown, and who is asked for more. Pure.

In: hellos, segments, cuts, from the wire; one `take` a slot, from the clock. Out: frames with their
sound and marks, and the demands that are due. Of several engines the first in the order of preference
that answers is asked; frames of one queue up behind those of another, so a change drops nothing that
was ready. It opens no socket, reads no clock, and never waits. Its owner locks.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Frame, Pcm
from pipeline.errors import WireError
from pipeline.media import AIR_SAMPLES, Mark, is_open_after
from pipeline.wire import Demand, EngineBye, EngineHello, Segment
from streams.feed import Arrived, Feed, Lineage, refusal

CUT_FADE_FRAMES = 2  # 80 ms: the old voice is gone after that
CUT_FINISH_FRAMES = 5  # a hop up to this long finishes its picture after a cut; a longer one is dropped
CHANGE_NS = 6_000_000_000  # how long an engine that is preferred waits for the end of a sentence
CUT_LEAST_FRAMES = 3  # below this an engine could not fetch new speech and would have to fill in silence


@dataclass(frozen=True, slots=True)
class Take:
    """Live, for one slot. `fresh`: it does not follow the take before without a break."""

    frame: Frame
    pcm: Pcm  # int16 [1920]
    marks: tuple[Mark, ...]
    lineage: Lineage
    fresh: bool


class Buffer:
    """`engines`: names in order of preference. `epoch`: above every epoch of earlier incarnations of playout."""

    def __init__(self, engines: Sequence[str], width: int, height: int, epoch: int, timeline: int) -> None:
        self._names = list(engines)
        self._size = (width, height)
        self._epoch = epoch
        self.timeline = timeline
        self._feeds: dict[str, Feed] = {}
        self._active: Feed | None = None
        self._next: Feed | None = None  # preferred, and waits for the end of a sentence
        self._next_ns: int | None = None  # until when, at the latest
        self._in_sentence = False  # the newest segment ends in the middle of one
        self._queue: deque[Arrived] = deque()
        self._position = 0  # frames of the first one that were taken
        self._on_air: tuple[Lineage, int, int] | None = None  # lineage, sequence, frames taken: of the last take
        self._gap = True
        self._halted = False
        self.bad = 0  #: segments that were wrong
        self.stale = 0  #: segments that answered no demand of now

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def hello(self, hello: EngineHello) -> bool:
        """An engine says what it delivers; true when this incarnation is new. WireError when it is refused."""
        if reason := refusal(hello, self._names, *self._size):
            raise WireError(reason)
        known = self._feeds.get(hello.engine)
        if known is not None and known.hello.incarnation == hello.incarnation:
            known.ask_again()
            known.overdue = False
            return False
        feed = self._feeds[hello.engine] = Feed(hello, self._next_epoch())
        if self._active is None or self._active is known:
            self._activate(feed)
        elif self._rank(feed) < self._rank(self._active):
            self._next, self._next_ns = feed, None
            if not self._in_sentence:
                self._activate(feed)
        return True

    def bye(self, bye: EngineBye) -> bool:
        """An engine leaves in good order: the next one is asked at once; false when it is not known any more."""
        feed = self._feeds.get(bye.engine)
        if feed is None or feed.hello.incarnation != bye.incarnation:
            return False
        del self._feeds[bye.engine]
        self._next = None if self._next is feed else self._next
        if feed is self._active:
            self._active = None
            ready = [other for other in self._feeds.values() if not other.overdue] or list(self._feeds.values())
            if ready:
                self._activate(min(ready, key=self._rank))
        return True

    def accept(self, segment: Segment, buffers: Sequence[memoryview]) -> bool:
        """Queue a segment; false when it is stale. WireError when it is wrong: it is counted and forgotten."""
        feed = self._feeds.get(segment.engine)
        if feed is None or not feed.is_answer(segment):
            self.stale += 1
            return False
        try:
            arrived = feed.accept(segment, buffers)
        except WireError:
            self.bad += 1
            raise
        if feed is not self._active:
            self._activate(feed, renew=False)
        self._queue.append(arrived)
        self._in_sentence = is_open_after(segment.marks, self._in_sentence)
        return True

    def cut(self, timeline: int) -> bool:
        """Fade what is on air, drop what follows, and have the engine go on from there; false when known already."""
        if timeline <= self.timeline:
            if self._active is not None:
                self._active.ask_again()
            return False
        self.timeline = timeline
        self._in_sentence = False
        self._shorten()
        self._renew_active()
        return True

    def halt(self) -> None:
        """Drop everything and ask for nothing until `resume`."""
        self._halted = True
        self._queue.clear()
        self._position = 0
        self._in_sentence = False
        self._renew_active()

    def resume(self) -> None:
        self._halted = False
        self._renew_active()

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def take(self) -> Take | None:
        """The next frame, or None when there is none."""
        if not self._queue:
            self._gap = True
            return None
        first, index = self._queue[0], self._position
        fresh = self._gap or self._on_air is None or self._on_air[0] != first.lineage
        self._on_air = (first.lineage, first.sequence, index + 1)
        self._gap = False
        self._position += 1
        if self._position == first.hop:
            self._queue.popleft()
            self._position = 0
        pcm = first.pcm[index * AIR_SAMPLES : (index + 1) * AIR_SAMPLES]
        return Take(first.frames[index], pcm, first.marks[index], first.lineage, fresh)

    def demands(self, now_ns: int) -> list[Demand]:
        """All demands that are due; each counts as put."""
        if self._halted:
            return []
        self._change(now_ns)
        self._choose(now_ns)
        due: list[Demand] = []
        for feed in self._feeds.values():
            asked = feed is self._active or (feed.outstanding and self._preferred(feed))
            if asked and feed.wants(now_ns, self.frames):
                if feed.void:
                    feed.renew(self._next_epoch(), *self._kept(feed))
                due.append(self._demand(feed, now_ns))
        return due

    @property
    def frames(self) -> int:
        """Frames ready."""
        return sum(arrived.hop for arrived in self._queue) - self._position

    @property
    def engine(self) -> str:
        """Name of the engine that is asked, "" when there is none. Any thread."""
        active = self._active
        return active.hello.engine if active else ""

    @property
    def overlap_frames(self) -> int:
        """How many of the last frames on air the engine wants to continue from; at least 1."""
        return max(1, self._active.hello.overlap_frames) if self._active else 1

    def last(self, count: int) -> list[Frame]:
        """Of the frames that are ready, so many at most that will be shown last, oldest first."""
        frames: list[Frame] = []
        for index, arrived in enumerate(self._queue):
            frames.extend(arrived.frames[self._position if index == 0 else 0 :])
        return frames[-count:]

    def may_continue(self, lineage: Lineage) -> bool:
        """Whether frames that follow `lineage` without a break are here or may still come."""
        if self._active is not None and self._active.lineage == lineage:
            return True
        return any(arrived.lineage == lineage for arrived in self._queue)

    # ── how ──────────────────────────────────────────────────────────────────────────────────────

    def _rank(self, feed: Feed) -> int:
        return self._names.index(feed.hello.engine)

    def _preferred(self, feed: Feed) -> bool:
        return self._active is None or self._rank(feed) < self._rank(self._active)

    def _next_epoch(self) -> int:
        self._epoch += 1
        return self._epoch

    def _activate(self, feed: Feed, renew: bool = True) -> None:
        """Ask this engine from now on; what another one still sends is stale."""
        old, self._active = self._active, feed
        if feed is self._next:
            self._next = None
        if old is not None and old is not feed:
            old.renew(self._next_epoch(), *self._kept(old))
            old.outstanding = self._preferred(old)  # one that is preferred is tried again and again
        if renew and not feed.begins:
            feed.renew(self._next_epoch(), *self._kept(feed))

    def _renew_active(self) -> None:
        if self._active is not None:
            self._active.renew(self._next_epoch(), *self._kept(self._active))

    def _change(self, now_ns: int) -> None:
        """Ask an engine that is preferred from the end of a sentence on, which else would have to be said again."""
        if self._next is None:
            return
        if self._next_ns is None:
            self._next_ns = now_ns + CHANGE_NS
        if not self._in_sentence or now_ns >= self._next_ns:
            self._activate(self._next)

    def _choose(self, now_ns: int) -> None:
        """When the engine that is asked is silent, ask the next one that is not."""
        active = self._active
        if active is None or not (active.overdue or active.is_late(now_ns)):
            return
        others = [feed for feed in self._feeds.values() if feed is not active and not feed.overdue]
        if others:
            active.overdue = True
            self._activate(min(others, key=self._rank))

    def _demand(self, feed: Feed, now_ns: int) -> Demand:
        shown, shown_frames = feed.resumes_after if feed.opens else self._seen(feed)
        after = feed.opens and shown < 0
        return feed.demand(now_ns, self.frames, shown, shown_frames, self.timeline, after)

    def _seen(self, feed: Feed) -> tuple[int, int]:
        """Sequence of the last segment of this incarnation on air, and how many of its frames were."""
        if self._on_air is None or self._on_air[0][:2] != feed.lineage[:2]:
            return -1, 0
        return self._on_air[1], self._on_air[2]

    def _kept(self, feed: Feed) -> tuple[int, int]:
        """Sequence of the last segment of this incarnation that is or will be on air, and its frames."""
        if self._queue and self._queue[-1].lineage[:2] == feed.lineage[:2]:
            return self._queue[-1].sequence, self._queue[-1].hop
        return self._seen(feed)

    def _shorten(self) -> None:
        """Leave of the queue what a cut leaves, without its voice."""
        if not self._queue:
            return
        first, begun = self._queue.popleft(), self._position
        later = list(self._queue)
        self._queue.clear()
        if first.hop > CUT_FINISH_FRAMES:
            keep = min(begun + CUT_FADE_FRAMES, first.hop) if begun else 0
            kept = [_only(first, keep)] if keep else []
        else:
            kept = [first]
            if first.hop - begun < CUT_LEAST_FRAMES:
                kept += [segment for segment in later[:1] if segment.hop <= CUT_FINISH_FRAMES]
        self._position = begun if kept else 0
        samples = (sum(segment.hop for segment in kept) - self._position) * AIR_SAMPLES
        gain = np.zeros(samples, np.float32)
        fade = min(CUT_FADE_FRAMES * AIR_SAMPLES, samples)
        gain[:fade] = np.linspace(1.0, 0.0, fade)
        for index, segment in enumerate(kept):
            start = begun * AIR_SAMPLES if index == 0 else 0
            taken = len(segment.pcm) - start
            self._queue.append(_faded(segment, start, gain[:taken]))
            gain = gain[taken:]


def _only(segment: Arrived, frames: int) -> Arrived:
    return replace(
        segment,
        frames=segment.frames[:frames],
        pcm=segment.pcm[: frames * AIR_SAMPLES],
        marks=segment.marks[:frames],
    )


def _faded(segment: Arrived, start: int, gain: npt.NDArray[np.float32]) -> Arrived:
    """The segment with `gain` on its sound from sample `start` on; the marks from there go with the voice."""
    pcm = segment.pcm.copy()
    pcm[start:] = pcm[start:] * gain
    begun = start // AIR_SAMPLES
    marks = [*segment.marks[:begun], *[() for _ in range(segment.hop - begun)]]
    return replace(segment, pcm=pcm, marks=marks)
