"""The continuous sound of what is being said: sentences in, hops of exactly the engine's length out.

In: the sentences to come, in order, with their sound as far as it is made. Out: hop after hop with marks;
sentences begin and end anywhere inside a hop. Silence fills a hop only where nothing that could follow is there.
Pure: no clock, no I/O; it waits for nothing and answers None when a hop cannot be filled yet.

Positions are 48 kHz samples and multiples of three, so that the 16 kHz sound is cut at the same places.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from broadcaster.utterance import LANES, Key
from pipeline.arrays import Pcm, silence
from pipeline.errors import SpeechError
from pipeline.media import (
    AIR_PER_DRIVE,
    PHONEME,
    QUESTION,
    SECTION,
    SENTENCE,
    SENTENCE_END,
    UTTERANCE,
    UTTERANCE_END,
    Mark,
    Position,
)
from tts.synthesizer import Piece

SENTENCE_PAUSE_SAMPLES = 10_560  # 220 ms: a reader's breath
UTTERANCE_PAUSE_SAMPLES = 24_000  # 500 ms: something else begins
LONG_AGO_SAMPLES = 1 << 40  # silence before the first word


class Speech:
    """The sound of one sentence, as it is made. Append only."""

    def __init__(self) -> None:
        self.samples = 0  #: of 48 kHz, so far
        self.complete = False  #: nothing will be added
        self.failed = False  #: it broke off: the sentence is not whole
        self.taken = False  #: some of it was given away
        self.marks: list[Mark] = []
        self.provider = ""  #: who spoke it
        self._pieces: list[tuple[int, Piece]] = []

    def add(self, piece: Piece) -> None:
        """Append a piece; SpeechError when its two sounds do not agree."""
        if len(piece.air) != AIR_PER_DRIVE * len(piece.drive):
            raise SpeechError(f"a piece of {len(piece.air)} samples on air and {len(piece.drive)} to drive")
        if len(piece.air):
            self._pieces.append((self.samples, piece))
            self.samples += len(piece.air)
        self.marks += piece.marks
        self.provider = piece.provider or self.provider

    def forget(self, before: int) -> None:
        """What ends before that sample will not be asked for again."""
        self._pieces = [(start, piece) for start, piece in self._pieces if start + len(piece.air) > before]

    def copy(self, begin: int, samples: int, air: Pcm, drive: Pcm) -> None:
        """Copy [begin, begin + samples) of 48 kHz into both arrays, `air` may be shorter than asked."""
        for start, piece in self._pieces:
            first, last = max(begin, start), min(begin + samples, start + len(piece.air))
            if first >= last:
                continue
            self.taken = True
            to, end = first - begin, min(last - begin, len(air))
            if to < end:
                air[to:end] = piece.air[first - start : first - start + end - to]
            drive[to // 3 : (last - begin) // 3] = piece.drive[(first - start) // 3 : (last - start) // 3]


@dataclass(slots=True)
class Line:
    """One sentence on the timeline. `read`: samples of it that were taken. section, lane: see its marks.

    pause: samples of silence after it, if another utterance follows of its lane or a lower one. None: the usual.
    turn: what its utterance is part of. question: what it answers, shown meanwhile.
    """

    key: Key
    text: str
    lane: str
    last: bool  #: it ends its utterance
    section: str = ""
    speech: Speech | None = None
    begun: bool = False
    read: int = 0
    resumed: int = 0  #: samples of it that an earlier process took
    told: set[int] = field(default_factory=set)  #: indices of marks that were in a hop
    pause: int | None = None
    turn: str = ""
    question: str = ""


@dataclass(frozen=True, slots=True)
class Chunk:
    """A hop: air int16 [hop], drive int16 [(hop + ahead) / 3]. `begun`: sentences that start in the hop."""

    air: Pcm
    drive: Pcm
    ahead_samples: int
    marks: list[Mark]
    until: Position | None
    begun: list[Key]


@dataclass(frozen=True, slots=True)
class _Span:
    """`samples` of a line from `begin` on, placed at `at` of the hop."""

    line: Line
    at: int
    begin: int
    samples: int

    @property
    def end(self) -> int:
        return self.at + self.samples

    @property
    def finishes(self) -> bool:
        speech = self.line.speech
        return speech is not None and speech.complete and self.begin + self.samples >= speech.samples


class Timeline:
    def __init__(
        self, sentence_pause: int = SENTENCE_PAUSE_SAMPLES, utterance_pause: int = UTTERANCE_PAUSE_SAMPLES
    ) -> None:
        self._sentence_pause = sentence_pause
        self._utterance_pause = utterance_pause
        self._lines: list[Line] = []
        self._quiet = LONG_AGO_SAMPLES  #: silence since the last word
        self._flows = False  #: hop has followed hop since then
        self._before: Line | None = None  #: the newest sentence that was given away
        self._until: Position | None = None
        self.call: Mark | None = None  #: a person's, to be given at the next sentence end, or in silence at once

    @property
    def going_on(self) -> Line | None:
        """The sentence that was begun and is not taken to its end."""
        return self._lines[0] if self._lines and self._lines[0].begun else None

    def left_samples(self) -> int:
        """Sound that is made and not taken."""
        return sum(line.speech.samples - line.read for line in self._lines if line.speech)

    def replan(self, lines: Iterable[Line]) -> None:
        """What has not begun is replaced by these."""
        self._lines = [line for line in self._lines if line.begun] + list(lines)

    def resume(self, line: Line, samples: int) -> None:
        """Go on in the middle of a sentence that an earlier process began."""
        line.begun = True
        line.read = line.resumed = samples - samples % AIR_PER_DRIVE
        self._lines = [line]
        self._quiet = 0
        self._before = line
        self._until = Position(line.key[0], line.key[1], line.read)

    def rest(self, samples: int) -> None:
        """The last word was heard so long ago: but for a pause of its own, what comes next begins at once.

        Unless silence is being given since then, which may end in the next sentence: that is counted by itself.
        """
        if self._flows and samples <= self._quiet:
            return
        planned = self._before is not None and self._before.pause is not None
        self._quiet = max(self._quiet, samples if planned else LONG_AGO_SAMPLES)

    def clear(self) -> None:
        """Drop all that was not taken; what comes next begins at once."""
        self._lines = []
        self._quiet = LONG_AGO_SAMPLES
        self._flows = False
        self._before = None
        self._until = None

    def take(self, hop: int, ahead: int) -> Chunk | None:
        """The next hop and up to `ahead` samples of what follows it; None when that must wait."""
        self._drop_failed()
        spans, filled = self._walk(hop)
        self._flows = spans is not None
        at = self._call_at(hop, spans)
        if spans is None:
            return None if at is None else self._silent(hop)
        following, reach = self._walk_on(hop + ahead - ahead % AIR_PER_DRIVE, spans, filled, hop)
        air, drive = silence(hop), silence(reach // AIR_PER_DRIVE)
        for span in following:
            assert span.line.speech is not None
            span.line.speech.copy(
                span.begin, span.samples, air[span.at :], drive[span.at // AIR_PER_DRIVE : span.end // AIR_PER_DRIVE]
            )
        marks = self._called(at) + [mark for span in following for mark in _marks(span)]
        marks.sort(key=lambda mark: mark.at)
        return self._commit(hop, spans, Chunk(air, drive, reach - hop, marks, None, []))

    # ── a person is called ───────────────────────────────────────────────────────────────────────

    def _call_at(self, hop: int, spans: list[_Span] | None) -> int | None:
        """Where in the hop the sentence ends that was begun before it, its first sample where none was; None: later."""
        if self.call is None:
            return None
        if self.going_on is None:
            return 0
        first = spans[0] if spans else None
        return first.end if first is not None and first.finishes and first.end < hop else None

    def _called(self, at: int | None) -> list[Mark]:
        """The call, which is given by that."""
        call = self.call
        if call is None or at is None:
            return []
        self.call = None
        return [call.moved(at)]

    def _silent(self, hop: int) -> Chunk:
        """A hop of silence that calls."""
        self._quiet += hop
        return Chunk(silence(hop), silence(hop // AIR_PER_DRIVE), 0, self._called(0), self._until, [])

    # ── laying out ───────────────────────────────────────────────────────────────────────────────

    def _walk(self, hop: int) -> tuple[list[_Span] | None, int]:
        """The spans that fill a hop, and how far they reach with their pauses; None when it must wait."""
        spans: list[_Span] = []
        at, quiet, before = 0, self._quiet, self._before
        for line in self._lines:
            start = at + self._pause(line, quiet, before)
            if start >= hop:
                return (spans, hop) if spans or _has_sound(line) else (None, 0)
            span = _span(line, start, hop)
            if span is None:
                return (None, 0) if line.begun or not spans else (spans, at)
            spans.append(span)
            at, quiet, before = span.end, 0, line
            if at >= hop:
                return spans, hop
        return (spans, at) if spans else (None, 0)

    def _walk_on(self, limit: int, spans: list[_Span], filled: int, hop: int) -> tuple[list[_Span], int]:
        """The same spans and what is known to follow them, up to `limit`; and how far that is known."""
        if filled < hop:
            return spans, hop
        following: list[_Span] = []
        begun = {id(span.line) for span in spans}
        at, quiet, before = 0, self._quiet, self._before
        for line in self._lines:
            speech = line.speech
            # a sentence still being made may yet be put off to a later hop, so it is not promised
            if speech is None or not (speech.complete or line.begun or id(line) in begun):
                break
            start = at + self._pause(line, quiet, before)
            if start >= limit:
                at = limit
                break
            span = _Span(line, start, line.read, min(max(0, speech.samples - line.read), limit - start))
            following.append(span)
            at, quiet, before = span.end, 0, line
            if not span.finishes or at >= limit:
                break
        return following, max(at, hop)

    def _pause(self, line: Line, quiet: int, before: Line | None) -> int:
        """Silence that is still due before this line."""
        if line.begun or before is None:
            return 0
        if line.key[0] == before.key[0] or (line.turn and line.turn == before.turn):
            pause = self._sentence_pause
        elif before.pause is None or not before.last:
            pause = self._utterance_pause
        elif LANES[line.lane] > LANES[before.lane]:
            pause = min(before.pause, self._utterance_pause)
        else:
            pause = before.pause
        return max(0, pause - quiet)

    def _drop_failed(self) -> None:
        """A sentence that broke off ends where its sound ends; it will be said again."""
        self._lines = [
            line
            for line in self._lines
            if not (line.begun and line.speech is not None and line.speech.failed and line.read >= line.speech.samples)
        ]

    # ── taking ───────────────────────────────────────────────────────────────────────────────────

    def _commit(self, hop: int, spans: list[_Span], chunk: Chunk) -> Chunk:
        begun: list[Key] = []
        for span in spans:
            line = span.line
            if not line.begun:
                begun.append(line.key)
                line.begun = True
            line.told |= {
                index for index, mark in enumerate(_speech_marks(line)) if mark.at < span.begin + span.samples
            }
            line.read = span.begin + span.samples
            self._before, self._until = line, Position(line.key[0], line.key[1], line.read)
        last = spans[-1].end if spans else 0
        self._quiet = hop - last if spans else self._quiet + hop
        done = {id(span.line) for span in spans if span.finishes}
        self._lines = [line for line in self._lines if id(line) not in done]
        return Chunk(chunk.air, chunk.drive, chunk.ahead_samples, chunk.marks, self._until, begun)


def _has_sound(line: Line) -> bool:
    return line.speech is not None and (line.speech.samples > 0 or line.speech.complete)


def _span(line: Line, start: int, hop: int) -> _Span | None:
    """What the line gives to [start, hop): all that is wanted, or its rest when it is whole; else None."""
    speech = line.speech
    if speech is None:
        return None
    left = max(0, speech.samples - line.read)
    if left < hop - start and not speech.complete:
        return None
    return _Span(line, start, line.read, min(left, hop - start))


def _speech_marks(line: Line) -> list[Mark]:
    return line.speech.marks if line.speech else []


def _marks(span: _Span) -> list[Mark]:
    """The marks of a span, relative to the hop."""
    line, speech = span.line, span.line.speech
    assert speech is not None
    name, sentence = line.key
    marks: list[Mark] = []
    if not line.begun and span.begin == 0:
        if sentence == 0 and line.section:
            marks.append(Mark(span.at, SECTION, name, sentence, line.section))
        if sentence == 0:
            marks.append(Mark(span.at, UTTERANCE, name, sentence, line.lane))
        length = speech.samples if speech.complete and not speech.failed else 0
        marks.append(Mark(span.at, SENTENCE, name, sentence, line.text, length))
        if line.question:
            marks.append(Mark(span.at, QUESTION, name, sentence, line.question))
    for index, mark in enumerate(speech.marks):
        if index in line.told or mark.at >= span.begin + span.samples:
            continue
        if mark.at < (span.begin if mark.kind == PHONEME else line.resumed):
            continue  # its moment is past; a late word still helps the subtitles
        at = span.at + max(0, mark.at - span.begin)
        marks.append(Mark(at, mark.kind, name, sentence, mark.text, mark.span))
    if span.finishes and not speech.failed:
        marks.append(Mark(span.end, SENTENCE_END, name, sentence))
        if line.last:
            marks.append(Mark(span.end, UTTERANCE_END, name, sentence))
    return marks
