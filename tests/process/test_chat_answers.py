"""Whoever answers, as a process between a real Redis and a pretended director, killed at any moment."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from tests.process.chat_floor import ANSWERS, CHAT, SAY, ChatFloor
from tests.process.director_floor import RedisServer

Open = Callable[..., ChatFloor]


@pytest.fixture
def open_floor(short_dir: Path, server: RedisServer, queue: redis.Redis) -> Iterator[Open]:
    made: list[ChatFloor] = []

    def make(**spec: Any) -> ChatFloor:
        made.append(ChatFloor(short_dir, queue, server.url, **spec))
        return made[-1]

    yield make
    for floor in made:
        floor.close()


def over(floor: ChatFloor, *comments: str) -> Callable[[], bool]:
    return lambda: set(comments) <= set(floor.ended()) and floor.left() == (0, 0)


def test_a_comment_is_answered_told_of_and_settled(open_floor: Open) -> None:
    floor = open_floor(read_question=True).started()
    floor.comment("how big is the mug?", id="c1", user="Anna")
    floor.until(over(floor, "c1"))
    assert floor.texts() == ["Viewer A asks: how big is the mug?", "About how big is the mug?. That is all."]
    assert [fields["id"] for fields in floor.said] == ["answer:c1:q", "answer:c1:0"]
    assert {fields["question"] for fields in floor.said} == {"Viewer A: how big is the mug?"}
    (event,) = floor.events("chat.answered")
    assert (event["id"], event["became"], event["source"], event["sure"]) == ("c1", "aired", "faq", "0.9")
    assert event["question"] == "how big is the mug?" and event["answer"].startswith("About how big")
    assert 0 <= int(event["waited_ms"]) <= int(event["total_ms"]) < 5_000
    floor.until(lambda: floor.beats[-1].facts["became"] == {"aired": 1} and not floor.beats[-1].facts["on_air"])
    assert floor.beats[-1].facts["answers"] == {"faq": 1}


def test_an_answer_that_is_written_while_it_is_said_is_one_turn_that_ends(open_floor: Open) -> None:
    floor = open_floor().started()
    floor.comment("model of the mug", id="m")
    floor.until(over(floor, "m"))
    assert floor.texts() == [f"Sentence {number} about model of the mug." for number in range(4)]
    assert {fields["turn"] for fields in floor.said} == {"answer:m"}
    assert [event["id"] for event in floor.events("turn.ended")] == ["answer:m:end"]
    (event,) = floor.events("chat.answered")
    assert event["source"] == "llm" and event["answer"].count("Sentence") == 4


def test_ready_made_words_are_said_as_they_are(open_floor: Open) -> None:
    floor = open_floor(read_question=True).started()
    floor.comment("what is this?", id="r", reply="This is what somebody wrote for you.")
    floor.until(over(floor, "r"))
    assert floor.texts() == ["This is what somebody wrote for you."]


def test_words_that_may_not_be_said_are_neither_read_nor_shown_and_answered_all_the_same(open_floor: Open) -> None:
    floor = open_floor(read_question=True).started()
    floor.comment("is the forbidden one here?", id="f", user="Eve")
    floor.until(over(floor, "f"))
    assert [fields["id"] for fields in floor.said] == ["answer:f:0"] and "question" not in floor.said[0]


def test_who_asks_the_same_is_answered_with_the_first_and_told(open_floor: Open) -> None:
    floor = open_floor(read_question=True)
    floor.comment("where does the tea come from?", id="a", user="Anna", user_id="1")
    floor.comment("Where does the tea come from??", id="b", user="Ben", user_id="2")
    floor.started()
    floor.until(over(floor, "a", "b"))
    assert len(floor.events("chat.answered")) == len(floor.events("chat.merged")) == 1
    assert "and one other ask" in floor.texts()[0]


def test_questions_with_one_answer_are_answered_in_one_turn(open_floor: Open) -> None:
    floor = open_floor(read_question=True)
    for identity, text in (("a", "how high is the postage here?"), ("b", "do you take postage abroad, too?")):
        floor.comment(text, id=identity, user=identity, user_id=identity)
    floor.started()
    floor.until(over(floor, "a", "b"))
    (turn,) = {fields["turn"] for fields in floor.said}
    assert [fields["more"] for fields in floor.said] == ["1", "1", "0"]
    assert sum("About" in text for text in floor.texts()) == 1
    assert {event["turn"] for event in floor.events("chat.answered")} == {turn}
    assert len(floor.events("chat.answered")) == 2


def test_what_nobody_answers_is_told_with_its_reason_and_the_next_is_answered(open_floor: Open) -> None:
    floor = open_floor().started()
    for identity, text in (("n", "nobody knows this one"), ("x", "crash over this one"), ("g", "the last one, please")):
        floor.comment(text, id=identity, user=identity)
    floor.until(over(floor, "n", "x", "g"))
    assert {event["id"]: event["reason"] for event in floor.events("chat.dropped")} == {
        "n": "unanswered",
        "x": "unanswered",
    }
    assert floor.texts() == ["About the last one, please. That is all."]


def test_one_answer_is_on_air_and_one_lies_ready_whatever_waits(open_floor: Open, queue: redis.Redis) -> None:
    floor = open_floor(air_s=0.15).started()
    for number in range(8):
        floor.comment(f"question {'abcdefgh'[number]} {'stuvwxyz'[number] * 5}?", id=f"c{number}", user=f"u{number}")
    most = 0
    deadline = time.monotonic() + 12

    def measured() -> bool:
        nonlocal most
        most = max(most, len({fields[b"id"] for _, fields in queue.xrange(SAY)}))
        return len(floor.said) == 8

    while not measured():
        assert time.monotonic() < deadline
        floor.step()
    assert most <= 2
    floor.until(over(floor, *(f"c{number}" for number in range(8))))


def test_killed_at_any_moment_every_comment_is_answered_once_or_dropped_with_a_reason(open_floor: Open) -> None:
    dice = random.Random(5)
    floor = open_floor()
    names = []
    for number in range(12):
        kind = ("model", "tell", "nobody")[number % 3]
        names.append(f"c{number}")
        word = "".join(dice.choices("abcdefghijklmnoprstuvwxyz", k=9))
        floor.comment(f"{kind} {word} of {word[::-1]}?", id=names[-1], user=f"viewer{number}", user_id=str(number))
    floor.start()
    for _ in range(9):
        floor.run(dice.uniform(0.0, 0.9))
        floor.kill()
        floor.run(dice.choice([0.0, 0.05]))
        floor.start()
    floor.until(over(floor, *names), timeout_s=30)
    ended = floor.ended()
    assert sorted(ended) == sorted(names)  # each of them once
    ids = [fields["id"] for fields in floor.said]
    assert len(ids) == len(set(ids))
    asked = {fields["id"].split(":")[1] for fields in floor.said}
    answered = {event["id"] for event in floor.events("chat.answered")}
    dropped = {event["id"] for event in floor.events("chat.dropped") if event["id"]}
    assert asked == answered and not asked & dropped
    assert dropped == {names[number] for number in range(2, 12, 3)}


def test_an_answer_whose_writer_was_killed_ends_its_turn_and_is_not_begun_again(open_floor: Open) -> None:
    floor = open_floor().started()
    floor.comment("model that is endless", id="e")
    floor.until(lambda: len(floor.said) == 4)
    floor.kill()
    floor.started()
    floor.until(over(floor, "e"))
    assert [event["id"] for event in floor.events("turn.ended")] == ["answer:e:end"]
    assert len(floor.said) == 4
    (event,) = floor.events("chat.answered")
    assert (event["became"], event["source"]) == ("aired", "llm")


def test_an_answer_that_was_aired_while_nobody_looked_is_told_of(open_floor: Open, queue: redis.Redis) -> None:
    floor = open_floor().started()
    floor.directing = False
    floor.comment("how big is it?", id="b")
    floor.until(lambda: queue.xlen(SAY) == 1 and queue.hlen(ANSWERS) == 2)
    floor.kill()
    floor.directing = True
    floor.until(lambda: len(floor.said) == 1)
    floor.started()
    floor.until(over(floor, "b"))
    assert [event["became"] for event in floor.events("chat.answered")] == ["aired"]
    assert len(floor.said) == 1


def test_redis_may_die_and_nobody_is_answered_twice(open_floor: Open, server: RedisServer) -> None:
    floor = open_floor().started()
    floor.directing = False
    floor.comment("how big is it?", id="b")
    floor.until(lambda: floor.redis.xlen(SAY) == 1)
    server.kill()
    time.sleep(0.3)
    server.start().close()
    floor.comment("how heavy is that one over there?", id="h")
    floor.directing = True
    floor.until(over(floor, "b", "h"), timeout_s=20)
    assert [fields["id"] for fields in floor.said] == ["answer:b:0", "answer:h:0"]


def test_a_drain_says_an_answer_to_its_end_and_leaves_the_rest_to_the_next(open_floor: Open) -> None:
    floor = open_floor(air_s=0.3).started()
    for identity, text in (("a", "model of the first one"), ("b", "how wide is the second one?")):
        floor.comment(text, id=identity, user=identity)
    floor.until(lambda: floor.waiting)
    assert floor.drain(grace_s=5.0) == 0
    assert floor.redis.xlen(CHAT) >= 1
    floor.started()
    floor.until(over(floor, "a", "b"))
    ids = [fields["id"] for fields in floor.said]
    assert len(ids) == len(set(ids)) == 5


def test_it_ends_when_its_supervisor_does(open_floor: Open) -> None:
    floor = open_floor().started()
    assert floor.line is not None and floor.process is not None
    floor.line.close()
    floor.line = None
    assert floor.process.wait(10) == 1
