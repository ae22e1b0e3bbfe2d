"""An answer as messages of the `say` stream: what is read of the question, what is shown of it, in which order. Pure.

In: a question, how its viewer is called, the sentences of its answer. Out: fields of messages, whose ids are made of
the comment's id: whoever pushes them again, none is said twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

Fields: TypeAlias = dict[str, str]

PREFIX = "answer:"  # of all ids that answers have
LANE = "reply"
ASKED, CLOSED = "q", "end"  # what is no sentence of the answer, in ids
READ_MAX_CHARS = 120  # of a question, aloud: who listens wants the answer
SHOWN_MAX_CHARS = 160
TTL_MIN_S = 5.0  # it was worth an answer a moment ago

ASKS = {
    "zh": (
        "有人问：{words}",
        "{who}问：{words}",
        "{who}和另一位朋友问：{words}",
        "{who}和另外{others}位朋友问：{words}",
    ),
    "en": (
        "Somebody asks: {words}",
        "{who} asks: {words}",
        "{who} and one other ask: {words}",
        "{who} and {others} others ask: {words}",
    ),
}
WRITES = {
    "zh": (
        "有人说：{words}",
        "{who}说：{words}",
        "{who}和另一位朋友说：{words}",
        "{who}和另外{others}位朋友说：{words}",
    ),
    "en": (
        "Somebody writes: {words}",
        "{who} writes: {words}",
        "{who} and one other write: {words}",
        "{who} and {others} others write: {words}",
    ),
}
SHOWN = {"zh": "{who}：{question}", "en": "{who}: {question}"}
STOPS = {"zh": ("。", "？"), "en": (".", "?")}
ENDS = tuple("?？!！.。…")


@dataclass(frozen=True, slots=True)
class Part:
    """One question and its answer. read: the question as it is said first, shown: as it stands in the picture; "" = not
    at all. sentences: none where the answer of the next part is this one's, too. product: that it is about, "" = none.
    """

    read: str
    shown: str
    sentences: tuple[str, ...] = ()
    product: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """What is said in answer to a comment, and to those that agree with it. ttl_s: from pushing it to its beginning."""

    identity: str
    ttl_s: float

    def whole(self, parts: Sequence[Part]) -> list[Fields]:
        """All of it, known to its end."""
        said = [(part, *piece) for number, part in enumerate(parts) for piece in _pieces(part, number)]
        last = len(said) - 1
        return [self._said(part, name, text, at < last, last > 0) for at, (part, name, text) in enumerate(said)]

    def begun(self, part: Part, sentence: str) -> list[Fields]:
        """Its first sentence; others may follow."""
        asked = [self._said(part, ASKED, part.read, True, True)] if part.read else []
        return [*asked, self.going_on(part, 0, sentence)]

    def going_on(self, part: Part, index: int, sentence: str) -> Fields:
        return self._said(part, str(index), sentence, True, True)

    def closed(self) -> Fields:
        """Nothing follows."""
        return {"id": f"{self.identity}:{CLOSED}", "lane": LANE, "turn": self.identity, "more": "0"}

    def _said(self, part: Part, name: str, text: str, more: bool, in_turn: bool) -> Fields:
        fields = {"text": text, "id": f"{self.identity}:{name}", "lane": LANE, "mode": "insert"}
        fields["ttl_s"] = f"{self.ttl_s:.1f}"
        if in_turn:
            fields |= {"turn": self.identity, "more": "1" if more else "0"}
        fields |= {"question": part.shown} if part.shown else {}
        return fields | ({"product": part.product} if part.product else {})


def turn_of(comment: str) -> str:
    """The turn that answers the comment with this id."""
    return f"{PREFIX}{comment}"


def owner(identity: str) -> str:
    """The turn that a message belongs to, by its id."""
    return identity.rpartition(":")[0]


def is_question(text: str) -> bool:
    """Whether it is written as one."""
    return text.endswith(("?", "？"))


def read(words: str, who: str, others: int, language: str, asks: bool = True) -> str:
    """The question as it is said. who: "" = nobody is mentioned. others: who ask the same. asks: or just writes."""
    tongue = _tongue(language)
    form = (ASKS if asks else WRITES)[tongue][1 + min(others, 2) if who else 0]
    said = _unmarked(_clipped(words, READ_MAX_CHARS))
    said += "" if said.endswith(ENDS) else STOPS[tongue][asks]
    return _capital(form.format(who=_unmarked(who), others=others, words=said))


def shown(question: str, who: str, others: int, language: str) -> str:
    """The question as it stands in the picture."""
    asked = _clipped(question, SHOWN_MAX_CHARS) + (f" (+{others})" if others else "")
    return _capital(SHOWN[_tongue(language)].format(who=who, question=asked)) if who else asked


def _pieces(part: Part, number: int) -> list[tuple[str, str]]:
    """(end of its id, text) of each message; of the first part as if there were no other."""
    asked = [(f"{ASKED}{number or ''}", part.read)] if part.read else []
    return asked + ([(str(number), " ".join(part.sentences))] if part.sentences else [])


def _tongue(language: str) -> str:
    return "zh" if language == "zh" else "en"


def _clipped(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1].rstrip()}…"


def _unmarked(text: str) -> str:
    """A viewer gives no directions to voice and avatar (tts.markup)."""
    return text.replace("*", "").replace("[", "[[")


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
