"""A script on air that is edited, shuffled and gone to: no line twice, none lost, whatever the director does."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from broadcaster.continuity import Continuity
from broadcaster.prompter import Prompter
from broadcaster.rundown import Rundown
from broadcaster.script.load import parse
from broadcaster.script.model import Daypart, Line, Script, Section
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.script.values import Values
from broadcaster.show import Show
from broadcaster.utterance import Utterance
from pipeline.clock import FakeClock
from pipeline.wire import Report


def split(text: str) -> list[str]:
    return text.split(". ")


class Room:
    """A show that airs one sentence after another; its director may die between any two."""

    def __init__(self, script: Script, values: Callable[[], Values] = Values) -> None:
        self.script, self.values = script, values
        self.clock = FakeClock()
        self.saved = Continuity()
        self.reports = 0
        self.said: list[str] = []  #: texts of sentences that were heard
        self.ids: list[str] = []
        self.start()

    def start(self) -> None:
        self.rundown = Rundown()
        reading = self.reading(self.saved.place)
        self.show = Show(self.rundown, reading, self.saved, self.clock, lambda event: None, lambda stream: False)
        self.show.cut, self.show.forget = lambda identity: None, lambda identity: None
        self.show.opened = True
        self.show.top_up()
        self.show.left_behind_is_read()
        self.save()

    def reading(self, place: Place) -> Reading:
        return Reading(self.script, split, True, place, values=self.values)

    def save(self) -> None:
        self.saved = self.show.continuity(0)

    def edit(self, script: Script) -> None:
        self.script = script
        self.show.revise(self.reading)
        self.save()

    def air(self, count: int = 1) -> None:
        for _ in range(count):
            if not self.rundown.out:
                self.give()
            (name, sentence), utterance = self.rundown.out[0], self.rundown.on_air()
            assert utterance is not None
            self.said.append(utterance.sentences[sentence])
            self.ids.append(f"{name}/{sentence}")
            self.reports += 1
            self.show.report(Report(self.reports, "sentence_aired", name, 0, 0, self.clock.wall_s(), sentence))
            self.save()

    def give(self) -> None:
        """A sentence goes to the engine."""
        lines = self.show.lines()
        self.show.begun([lines[0].key])
        self.save()


def script(text: str) -> Script:
    return parse(text, Path("s.md"))


OLD = "# A\n\na1. a2. a3\n\nb1. b2\n\nc1\n\n# D\n\nd1\n"


def test_an_edit_on_air_finishes_what_is_begun_and_goes_on_with_the_new_words() -> None:
    room = Room(script(OLD))
    room.air(2)
    room.edit(script(OLD.replace("# A\n", "# A\n\nnew\n").replace("b1", "B1").replace("c1", "C1")))
    room.air(5)
    assert room.said == ["a1", "a2", "a3", "B1", "b2", "C1", "d1"]
    assert len(set(room.ids)) == 7


def test_a_sentence_that_was_given_away_before_the_edit_is_heard_as_it_was() -> None:
    room = Room(script(OLD))
    room.air(3)
    room.give()  # b1 is on its way
    room.edit(script(OLD.replace("b1. b2", "B1. B2")))
    room.air(3)
    assert room.said[3:] == ["b1", "b2", "c1"]


def test_a_line_that_was_begun_and_cut_is_finished_as_it_was_after_an_edit_and_a_death() -> None:
    room = Room(script(OLD))
    room.air(3)
    room.give()
    room.show.lost()  # its engine died before viewers heard anything of it
    room.save()
    room.edit(script(OLD.replace("b1. b2", "B1. B2").replace("c1", "C1")))
    room.start()
    room.air(4)
    assert room.said[3:] == ["b1", "b2", "C1", "d1"]


def test_an_edit_is_the_same_whether_the_director_lived_or_died_over_it() -> None:
    heard = []
    for dies in (False, True):
        room = Room(script(OLD))
        room.air(4)
        new = script(OLD.replace("a1", "x\n\na1").replace("c1", "C1"))
        if dies:
            room.script = new
            room.start()
        else:
            room.edit(new)
        room.air(6)
        heard.append((room.said, room.ids))
    assert heard[0] == heard[1]


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("order", ["listed", "shuffle"])
def test_no_line_is_lost_or_said_twice_over_edits_deaths_and_losses(order: str, seed: int) -> None:
    """Edits that change no line of the section being read: the sections that are heard must be whole."""
    dice = random.Random(seed)

    def version(number: int) -> Script:
        sections = [
            Section(name, tuple(Line(f"{name}{at}a. {name}{at}b", at + 1) for at in range(3)), 1) for name in "ABCDEF"
        ]
        extra = Section("X", (Line(f"X{number}", 1),), 1)
        at = dice.randrange(7)
        return Script(Path("s.md"), (*sections[:at], extra, *sections[at:]), f"d{number}", order=order)  # type: ignore[arg-type]

    room = Room(version(0))
    for number in range(1, 150):
        act = dice.random()
        if act < 0.1:
            room.edit(version(number))
        elif act < 0.3:
            room.start()
        elif act < 0.45:
            room.give()
        elif act < 0.55:
            room.show.lost()
            room.save()
        else:
            room.air()
    said = [one for one in room.said if not one.startswith("X")]
    assert len(set(room.ids)) == len(room.ids)
    for at in range(0, len(said) - 5, 6):
        name = said[at][0]
        assert said[at : at + 6] == [f"{name}{line}{part}" for line in range(3) for part in "ab"]
    if order == "shuffle":
        names = [said[at][0] for at in range(0, len(said), 6)]
        assert not any(a == b for a, b in itertools.pairwise(names))


def test_a_script_between_its_dayparts_goes_on_when_its_time_comes() -> None:
    now = [datetime(2026, 5, 1, 3)]
    day = Script(Path("s.md"), (Section("day", (Line("one", 1),), 1, dayparts=(Daypart(360, 720),)),), "d")
    room = Room(day, lambda: Values(now[0]))
    assert not room.show.lines()
    now[0] = datetime(2026, 5, 1, 6)
    room.clock.advance(1.1)
    room.show.tick()
    assert room.show.lines()


def test_gone_to_lines_are_said_next_and_what_waited_comes_no_more() -> None:
    room = Room(script(OLD))
    room.air(1)
    assert room.show.takeover.goto("D", now=False).done
    room.show.top_up()
    room.air(3)
    assert room.said == ["a1", "d1", "a1", "a2"]
    assert len(set(room.ids)) == 4


def test_taking_lines_costs_no_time_with_ten_thousand_utterances_waiting() -> None:
    import time

    rundown = Rundown(capacity=20_000)
    for number in range(10_000):
        rundown.add(Utterance(f"u{number}", ("words",)))
    prompter = Prompter(rundown, Reading(script(OLD), split, True, Place()), Place())
    began = time.perf_counter()
    for _ in range(100):
        prompter.top_up(0.0, lambda one: True)
        prompter.place()
    assert (time.perf_counter() - began) / 100 < 0.003, "three times the bar"
