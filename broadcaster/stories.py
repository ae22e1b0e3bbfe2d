"""What is told of each utterance while it lives: accepted, synthesised, begun, broken off, heard, or refused.

In: utterances, and what became of them. Out: events, each turn of a story once. Evergreen words have no story: they
begin, and they end. It does no I/O.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import structlog

from broadcaster.events import (
    AIRED,
    DEAD_LETTERED,
    INTERRUPTED,
    SKIPPED,
    STARTED,
    SYNTHESISED,
    Event,
    event_of,
)
from broadcaster.utterance import Lane, Utterance, is_evergreen, is_ours
from pipeline.wire import Report

TIMES_KEPT = 50

log = structlog.get_logger()


class Stories:
    """On the director's loop. emit: takes events."""

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit
        self._started: set[str] = set()
        self._synthesised: set[str] = set()
        self.times_to_air_ms: deque[int] = deque(maxlen=TIMES_KEPT)  #: of messages, newest last

    def tell(self, event: Event) -> None:
        if not is_evergreen(event.id) or event.name in (STARTED, AIRED, SKIPPED):
            self._emit(event)

    def synthesised(self, utterance: Utterance, sentence: int, took_ms: int) -> None:
        """The first of its sentences to have a sound, whichever it is."""
        if utterance.id not in self._synthesised:
            self._synthesised.add(utterance.id)
            self.tell(event_of(SYNTHESISED, utterance, sentence=sentence, took_ms=took_ms))

    def started(self, utterance: Utterance, report: Report) -> None:
        if utterance.id in self._started:
            return
        self._started.add(utterance.id)
        since_s = utterance.accepted_s if utterance.due_s is None else max(utterance.due_s, utterance.accepted_s)
        waited_ms = max(0, round((report.wall_s - since_s) * 1000))
        if not is_ours(utterance.id):
            self.times_to_air_ms.append(waited_ms)
        self.tell(event_of(STARTED, utterance, frame=report.frame, sample=report.sample, waited_ms=waited_ms))

    def interrupted(self, utterance: Utterance, report: Report, reason: str, **facts: int) -> None:
        where = {"frame": report.frame, "sample": report.sample, **facts}
        self.tell(event_of(INTERRUPTED, utterance, reason=reason, **where))

    def aired(self, utterance: Utterance, report: Report) -> None:
        self.tell(event_of(AIRED, utterance, frame=report.frame, sample=report.sample))

    def skipped(self, utterance: Utterance, reason: str = "by order") -> None:
        self.tell(event_of(SKIPPED, utterance, reason=reason))

    def talk_aired(self, identity: str, report: Report) -> None:
        """A person's talk, of whose director only its name is left."""
        where: dict[str, str | int] = {"frame": report.frame, "sample": report.sample}
        self.tell(Event(AIRED, identity, Lane.LIVE.name.lower(), facts=where))

    def talk_skipped(self, identity: str, reason: str) -> None:
        """A person's talk, of whose director only its name is left."""
        self.tell(Event(SKIPPED, identity, Lane.LIVE.name.lower(), facts={"reason": reason}))

    def buried(self, utterance: Utterance, reason: str) -> None:
        """It becomes a dead letter."""
        log.warning("utterance.refused", utterance=utterance.id, lane=utterance.lane_name, reason=reason)
        original = {b"text": " ".join(utterance.sentences).encode(), b"mode": utterance.mode.encode()}
        if utterance.voice:
            original[b"voice"] = utterance.voice.encode()
        facts: dict[str, str | int] = {"reason": reason}
        self.tell(Event(DEAD_LETTERED, utterance.id, utterance.lane_name, utterance.stream_id, facts, original))

    def forget(self, identity: str) -> None:
        """It is gone for good."""
        self._started.discard(identity)
        self._synthesised.discard(identity)
