"""A question tried without a room: what would become of it, which stage decides, how sure and fast, and the guard.

In: the section of a room, comments as a viewer would write them. Out: lines for a person to read, sentence by sentence
as the answer comes. Nothing is pushed and nothing is kept, but for the memory of the talk and the day's budget.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

from broadcaster.chat import phrase
from broadcaster.chat.answer import RULE, SILENCE, Answer
from broadcaster.chat.blocked import Blocked, Lists
from broadcaster.chat.model import Comment, Question, Reason
from broadcaster.chat.names import called
from broadcaster.chat.normalise import normalised
from broadcaster.chat.readahead import ReadAhead
from broadcaster.chat.spec import ChatSpec
from broadcaster.chat.understanding import judging, make_answerer, make_shelf, room_language
from broadcaster.guard.guard import Guard
from pipeline.clock import NS, Clock
from tts.text import language_of

USER = "Anna"  # whose name is said


class Trial:
    """`open` before the first question, `close` after the last."""

    def __init__(self, spec: ChatSpec, clock: Clock) -> None:
        self._spec = spec
        self._clock = clock
        self._guard = Guard(spec.guard, room_language(spec))
        self._shelf = make_shelf(spec)
        self._answerer = make_answerer(spec, self._shelf, judging(self._guard), clock)
        self._blocked = Blocked()
        self._asked = 0

    def open(self) -> list[str]:
        """Read all files; what there is, in words."""
        self._shelf.open()
        users, words = (Path(one) if one else None for one in (self._spec.blocked_users, self._spec.blocked_words))
        Lists(users, words, self._block).refresh()
        knowledge = self._shelf.knowledge
        model = f"language model {self._spec.llm.model}" if self._spec.llm else "no language model"
        return [
            f"{len(self._shelf.rules)} rules, {len(knowledge.faq.entries)} entries of FAQ, "
            f"{len(knowledge.products)} products, {model}"
        ]

    async def close(self) -> None:
        await self._answerer.close()

    async def ask(self, text: str) -> AsyncIterator[str]:
        """What becomes of this comment."""
        found = normalised(text)
        if why := found.why or (Reason.BLOCKED_WORD if self._blocked.has_word_in(found.key) else None):
            yield f"passed over: {why}"
            return
        self._asked += 1
        language = language_of(found.said, self._spec.voice or "en")
        now_s = self._clock.wall_s()
        comment = Comment(f"try-{self._asked}", text, USER, "try", sent_s=now_s)
        question = Question(found.said, language, (comment,), 0.0, now_s)
        began_ns = self._clock.now_ns()
        answer = await self._answerer.answer(question)
        asks = answer.source != RULE or phrase.is_question(found.said)
        asked = phrase.read(found.said, called(USER, self._spec.names, language), 0, language, asks=asks)
        verdict = self._guard.judge(asked, lane=phrase.LANE)
        if verdict.passed:
            yield f"question: {asked}"
        else:
            yield f"question: neither read nor shown: {verdict.reason} ({verdict.rule or 'guard'}: {verdict.found!r})"
        async for line in self._said(answer, began_ns):
            yield line
        yield _decided(answer)

    async def _said(self, answer: Answer, began_ns: int) -> AsyncIterator[str]:
        sentences = ReadAhead(answer.sentences)
        sentences.open()
        try:
            while (sentence := await sentences.next()) is not None:
                after_ms = (self._clock.now_ns() - began_ns) * 1000 / NS
                for line in self._judged(sentence, f"{after_ms:7.1f} ms  ", answer.product):
                    yield line
        finally:
            await sentences.close()

    def _judged(self, text: str, head: str, product: str = "") -> list[str]:
        verdict = self._guard.judge(text, lane=phrase.LANE, product=product)
        lines = [f"{head}{text}"]
        if not verdict.passed:
            lines.append(f"  stopped by the guard: {verdict.reason} ({verdict.rule or 'guard'}: {verdict.found!r})")
            lines.append(f"  said instead: {verdict.instead or 'nothing'}")
        return lines

    def _block(self, blocked: Blocked) -> None:
        self._blocked = blocked


def _decided(answer: Answer) -> str:
    stages = ", ".join(f"{stage} {took_ms:.1f} ms" for stage, took_ms in answer.trace.stages_ms.items())
    why = f"; {answer.why}" if answer.why else ""
    if answer.source == SILENCE:
        return f"nobody answers{why} [{stages}]"
    entry = f" {answer.entry}" if answer.entry else ""
    return f"by {answer.source}{entry}, {answer.sure:.2f} sure{why} [{stages}]"
