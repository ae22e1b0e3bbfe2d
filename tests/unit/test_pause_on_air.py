"""The silence that a line asks for is what viewers hear after it, whatever the buffer and the hops."""

from __future__ import annotations

import numpy as np
import pytest

from broadcaster.continuity import Continuity
from broadcaster.rundown import Rundown
from broadcaster.show import Show
from broadcaster.supply import Supply
from broadcaster.timeline import SENTENCE_PAUSE_SAMPLES, UTTERANCE_PAUSE_SAMPLES, Line, Speech, Timeline
from broadcaster.utterance import LANES, Key, Utterance
from pipeline.clock import NS, FakeClock
from pipeline.media import AIR_HZ, SENTENCE, SENTENCE_END, Position
from pipeline.wire import Report, SpeechDemand
from tts.synthesizer import Piece

HOPS = (1_920, 9_600, 53_760)


def sound(samples: int) -> Speech:
    made = Speech()
    air = np.ones(samples, np.int16)
    made.add(Piece(air, air[::3].copy()))
    made.complete = True
    return made


def line(name: str, lane: str, pause: int | None, sentence: int = 0, last: bool = True) -> Line:
    return Line((name, sentence), name, lane, last, speech=sound(30_000), pause=pause)


def gap(first: Line, second: Line, hop: int) -> int:
    """Samples of silence between two lines that are both there from the start."""
    timeline, lines, air = Timeline(), [first, second], list[int]()
    while lines or timeline.going_on is not None:
        timeline.replan(lines)
        chunk = timeline.take(hop, 0)
        assert chunk is not None
        lines = lines[len(chunk.begun) :]
        air += chunk.air.tolist()
    speaking = np.flatnonzero(air)
    return int(np.diff(speaking).max()) - 1


@pytest.mark.parametrize("hop", HOPS)
@pytest.mark.parametrize("pause", [0, 3, 4_800, 48_000, 240_000])
def test_the_pause_after_a_line_is_exactly_what_it_asks_for(hop: int, pause: int) -> None:
    assert gap(line("a", "script", pause), line("b", "script", None), hop) == pause
    assert gap(line("a", "command", pause), line("b", "script", None), hop) == pause, "a lower lane waits as well"


@pytest.mark.parametrize("hop", HOPS)
def test_a_higher_lane_waits_no_longer_than_usual(hop: int) -> None:
    assert gap(line("a", "script", 240_000), line("b", "reply", None), hop) == UTTERANCE_PAUSE_SAMPLES
    assert gap(line("a", "script", 3_000), line("b", "reply", None), hop) == 3_000


def test_a_line_that_asks_for_nothing_is_followed_by_the_usual_pause() -> None:
    assert gap(line("a", "script", None), line("b", "script", None), 9_600) == UTTERANCE_PAUSE_SAMPLES


def test_the_pause_is_after_the_last_sentence_and_not_between_sentences() -> None:
    between = gap(line("a", "script", 96_000, last=False), line("a", "script", 96_000, sentence=1), 9_600)
    assert between == SENTENCE_PAUSE_SAMPLES


class Room:
    """A show and its supply, an engine that buffers so many hops, and a playout that reports."""

    def __init__(self, hop: int, buffered: int) -> None:
        self.hop, self.buffered = hop, buffered
        self.clock = FakeClock()
        self.show = Show(Rundown(), None, Continuity(), self.clock, lambda event: None, lambda stream: False)
        self.supply = Supply(self.show, Timeline(), self.clock, 0)
        self.sounds: dict[Key, Speech] = {}
        self.late: dict[str, float] = {}  #: id → when it is synthesised, seconds
        self.show.speech_of, self.show.cut, self.show.forget = self._speech, self.supply.cut, lambda identity: None
        self.show.opened = True
        self.after: Position | None = None
        self.buffer: list[tuple[int, list[tuple[str, Key]]]] = []
        self.began: dict[str, float] = {}  #: id → seconds
        self.ended: dict[str, float] = {}
        self.reports = self.asked = 0
        self.start_ns = self.clock.now_ns()

    def now_s(self) -> float:
        return (self.clock.now_ns() - self.start_ns) / NS

    def say(self, name: str, lane: str, pause_s: float | None = None) -> None:
        self.show.accept(Utterance(name, (name,), LANES[lane], pause_s=pause_s, stream_id=f"{name}-0"))

    def run(self, seconds: float) -> None:
        until_s = self.now_s() + seconds
        while self.now_s() < until_s:
            while len(self.buffer) < self.buffered and self._ask():
                pass
            self._air()
            self.show.tick()

    def gap_s(self, first: str, second: str) -> float:
        return self.began[second] - self.ended[first]

    def _speech(self, key: Key) -> Speech | None:
        if self.now_s() < self.late.get(key[0], 0.0):
            return None
        return self.sounds.setdefault(key, sound(30_000))

    def _ask(self) -> bool:
        self.asked += 1
        self.supply.demand(SpeechDemand("e", 1, self.asked, self.supply.number, self.hop, 0, self.after), b"")
        answer = self.supply.answer()
        if answer is None:
            return False
        self.after = answer.chunk.until
        marks = [(mark.kind, mark.at, (mark.utterance, mark.sentence)) for mark in answer.chunk.marks]
        self.buffer += [(self.hop, [(kind, at, key) for kind, at, key in marks])]  # type: ignore[misc]
        return True

    def _air(self) -> None:
        """A hop goes on air, or a frame of idling."""
        length, marks = self.buffer.pop(0) if self.buffer else (1_920, [])
        begin_ns = self.clock.now_ns()
        self.clock.advance(length / AIR_HZ)
        for kind, at, key in marks:  # type: ignore[misc]
            when_s = (begin_ns - self.start_ns) / NS + at / AIR_HZ
            if kind == SENTENCE:
                self.began[key[0]] = when_s
                self._report("sentence", key)
            elif kind == SENTENCE_END:
                self.ended[key[0]] = when_s
                self._report("sentence_aired", key)

    def _report(self, what: str, key: Key) -> None:
        self.reports += 1
        self.show.report(Report(self.reports, what, key[0], 0, 0, self.clock.wall_s(), key[1]))


@pytest.mark.parametrize(("hop", "buffered"), [(1_920, 2), (9_600, 1), (9_600, 3), (53_760, 1), (53_760, 2)])
@pytest.mark.parametrize("pause_s", [0.2, 0.5, 1.5, 4.0])
def test_a_pause_outlasts_the_moment_at_which_the_last_word_is_heard(hop: int, buffered: int, pause_s: float) -> None:
    room = Room(hop, buffered)
    room.say("a", "command", pause_s)
    room.say("b", "command")
    room.run(12)
    assert room.gap_s("a", "b") == pytest.approx(pause_s, abs=1e-4)


@pytest.mark.parametrize("hop", [1_920, 9_600])
def test_the_usual_pause_does_too(hop: int) -> None:
    room = Room(hop, 1)
    room.say("a", "command")
    room.say("b", "command")
    room.run(5)
    assert room.gap_s("a", "b") == pytest.approx(0.5, abs=1e-4)


def test_a_pause_is_kept_while_the_next_words_are_still_being_made() -> None:
    room = Room(9_600, 2)
    room.late["b"] = 2.0
    room.say("a", "command", 4.0)
    room.say("b", "command")
    room.run(12)
    assert room.gap_s("a", "b") == pytest.approx(4.0, abs=0.3)


def test_words_that_are_made_too_late_come_at_once() -> None:
    room = Room(9_600, 2)
    room.late["b"] = 6.0
    room.say("a", "command", 1.0)
    room.say("b", "command")
    room.run(12)
    assert 6.0 <= room.began["b"] <= 6.3


def test_a_higher_lane_breaks_a_long_pause() -> None:
    room = Room(9_600, 2)
    room.say("a", "script", 8.0)
    room.say("b", "script")
    room.run(3)
    asked_s = room.now_s()
    room.say("c", "live")
    room.run(12)
    assert room.began["c"] - asked_s <= 0.9, "what is buffered is silence"
    assert room.gap_s("c", "b") == pytest.approx(0.5, abs=1e-4)


def test_what_comes_long_after_the_last_word_begins_at_once() -> None:
    room = Room(9_600, 2)
    room.say("a", "script", 2.0)
    room.run(5)
    asked_s = room.now_s()
    room.say("b", "script")
    room.run(2)
    assert room.began["b"] - asked_s <= 0.3


def test_what_comes_soon_after_the_last_word_of_a_usual_line_begins_at_once() -> None:
    room = Room(9_600, 2)
    room.say("a", "command")
    while "a" not in room.ended:
        room.run(0.04)
    room.run(0.1)
    asked_s = room.now_s()
    room.say("b", "command")
    room.run(2)
    assert room.began["b"] - asked_s <= 0.3
