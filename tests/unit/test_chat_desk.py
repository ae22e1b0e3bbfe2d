"""Whoever answers, one question at a time, between pretended questions and a pretended queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

import pytest

from broadcaster.chat.answer import Answer
from broadcaster.chat.desk import Desk
from broadcaster.chat.model import Comment, Question
from broadcaster.chat.onair import OnAir
from broadcaster.chat.phrase import Fields
from broadcaster.chat.readahead import READ_MAX, ReadAhead
from broadcaster.chat.record import Answered, Record
from broadcaster.chat.saying import Manner
from broadcaster.queue import Fenced
from pipeline.clock import RealClock
from pipeline.errors import RedisDown


def question(name: str, text: str = "", *others: str) -> Question:
    comments = tuple(Comment(one, text or name, user=one, stream_id=f"{one}-0") for one in (name, *others))
    return Question(text or name, "en", comments, 1.0, RealClock().wall_s())


class Intake:
    def __init__(self, *questions: Question) -> None:
        self.waiting = list(questions)
        self.arrived = asyncio.Event()
        self.settled: list[str] = []
        self.dropped: list[str] = []
        self.told: list[Mapping[str, str]] = []

    def put(self, *questions: Question) -> None:
        self.waiting += questions
        self.arrived.set()

    def take(self) -> Question | None:
        return self.waiting.pop(0) if self.waiting else None

    def settle(self, comments: Iterable[Comment]) -> None:
        self.settled += [comment.id for comment in comments]

    def unanswered(self, question: Question, event: Mapping[str, str]) -> None:
        self.dropped.append(question.comments[0].id)
        self.told.append(event)


class Lectern:
    """In the place of broadcaster.chat.lectern.Lectern: what was pushed and told, and what goes wrong."""

    def __init__(self) -> None:
        self.pushed: list[Fields] = []
        self.told: list[dict[str, Any]] = []
        self.entries: dict[str, str] = {}
        self.trouble: list[Exception | str | None] = []
        self.records: dict[str, bytes] = {}

    async def push(
        self, turn: str, record: bytes, messages: Sequence[Fields], entries: Sequence[str] = ()
    ) -> str | None:
        await asyncio.sleep(0)
        if self.trouble:
            trouble = self.trouble.pop(0)
            if isinstance(trouble, Exception):
                raise trouble
            return trouble
        self.pushed += messages
        self.entries |= dict.fromkeys(entries, turn)
        return turn

    async def tell(self, events: Sequence[dict[str, Any]], turn: str = "") -> bool:
        self.told += events
        return True

    async def waiting(self) -> set[str]:
        return {message["id"] for message in self.pushed}

    async def were_aired(self, ids: Sequence[str]) -> list[bool]:
        return [False for _ in ids]

    async def record(self, turn: str) -> bytes:
        return self.records.get(turn, b"")

    def ids(self) -> list[str]:
        return [message["id"] for message in self.pushed]


class Answering:
    """answers: by the text of a question; a number of seconds first where it is a pair."""

    def __init__(self, **answers: Answer | tuple[float, Answer]) -> None:
        self.answers = answers
        self.asked: list[str] = []

    async def answer(self, question: Question) -> Answer:
        self.asked.append(question.text)
        found = self.answers.get(question.text, faq(question.text))
        if isinstance(found, tuple):
            await asyncio.sleep(found[0])
            return found[1]
        return found


def faq(text: str, entry: str = "", product: str = "") -> Answer:
    return Answer("faq", (f"About {text}.",), entry or f"faq:{text}", 0.8, product)


class Booth:
    """All of it, on the loop of a test."""

    def __init__(self, intake: Intake, answering: Answering, **manner: Any) -> None:
        self.intake, self.answering, self.lectern = intake, answering, Lectern()
        self.over: list[tuple[str, str]] = []
        lectern: Any = self.lectern
        self.on_air = OnAir(
            lectern, lambda: self.intake, RealClock(), lambda record, became: self.over.append((record.turn, became))
        )
        given = Manner("full", False, False, 60.0) if not manner else Manner(**manner)
        self.told = intake.told
        self.desk = Desk(
            intake,
            answering,
            lectern,
            self.on_air,
            given,
            RealClock(),
            lambda words: "bad" not in words,
        )

    def hear(self, name: str, *ids: str) -> None:
        for identity in ids:
            self.on_air.hear({"event": f"utterance.{name}", "id": identity, "lane": "reply", "ts": "1.0"})

    def air(self, *ids: str) -> None:
        self.hear("started", *ids)
        self.hear("aired", *ids)

    async def __aenter__(self) -> Booth:
        self._tasks = [asyncio.create_task(self.desk.run()), asyncio.create_task(self.on_air.run())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def until(condition: Any, timeout_s: float = 5.0) -> None:
    async with asyncio.timeout(timeout_s):
        while not condition():
            await asyncio.sleep(0.005)


async def test_an_answer_is_pushed_once_its_end_told_and_its_comments_settled() -> None:
    async with Booth(Intake(question("a", "mugs", "b")), Answering()) as booth:
        await until(lambda: booth.lectern.ids() == ["answer:a:0"])
        assert booth.lectern.entries == {"a-0": "answer:a", "b-0": "answer:a"}
        booth.air("answer:a:0")
        await until(lambda: booth.intake.settled == ["a", "b"])
    assert [(event["event"], event["id"]) for event in booth.lectern.told] == [
        ("chat.answered", "a"),
        ("chat.merged", "b"),
    ]
    assert booth.over == [("answer:a", "aired")] and booth.lectern.told[0]["became"] == "aired"


async def test_the_next_answer_lies_ready_and_is_pushed_when_the_last_one_is_on_air() -> None:
    async with Booth(Intake(question("a"), question("b"), question("c")), Answering()) as booth:
        await until(lambda: booth.answering.asked == ["a", "b"])
        await asyncio.sleep(0.3)
        assert booth.lectern.ids() == ["answer:a:0"] and booth.answering.asked == ["a", "b"]
        booth.hear("started", "answer:a:0")
        await until(lambda: booth.lectern.ids() == ["answer:a:0", "answer:b:0"])
        booth.hear("aired", "answer:a:0")
        await asyncio.sleep(0.3)
        assert len(booth.lectern.ids()) == 2  # b has not begun
        booth.hear("started", "answer:b:0")
        await until(lambda: booth.lectern.ids()[-1] == "answer:c:0")


async def test_questions_about_one_product_are_answered_in_one_turn_and_another_one_waits() -> None:
    answering = Answering(
        price=faq("price", "product:mug.price", "mug"), size=faq("size", "product:mug.size", "mug"), tea=faq("tea")
    )
    intake = Intake(question("a", "price"), question("b", "size"), question("c", "tea"))
    async with Booth(intake, answering) as booth:
        await until(lambda: len(booth.lectern.pushed) == 2)
        assert booth.lectern.ids() == ["answer:a:0", "answer:a:1"]
        assert [message["more"] for message in booth.lectern.pushed] == ["1", "0"]
        booth.air("answer:a:0", "answer:a:1")
        await until(lambda: booth.lectern.ids()[-1] == "answer:c:0")
        await until(lambda: booth.intake.settled == ["a", "b"])
    assert [event["id"] for event in booth.lectern.told] == ["a", "b"]


async def test_an_answer_does_not_wait_for_another_that_takes_long() -> None:
    async with Booth(Intake(question("a"), question("slow")), Answering(slow=(0.6, faq("slow")))) as booth:
        await until(lambda: booth.lectern.ids() == ["answer:a:0"], 0.4)
        booth.air("answer:a:0")
        await until(lambda: booth.lectern.ids()[-1] == "answer:slow:0")


async def written(*sentences: str, apart_s: float = 0.0) -> AsyncIterator[str]:
    for sentence in sentences:
        await asyncio.sleep(apart_s)
        yield sentence


async def test_sentences_are_pushed_as_they_come_and_the_turn_is_closed() -> None:
    answer = Answer("llm", written("One.", "Two.", apart_s=0.05))
    async with Booth(Intake(question("m")), Answering(m=answer)) as booth:
        await until(lambda: booth.lectern.ids() == ["answer:m:0", "answer:m:1", "answer:m:end"])
        assert [message["more"] for message in booth.lectern.pushed] == ["1", "1", "0"]
        assert not booth.on_air.has_room
        booth.hear("started", "answer:m:0", "answer:m:1")
        assert booth.on_air.has_room
        booth.hear("aired", "answer:m:0", "answer:m:1")
        await until(lambda: booth.intake.settled == ["m"])
    assert booth.lectern.told[0]["answer"] == "One. Two."


async def test_an_answer_that_broke_off_by_a_fault_of_ours_keeps_nobody_waiting() -> None:
    answer = Answer("llm", written("One.", "Two.", "Three.", apart_s=0.05))
    booth = Booth(Intake(question("m"), question("a")), Answering(m=answer))
    push, count = booth.lectern.push, 0

    async def faulty(*arguments: Any) -> str | None:
        nonlocal count
        count += 1
        if count == 2:
            raise RuntimeError("a fault of ours")
        return await push(*arguments)

    booth.lectern.push = faulty  # type: ignore[method-assign]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:m:0"])
        booth.air("answer:m:0", "answer:m:1")
        await until(lambda: booth.lectern.ids()[-1] == "answer:a:0")
        await until(lambda: booth.intake.settled == ["m"])
    assert booth.intake.dropped == []


async def test_questions_that_agreed_were_forgotten_when_their_answer_could_not_be_pushed() -> None:
    answering = Answering(price=faq("price", product="mug"), size=faq("size", product="mug"))
    booth = Booth(Intake(question("a", "price"), question("b", "size"), question("c")), answering)
    booth.lectern.trouble = [RuntimeError("a fault of ours")]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:c:0"])
    assert booth.intake.dropped == ["a", "b"]


async def test_an_answer_whose_beginning_could_not_be_pushed_kept_all_others_from_being_given() -> None:
    answer = Answer("llm", written("One.", "Two.", apart_s=0.05))
    booth = Booth(Intake(question("m"), question("a")), Answering(m=answer))
    booth.lectern.trouble = [RuntimeError("a fault of ours")]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:a:0"])
    assert booth.intake.dropped == ["m"] and booth.on_air.turns == ["answer:a"]


async def test_an_author_went_on_writing_when_nobody_wanted_the_answer_any_more() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def thinking() -> AsyncIterator[str]:
        try:
            begun.set()
            await asyncio.Event().wait()
            yield "Never."
        finally:
            stopped.set()

    async with Booth(Intake(question("m")), Answering(m=Answer("llm", thinking()))):
        await until(begun.is_set)
    assert stopped.is_set()


async def test_a_question_whose_turn_does_not_come_is_dropped_with_the_reason() -> None:
    manner = {"names": "none", "read_question": False, "show_question": False, "stale_s": 0.3}
    async with Booth(Intake(question("a"), question("b")), Answering(), **manner) as booth:
        await until(lambda: booth.intake.dropped == ["b"])
    assert booth.told[0]["why"] == "its turn came too late" and booth.lectern.ids() == ["answer:a:0"]


async def test_a_clock_that_was_set_back_gave_answers_a_day_to_be_said() -> None:
    asked = question("a")
    ahead = Question(asked.text, "en", asked.comments, 1.0, asked.asked_s + 86_400)
    async with Booth(Intake(ahead), Answering()) as booth:
        await until(lambda: booth.lectern.pushed)
    assert float(booth.lectern.pushed[0]["ttl_s"]) == 60.0


async def test_what_was_written_meanwhile_is_pushed_whole() -> None:
    answer = Answer("llm", written("One.", "Two."))
    async with Booth(Intake(question("a"), question("m")), Answering(m=answer)) as booth:
        await until(lambda: booth.answering.asked == ["a", "m"])
        booth.air("answer:a:0")
        await until(lambda: booth.lectern.ids() == ["answer:a:0", "answer:m:0"])
    assert booth.lectern.pushed[-1]["text"] == "One. Two."


async def test_a_question_that_nobody_answers_is_told_and_the_next_one_is_taken() -> None:
    async with Booth(Intake(question("n"), question("a")), Answering(n=Answer("silence"))) as booth:
        await until(lambda: booth.lectern.ids() == ["answer:a:0"])
    assert booth.intake.dropped == ["n"] and booth.told[0]["event"] == "chat.dropped"
    assert (booth.told[0]["id"], booth.told[0]["reason"]) == ("n", "unanswered")


async def test_a_push_whose_answer_was_lost_is_tried_again() -> None:
    booth = Booth(Intake(question("a")), Answering())
    booth.lectern.trouble = [RedisDown("away"), None]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:a:0"])


async def test_what_another_life_of_ours_answered_is_handed_to_that_answer() -> None:
    booth = Booth(Intake(question("a")), Answering())
    booth.lectern.trouble = ["answer:z"]
    async with booth:
        await until(lambda: booth.intake.settled == ["a"])  # the end of that one was told
    assert booth.lectern.pushed == [] and booth.lectern.told == []


async def test_what_was_answered_elsewhere_meanwhile_is_not_answered_again() -> None:
    booth = Booth(Intake(question("a"), question("b")), Answering())
    booth.lectern.trouble = [""]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:b:0"])
    assert "a" in booth.intake.settled


async def test_another_broadcaster_who_has_the_room_answers_what_was_ours() -> None:
    booth = Booth(Intake(question("a"), question("slow"), question("c")), Answering(slow=(0.2, faq("slow"))))
    booth.lectern.trouble = [Fenced("elsewhere")]
    async with booth:
        await until(lambda: booth.lectern.ids() == ["answer:c:0"])
    assert booth.on_air.turns == ["answer:c"] and booth.intake.settled == []


@pytest.mark.parametrize(
    ("name", "became"), [("expired", "expired"), ("dead_lettered", "refused"), ("skipped", "skipped")]
)
async def test_an_answer_that_was_never_said_is_told_as_such(name: str, became: str) -> None:
    async with Booth(Intake(question("a")), Answering()) as booth:
        await until(lambda: booth.lectern.pushed)
        booth.hear(name, "answer:a:0")
        await until(lambda: booth.intake.settled == ["a"])
    assert booth.lectern.told[0]["became"] == became and "air_ms" not in booth.lectern.told[0]


async def test_words_pushed_twice_and_said_once_are_no_duplicate() -> None:
    async with Booth(Intake(question("a")), Answering()) as booth:
        await until(lambda: booth.lectern.pushed)
        booth.hear("accepted", "answer:a:0")
        booth.hear("duplicate", "answer:a:0")
        await asyncio.sleep(0.05)
        assert booth.intake.settled == []
        booth.air("answer:a:0")
        await until(lambda: booth.intake.settled == ["a"])
    assert booth.lectern.told[0]["became"] == "aired"


async def test_an_answer_that_lay_in_the_queue_twice_was_over_before_the_next_process_heard_it() -> None:
    booth = Booth(Intake(), Answering())
    known = Record("answer:a", [Answered(["a"], "a", "About a.", "faq")], ["answer:a:0"], complete=True)
    booth.lectern.records["answer:a"] = known.encoded()
    booth.lectern.pushed = [{"id": "answer:a:0"}]
    async with booth:
        booth.on_air.hand_over("answer:a", Comment("a", "a", stream_id="a-0"))
        await until(lambda: booth.on_air.turns == ["answer:a"] and not booth.on_air.has_room)
        await asyncio.sleep(0.05)
        booth.hear("duplicate", "answer:a:0")
        await asyncio.sleep(0.05)
        assert booth.intake.settled == []
        booth.air("answer:a:0")
        await until(lambda: booth.intake.settled == ["a"])
    assert booth.over == [("answer:a", "aired")]


async def test_a_question_that_may_not_be_said_is_neither_read_nor_shown() -> None:
    manner = {"names": "full", "read_question": True, "show_question": True, "stale_s": 60.0}
    async with Booth(Intake(question("a", "bad words")), Answering(), **manner) as booth:
        await until(lambda: booth.lectern.pushed)
    assert booth.lectern.ids() == ["answer:a:0"] and "question" not in booth.lectern.pushed[0]


async def test_sentences_without_an_end_are_read_to_a_bound() -> None:
    async def endless() -> AsyncIterator[str]:
        while True:
            await asyncio.sleep(0)
            yield "On and on."

    ahead = ReadAhead(endless())
    ahead.open()
    await until(lambda: ahead.complete)
    assert len(ahead.rest()) == READ_MAX
    await ahead.close()


async def test_an_author_who_fails_ends_the_answer() -> None:
    async def failing() -> AsyncIterator[str]:
        yield "One."
        raise RuntimeError

    ahead = ReadAhead(failing())
    ahead.open()
    assert await ahead.next() == "One."
    assert await ahead.next() is None
    await ahead.close()
