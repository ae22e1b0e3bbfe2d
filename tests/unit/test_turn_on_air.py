"""Turns as viewers hear them: over a script, over deaths, with a writer that goes silent."""

from __future__ import annotations

import random

import msgspec
import pytest

from broadcaster.events import AIRED, SKIPPED, TURN_ENDED
from broadcaster.timeline import SENTENCE_PAUSE_SAMPLES, UTTERANCE_PAUSE_SAMPLES, Line, Timeline
from broadcaster.turn import TURN_WAIT_S
from broadcaster.utterance import Utterance
from pipeline.media import QUESTION, SENTENCE
from tests.unit.test_show import Room, utterance

LINES = " . ".join(f"line {number}" for number in range(8)).replace(" . ", ". ")


def piece(name: str, count: int = 1, more: bool = True, turn: str = "T", **fields: object) -> Utterance:
    return utterance(name, count, "reply", "insert", turn=turn, more=more, **fields)


def closing(name: str = "end", turn: str = "T") -> Utterance:
    return msgspec.structs.replace(utterance(name, 0, "reply", turn=turn), sentences=())


def asked(room: Room, *pieces: Utterance) -> None:
    """The script is on air, a turn begins, and its first pieces are heard."""
    room.reach(("script:0:0", 0))
    for one in pieces:
        room.say(one)
    room.play(3.0)
    assert room.heard[-1][0] == pieces[-1].id


def test_the_answer_is_heard_in_one_go_and_the_script_resumes_where_it_was() -> None:
    room = Room(LINES)
    asked(room, piece("a", 2))
    room.play(TURN_WAIT_S - 1.5)
    room.say(piece("b", 2, more=False))
    room.play(4.0)
    assert room.names().startswith("script:0:00 a0 a1 b0 b1 script:0:01 script:0:02")


def test_a_writer_that_dies_costs_a_few_seconds_of_silence() -> None:
    room = Room(LINES)
    asked(room, piece("a"))
    ended_s = room.clock.wall_s()
    room.play(TURN_WAIT_S + 2.0)
    waited_s = room.began_s(("script:0:0", 1)) - ended_s
    assert TURN_WAIT_S - 3.0 < waited_s < TURN_WAIT_S + 1.0
    room.say(piece("b", more=False))
    room.play(4.0)
    assert ("b", 0) in room.heard and room.pending.keys() == set()


def test_the_word_that_nothing_follows_ends_the_silence_at_once() -> None:
    room = Room(LINES)
    asked(room, piece("a"))
    room.say(closing())
    ended_s = room.clock.wall_s()
    room.play(2.0)
    assert room.began_s(("script:0:0", 1)) - ended_s < 1.0
    assert room.told(TURN_ENDED) == ["end"] and room.pending == {}


def test_it_may_come_before_the_last_piece_is_said() -> None:
    room = Room(LINES)
    room.reach(("script:0:0", 0))
    for one in (piece("a"), piece("b"), closing()):
        room.say(one)
    assert "end" in room.pending  # a director that takes over has to read it
    room.play(5.0)
    assert room.names().startswith("script:0:00 a0 b0 script:0:01")
    assert "end" not in room.pending


def test_a_director_that_takes_over_in_the_middle_waits_for_the_next_piece() -> None:
    room = Room(LINES)
    asked(room, piece("a"))
    room.kill_director()
    room.play(1.0)
    assert room.heard[-1] == ("a", 0)
    room.say(piece("b", more=False))
    room.play(3.0)
    assert room.names().startswith("script:0:00 a0 b0 script:0:01")


def test_a_director_that_takes_over_reads_that_a_turn_has_ended() -> None:
    room = Room(LINES)
    room.reach(("script:0:0", 0))
    room.say(piece("a"))
    room.say(closing())
    room.kill_director()
    room.play(5.0)
    following = room.heard[room.heard.index(("a", 0)) + 1]
    assert following[0] == "script:0:0" and room.began_s(following) - room.began_s(("a", 0)) < TURN_WAIT_S
    assert room.pending == {}


def test_an_engine_death_in_the_middle_of_a_turn_breaks_no_order() -> None:
    room = Room(LINES)
    room.reach(("script:0:0", 0))
    room.say(piece("a"))
    room.reach(("a", 0))
    room.say(piece("b", more=False))
    room.kill_engine()
    room.buffer.clear()
    room.play(8.0)
    assert room.names().startswith("script:0:00 a0 b0 script:0:01")


def test_what_is_skipped_of_a_turn_is_all_of_it() -> None:
    room = Room(LINES)
    room.reach(("script:0:0", 0))
    room.say(piece("a", 2))
    room.say(piece("b", 2))
    room.reach(("a", 0))
    room.director.read_reports()
    assert room.director.show.takeover.skip(now=False).done
    room.say(piece("c", 2, more=False))
    room.play(5.0)
    assert not {("b", 0), ("c", 0)} & set(room.heard)
    assert "script:0:01" in room.names()
    assert set(room.told(SKIPPED)) == {"a", "b", "c"} and room.pending == {}


def test_there_is_a_breath_between_pieces_as_between_sentences() -> None:
    timeline = Timeline()
    assert timeline._pause(_line("b", "T"), 0, _line("a", "T")) == SENTENCE_PAUSE_SAMPLES
    assert timeline._pause(_line("b", "T"), 0, _line("a", "S")) == UTTERANCE_PAUSE_SAMPLES
    assert timeline._pause(_line("b", ""), 0, _line("a", "")) == UTTERANCE_PAUSE_SAMPLES


def _line(name: str, turn: str) -> Line:
    return Line((name, 0), name, "reply", True, turn=turn)


def test_each_sentence_of_an_answer_carries_its_question() -> None:
    room = Room(LINES)
    marks: list[tuple[str, str, str]] = []
    room.on_chunk = lambda chunk: marks.extend((mark.kind, mark.utterance, mark.text) for mark in chunk.marks)
    room.say(piece("a", 2, more=False, question="Anna: how much?"))
    room.play(4.0)
    at = [index for index, mark in enumerate(marks) if mark[:2] == (SENTENCE, "a")]
    assert len(at) >= 2
    assert all(marks[index + 1] == (QUESTION, "a", "Anna: how much?") for index in at)
    assert not any(kind == QUESTION and name != "a" for kind, name, _ in marks)


@pytest.mark.parametrize("seed", range(20))
def test_over_deaths_of_everybody_each_piece_is_heard_once_and_in_order(seed: int) -> None:
    dice = random.Random(seed)
    room = Room(LINES)
    names: list[str] = []
    for turn in range(6):
        count = dice.randint(1, 4)
        for index in range(count):
            names.append(f"t{turn}-{index}")
            closes = index + 1 == count
            ends_it = closes and dice.random() < 0.5
            room.say(piece(names[-1], dice.randint(1, 2), more=not closes or ends_it, turn=f"T{turn}"))
            if ends_it:
                room.say(closing(f"e{turn}", f"T{turn}"))
            room.play(dice.uniform(0.0, 2.0))
            dice.choice([room.kill_director, room.kill_engine, lambda: None, lambda: None])()
    room.play(60.0)
    said = [name for name, _ in room.heard if name in names]
    assert list(dict.fromkeys(said)) == names
    assert len(room.heard) == len(set(room.heard)) and room.pending == {}
    assert set(room.told(AIRED)) >= set(names)
