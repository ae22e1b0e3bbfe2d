"""What the words of a question mean to a shop: the best cut of it into known phrases. Pure, but for reading its tables.

In: data/words.yaml and data/goods.yaml, names of further attributes, units of a text. Out: spans of these units with
what each of them may mean: an attribute (`attribute:price`), the value of one (`value:colour`), a topic
(`topic:refund`), a kind of goods (`goods:12`), what they look like (`looks:5`), a part of them, a pointer, a person,
talk of something else (`elsewhere`), or nothing (`filler`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from broadcaster.chat.knowledge_phrases import Met, Phrases
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.guard.tables import chinese, english

DATA = Path(__file__).parent / "data"
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


class Attribute(NamedTuple):
    """fields: their names in a products file, without language. before: attributes that are not meant when it is asked
    for. units: what its numbers count. aspects: of it, that are told or not by themselves, with the words that tell
    them."""

    name: str
    fields: tuple[str, ...]
    before: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    aspects: tuple[tuple[str, tuple[str, ...]], ...] = ()


class Words:
    """more: attributes that the table has not, with the ways to ask for them."""

    def __init__(self, more: Mapping[str, Sequence[str]] | None = None) -> None:
        table, things = _table("words.yaml"), _table("goods.yaml")
        self._phrases = Phrases()
        self.attributes: dict[str, Attribute] = {}
        self.known: set[str] = set()  #: all words of Latin letters
        self.phrases: list[str] = []
        self.little = self._phrases.little
        for kind, key in ((FILLER, "filler"), (POINTER, "pointers"), (PERSON, "people"), (ELSEWHERE, ELSEWHERE)):
            self._add(kind, _listed(table[key]))
        for name, held in table["attributes"].items():
            fields, before, counted = (tuple(held.get(key, ())) for key in ("fields", "before", "units"))
            aspects = tuple((one, tuple(_listed(of["told"]))) for one, of in held.get("aspects", {}).items())
            self.attributes[name] = Attribute(name, fields, before, counted, aspects)
            for one, of in held.get("aspects", {}).items():
                self._add(f"{ASPECT}:{one}", _listed(of["asks"]))
            self._add(f"{ATTRIBUTE}:{name}", _listed(held["asks"]))
            self._add(f"{VALUE}:{name}", _listed(held.get("values", {})))
        for name, asks in (more or {}).items():
            self.attributes[name] = Attribute(name, (name,))
            self._add(f"{ATTRIBUTE}:{name}", asks)
        for name, held in table["topics"].items():
            self._add(f"{TOPIC}:{name}", _listed(held))
        for kind in (GOODS, LOOKS):
            for number, held in enumerate(things[kind]):
                self._add(f"{kind}:{number}", _listed(held))
        for number, held in enumerate(things["parts"]):
            self._add(f"{PART}:{number}", _listed(held))
        self.generic = frozenset(f"{kind}:{name}" for name in table["generic"] for kind in (TOPIC, ATTRIBUTE))
        self.short = dict(one.strip().split(" ", 1) for one in table["short"].split(","))
        self._inherit()

    def _add(self, meaning: str, phrases: Iterable[str]) -> None:
        for phrase in phrases:
            read = units(phrase)
            self.known.update(unit.raw for unit in read if not unit.wide)
            self.phrases.append(phrase)
            if meaning == FILLER and len(read) == 1 and not read[0].wide:
                self.little.add(read[0].raw)
            elif read:
                self._phrases.add(meaning, read)

    def _inherit(self) -> None:
        """What is asked of a product is a topic, too, where a part of it is one: `years of warranty`."""
        for phrase, means in self._phrases.all():
            if len(phrase) > 1 and _any_of(means, ATTRIBUTE) and not _any_of(means, TOPIC):
                read = units(" ".join(phrase))
                for begin in range(len(read)):
                    for end, part, _ in self._phrases.find(read, begin):
                        if end - begin < len(read) and (end - begin > 1 or not read[begin].wide):
                            for topic in part - self.generic:
                                if topic.startswith(f"{TOPIC}:"):
                                    self._phrases.add(topic, read)

    def read(self, text: Sequence[Unit]) -> list[Span]:
        """The cut that knows most of it, in order and without gaps."""
        return self.understood(text).cut

    def understood(self, text: Sequence[Unit]) -> Understood:
        met = [self._phrases.find(text, begin) for begin in range(len(text))]
        worths = [0.0] + [-1.0] * len(text)
        ending: list[Span | None] = [None] * (len(text) + 1)
        for begin in range(len(text)):
            for span, value in self._spans(text, begin, met[begin]):
                if worths[begin] + value > worths[span.end]:
                    worths[span.end], ending[span.end] = worths[begin] + value, span
        cut: list[Span] = []
        last = ending[len(text)]
        while last is not None:
            cut.append(last)
            last = ending[last.begin]
        return Understood(cut[::-1], list(_things(text, cut, met)))

    def _spans(self, text: Sequence[Unit], begin: int, met: Sequence[Met]) -> Iterator[tuple[Span, float]]:
        """Each with what it is worth."""
        yield Span(begin, begin + 1, frozenset(), 1.0, _mass(text[begin : begin + 1])), 0.0
        for end in range(begin + 1, min(len(text), begin + WORD_MAX) + 1):
            part = text[begin:end]
            if part[-1].wide and len(part) > 1 and "".join(unit.raw for unit in part) in chinese():
                yield Span(begin, end, frozenset(), 1.0, _mass(part)), _worth(len(part), 1.0) * PLAIN_WORTH
            elif not part[-1].wide:
                break
        if likeness := self._phrases.likeness_to_little(text[begin]):
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


@cache
def _table(name: str) -> Mapping[str, Any]:
    with (DATA / name).open(encoding="utf-8") as file:
        held: Mapping[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return held


def _any_of(means: Iterable[str], kind: str) -> bool:
    return any(one.startswith(f"{kind}:") for one in means)


def _listed(held: Mapping[str, str]) -> list[str]:
    return [phrase.strip() for text in held.values() for phrase in text.split(",") if phrase.strip()]


@lru_cache(4)
def words_with(more: tuple[tuple[str, tuple[str, ...]], ...] = ()) -> Words:
    """The words of these further attributes and their ways to be asked for; they do not change, and take a while."""
    return Words(dict(more))


def field_language(name: str) -> tuple[str, str]:
    """`size_zh` → size, zh."""
    base, _, language = name.rpartition("_")
    return (base, language) if base and len(language) == 2 else (name, "")
