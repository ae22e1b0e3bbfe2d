"""An answer is said: pushed in one step where its end is known, else sentence by sentence as its author writes it.

In: questions that have an answer and are told in one turn. Out: messages of the `say` stream, and what is known of them
for whoever waits for their end. It tries for a while where the queue is away, and pushes nothing that was answered.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from broadcaster.chat import phrase, record
from broadcaster.chat.answer import REPLY, RULE, Answer
from broadcaster.chat.lectern import Lectern
from broadcaster.chat.model import Comment, Question
from broadcaster.chat.names import called
from broadcaster.chat.onair import OnAir
from broadcaster.chat.phrase import Part, Turn, turn_of
from broadcaster.chat.readahead import ReadAhead
from broadcaster.chat.record import Answered, Record
from broadcaster.queue import Fenced
from pipeline.clock import NS, Clock
from pipeline.errors import RedisDown

NEXT_SENTENCE_S = 6.0  # of an answer that is being said; its turn is over by then
RETRY_S = 0.5
RETRY_FOR_S = 10.0  # the next sentence, while Redis is away


class Settler(Protocol):
    def settle(self, comments: Iterable[Comment]) -> None:
        """That was their end."""


@dataclass(frozen=True, slots=True)
class Manner:
    """names: as chat.names says. stale_s: the life of a comment."""

    names: str
    read_question: bool
    show_question: bool
    stale_s: float


@dataclass(slots=True)
class Ready:
    """A question that has an answer, of which a sentence is there."""

    question: Question
    answer: Answer
    sentences: ReadAhead
    known: Answered

    @property
    def is_whole(self) -> bool:
        return self.sentences.complete

    def agrees(self, other: Ready) -> bool:
        """Whether both can be answered in one go: with the same words, or about the same product."""
        same = bool(self.answer.entry) and self.answer.entry == other.answer.entry
        return same or bool(self.answer.product and self.answer.product == other.answer.product)


class Saying:
    """On the loop of its process. may_be_said: asked of viewers' words; where not, their answer is given without them.

    drop: takes a question that could not be told of in time.
    """

    def __init__(
        self,
        settler: Settler,
        lectern: Lectern,
        on_air: OnAir,
        manner: Manner,
        clock: Clock,
        may_be_said: Callable[[str], bool],
        drop: Callable[[Question, str], None],
    ) -> None:
        self._settler = settler
        self._lectern = lectern
        self._on_air = on_air
        self._manner = manner
        self._clock = clock
        self._may_be_said = may_be_said
        self._drop = drop
        self.draining = False  #: nothing is tried again
        self.counts: Counter[str] = Counter()  #: answers that were pushed, by source

    async def say(self, said: list[Ready]) -> None:
        """All of it in one step where its end is known, else sentence by sentence."""
        first = said[0]
        age_s = self._clock.wall_s() - first.question.asked_s
        stale_s = self._manner.stale_s
        turn = Turn(turn_of(first.known.comments[0]), max(phrase.TTL_MIN_S, min(stale_s, stale_s - age_s)))
        known = Record(turn.identity, [one.known for one in said], pushed_s=self._clock.wall_s())
        if first.is_whole:
            record.note(first.known, first.answer)
            known.complete = True
            await self._begin(known, said, turn.whole(self._parts(said)))
            return
        part = self._part(first)
        sentence = await first.sentences.next() or ""
        first.known.answer = sentence
        if await self._begin(known, said, turn.begun(part, sentence)):
            try:
                await self._go_on(turn, known, first, part)
            finally:
                known.complete = True

    def _parts(self, said: list[Ready]) -> list[Part]:
        """What is the answer to several questions is said after the last of them."""
        parts: list[Part] = []
        for at, one in enumerate(said):
            part = self._part(one, one.sentences.rest())
            if at and said[at - 1].answer.entry == one.answer.entry != "":
                before = parts.pop()
                parts.append(Part(before.read, before.shown))
                part = Part(part.read, part.shown, before.sentences, part.product)  # in the same words
            one.known.answer = " ".join(part.sentences)
            parts.append(part)
        return parts

    def _part(self, ready: Ready, sentences: tuple[str, ...] = ()) -> Part:
        question, manner = ready.question, self._manner
        who = called(question.comments[0].user, manner.names, question.language)
        asked = (question.text, who, len(question.comments) - 1, question.language)
        ready_made = ready.answer.source == REPLY  # whoever wrote it decided what is said
        has_words = bool(question.comments[0].text) or not ready_made
        asks = ready.answer.source != RULE or phrase.is_question(question.text)  # a greeting asks nothing
        said = phrase.read(*asked, asks=asks)
        may_be_said = has_words and self._may_be_said(said)
        return Part(
            said if manner.read_question and may_be_said and not ready_made else "",
            phrase.shown(*asked) if manner.show_question and may_be_said else "",
            sentences,
            ready.answer.product,
        )

    async def _begin(self, known: Record, said: list[Ready], messages: list[phrase.Fields]) -> bool:
        """Push the first messages, with the note that they are on their way; whether that was done."""
        known.ids = [message["id"] for message in messages]
        comments = [comment for one in said for comment in one.question.comments]
        self._on_air.add(known, comments)
        entries = [comment.stream_id for comment in comments]
        try:
            turn = await self._pushed(known, messages, entries, self._manner.stale_s)
        except Exception:
            self._on_air.withdraw(known.turn)
            raise
        if turn == known.turn:
            for one in said:
                self.counts[one.answer.source] += 1
            return True
        self._on_air.withdraw(known.turn)
        for comment in comments if turn else ():
            self._on_air.hand_over(str(turn), comment)  # another answer was on its way to it
        if turn == "":
            self._settler.settle(comments)  # it is over
        elif turn is None and not self.draining:
            for one in said:
                self._drop(one.question, "nobody could be told of it in time")
        return False

    async def _go_on(self, turn: Turn, known: Record, ready: Ready, part: Part) -> None:
        """Say the other sentences as they come, and that none follows."""
        index = 1
        while True:
            try:
                async with asyncio.timeout(NEXT_SENTENCE_S):
                    sentence = await ready.sentences.next()
            except TimeoutError:
                sentence = None
            if sentence is None:
                break
            message = turn.going_on(part, index, sentence)
            known.ids.append(message["id"])
            ready.known.answer += f" {sentence}"
            if await self._pushed(known, [message], (), RETRY_FOR_S) is None:
                known.ids.pop()
                break
            index += 1
        record.note(ready.known, ready.answer)
        known.complete = True
        await self._pushed(known, [turn.closed()], (), RETRY_FOR_S)
        self._on_air.changed.set()

    async def _pushed(
        self, known: Record, messages: list[phrase.Fields], entries: Iterable[str], within_s: float
    ) -> str | None:
        """The turn that answers them; None when nobody could be told in time. Fenced."""
        until_ns = self._clock.now_ns() + int(within_s * NS)
        while True:
            try:
                turn = await self._lectern.push(known.turn, known.encoded(), messages, list(entries))
            except Fenced:
                raise
            except RedisDown:
                turn = None
            if turn is not None or self.draining or self._clock.now_ns() >= until_ns:
                return turn
            await asyncio.sleep(RETRY_S)
