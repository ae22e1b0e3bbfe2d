"""The show as viewers hear it, over deaths of every process: a room in one test, without a clock that runs."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from broadcaster import script
from broadcaster.continuity import Continuity
from broadcaster.events import ACCEPTED, AIRED, DEAD_LETTERED, DUPLICATE, EXPIRED, INTERRUPTED, STARTED, Event
from broadcaster.patience import TRIES
from broadcaster.rundown import Rundown
from broadcaster.script import Reading
from broadcaster.show import Show
from broadcaster.supply import SILENT_NS, Supply
from broadcaster.timeline import Speech, Timeline
from broadcaster.utterance import LANES, Key, Utterance
from pipeline.clock import NS, FakeClock
from pipeline.errors import SpeechError, UnknownVoice
from pipeline.media import SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark, Position
from pipeline.wire import AudioChunk, Cut, Report, SpeechDemand
from tts.synthesizer import Piece

HOP = 9_600


def utterance(name: str, count: int = 1, lane: str = "command", mode: str = "append", **more: object) -> Utterance:
    fields: dict[str, object] = {"stream_id": f"{name}-0", **more}
    sentences = tuple(f"{name}.{index}" for index in range(count))
    return Utterance(id=name, sentences=sentences, lane=LANES[lane], mode=mode, **fields)  # type: ignore[arg-type]


def split(text: str) -> Sequence[str]:
    return text.split(". ")


class Director:
    """Show and supply, wired as the process wires them, with a voice that needs no time."""

    def __init__(self, room: Room, saved: Continuity) -> None:
        self.room = room
        reading = Reading(room.script, split, True, saved.place) if room.script else None
        self.show = Show(Rundown(), reading, saved, room.clock, self._emit, lambda stream_id: False)
        self.supply = Supply(self.show, Timeline(2_400, 4_800), room.clock, saved.timeline)
        self.show.cut, self.show.speech_of = self._cut, self._speech_of
        self.show.forget = lambda identity: None
        for report in room.journal[saved.seen :]:
            self.show.report(report, replayed=True)
        self.read = len(room.journal)
        self.show.after_replay()
        self.show.top_up()
        for entry in list(room.pending.values()):
            self.show.accept(entry)
        self.show.opened = True
        self.show.left_behind_is_read()
        self.save()

    def read_reports(self) -> None:
        for report in self.room.journal[self.read :]:
            self.show.report(report)
        self.read = len(self.room.journal)
        self.save()

    def ask(self, demand: SpeechDemand) -> None:
        self.read_reports()
        self.supply.demand(demand, b"")

    def answer(self) -> AudioChunk | None:
        answer = self.supply.answer()
        self.save()
        return answer.chunk if answer else None

    def save(self) -> None:
        packed = msgspec.json.encode(self.show.continuity(self.supply.number))
        self.room.saved = msgspec.json.decode(packed, type=Continuity)

    def _cut(self, name: str) -> None:
        self.supply.cut(name)

    def _speech_of(self, key: Key) -> Speech | None:
        if key in self.room.mute:
            return None
        if self.show.text(key) is None:
            return None
        if key in self.room.sounds:
            return self.room.sounds[key]
        samples = self.room.samples or 3 * (400 + sum(key[0].encode()) * 97 * (key[1] + 1) % 6_000)
        made = Speech()
        air = np.ones(samples, np.int16)
        made.add(Piece(air, air[::3]))
        made.complete = True
        self.room.sounds[key] = made
        return made

    def _emit(self, event: Event) -> None:
        self.room.events.append(event)
        if event.settles:
            self.room.pending.pop(event.id, None)


class Room:
    """A director, an engine, a playout and a queue."""

    def __init__(self, text: str = "", samples: int = 30_000) -> None:
        self.samples = samples  #: of each sentence; 0 = all different
        self.clock = FakeClock()
        self.script = script.parse(text, Path("s.md")) if text else None
        self.journal: list[Report] = []
        self.events: list[Event] = []
        self.pending: dict[str, Utterance] = {}
        self.mute: set[Key] = set()  #: sentences without sound yet
        self.sounds: dict[Key, Speech] = {}
        self.saved = Continuity()
        # engine
        self.incarnation, self.credit, self.timeline = 1, 0, 0
        self.after: Position | None = None
        # playout
        self.buffer: list[AudioChunk] = []
        self.open: Key | None = None
        self.open_of = 0  #: incarnation of the engine that gave it
        self.heard: list[Key] = []
        self.director = Director(self, self.saved)

    def say(self, one: Utterance) -> None:
        self.pending[one.id] = one
        self.director.show.accept(one)
        self.director.save()
        self.hear_cut()

    def hear_cut(self) -> None:
        cut = self.director.supply.due_cut()
        if cut is not None and cut.timeline > self.timeline:
            self.cut(cut)

    def cut(self, cut: Cut) -> None:
        self.buffer.clear()
        self.timeline, self.after = cut.timeline, None
        self._break("cut")

    def render(self) -> bool:
        """The engine asks and, if it is answered, gives a segment to playout."""
        self.credit += 1
        demand = SpeechDemand("e", self.incarnation, self.credit, self.timeline, HOP, 4_800, self.after)
        self.director.ask(demand)
        chunk = self.director.answer()
        if chunk is None:
            self.hear_cut()
            return False
        self.after = chunk.until
        self.buffer.append(chunk)
        return True

    def air(self) -> None:
        """Playout plays a segment."""
        if not self.buffer:
            if self.open and self.open_of != self.incarnation:
                self._break("lost")
            return
        chunk = self.buffer.pop(0)
        for mark in chunk.marks:
            if mark.at - mark.kind.endswith("_end") < HOP:
                self._pass(mark)
                self.open_of = chunk.incarnation

    def _pass(self, mark: Mark) -> None:
        key = (mark.utterance, mark.sentence)
        if mark.kind == UTTERANCE:
            self._report("started", key)
        elif mark.kind == SENTENCE:
            self.open = key
            self._report("sentence", key)
        elif mark.kind == SENTENCE_END:
            if self.open == key:
                self.heard.append(key)
            self.open = None
            self._report("sentence_aired", key)
        elif mark.kind == UTTERANCE_END:
            self._report("aired", key)

    def kill_engine(self) -> None:
        self.incarnation += 1
        self.after = None

    def kill_playout(self) -> None:
        self.buffer.clear()
        self.open = None
        self._report("opened", ("", 0))

    def kill_director(self) -> None:
        self.director = Director(self, self.saved)
        self.hear_cut()

    def run(self, steps: int = 400) -> None:
        for _ in range(steps):
            self.render()
            self.air()
            self.air()
            self.director.read_reports()
            self.clock.advance(0.5)
            self.director.show.tick()

    def reach(self, key: Key) -> None:
        """Play until viewers are in the middle of this sentence."""
        for _ in range(100):
            if self.open == key:
                return
            self.render()
            self.air()
        raise AssertionError(f"{key} was never on air")

    def names(self) -> str:
        return " ".join(f"{name}{index}" for name, index in self.heard)

    def told(self, name: str) -> list[str]:
        return [event.id for event in self.events if event.name == name]

    def _break(self, what: str) -> None:
        if self.open:
            key, self.open = self.open, None
            self._report(what, key)

    def _report(self, what: str, key: Key) -> None:
        number = len(self.journal) + 1
        self.journal.append(Report(number, what, key[0], number, number * 10, self.clock.wall_s(), key[1]))


def test_an_utterance_is_heard_and_settled() -> None:
    room = Room()
    room.say(utterance("a", 3))
    room.run(20)
    assert room.names() == "a0 a1 a2"
    assert [event.name for event in room.events if event.id == "a"] == [ACCEPTED, STARTED, AIRED]
    assert room.pending == {}


def test_now_cuts_the_script_which_goes_on_at_the_cut_sentence() -> None:
    room = Room("one. two. three")
    room.reach(("script:0:0", 1))
    room.say(utterance("n", 1, "command", "now"))
    while len(room.heard) < 4:
        room.run(1)
    assert room.names().startswith("script:0:00 n0 script:0:01 script:0:02")
    assert "script:0:0" in room.told(INTERRUPTED)


def test_an_engine_death_has_its_sentence_said_again() -> None:
    room = Room()
    room.say(utterance("a", 4))
    room.reach(("a", 1))
    room.kill_engine()
    room.buffer.clear()
    room.run(30)
    assert room.names() == "a0 a1 a2 a3"


def test_a_loss_reported_after_the_new_engine_is_fed_starts_nothing_again() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.reach(("a", 0))
    room.kill_engine()
    assert not room.render() and room.render()
    began = room.director.supply.number
    room._report("lost", ("a", 0))
    room.director.read_reports()
    assert room.director.supply.number == began
    room.run(20)
    assert room.names() == "a0 a1"


def test_a_playout_death_has_what_it_held_said_again() -> None:
    room = Room()
    room.say(utterance("a", 4))
    room.reach(("a", 1))
    room.render()
    room.kill_playout()
    room.run(30)
    assert room.names() == "a0 a1 a2 a3"
    assert room.told(INTERRUPTED) == ["a"]


def test_a_new_director_goes_on_in_the_middle_of_the_sentence() -> None:
    room = Room()
    room.say(utterance("a", 3))
    room.render()
    room.render()
    room.kill_director()
    middle = room.after
    room.render()
    assert middle is not None and room.after is not None
    assert room.after.samples == middle.samples + HOP or room.after.sentence > middle.sentence
    assert all(mark.kind != UTTERANCE for mark in room.buffer[-1].marks)
    room.run(20)
    assert room.names() == "a0 a1 a2"


def test_an_answer_that_was_lost_is_given_again() -> None:
    room = Room()
    room.say(utterance("a", 3))
    room.render()
    lost_after = room.after
    room.render()
    chunk = room.buffer.pop()
    room.after = lost_after
    room.render()
    again = room.buffer[-1]
    assert (again.until, again.marks) == (chunk.until, chunk.marks) and again.credit > chunk.credit
    room.run(20)
    assert room.names() == "a0 a1 a2"


def test_a_second_engine_is_fed_only_when_the_first_is_silent() -> None:
    room = Room()
    room.say(utterance("a", 40))
    room.render()
    other = SpeechDemand("f", 9, 1, 0, HOP, 0)
    room.director.ask(other)
    assert room.director.answer() is None
    room.clock.advance(SILENT_NS / NS + 1)
    room.director.ask(other)
    room.director.ask(msgspec.structs.replace(other, timeline=1))  # it knows of the cut
    chunk = room.director.answer()
    assert chunk is not None and chunk.incarnation == 9 and chunk.marks[0].kind == UTTERANCE


def test_a_question_from_before_a_cut_is_not_answered() -> None:
    room = Room()
    room.say(utterance("a", 3))
    room.render()
    room.director.show.accept(utterance("n", 1, "live", "now"))
    room.director.ask(SpeechDemand("e", room.incarnation, 99, 0, HOP, 0, room.after))
    assert room.director.answer() is None
    cut = room.director.supply.due_cut()
    assert cut == Cut(timeline=1, utterance="a")
    assert room.director.supply.due_cut() is None  # not more often than each 100 ms
    room.clock.advance(0.1)
    assert room.director.supply.due_cut() == cut
    room.director.ask(SpeechDemand("e", room.incarnation, 100, 1, HOP, 0))
    room.clock.advance(0.1)
    assert room.director.supply.due_cut() is None
    chunk = room.director.answer()
    assert chunk is not None and chunk.timeline == 1 and chunk.marks[0].utterance == "n"


def test_timeline_numbers_rise_over_restarts() -> None:
    room = Room()
    room.say(utterance("n", 1, "live", "now"))
    room.run(10)
    room.kill_director()
    room.say(utterance("m", 1, "live", "now"))
    assert room.director.supply.number == 2


def test_the_same_id_is_said_once() -> None:
    room = Room()
    room.say(utterance("a"))
    room.director.show.accept(utterance("a", stream_id="9-0"))
    room.run(10)
    room.director.show.accept(utterance("a", stream_id="10-0"))
    assert room.told(DUPLICATE) == ["a", "a"] and room.names() == "a0"


def test_what_was_aired_without_redis_knowing_is_settled_when_it_comes_again() -> None:
    room = Room()
    room.say(utterance("a"))
    room.run(10)
    room.events.clear()
    room.saved = msgspec.structs.replace(room.saved, finished=[room.journal[-1]])
    room.pending["a"] = utterance("a")
    room.kill_director()
    assert room.told(AIRED) == ["a"] and room.heard == [("a", 0)]
    room.run(5)
    assert room.heard == [("a", 0)]


def test_what_came_too_late_expires() -> None:
    room = Room()
    room.say(utterance("late", expires_s=room.clock.wall_s() - 1))
    room.director.show.paused = True
    room.say(utterance("soon", expires_s=room.clock.wall_s() + 3))
    room.run(10)
    assert room.told(EXPIRED) == ["late", "soon"] and room.heard == []


def test_nothing_new_begins_while_nobody_listens_but_a_sentence_is_finished() -> None:
    room = Room()
    room.say(utterance("a", 3))
    room.render()
    room.director.show.paused = True
    room.run(20)
    assert room.names() == "a0"
    room.director.show.paused = False
    room.run(20)
    assert room.names() == "a0 a1 a2"


def test_a_sentence_no_voice_can_say_waits_lets_others_pass_and_is_given_up() -> None:
    room = Room()
    room.mute = {("a", 0)}
    room.say(utterance("a", 2))
    room.say(utterance("b"))
    for tries in range(TRIES):
        assert room.told(DEAD_LETTERED) == []
        assert room.director.show.planned()[0][0] == "a" or tries
        room.director.show.failed(("a", 0), SpeechError("silence"))
        room.run(20)
    assert room.names() == "b0"
    assert room.told(DEAD_LETTERED) == ["a"] and room.pending == {}


def test_a_voice_nobody_knows_is_refused_at_once_when_a_message_asked_for_it() -> None:
    room = Room()
    room.mute = {("a", 0)}
    room.say(utterance("a", voice="klingon"))
    room.director.show.failed(("a", 0), UnknownVoice("no voice klingon"))
    assert room.told(DEAD_LETTERED) == ["a"]


def test_an_utterance_that_keeps_killing_the_director_is_refused() -> None:
    room = Room()
    room.pending["a"] = utterance("a")
    for _ in range(TRIES):
        room.kill_director()
        room.director.show.tried(("a", 0), begins=True)
        room.director.save()
    room.kill_director()
    assert room.told(DEAD_LETTERED) == ["a"]


def test_a_full_rundown_refuses_with_a_reason() -> None:
    room = Room()
    for number in range(1001):
        room.say(utterance(f"u{number}."))
    assert room.told(DEAD_LETTERED) == ["u1000."]
    assert "full" in str(room.events[-1].facts["reason"])


def test_a_script_goes_on_after_a_restart_and_when_all_state_is_lost_after_what_was_aired() -> None:
    room = Room("one. two\n\nthree\n\nfour")
    while len(room.heard) < 2:
        room.run(1)
    room.kill_director()
    while len(room.heard) < 4:
        room.run(1)
    heard = room.names()
    assert heard.startswith("script:0:00 script:0:01 script:0:10 script:0:20")
    before = len(room.heard)
    room.saved = Continuity()
    room.kill_engine()
    room.buffer.clear()
    room.kill_director()
    while len(room.heard) < before + 3:
        room.run(1)
    assert len(set(room.heard)) == len(room.heard)


@pytest.mark.parametrize("seed", range(80))
def test_nothing_is_lost_and_nothing_repeated_whatever_dies(seed: int) -> None:
    dice = random.Random(seed)
    room = Room("alpha. beta. gamma\n\ndelta. epsilon" if dice.random() < 0.5 else "", samples=0)
    said: dict[str, int] = {}
    for step in range(500):
        action = dice.random()
        if action < 0.06 and len(said) < 30:
            name, count = f"u{step}.", dice.randint(1, 4)
            said[name] = count
            room.say(utterance(name, count, dice.choice(list(LANES)), dice.choice(["append", "insert", "now"])))
        elif action < 0.40:
            room.render()
        elif action < 0.75:
            room.air()
        elif action < 0.85:
            room.director.read_reports()
            room.hear_cut()
        elif action < 0.90:
            room.clock.advance(0.3)
            room.director.show.tick()
            room.hear_cut()
        elif action < 0.93:
            room.kill_director()
        elif action < 0.95:
            room.kill_engine()
            for _ in range(dice.choice([0, 20])):  # the buffer runs dry, or the new engine is there first
                room.air()
        elif action < 0.97:
            room.kill_playout()
    for _ in range(3_000):
        if not room.pending:
            break
        room.run(1)
        room.hear_cut()
    assert room.pending == {}
    whole = [(name, index) for name, count in said.items() for index in range(count)]
    assert sorted(key for key in room.heard if key[0] in said) == sorted(whole)
    assert len(set(room.heard)) == len(room.heard)
    for name in {name for name, _ in room.heard}:
        indices = [index for other, index in room.heard if other == name]
        assert indices == list(range(len(indices)))
    assert sorted(room.told(AIRED)) == sorted({*said, *(n for n in room.told(AIRED) if n.startswith("script:"))})


def test_a_late_report_of_our_own_cut_does_not_cut_what_is_said_again() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.reach(("a", 0))
    room.kill_engine()
    room.render()  # the new engine asks, which cuts
    late = room.journal.pop()
    assert late.what == "cut"
    number = room.director.supply.number
    assert room.render(), "the sentence is given away again"
    room.journal.append(late)
    room.director.read_reports()
    assert room.director.supply.number == number
    room.run(20)
    assert room.names() == "a0 a1"


def test_a_cut_that_is_not_ours_loses_nothing() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.reach(("a", 0))
    number = room.director.supply.number
    room.buffer.clear()
    room._break("cut")  # a panic
    room.run(20)
    assert room.director.supply.number > number
    assert room.names() == "a0 a1"


def test_a_panic_after_the_sentence_began_again_is_a_loss_although_we_cut_just_before() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.reach(("a", 0))
    room.kill_engine()
    room.render()
    room.journal.pop()  # playout had nothing to report for this cut
    room.reach(("a", 0))
    room.director.read_reports()
    number = room.director.supply.number
    room.buffer.clear()
    room._break("cut")  # the panic
    room.run(20)
    assert room.director.supply.number > number
    assert room.names() == "a0 a1"


def test_words_that_came_again_after_a_restart_do_not_cut_what_they_had_cut_or_what_cut_them() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.reach(("a", 0))
    room.say(utterance("b", 2, mode="now"))
    room.reach(("b", 0))
    room.say(utterance("c", 2, mode="now"))
    room.reach(("c", 0))
    number = room.director.supply.number
    room.kill_director()
    assert room.director.supply.number == number, "nothing cuts"
    room.run(40)
    assert room.names() == "c0 c1 b0 b1 a0 a1"
    room.say(utterance("d", 1, mode="now"))
    assert room.director.supply.number > number, "new words cut as ever"
