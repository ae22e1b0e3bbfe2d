"""An operator has another person come: where that lies in what is said, and what survives of it."""

from __future__ import annotations

import msgspec

from broadcaster.events import PERSON_CHANGED
from broadcaster.persons import AGAIN_NS, TIMES, Persons
from broadcaster.report import describe
from broadcaster.takeover import Became
from pipeline.clock import NS
from pipeline.media import PERSON, Mark
from pipeline.wire import Report
from tests.unit.test_show import Director, Room, utterance

NAMES = ["host", "anna", "bert"]


class Stage(Room):
    """A room of three persons; its playout reports who comes into the picture, as an engine says."""

    def __init__(self, samples: int = 30_000) -> None:
        self.seen: list[str] = []
        super().__init__(samples=samples)
        self.wire()

    def wire(self) -> None:
        self.director.show.persons.names = NAMES
        self.director.supply.persons = self.director.show.persons

    def order(self, name: str) -> None:
        assert self.director.show.persons.order(name).done
        self.director.save()

    def kill_director(self) -> None:
        super().kill_director()
        self.wire()

    def _pass(self, mark: Mark) -> None:
        if mark.kind != PERSON:
            super()._pass(mark)
            return
        self.seen.append(mark.text)
        self._report("person", (mark.utterance, mark.sentence))
        self.journal[-1] = msgspec.structs.replace(self.journal[-1], text=mark.text)

    @property
    def on_air(self) -> str:
        return self.director.show.persons.on_air


def persons(*, ordered: tuple[int, str] = (0, "")) -> Persons:
    made = Persons("", ordered, lambda event: None)
    made.names = NAMES
    return made


def report(text: str, utterance: str = "") -> Report:
    return Report(1, "person", utterance, 7, 7 * 1920, 0.0, text=text)


def test_an_order_in_silence_is_obeyed_at_once() -> None:
    stage = Stage()
    stage.order("anna")
    stage.play(0.4)
    assert stage.seen == ["anna"] and stage.on_air == "anna"
    (event,) = [event for event in stage.events if event.name == PERSON_CHANGED]
    assert event.facts["person"] == "anna" and event.id == ""
    stage.play(30)
    assert stage.seen == ["anna"], "once"


def test_an_order_within_a_sentence_waits_for_its_end() -> None:
    stage = Stage(samples=96_000)
    stage.say(utterance("a", 2))
    stage.reach(("a", 0))
    stage.order("anna")
    for _ in range(50):
        if not stage.seen:
            stage.play(0.2)
    assert stage.heard == [("a", 0)], "the sentence on air was said by who began it"
    stage.play(8)
    assert stage.heard == [("a", 0), ("a", 1)] and stage.seen == ["anna"]


def test_an_order_that_a_cut_took_back_is_given_again() -> None:
    stage = Stage(samples=96_000)
    stage.say(utterance("a", 1))
    stage.reach(("a", 0))
    stage.order("anna")
    for _ in range(20):  # until an engine has it, and viewers have not seen it
        if any(mark.kind == PERSON for chunk in stage.buffer for mark in chunk.marks):
            break
        stage.render()
    stage.say(utterance("now", mode="now"))
    assert stage.seen == [] and stage.buffer == []
    stage.play(4)
    assert stage.seen[-1] == "anna" and stage.on_air == "anna"


def test_an_order_outlives_director_and_engine() -> None:
    stage = Stage(samples=96_000)
    stage.say(utterance("a", 1))
    stage.reach(("a", 0))
    stage.order("anna")
    stage.kill_director()
    stage.kill_engine()
    stage.buffer.clear()
    stage.play(8)
    assert stage.on_air == "anna"
    stage.kill_director()
    assert stage.on_air == "anna" and stage.director.show.persons.due(0) is None


def test_the_newest_order_counts_and_an_older_answer_does_not_settle_it() -> None:
    three = persons()
    three.order("anna")
    three.given(0)
    three.order("bert")
    three.shown(report("anna", "order:1"))
    assert three.on_air == "anna" and three.ordered == (2, "bert")
    assert three.due(0) == Mark(0, PERSON, "order:2", 0, "bert")
    three.shown(report("bert", "order:2"))
    assert three.due(NS) is None and three.ordered == (2, "")


def test_an_order_that_nothing_is_heard_of_is_given_again_and_then_given_up() -> None:
    one = persons(ordered=(4, "anna"))
    times = 0
    for now_ns in range(0, 10 * AGAIN_NS, NS):
        if one.due(now_ns):
            one.given(now_ns)
            times += 1
    assert times == TIMES


def test_a_person_that_the_room_does_not_have_is_refused_with_the_nearest_name() -> None:
    refused = persons().order("Ana")
    assert refused.became is Became.UNKNOWN and "did you mean 'anna'?" in refused.text
    assert persons().order("  ANNA ").done, "names are written as in a mark"
    alone = Persons("", (0, ""), lambda event: None)
    alone.names = ["host"]
    assert alone.order("host").became is Became.CONFLICT and alone.on_air == ""


def test_a_change_by_a_text_is_told_with_the_text_and_a_repeated_one_is_not() -> None:
    told: list[str] = []
    room = Persons("", (0, ""), lambda event: told.append(f"{event.id} {event.facts['person']}"))
    room.names = NAMES
    for text, utterance_id in (("host", ""), ("anna", "script:0:1"), ("anna", "script:0:1"), ("host", "")):
        room.shown(report(text, utterance_id))
    assert told == ["script:0:1 anna", " host"]


def test_a_director_without_persons_calls_nobody() -> None:
    room = Room()
    assert isinstance(room.director, Director)
    room.say(utterance("a", 1))
    room.run(10)
    assert room.names() == "a0" and room.director.show.persons.on_air == ""


def test_the_status_says_who_is_in_the_picture() -> None:
    director = {"phase": "ready", "pid": 7, "starts": 1, "facts": {"person": "anna"}}
    assert "in the picture: anna" in describe({"room": "shop", "ready": True, "children": {"director": director}})
