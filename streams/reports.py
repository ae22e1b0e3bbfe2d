"""What viewers really heard: from marks that go on air to reports, at the right moment. Pure.

In: each slot's marks; cuts; whether what was begun can still go on; how far the encoder and the outputs
are. Out: reports, in order. `started`, `sentence`, `cut`, `lost` and `person` wait until their sample is encoded,
`sentence_aired` and `aired` until it was sent by the outputs that count. It writes no file
(streams.chronicle does) and knows no time but samples. One thread calls the slots' side, another
`due`: the two queues between them are deques.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.media import AIR_SAMPLES, ENDS, PERSON, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark
from pipeline.wire import Report
from streams.feed import Lineage

ENDS_KEPT = 64  # of the newest ends: far more than a pusher may have sent without saying so
PENDING_MAX = 20_000  # an hour of talk that nobody receives, with `pause`; older than that is forgotten


@dataclass(slots=True)
class Speaking:
    """The utterance on air. `sentence_start`: sample, None between sentences. `samples`: of the last sentence."""

    utterance: str
    lineage: Lineage
    sentence: int = 0
    sentence_start: int | None = None
    samples: int = 0


class Reporter:
    """`timeline`: the newest cut known."""

    def __init__(self, timeline: int) -> None:
        self.timeline = timeline
        self.forgotten = 0  #: reports that were too many to keep
        self.ended = threading.Event()  #: set when a new end waits to be heard
        self._speaking: Speaking | None = None
        self._encoded: deque[Report] = deque()  # waiting for the encoder
        self._heard: deque[Report] = deque()  # waiting for the outputs
        self._told: set[tuple[str, str, int]] = set()  # ends since the last beginning
        self._person = ""  # who is in the picture

    @property
    def speaking(self) -> str:
        """The utterance on air, "" when there is none."""
        return self._speaking.utterance if self._speaking else ""

    # ── the clock's side ─────────────────────────────────────────────────────────────────────────

    def slot(self, slot: int, marks: Iterable[Mark], lineage: Lineage) -> None:
        """Live goes on air in this slot, with these marks."""
        for mark in marks:
            self._mark(mark, slot * AIR_SAMPLES + mark.at, lineage)

    def broken(self, slot: int) -> None:
        """What is begun cannot go on: its engine died, or was set back."""
        self._stop("lost", slot * AIR_SAMPLES)

    def cut(self, slot: int, utterance: str) -> None:
        """What is on air is cut at this slot, and `utterance` with it even if it has not begun ("" for none)."""
        sample = slot * AIR_SAMPLES
        on_air = self.speaking
        self._stop("cut", sample)
        if utterance and utterance != on_air and not self._ended(utterance):
            self._put(self._encoded, "cut", utterance, sample)

    @property
    def lineage(self) -> Lineage | None:
        """Of the utterance on air."""
        return self._speaking.lineage if self._speaking else None

    def _mark(self, mark: Mark, sample: int, lineage: Lineage) -> None:
        if mark.kind in ENDS:
            # a director that died right after the last sample has its successor end the sentence again
            end = (mark.kind, mark.utterance, mark.sentence)
            if end in self._told:
                return
            self._told.add(end)
        elif mark.kind in (UTTERANCE, SENTENCE):
            self._told.clear()
        if mark.kind == UTTERANCE:
            self._speaking = Speaking(mark.utterance, lineage)
            self._put(self._encoded, "started", mark.utterance, sample, mark.sentence)
        elif mark.kind == SENTENCE:
            if self._speaking is None or self._speaking.utterance != mark.utterance:
                self._speaking = Speaking(mark.utterance, lineage)  # said again from this sentence on
                self._put(self._encoded, "started", mark.utterance, sample, mark.sentence)
            self._speaking.sentence, self._speaking.sentence_start = mark.sentence, sample
            self._put(self._encoded, "sentence", mark.utterance, sample, mark.sentence)
        elif mark.kind == SENTENCE_END:
            self._end_sentence(mark, sample)
        elif mark.kind == PERSON:
            self._see(mark, sample)
        elif mark.kind == UTTERANCE_END:
            self._put(self._heard, "aired", mark.utterance, sample, mark.sentence)
            if self.speaking == mark.utterance:
                self._speaking = None

    def _see(self, mark: Mark, sample: int) -> None:
        """Who is in the picture; what an order or a text called is told even when it changes nothing."""
        if mark.utterance or mark.text != self._person:
            self._put(self._encoded, "person", mark.utterance, sample, mark.sentence, text=mark.text)
        self._person = mark.text

    def _end_sentence(self, mark: Mark, sample: int) -> None:
        speaking, samples = self._speaking, 0
        if speaking is not None and speaking.utterance == mark.utterance:
            samples = _since(speaking.sentence_start, sample)
            speaking.samples, speaking.sentence_start = samples, None
        self._put(self._heard, "sentence_aired", mark.utterance, sample, mark.sentence, samples)

    def _stop(self, what: str, sample: int) -> None:
        speaking, self._speaking = self._speaking, None
        if speaking is None:
            return
        begun = speaking.sentence_start is not None
        samples = _since(speaking.sentence_start, sample) if begun else speaking.samples
        self._put(self._encoded, what, speaking.utterance, sample, speaking.sentence, samples)

    def _ended(self, utterance: str) -> bool:
        return any(report.what == "aired" and report.utterance == utterance for report in list(self._heard))

    def _put(
        self,
        queue: deque[Report],
        what: str,
        utterance: str,
        sample: int,
        sentence: int = 0,
        samples: int = 0,
        text: str = "",
    ) -> None:
        if len(queue) >= PENDING_MAX:
            queue.popleft()
            self.forgotten += 1
        report = Report(
            seq=0,
            what=what,
            utterance=utterance,
            frame=sample // AIR_SAMPLES,
            sample=sample,
            wall_s=0.0,
            sentence=sentence,
            samples=samples,
            timeline=self.timeline,
            text=text,
        )
        queue.append(report)
        if queue is self._heard:
            self.ended.set()

    # ── the journal's side ───────────────────────────────────────────────────────────────────────

    def due(self, encoded_sample: int, heard_sample: int) -> list[Report]:
        """Reports whose sample is encoded, or heard: everything before that sample."""
        return _until(self._encoded, encoded_sample, at_least=1) + _until(self._heard, heard_sample, at_least=0)

    def ends(self) -> list[Report]:
        """The newest ends that were on air and are not reported yet."""
        return list(self._heard)[-ENDS_KEPT:]


def _until(queue: deque[Report], sample: int, at_least: int) -> list[Report]:
    """Reports up to `sample`, taken from the queue; with `at_least` samples of what they tell of."""
    due: list[Report] = []
    while queue and queue[0].sample + at_least <= sample:
        due.append(queue.popleft())
    return due


def _since(start: int | None, sample: int) -> int:
    return 0 if start is None else max(0, sample - start)
