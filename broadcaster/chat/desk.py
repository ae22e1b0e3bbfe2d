"""Whoever answers: takes the best question, has it understood, and says the answer when the last one is about to end.

In: questions of the intake, answers of the understanding. Out: messages of the `say` stream. One question is understood
at a time, and one answer lies ready while another is on air. It never waits for whoever is late without a bound, and
what it holds when it dies was not pushed: the next process is asked it again.
"""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

import structlog

from broadcaster.chat import record
from broadcaster.chat.answer import Answer
from broadcaster.chat.lectern import Lectern
from broadcaster.chat.model import Comment, Question
from broadcaster.chat.onair import OnAir
from broadcaster.chat.phrase import turn_of
from broadcaster.chat.readahead import ReadAhead
from broadcaster.chat.saying import Manner, Ready, Saying
from broadcaster.events import CHAT_DROPPED
from broadcaster.queue import Fenced
from pipeline.clock import NS, Clock

LOOK_S = 0.25  # for a question whose time has come
WITHIN_S = 20.0  # an answer's first sentence, whatever its author promised
AGREES_WITHIN_S = 0.05  # the next question is looked at before an answer is said; one that takes longer waits
AGREE_MAX = 3  # questions of one turn
TRACE_FRAMES = 8

log = structlog.get_logger()


class Intake(Protocol):
    """broadcaster.chat.reader.ChatReader."""

    arrived: asyncio.Event

    def take(self) -> Question | None: ...

    def settle(self, comments: Iterable[Comment]) -> None: ...

    def unanswered(self, question: Question, event: Mapping[str, str]) -> None: ...


class Answering(Protocol):
    async def answer(self, question: Question) -> Answer:
        """It never raises; silence at worst."""


class Desk:
    """On the loop of its process; one task runs `run`. may_be_said: see Saying."""

    def __init__(
        self,
        intake: Intake,
        answering: Answering,
        lectern: Lectern,
        on_air: OnAir,
        manner: Manner,
        clock: Clock,
        may_be_said: Callable[[str], bool],
    ) -> None:
        self._intake = intake
        self._answering = answering
        self._on_air = on_air
        self._stale_s = manner.stale_s
        self._clock = clock
        self._saying = Saying(intake, lectern, on_air, manner, clock, may_be_said, self._drop)
        self._next: tuple[Question, asyncio.Task[Ready | None]] | None = None  # after the one at hand
        self._at_hand: list[Question] = []  # the one that is answered, and those that agree with it
        self._unanswered = 0

    @property
    def draining(self) -> bool:
        """No further question is taken."""
        return self._saying.draining

    def drain(self) -> None:
        self._saying.draining = True

    @property
    def counts(self) -> dict[str, int]:
        """Answers that were pushed by their source, and `unanswered`."""
        return {**self._saying.counts, **({"unanswered": self._unanswered} if self._unanswered else {})}

    @property
    def is_busy(self) -> bool:
        return bool(self._at_hand or self._next or self._on_air.turns)

    async def run(self) -> None:
        """Answer until it is drained."""
        try:
            while not self.draining:
                try:
                    await self._answer_one()
                except Fenced:
                    self._on_air.abandon()
                    await self._forget_next()
                except Exception:  # noqa: BLE001  a question that nobody foresaw must not be asked again and again
                    reason = traceback.format_exc(limit=-TRACE_FRAMES)
                    log.error("chat.failed", reason=reason)
                    for question in [] if self._is_on_air() else self._at_hand:
                        self._drop(question, "it could not be understood")
                    await asyncio.sleep(LOOK_S)
                self._at_hand = []
        finally:
            await self._forget_next()

    # ── one question ─────────────────────────────────────────────────────────────────────────────

    async def _answer_one(self) -> None:
        ready = await self._take()
        if ready is None:
            return
        try:
            if await self._comes_in_time(ready):
                await self._saying.say([ready, *(await self._that_agree(ready))])
        finally:
            await ready.sentences.close()

    async def _take(self) -> Ready | None:
        if self._next is not None:
            (asked, task), self._next = self._next, None
            self._at_hand = [asked]
            return await task
        question = self._intake.take()
        if question is None:
            await _within(self._intake.arrived, LOOK_S)
            return None
        self._at_hand = [question]
        return await self._understand(question)

    async def _understand(self, question: Question) -> Ready | None:
        """None when nobody knows an answer, which is told."""
        taken_s = self._clock.wall_s()
        answer = await self._answering.answer(question)
        sentences, found = ReadAhead(answer.sentences), False
        sentences.open()
        try:
            async with asyncio.timeout(WITHIN_S):
                found = await sentences.first()
        except TimeoutError:
            pass
        finally:
            if not found:
                await sentences.close()
        if not found:
            self._drop(question, answer.why or "nobody knows an answer")
            return None
        return Ready(question, answer, sentences, record.answered(question, answer, taken_s, self._clock.wall_s()))

    async def _comes_in_time(self, ready: Ready) -> bool:
        """Wait until the last answer is about to end; false when that took too long."""
        until_ns = self._clock.now_ns() + int(self._stale_s * NS)  # then nobody remembers the question
        while not self._on_air.has_room:
            await _within(self._on_air.changed, LOOK_S)
            if self.draining:
                return False
            if self._clock.now_ns() >= until_ns:
                self._drop(ready.question, "its turn came too late")
                return False
        return True

    async def _that_agree(self, ready: Ready) -> list[Ready]:
        """Further questions that this answer is one with; the first that is not is the next one at hand."""
        found: list[Ready] = []
        while ready.is_whole and len(found) < AGREE_MAX - 1 and self._next is None:
            question = self._intake.take()
            if question is None:
                break
            task = asyncio.create_task(self._understand(question))
            self._next = (question, task)
            await asyncio.wait([task], timeout=AGREES_WITHIN_S)
            if not task.done() or task.exception() is not None:
                break
            other = task.result()
            if other is None or (other.is_whole and ready.agrees(other)):
                self._next = None
                if other:
                    self._at_hand.append(question)
                    found.append(other)
        return sorted(found, key=lambda other: other.answer.entry != ready.answer.entry)

    async def _forget_next(self) -> None:
        """Whoever reads it again will ask it again."""
        if self._next is None:
            return
        (_, task), self._next = self._next, None
        task.cancel()
        (found,) = await asyncio.gather(task, return_exceptions=True)
        if isinstance(found, Ready):
            await found.sentences.close()

    def _is_on_air(self) -> bool:
        """Whether what is at hand was pushed: it has its end by that."""
        return bool(self._at_hand) and turn_of(self._at_hand[0].comments[0].id) in self._on_air.turns

    def _drop(self, question: Question, why: str) -> None:
        self._unanswered += 1
        self._intake.unanswered(
            question,
            {
                "event": CHAT_DROPPED,
                "id": question.comments[0].id,
                "reason": "unanswered",
                "question": question.text[: record.TEXT_TOLD_CHARS],
                "why": why[: record.TEXT_TOLD_CHARS],
            },
        )


async def _within(event: asyncio.Event, seconds: float) -> None:
    """Wait for it to be set, no longer than that; it is cleared."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
    event.clear()
