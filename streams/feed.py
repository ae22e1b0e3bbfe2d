"""What playout and one engine have agreed on: incarnation, epoch, credit. Pure.

In: an engine's hello and its segments. Out: demands, or WireError for a segment that is not what was
asked for. One credit is outstanding at most; the same demand is put again when nothing answers it,
and a segment that cannot be used makes the engine begin anew from the last good one.

A demand's `shown`, exactly: in the first demand of an epoch, the last segment that is still going to
be on air, even when only some of its frames are, and the engine continues from the state after it; in
the demands that follow, the newest segment of which a frame has been on air, so that the engine may
forget all states before it. −1: no segment of this incarnation. `shown_frames`: how many frames of
that segment are on air in the end (first demand) or have been so far (the others).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.arrays import Frames, Pcm, view_frames, view_pcm
from pipeline.clock import SLOT_NS
from pipeline.errors import WireError
from pipeline.media import AIR_SAMPLES, ENDS, Mark
from pipeline.wire import Demand, EngineHello, Segment

ANSWER_NS = 1_500_000_000  # beyond the slack: the slowest step of a real-time engine, and the wire
LEAST_MARK_FRAMES = 5  # 200 ms: time to fetch speech, render a short hop and lose a time slice
HOP_MAX_FRAMES = 250  # 10 s; longer is a mistake
MARKS_MAX = 1000  # phonemes of 10 s of speech, several times over
TEXT_MAX = 4000  # characters of a mark
PREVIEW_MAX = 64  # characters of a foreign value in an error


class Lineage(NamedTuple):
    """Frames of one lineage follow each other without a break."""

    engine: str
    incarnation: int
    epoch: int


@dataclass(frozen=True, slots=True)
class Arrived:
    """A good segment. `marks[i]`: those of frame i, relative to that frame's first sample."""

    lineage: Lineage
    sequence: int
    frames: Frames
    pcm: Pcm
    marks: Sequence[tuple[Mark, ...]]
    speech: bool

    @property
    def hop(self) -> int:
        return len(self.frames)


class Feed:
    """One incarnation of an engine. Not thread-safe."""

    def __init__(self, hello: EngineHello, epoch: int) -> None:
        self.hello = hello
        self.epoch = epoch
        self.credit = 0
        self.outstanding = False
        self.void = False  # the credit was answered with something useless
        self.overdue = False
        self.sequence = -1  #: of the newest good segment
        self.resumes_after = (-1, 0)  #: what the epoch continues from: a segment, and how many of its frames are shown
        self._deadline_ns = 0
        self._again = False  # the demand was probably lost

    @property
    def lineage(self) -> Lineage:
        return Lineage(self.hello.engine, self.hello.incarnation, self.epoch)

    @property
    def mark_frames(self) -> int:
        """Demand when the buffer is down to this."""
        return max(self.hello.hop_frames, LEAST_MARK_FRAMES)

    def renew(self, epoch: int, sequence: int, frames: int) -> None:
        """Begin an epoch; the engine continues after segment `sequence` of this incarnation (−1: none)."""
        self.epoch, self.sequence, self.resumes_after = epoch, sequence, (sequence, frames)
        self.credit, self.outstanding, self.void, self._again = 0, False, False, False

    @property
    def begins(self) -> bool:
        """Whether nothing of this epoch was asked for yet."""
        return self.credit == 0

    @property
    def opens(self) -> bool:
        """Whether the next demand is the first of its epoch, or that one put again."""
        return self.credit == 0 or (self.credit == 1 and self.outstanding)

    def wants(self, now_ns: int, slack_frames: int) -> bool:
        """Whether a demand is due now."""
        if self.outstanding:
            return self._again or self.is_late(now_ns)
        return self.begins or slack_frames <= self.mark_frames

    def is_late(self, now_ns: int) -> bool:
        """Whether it has not answered in time."""
        return self.outstanding and now_ns >= self._deadline_ns

    def demand(self, now_ns: int, slack: int, shown: int, shown_frames: int, timeline: int, after: bool) -> Demand:
        """Put the next demand, or the same again when the last one was not answered in time."""
        self.overdue = self.is_late(now_ns)
        was_lost, self._again = self.outstanding and self._again and not self.overdue, False
        if not self.outstanding or self.credit == 0:
            self.credit += 1
        self.outstanding = True
        if not was_lost:  # an engine that knocks is not silent, and gets no more time for that
            self._deadline_ns = now_ns + slack * SLOT_NS + ANSWER_NS
        return Demand(
            engine=self.hello.engine,
            incarnation=self.hello.incarnation,
            epoch=self.epoch,
            credit=self.credit,
            shown=shown,
            slack_frames=slack,
            timeline=timeline,
            shown_frames=shown_frames,
            after=after,
        )

    def ask_again(self) -> None:
        """Let an unanswered demand be put again now: it was probably lost."""
        if self.outstanding and not self.void:
            self._again = True

    def is_answer(self, segment: Segment) -> bool:
        """Whether it answers the outstanding demand; an older one is stale, and nobody's fault."""
        return (
            self.outstanding
            and not self.void
            and (segment.incarnation, segment.epoch, segment.credit)
            == (self.hello.incarnation, self.epoch, self.credit)
        )

    def accept(self, segment: Segment, buffers: Sequence[memoryview]) -> Arrived:
        """Take the answer to the outstanding demand; WireError when it is not usable, and voids the credit."""
        try:
            arrived = self._checked(segment, buffers)
        except WireError:
            self.void = True
            raise
        self.sequence = segment.sequence
        self.outstanding = self.overdue = False
        return arrived

    def _checked(self, segment: Segment, buffers: Sequence[memoryview]) -> Arrived:
        hello = self.hello
        shape = (segment.width, segment.height, segment.hop_frames)
        if shape != (hello.width, hello.height, hello.hop_frames):
            raise WireError(f"{_brief(shape)} instead of {(hello.width, hello.height, hello.hop_frames)}")
        if not self.sequence < segment.sequence < 2**63:
            raise WireError(f"sequence {_brief(segment.sequence)} after {self.sequence}")
        frame_bytes = hello.width * hello.height * 3 // 2
        sizes = [len(buffer) for buffer in buffers]
        if sizes != [hello.hop_frames * frame_bytes, hello.hop_frames * AIR_SAMPLES * 2]:
            raise WireError(f"buffers of {_brief(sizes)} bytes")
        return Arrived(
            lineage=self.lineage,
            sequence=segment.sequence,
            frames=view_frames(buffers[0], hello.width, hello.height),
            pcm=view_pcm(buffers[1]),
            marks=marks_by_frame(segment.marks, hello.hop_frames),
            speech=segment.speech,
        )


def refusal(hello: EngineHello, names: Sequence[str], width: int, height: int) -> str:
    """Why this engine cannot be used, or "" when it can."""
    if hello.engine not in names:
        return f"{_brief(hello.engine)} is not an engine of this room"
    if (hello.width, hello.height) != (width, height):
        return f"{_brief((hello.width, hello.height))} instead of {(width, height)}"
    if not 1 <= hello.hop_frames <= HOP_MAX_FRAMES or not 0 <= hello.overlap_frames <= hello.hop_frames:
        return f"hop of {_brief(hello.hop_frames)} frames, overlap of {_brief(hello.overlap_frames)}"
    return ""


def marks_by_frame(marks: Sequence[Mark], hop_frames: int) -> list[tuple[Mark, ...]]:
    """Sort marks to the frames that hold their sound; WireError for marks that cannot be the hop's."""
    if len(marks) > MARKS_MAX:
        raise WireError(f"{len(marks)} marks in a segment")
    rows: list[list[Mark]] = [[] for _ in range(hop_frames)]
    for mark in marks:
        frame = max(0, mark.at - (mark.kind in ENDS)) // AIR_SAMPLES
        if mark.at < 0 or frame >= hop_frames or not 0 <= mark.span < 2**40:
            raise WireError(f"mark {_brief(mark.kind)} at sample {_brief(mark.at)} of {hop_frames * AIR_SAMPLES}")
        if len(mark.text) > TEXT_MAX or len(mark.utterance) > TEXT_MAX:
            raise WireError(f"mark {_brief(mark.kind)} with {len(mark.text) + len(mark.utterance)} characters")
        rows[frame].append(mark.moved(-frame * AIR_SAMPLES))
    return [tuple(row) for row in rows]


def _brief(value: object) -> str:
    return repr(value)[:PREVIEW_MAX]
