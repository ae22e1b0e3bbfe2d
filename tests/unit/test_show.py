"""The show as viewers hear it, over deaths of every process: a room in one test, without a clock that runs."""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from broadcaster.continuity import Continuity
from broadcaster.events import ACCEPTED, AIRED, DEAD_LETTERED, DUPLICATE, EXPIRED, INTERRUPTED, STARTED, Event
from broadcaster.patience import TRIES
from broadcaster.prompter import Prompter
from broadcaster.rundown import Rundown
from broadcaster.script.load import parse
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.show import Show
from broadcaster.supply import SILENT_NS, Supply
from broadcaster.timeline import Speech, Timeline
from broadcaster.utterance import LANES, Key, Utterance
from pipeline.clock import NS, FakeClock
from pipeline.errors import SpeechError, UnknownVoice
from pipeline.media import AIR_HZ, SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark, Position
from pipeline.wire import AudioChunk, Cut, Report, SpeechDemand
from tts.synthesizer import Piece

HOP = 9_600
PLAYS = int(os.environ.get("SEEDS", "30"))  # random ones of a room
LONG_PLAYS = max(PLAYS, 90)  # with the long tests


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
        self.show = Show(Rundown(), reading, saved, room.clock, self._emit, room.settling.__contains__)
        self.supply = Supply(self.show, Timeline(2_400, 4_800), room.clock, saved.timeline)
        self.show.cut, self.show.speech_of = self._cut, self._speech_of
        self.show.forget = lambda identity: None
        for report in room.journal[saved.seen :]:
            self.show.report(report, replayed=True)
            self.supply.catch_up(report.timeline, has_notes=bool(saved.seen))
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
        if self.room.disk_refuses:
            return
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
        different = 3 * (400 + sum(key[0].encode()) * 97 * (key[1] + 1) % 6_000)
        samples = self.room.lengths.get(key[0]) or self.room.samples or different
        made = Speech()
        air = np.ones(samples, np.int16)
        made.add(Piece(air, air[::3]))
        made.complete = True
        self.room.sounds[key] = made
        return made

    def _emit(self, event: Event) -> None:
        self.room.untold.append(event)
        if event.settles:
            self.room.settling.add(event.stream_id)
        if not self.room.redis_away:
            self.room.tell()


class Room:
    """A director, an engine, a playout and a queue."""

    def __init__(self, text: str = "", samples: int = 30_000) -> None:
        self.samples = samples  #: of each sentence; 0 = all different
        self.lengths: dict[str, int] = {}  #: samples of a sentence, by utterance
        self.clock = FakeClock()
        self.script = parse(text, Path("s.md")) if text else None
        self.journal: list[Report] = []
        self.events: list[Event] = []
        self.untold: list[Event] = []  #: on their way to Redis; they die with the director
        self.settling: set[str] = set()  #: stream ids of those that end something
        self.on_chunk: Callable[[AudioChunk], None] = lambda chunk: None
        self.redis_away = False
        self.disk_refuses = False
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

    def tell(self) -> None:
        """Redis takes the events: what they settle is acknowledged."""
        for event in self.untold:
            self.events.append(event)
            if event.settles:
                self.pending.pop(event.id, None)
                self.settling.discard(event.stream_id)
        self.untold.clear()

    def redeliver(self) -> None:
        """Redis gives again what is not acknowledged."""
        for entry in list(self.pending.values()):
            if entry.stream_id not in self.settling:
                self.director.show.accept(entry)
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
        self.on_chunk(chunk)
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

    def lose_answer(self) -> None:
        """The director answers, and what it says never arrives."""
        held, after = len(self.buffer), self.after
        self.render()
        del self.buffer[held:]
        if self.after is not None:
            self.after = after

    def panic(self) -> None:
        self.buffer.clear()
        self._break("cut")
        self.director.read_reports()
        self.director.show.silenced()
        self.hear_cut()

    def kill_playout(self) -> None:
        self.buffer.clear()
        self.open = None
        self._report("opened", ("", 0))

    def kill_director(self) -> None:
        self.untold.clear()
        self.settling.clear()
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

    def play(self, seconds: float) -> None:
        """Air as it is: a hop in the time that it lasts, one buffered ahead."""
        for _ in range(round(seconds * AIR_HZ / HOP)):
            if not self.buffer:
                self.render()
            self.air()
            self.clock.advance(HOP / AIR_HZ)
            self.director.read_reports()
            self.director.show.tick()

    def began_s(self, key: Key) -> float:
        """When viewers first heard it, Unix seconds."""
        return next(r.wall_s for r in self.journal if r.what == "sentence" and (r.utterance, r.sentence) == key)

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
        report = Report(number, what, key[0], number, number * 10, self.clock.wall_s(), key[1])
        self.journal.append(msgspec.structs.replace(report, timeline=self.timeline))


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


def test_what_was_aired_is_not_said_again_when_two_directors_die_before_redis_knows() -> None:
    room = Room()
    room.say(utterance("a"))
    room.redis_away = True
    room.run(10)
    room.kill_director()
    room.kill_director()
    room.run(10)
    room.redis_away = False
    room.tell()
    assert room.names() == "a0" and room.told(AIRED) == ["a"] and room.pending == {}


def test_what_came_too_late_expires() -> None:
    room = Room()
    room.say(utterance("late", expires_s=room.clock.wall_s() - 1))
    room.director.show.paused = True
    room.say(utterance("soon", expires_s=room.clock.wall_s() + 3))
    room.run(10)
    assert room.told(EXPIRED) == ["late", "soon"] and room.heard == []


def test_a_planned_time_is_kept_while_the_script_is_on_air() -> None:
    room = Room("one. two. three. four", samples=3 * AIR_HZ)
    due_s = room.clock.wall_s() + 9
    room.say(utterance("p", 2, "scheduled", due_s=due_s))
    room.play(25)
    assert abs(room.began_s(("p", 0)) - due_s) <= 0.5
    assert room.names().startswith("script:0:00 script:0:01 p0 p1 script:0:02"), "the third would have overrun it"
    assert INTERRUPTED not in [event.name for event in room.events]


@pytest.mark.parametrize("lead_s", [0.0, 0.3, 1.0, 2.2, 3.1, 4.0, 5.7])
def test_a_planned_time_is_kept_whatever_is_on_air_when_it_is_pushed(lead_s: float) -> None:
    room = Room("one. two. three. four", samples=2 * AIR_HZ)
    room.play(1.6)
    due_s = room.clock.wall_s() + lead_s
    room.say(utterance("p", due_s=due_s))
    room.play(12)
    over_s = max(due_s, room.began_s(("script:0:0", 0)) + 2.5)  # what was on air is finished
    assert abs(room.began_s(("p", 0)) - over_s) <= 1.0
    assert len(set(room.heard)) == len(room.heard)


def test_a_planned_time_outlives_the_director() -> None:
    room = Room("one. two. three. four", samples=3 * AIR_HZ)
    due_s = room.clock.wall_s() + 9
    room.say(utterance("p", due_s=due_s))
    for seconds in (2.0, 3.4, 3.4):
        room.play(seconds)
        room.kill_director()
    room.play(10)
    assert abs(room.began_s(("p", 0)) - due_s) <= 1.0
    assert room.names().startswith("script:0:00 script:0:01 p0")


def test_a_short_one_goes_first_and_a_higher_lane_is_never_held() -> None:
    room = Room("one. two. three. four", samples=3 * AIR_HZ)
    room.lengths = {"r": AIR_HZ // 2, "l": 4 * AIR_HZ}
    due_s = room.clock.wall_s() + 5
    room.say(utterance("p", due_s=due_s))
    room.play(3.0)
    room.say(utterance("r", 1, "reply"))
    room.play(1.0)
    room.say(utterance("l", 1, "live"))
    room.play(12)
    assert room.names().startswith("script:0:00 r0 l0 p0 script:0:01")
    assert 0 <= room.began_s(("p", 0)) - (room.began_s(("l", 0)) + 4) <= 1.0


def test_a_planned_time_that_was_missed_by_more_than_its_ttl_expires() -> None:
    room = Room()
    now_s = room.clock.wall_s()
    room.say(utterance("gone", due_s=now_s - 60, expires_s=now_s - 1))
    room.say(utterance("late", due_s=now_s - 60, expires_s=now_s + 30))
    room.play(3)
    assert room.told(EXPIRED) == ["gone"] and room.names() == "late0"


def test_words_to_a_room_that_is_silent_need_no_pause_before_them() -> None:
    room = Room()
    room.say(utterance("a"))
    room.play(3)
    room.say(utterance("b"))
    assert room.render()
    assert [mark.at for mark in room.buffer[0].marks if mark.kind == SENTENCE] == [0]


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


def seeds(share: int) -> list[Any]:
    """Of that part of the plays; those beyond the first ones are long."""
    first, last = PLAYS // share, LONG_PLAYS // share
    return [*range(first), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(first, last))]


class Play:
    """Random play of a room, and what must hold after it. `seed` tells all of it."""

    def __init__(self, seed: int, notes_may_go: bool = False) -> None:
        self.dice = random.Random(seed)
        self.notes_may_go = notes_may_go
        text = "alpha. beta. gamma\n\ndelta. epsilon" if self.dice.random() < 0.5 else ""
        self.room = Room(text, samples=0)
        self.said: dict[str, Utterance] = {}
        self.begun: set[str] = set()
        self.room.on_chunk = self.given

    def step(self, number: int) -> None:
        room, dice = self.room, self.dice
        act = dice.choices(
            [self.say, room.render, self.air, self.read, self.wait, *self.troubles()],
            [6, 34, 35, 10, 5, *[1] * len(self.troubles())],
        )[0]
        if act == self.say:
            self.say(number)
        else:
            act()  # type: ignore[call-arg]

    def troubles(self) -> list[Callable[[], object]]:
        room = self.room
        usual = [room.kill_director, self.kill_engine, room.kill_playout, room.lose_answer, room.redeliver, room.panic]
        usual += [self.die_after_an_answer, self.redis_goes_or_comes]
        return [*usual, self.disk_goes_or_comes, self.lose_notes] if self.notes_may_go else usual

    def say(self, number: int) -> None:
        if len(self.said) >= 30:
            return
        dice, name = self.dice, f"u{number}."
        more = {"due_s": self.room.clock.wall_s() + dice.uniform(-2, 9)} if dice.random() < 0.15 else {}
        mode = dice.choice(["append", "append", "insert", "now"])
        self.said[name] = utterance(name, dice.randint(1, 4), dice.choice(list(LANES)), mode, **more)
        self.room.say(self.said[name])

    def air(self) -> None:
        self.room.air()

    def read(self) -> None:
        self.room.director.read_reports()
        self.room.hear_cut()

    def wait(self) -> None:
        self.room.clock.advance(0.3)
        self.room.director.show.tick()
        self.room.hear_cut()

    def kill_engine(self) -> None:
        self.room.kill_engine()
        for _ in range(self.dice.choice([0, 20])):  # the buffer runs dry, or the new engine is there first
            self.room.air()

    def die_after_an_answer(self) -> None:
        """It wrote down what it gave away, and died before it did."""
        self.room.lose_answer()
        self.room.kill_director()

    def redis_goes_or_comes(self) -> None:
        self.room.redis_away = not self.room.redis_away
        if not self.room.redis_away:
            self.room.tell()
            self.room.redeliver()

    def disk_goes_or_comes(self) -> None:
        self.room.disk_refuses = not self.room.disk_refuses

    def lose_notes(self) -> None:
        self.room.saved = Continuity()
        self.room.kill_director()

    def given(self, chunk: AudioChunk) -> None:
        for mark in chunk.marks:
            if mark.kind == UTTERANCE and mark.at < HOP and mark.utterance not in self.begun:
                self.begun.add(mark.utterance)
                self.check_order(mark.utterance)

    def check_order(self, name: str) -> None:
        """Nothing that goes first, and was there, is left behind by an utterance that begins for the first time."""
        one = self.said.get(name)
        waiting = [other for other in self.said.values() if other.id not in self.begun]
        if any(other.due_s for other in self.room.pending.values()) or (one and one.mode != "append"):
            return
        lane, earlier = (one.lane, list(self.said).index(name)) if one else (LANES["script"], 0)
        for place, other in enumerate(self.said.values()):
            first = other.lane > lane or (other.lane == lane and place < earlier)
            assert not (other in waiting and other.mode == "append" and first), f"{name} went before {other.id}"

    def end(self) -> None:
        room = self.room
        room.redis_away = room.disk_refuses = False
        room.tell()
        for _ in range(3_000):
            if not room.pending:
                break
            room.run(1)
            room.hear_cut()
        assert room.pending == {}
        told = [name for name in room.told(AIRED) if not name.startswith("script:")]
        assert set(told) == self.said.keys()
        whole = {(one.id, index) for one in self.said.values() for index in range(len(one.sentences))}
        assert {key for key in room.heard if key[0] in self.said} == whole
        if self.notes_may_go:
            return
        assert len(set(told)) == len(told)
        assert len(set(room.heard)) == len(room.heard)
        for name in {name for name, _ in room.heard}:
            indices = [index for other, index in room.heard if other == name]
            assert indices == list(range(len(indices)))


def test_a_script_edited_while_the_director_was_dead_goes_on_after_the_paragraph_on_air() -> None:
    room = Room("one. two. three\n\nfour. five\n\nsix")
    room.reach(("script:0:0", 1))
    room.script = parse("ONE. TWO. THREE\n\nFOUR. FIVE\n\nSIX", Path("s.md"))
    room.kill_director()
    while len(room.heard) < 6:
        room.run(1)
    assert room.names().startswith("script:0:00 script:0:01 script:0:02 script:1:10 script:1:11 script:1:20")


def test_a_paragraph_put_aside_for_others_is_gone_on_with_after_an_edit_and_a_death() -> None:
    room = Room("one. two. three\n\nfour")
    room.reach(("script:0:0", 0))
    room.say(utterance("c", 2))
    room.reach(("c", 1))
    room.director.read_reports()
    room.script = parse("ONE. TWO. THREE\n\nFOUR", Path("s.md"))
    room.kill_director()
    while len(room.heard) < 6:
        room.run(1)
    assert room.names().startswith("script:0:00 c0 c1 script:0:01 script:0:02 script:1:10")


def test_a_paragraph_that_finds_no_place_in_a_full_rundown_is_said_later() -> None:
    rundown = Rundown(capacity_chars=40)
    rundown.add(utterance("long" * 9))
    words = parse("one two three\n\nfour", Path("s.md"))
    prompter = Prompter(rundown, Reading(words, split, True, Place()), Place())
    prompter.top_up(0.0, lambda one: True)
    assert len(rundown) == 1
    rundown.remove("long" * 9)
    prompter.top_up(0.0, lambda one: True)
    assert rundown.plan(2, 0.0) == [("script:0:0", 0), ("script:0:1", 0)]


def test_without_its_notes_a_director_goes_on_in_the_script_where_the_journal_ends() -> None:
    room = Room("\n\n".join(f"paragraph {number}" for number in range(40)))
    while len(room.heard) < 30:
        room.run(1)
    room.saved = Continuity()
    room.kill_director()
    while len(room.heard) < 36:
        room.run(1)
    assert [key[0] for key in room.heard[:36]] == [f"script:0:{number}" for number in range(36)]


@pytest.mark.parametrize("seed", seeds(1))
def test_nothing_is_lost_and_nothing_repeated_whatever_dies(seed: int) -> None:
    play = Play(seed)
    for number in range(500):
        play.step(number)
    play.end()


@pytest.mark.parametrize("seed", seeds(3))
def test_nothing_is_lost_even_when_the_notes_are(seed: int) -> None:
    play = Play(seed, notes_may_go=True)
    for number in range(500):
        play.step(number)
    play.end()


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


def test_a_panic_in_a_pause_loses_nothing_of_what_playout_had_ahead() -> None:
    room = Room()
    room.say(utterance("a", 2))
    room.say(utterance("b", 2))
    room.reach(("a", 1))
    while room.open:
        room.render()
        room.air()
    assert room.director.show.out
    room.panic()
    room.run(20)
    assert room.names() == "a0 a1 b0 b1" and room.pending == {}


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
