"""A language model's answer to one question, held to the facts: a sentence is said, or the answer ends before it.

In: a question, facts, earlier turns. Out: sentences that state what the facts state, which the guard passed, in the
question's language, none twice; and why it ended where it did.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from broadcaster.chat.grounding import Grounds
from broadcaster.chat.memory import Turn
from broadcaster.chat.mentions import Names
from broadcaster.chat.prompt import is_pass, leaks, messages
from broadcaster.chat.proof import Fact
from broadcaster.rewrite.similarity import likeness
from pipeline.errors import CompletionError
from tts.text import width

OPENING_MAX_WIDTH = 24  # columns: "Good question!" alone is no answer, and waits for what follows
AGAIN = 0.9  # likeness to a sentence of the same answer
PASSED = "it had no answer"


class Verdict(Protocol):
    """What the guard says of a sentence."""

    @property
    def passed(self) -> bool: ...

    @property
    def reason(self) -> str: ...


class Judge(Protocol):
    def __call__(self, text: str, *, product: str = "") -> Verdict: ...


class Writer(Protocol):
    """A language model."""

    def sentences(self, messages: Sequence[Mapping[str, str]]) -> AsyncGenerator[str, None]:
        """CompletionError where it breaks off."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Task:
    """about: the product in question, "" = none."""

    text: str
    language: str
    facts: Sequence[Fact]
    names: Names
    about: str
    earlier: Sequence[Turn]


class Author:
    """judge: the guard. persona: what it says now. max_chars: as the writer keeps them."""

    def __init__(self, writer: Writer, judge: Judge, persona: Callable[[], str], max_chars: int) -> None:
        self._writer = writer
        self._judge = judge
        self._persona = persona
        self._max_chars = max_chars

    async def sentences(self, task: Task, ended: Callable[[str], None]) -> AsyncGenerator[str, None]:
        """What may be said. ended: takes the reason, when it ends before its end."""
        persona = self._persona()
        grounds = Grounds(task.facts, task.names, task.text, task.language, task.about, persona)
        facts = [fact.text for fact in task.facts]
        asked = messages(task.text, task.language, facts, task.earlier, persona, self._max_chars)
        said: list[str] = []
        opening = ""
        try:
            async with aclosing(self._writer.sentences(asked)) as written:
                async for sentence in written:
                    if not any(map(str.isalnum, sentence)):
                        continue
                    if wrong := self._wrong(sentence, said, grounds, task.about):
                        ended(wrong)
                        return
                    said.append(sentence)
                    if len(said) == 1 and width(sentence) <= OPENING_MAX_WIDTH:
                        opening = sentence
                        continue
                    yield f"{opening}{'' if task.language == 'zh' else ' '}{sentence}" if opening else sentence
                    opening = ""
        except CompletionError as error:
            ended(str(error))
            return
        if opening:
            yield opening

    async def close(self) -> None:
        await self._writer.close()

    def _wrong(self, sentence: str, said: Sequence[str], grounds: Grounds, product: str) -> str:
        """Why it is not said; "" when it may be."""
        if is_pass(sentence):
            return PASSED
        if leaks(sentence):
            return "it tells its rules"
        if any(likeness(sentence, one) >= AGAIN for one in said):
            return "it repeats itself"
        if doubt := grounds.doubt(sentence):
            return doubt
        verdict = self._judge(sentence, product=product)
        return "" if verdict.passed else f"the guard stopped it: {verdict.reason}"
