"""The best cut of a question into phrases that mean something to a shop, and what each part may mean. Pure.

In: phrases with their meanings, units of a text. Out: spans of these units without gaps: an attribute
(`attribute:price`), the value of one (`value:colour`), a topic (`topic:refund`), a kind of goods (`goods:12`), what
they look like (`looks:5`), a part of them, a pointer, a person, talk of something else (`elsewhere`), or nothing
(`filler`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from broadcaster.chat.knowledge_phrases import Met, Phrases
from broadcaster.chat.knowledge_units import Unit
from broadcaster.guard.tables import chinese, english

ASPECT = "aspect"
FILLER, POINTER, PERSON, ELSEWHERE = "filler", "pointer", "person", "elsewhere"
ATTRIBUTE, VALUE, TOPIC, GOODS, LOOKS, PART = "attribute", "value", "topic", "goods", "looks", "part"

WORD_MAX = 4  # Hanzi in a word of the common dictionary
PLAIN_WORTH = 0.65  # of a word that means nothing here, beside one that does
SILENT_WORTH = 0.7  # and of one that asks nothing
LONGER = 0.5  # each unit more in one span is worth that much besides: long phrases win over their parts

#: what is left unsaid when a span is not understood: 0 nothing, 1 a word of its own
SILENT = {FILLER: 0.04, POINTER: 0.04, PERSON: 0.2}
LOOKS_MASS, ELSEWHERE_MASS = 0.7, 2.0
PINYIN_MASS, FIGURE_MASS = 0.3, 0.3
COMMON_RANK, RARE_RANK = 50, 3000  # of English words
COMMON_COST, RARE_COST = 7.0, 13.0  # of Chinese words


class Span(NamedTuple):
    """units[begin:end]. means: none is a word that means nothing here. quality: 1 where it is written as in the
    table."""

    begin: int
    end: int
    means: frozenset[str]
    quality: float
    mass: float

    @property
    def is_silent(self) -> bool:
        return bool(self.means) and _said(self.means)[1]

    def of(self, kind: str) -> tuple[str, ...]:
        """Names of what it means of this kind."""
        return _named(self.means, f"{kind}:")

    def things(self) -> frozenset[str]:
        """Goods that it means, and looks."""
        return _of_things(self.means)


class Understood(NamedTuple):
    """cut: without gaps. things: all that may mean goods or looks, also within longer phrases and by their sound."""

    cut: list[Span]
    things: list[Span]


def understood(text: Sequence[Unit], phrases: Phrases) -> Understood:
    """The cut that knows most of it, in order and without gaps."""
    met = [phrases.find(text, begin) for begin in range(len(text))]
    worths = [0.0] + [-1.0] * len(text)
    ending: list[Span | None] = [None] * (len(text) + 1)
    for begin in range(len(text)):
        for span, value in _spans(text, begin, met[begin], phrases):
            if worths[begin] + value > worths[span.end]:
                worths[span.end], ending[span.end] = worths[begin] + value, span
    cut: list[Span] = []
    last = ending[len(text)]
    while last is not None:
        cut.append(last)
        last = ending[last.begin]
    return Understood(cut[::-1], list(_things(text, cut, met)))


def _spans(text: Sequence[Unit], begin: int, met: Sequence[Met], phrases: Phrases) -> Iterator[tuple[Span, float]]:
    """Each with what it is worth."""
    yield Span(begin, begin + 1, frozenset(), 1.0, _mass(text[begin : begin + 1])), 0.0
    for end in range(begin + 1, min(len(text), begin + WORD_MAX) + 1):
        part = text[begin:end]
        if part[-1].wide and len(part) > 1 and "".join(unit.raw for unit in part) in chinese():
            yield Span(begin, end, frozenset(), 1.0, _mass(part)), _worth(len(part), 1.0) * PLAIN_WORTH
        elif not part[-1].wide:
            break
    if likeness := phrases.likeness_to_little(text[begin]):
        mass, worth = SILENT[FILLER], _worth(1, likeness) * SILENT_WORTH
        yield Span(begin, begin + 1, frozenset({FILLER}), likeness, mass), worth
    for end, everything, quality in met:
        means, is_silent = _said(everything)
        worth = _worth(end - begin, quality) * (SILENT_WORTH if is_silent else 1.0)
        yield Span(begin, end, means, quality, _meant_mass(means, end - begin)), worth


def _things(text: Sequence[Unit], cut: Sequence[Span], met: Sequence[Sequence[Met]]) -> Iterator[Span]:
    """A Hanzi alone only where it ends what the cut knows, as 杯 does 马克杯; a word alone where it is known to say
    something."""
    said = [span for span in cut if span.means and not span.is_silent and span.means != {ELSEWHERE}]
    alone = {at for span in said for at in range(span.begin, span.end) if not text[at].wide or at + 1 == span.end}
    for begin, here in enumerate(met):
        for end, means, quality in here:
            if (things := _of_things(means)) and (end - begin > 1 or begin in alone):
                yield Span(begin, end, things, quality, 1.0)


@lru_cache(4096)
def _said(means: frozenset[str]) -> tuple[frozenset[str], bool]:
    """Without what asks nothing, where something else is meant; whether nothing is asked."""
    said = means.difference(SILENT)
    return (said, False) if said else (means, True)


@lru_cache(8192)
def _named(means: frozenset[str], prefix: str) -> tuple[str, ...]:
    return tuple(one.removeprefix(prefix) for one in means if one.startswith(prefix))


@lru_cache(4096)
def _of_things(means: frozenset[str]) -> frozenset[str]:
    return frozenset(one for one in means if one.startswith((f"{GOODS}:", f"{LOOKS}:")))


@lru_cache(4096)
def _meant_mass(means: frozenset[str], count: int) -> float:
    if means <= SILENT.keys():
        return min(SILENT[one] for one in means) * (1 if PERSON in means else count)
    if means == {ELSEWHERE}:
        return ELSEWHERE_MASS
    return LOOKS_MASS if all(one.startswith(f"{LOOKS}:") for one in means) else 1.0


def _worth(count: int, quality: float) -> float:
    return (count + LONGER * (count - 1)) * quality * quality


def _mass(part: Sequence[Unit]) -> float:
    """How much a word says that means nothing here; common ones say little."""
    first = part[0]
    if first.wide:
        cost = chinese().get("".join(unit.raw for unit in part), RARE_COST)
        return _between(cost, COMMON_COST, RARE_COST) * (1.0 if len(part) > 1 else 0.5)
    if not first.key:
        return PINYIN_MASS
    if not first.raw[0].isalpha():
        return FIGURE_MASS
    rank = english().get(first.raw, RARE_RANK)
    return _between(rank, COMMON_RANK, RARE_RANK) * (1.0 if len(first.raw) > 2 else 0.4)


def _between(value: float, low: float, high: float) -> float:
    """0.3 at low, 1 at high."""
    return 0.3 + 0.7 * min(1.0, max(0.0, (value - low) / (high - low)))
