"""Evergreen words: said when nothing else can be, in order, never twice in a row; and they yield at a sentence end."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster import evergreen
from broadcaster.events import AIRED, STARTED
from broadcaster.evergreen import Evergreen
from broadcaster.utterance import parse
from pipeline.clock import FakeClock
from pipeline.errors import BrokeOff, MessageError, ScriptError, VoicesDown
from pipeline.media import AIR_HZ
from tests.unit.test_show import Room, utterance

LINES = [("one", "more"), ("two",), ("three",)]


def room_with(lines: list[tuple[str, ...]], text: str = "") -> Room:
    room = Room(text, samples=AIR_HZ)
    room.director.show.evergreen = Evergreen(lines, 20.0)
    return room


def words(room: Room) -> list[str]:
    """What was heard: evergreen lines by index and sentence, all else by name."""
    return [f"{name.rpartition(':')[2]}.{index}" for name, index in room.heard]


def test_it_begins_when_nothing_was_said_for_a_while_and_goes_round_and_round() -> None:
    room = room_with(LINES)
    room.play(19)
    assert room.heard == []
    room.play(13)
    assert words(room)[:7] == ["0.0", "0.1", "1.0", "2.0", "0.0", "0.1", "1.0"]
    assert {event.name for event in room.events} == {STARTED, AIRED}


def test_other_words_end_it_at_its_sentence_end_and_the_rest_of_its_line_is_not_said() -> None:
    room = room_with(LINES)
    room.play(20.5)
    assert room.open is not None and room.open[1] == 0
    room.say(utterance("a", 2))
    room.play(15)
    assert words(room) == ["0.0", "a.0", "a.1"]
    room.play(15)
    assert words(room)[3:5] == ["1.0", "2.0"], "it begins again 20 s after the last other word"
    assert room.told(AIRED)[0] == "a", "the line that was broken off did not end"


def test_it_is_said_while_all_else_waits_for_a_voice_and_what_waited_comes_when_it_is_back() -> None:
    room = room_with(LINES)
    show = room.director.show
    show.voices_work = lambda: False
    show.can_say = lambda sentence: sentence != "two"
    for name in "abc":
        room.say(utterance(name))
        room.mute.add((name, 0))
        show.failed((name, 0), VoicesDown("no voice works"))
    room.play(120)
    assert words(room)[:6] == ["0.0", "0.1", "2.0", "0.0", "0.1", "2.0"]
    assert show.waiting() >= 3, "however long it takes"
    room.mute.clear()
    show.voices_work = lambda: True
    before = len(room.heard)
    room.play(6)
    assert words(room)[before + 1 : before + 4] == ["a.0", "b.0", "c.0"]


def test_a_sentence_whose_own_voice_rests_is_tried_each_second_and_never_given_up() -> None:
    room = Room(samples=AIR_HZ)
    room.say(utterance("a"))
    tries = 0
    for _ in range(1_200):
        room.clock.advance(0.05)
        room.director.show.tick()
        if room.director.show.planned():
            tries += 1
            room.director.show.failed(("a", 0), VoicesDown("the one that has it rests"))
    assert 50 <= tries <= 61 and room.director.show.waiting() == 1


def test_a_voice_that_broke_off_does_not_let_others_go_first() -> None:
    room = Room(samples=AIR_HZ)
    room.say(utterance("a"))
    room.say(utterance("b"))
    room.director.show.failed(("a", 0), BrokeOff("broke off"))
    room.play(4)
    assert words(room) == ["a.0", "b.0"]


def test_a_line_that_fails_is_left_and_no_dead_letter() -> None:
    room = room_with(LINES)
    room.clock.advance(20)
    room.director.show.tick()
    room.clock.advance(20)
    room.director.show.tick()
    (key,) = room.director.show.planned()[:1]
    room.director.show.failed(key, VoicesDown("no voice works"))
    room.play(5)
    assert words(room)[0] == "1.0" and {event.name for event in room.events} <= {STARTED, AIRED}


def test_nothing_is_said_while_nothing_may_begin() -> None:
    room = room_with(LINES)
    room.director.show.paused = True
    room.play(60)
    room.director.show.paused = False
    room.play(10)
    assert room.heard == []
    room.play(15)
    assert room.heard != []


def test_the_only_line_is_not_said_twice_in_a_row() -> None:
    room = room_with([("one",)])
    room.play(60)
    assert words(room) == ["0.0"]
    room.say(utterance("a"))
    room.play(60)
    assert words(room) == ["0.0", "a.0", "0.0"]


def test_an_engine_or_a_director_that_dies_in_the_middle_of_it_repeats_no_line() -> None:
    room = room_with(LINES)
    room.play(22.5)
    room.kill_director()
    room.director.show.evergreen = Evergreen(LINES, 20.0)
    room.play(4)
    room.kill_engine()
    room.say(utterance("a"))
    room.play(5)
    assert words(room)[-1] == "a.0" and len(set(room.heard)) == len(room.heard)


def test_a_line_is_left_out_when_a_sentence_of_it_cannot_be_said() -> None:
    lines = Evergreen(LINES, 0.0)
    found = [lines.next(1.0, lambda sentence: sentence != "more") for _ in range(4)]
    assert [one.sentences for one in found if one] == [("two",), ("three",), ("two",), ("three",)]
    assert lines.next(1.0, lambda sentence: False) is None
    assert Evergreen([], 0.0).next(1.0, lambda sentence: True) is None


def test_a_file_is_read_as_scripts_are(tmp_path: Path) -> None:
    path = tmp_path / "evergreen.md"
    path.write_text("# Any heading\n\nOne. Two.\n\n- Three.\n<!-- not this -->\n")
    assert evergreen.load(path, lambda text: text.split(" "), 20.0).lines == [("One.", "Two."), ("Three.",)]
    path.write_bytes(b"\0")
    with pytest.raises(ScriptError, match=":1:1: "):
        evergreen.load(path, lambda text: [text], 20.0)


def test_its_ids_belong_to_it() -> None:
    with pytest.raises(MessageError, match="evergreen"):
        parse("1-0", {b"text": b"a", b"id": b"evergreen:1"}, lambda text: [text], FakeClock().wall_s())
