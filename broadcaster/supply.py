"""Engines ask, this answers: one hop of the timeline for each question, and no sample twice.

In: demands of engines. Out: hops for the engine that is fed, and the cut that playout must know of. One engine is
fed at a time: the one that was fed last, until it is silent or comes back as a new process. An answer that was lost on
the way is given again, under the new question. It knows nothing of Redis, of lanes or of what was heard.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
import structlog

from broadcaster.persons import Persons
from broadcaster.timeline import Chunk, Line, Speech, Timeline
from broadcaster.utterance import Key
from pipeline.arrays import Pcm
from pipeline.clock import NS, Clock
from pipeline.media import AIR_HZ, Position
from pipeline.wire import AudioChunk, Cut, SpeechDemand

SILENT_NS = 5 * NS  # an engine asks at least each two seconds; after this another one is fed
CUT_EVERY_NS = NS // 10
UNKNOWN_CUTS = 1_000  # more than can be made between two reports

log = structlog.get_logger()


class Source(Protocol):
    """Where the words come from."""

    def lines(self) -> Sequence[Line]:
        """What comes next, as far as it is planned."""

    def speech(self, key: Key) -> Speech | None:
        """The sound of a sentence, as far as it is made."""

    def begun(self, keys: Sequence[Key]) -> None:
        """These sentences are about to be given away."""

    def lost(self) -> bool:
        """What was given away and not heard is lost; false when there was nothing."""

    def quiet(self) -> bool:
        """All that was given away was heard, or is lost."""

    def resume(self, after: Position) -> Line | None:
        """An engine holds all up to here, from an earlier director: the sentence to go on with, if any."""


@dataclass(frozen=True, slots=True)
class Answer:
    to: bytes
    chunk: AudioChunk
    air: Pcm
    drive: Pcm
    asked_after: Position | None


class Supply:
    """`number` is the timeline's: it rises with each cut, over restarts."""

    def __init__(self, source: Source, timeline: Timeline, clock: Clock, number: int) -> None:
        self._source = source
        self._timeline = timeline
        self._clock = clock
        self.number = number
        self._known = number  #: the newest cut that the fed engine knows of
        self._cut_utterance = ""
        self._cut_ns = 0
        self._cut_unfed = False  #: a cut of ours came before any engine asked
        self._fed: tuple[str, int] | None = None  #: engine and incarnation
        self._fed_ns = 0
        self._demand: SpeechDemand | None = None
        self._to = b""
        self._last: Answer | None = None
        self._repeat = False
        self._quiet_ns: int | None = None  #: since when all that was given away is heard
        self.hop_samples = 0  #: that were asked for last
        self.persons: Persons | None = None  #: that may be called into the picture

    @property
    def has_fed(self) -> bool:
        """Whether any engine has asked."""
        return self._fed is not None

    @property
    def going_on(self) -> Key | None:
        """The sentence that is begun and not given away to its end."""
        line = self._timeline.going_on
        return line.key if line else None

    def read_of(self, key: Key) -> int:
        """Samples of the sentence that were given away, if it is the one that goes on."""
        line = self._timeline.going_on
        return line.read if line and line.key == key else 0

    def demand(self, demand: SpeechDemand, to: bytes) -> None:
        """An engine asks."""
        self.hop_samples = demand.hop_samples
        if self._voids_unknown(demand):
            self.number = demand.timeline
            self.cut(self._cut_utterance)
        newest = max(self.number, demand.timeline)  # an earlier director may have cut beyond what was saved
        if not self._is_fed(demand, newest):
            return
        self._fed_ns = self._clock.now_ns()
        self._known = demand.timeline
        self._demand, self._to = demand, to
        self._repeat = self._last is not None and _was_lost(self._last, demand)

    def answer(self) -> Answer | None:
        """The hop that is asked for; None when nobody asks, a cut is under way, or there is nothing to say."""
        demand = self._demand
        if demand is None or demand.timeline < self.number:
            return None
        if self._repeat and self._last is not None:
            chunk = msgspec.structs.replace(self._last.chunk, credit=demand.credit)
            given = Answer(self._to, chunk, self._last.air, self._last.drive, demand.after)
        else:
            taken = self._take(demand)
            if taken is None:
                return None
            given = Answer(self._to, _message(demand, taken), taken.air, taken.drive, demand.after)
        self._last, self._demand, self._repeat = given, None, False
        return given

    def cut(self, utterance: str) -> None:
        """End what is on air now: all that was given away is void, what comes next begins at once."""
        self.number += 1
        self._cut_utterance = utterance
        self._cut_ns = 0
        self._cut_unfed = self._fed is None
        self._drop()

    def catch_up(self, number: int, has_notes: bool) -> None:
        """The journal knows of a cut of an earlier director; without that one's notes there may have been more."""
        number += 0 if has_notes else UNKNOWN_CUTS
        self.number = max(self.number, number)
        self._known = max(self._known, number)

    def due_cut(self) -> Cut | None:
        """The cut to tell playout, again and again until the engine's question shows that it was heard."""
        now = self._clock.now_ns()
        if self._known >= self.number or now < self._cut_ns:
            return None
        self._cut_ns = now + CUT_EVERY_NS
        return Cut(timeline=self.number, utterance=self._cut_utterance)

    # ── who is fed ───────────────────────────────────────────────────────────────────────────────

    def _voids_unknown(self, demand: SpeechDemand) -> bool:
        """Whether the first engine holds what our cut was to make void: its number was one that we did not know of."""
        return self._fed is None and self._cut_unfed and demand.after is not None and demand.timeline >= self.number

    def _is_fed(self, demand: SpeechDemand, newest: int) -> bool:
        asking = (demand.engine, demand.incarnation)
        if asking == self._fed:
            self.number = newest
            return True
        if self._fed is not None:
            engine, incarnation = self._fed
            if demand.engine == engine and demand.incarnation < incarnation:
                return False  # from a process that is gone
            if demand.engine != engine and self._clock.now_ns() < self._fed_ns + SILENT_NS:
                return False
        first = self._fed is None and demand.timeline >= self.number
        self.number, self._fed = newest, asking
        self._begin_feeding(demand, first)
        return True

    def _begin_feeding(self, demand: SpeechDemand, first: bool) -> None:
        """An engine that is new to us. The first may hold speech of an earlier director, others begin empty."""
        log.info("engine.fed", engine=demand.engine, first=first, holds=demand.after is not None)
        self._drop()
        if first and demand.after is not None:
            line = self._source.resume(demand.after)
            if line is not None:
                self._timeline.resume(line, demand.after.samples)
        elif self._source.lost():
            self.cut("")  # playout may still hold the beginning of what is said again

    # ── what is given ────────────────────────────────────────────────────────────────────────────

    def _take(self, demand: SpeechDemand) -> Chunk | None:
        going_on = self._timeline.going_on
        if going_on is not None and going_on.speech is None:
            going_on.speech = self._source.speech(going_on.key)
        if not self._source.quiet():
            self._quiet_ns = None
        else:
            now_ns = self._clock.now_ns()
            self._quiet_ns = now_ns if self._quiet_ns is None else self._quiet_ns
            self._timeline.rest((now_ns - self._quiet_ns) * AIR_HZ // NS)
        self._timeline.replan(self._source.lines())
        call = self._timeline.call = self.persons.due(self._clock.now_ns()) if self.persons else None
        chunk = self._timeline.take(demand.hop_samples, demand.ahead_samples)
        if self.persons and call is not None and self._timeline.call is None:
            self.persons.given(self._clock.now_ns())
        if chunk is not None and chunk.begun:
            self._quiet_ns = None
            self._source.begun(chunk.begun)
        return chunk

    def _drop(self) -> None:
        self._timeline.clear()
        self._last, self._repeat = None, False
        if self.persons:
            self.persons.lost()


def _message(demand: SpeechDemand, chunk: Chunk) -> AudioChunk:
    return AudioChunk(
        incarnation=demand.incarnation,
        credit=demand.credit,
        timeline=demand.timeline,
        hop_samples=demand.hop_samples,
        ahead_samples=chunk.ahead_samples,
        marks=chunk.marks,
        until=chunk.until or demand.after,
    )


def _was_lost(last: Answer, demand: SpeechDemand) -> bool:
    """Whether the engine asks as if it had not received our last answer."""
    return (
        last.chunk.hop_samples == demand.hop_samples
        and demand.after == last.asked_after
        and demand.after != last.chunk.until
    )
