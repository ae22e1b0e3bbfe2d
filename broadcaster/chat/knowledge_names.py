"""Which products a question calls by name: wholly, in part, with slips, by sound, by another word for them. Pure.

In: a catalog, units of a question and what they may mean. Out: for each product the name that was said best, and how
much each unit of the question says of it. Rare words of the catalog tell more than those that many names share.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import TypeAlias

from broadcaster.chat.knowledge_spans import ELSEWHERE, Span
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import Words, field_language
from broadcaster.script.products import Catalog

TITLED = ("name", "名称")  # fields, without language
NAMED = (*TITLED, "alias", "aliases", "also", "别名")
PARTED = re.compile(r"[,;|/、，；\n]+")
PACKED = re.compile(r",\s+(?:set|pack|box|tin|bag)s? of .*$|,\s+\d.*$", re.I)  # how many: "Gel Pens, 12 Pieces"
BRACKETED = re.compile(r"[(（\[【].*?[)）\]】]")
NAMES_MAX = 24  # of one product

WORD, HANZI, LITTLE = 1.0, 0.5, 0.1  # what a unit of a name weighs when no other name has it; figures and little words
UNIT_LETTERS = 3  # of what stands behind a figure: ml, kg, mAh
APART, APART_MOST = 0.4, 2  # of a word of a name that does not follow the one before it, so many words later at most
SHARED = 0.25  # and at least, when all have it
#: likeness of a Hanzi beside another one of the name: both as written; one a homophone; both homophones
PAIR = {2: 1.0, 1: 0.88, 0: 0.66}
SKIPPED = 0.85  # a Hanzi left out, put in or mistaken between them
HEAD = 0.5  # the last Hanzi of a name alone
OTHER_WORD = 0.7  # another word for the same goods
LEAST = 0.12  # of a name's weight: less was said by chance
NOT_LIKE = (0.0, range(0))

Likeness: TypeAlias = "defaultdict[int, dict[int, tuple[float, range]]]"
"""Name → its unit → how like a part of the question it is, and which units of that."""


@dataclass(frozen=True, slots=True)
class Name:
    """A way to call a product. head: index of its last word, figures apart. things: (goods or looks, indexes of the
    units that say it)."""

    product: str
    units: tuple[Unit, ...]
    weights: tuple[float, ...]
    head: int
    things: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True, slots=True)
class Called:
    """said: share of the name's weight, 0 to 1. head: how like the last word of any of the product's names was said:
    what kind of thing it is. told: unit of the question → how much of the name's weight it says."""

    said: float
    head: float
    told: Mapping[int, float]


class Names:
    def __init__(self, catalog: Catalog, words: Words) -> None:
        ways = [
            (product, tuple(read)) for product, fields in catalog.items() for read in _ways(product, fields) if read
        ]
        self.known = {unit.raw for _, read in ways for unit in read if not unit.wide}
        shares = _Shares(ways, len(catalog), words.little)
        self._names: list[Name] = []
        self._by_key: dict[str, list[tuple[int, int]]] = defaultdict(list)
        self._by_pair: dict[tuple[str, str], list[tuple[int, int, int]]] = defaultdict(list)  # name, first, step
        self._by_thing: dict[str, list[tuple[int, tuple[int, ...]]]] = defaultdict(list)
        self._by_head: dict[str, list[int]] = defaultdict(list)
        for product, read in ways:
            said = words.understood(read).things
            things = tuple((one, tuple(range(span.begin, span.end))) for span in said for one in span.things())
            weights = shares.weights(read)
            head = max((at for at, weight in enumerate(weights) if weight > LITTLE), default=len(read) - 1)
            self._add(Name(product, read, weights, head, things))

    def _add(self, name: Name) -> None:
        number = len(self._names)
        self._names.append(name)
        for at, unit in enumerate(name.units):
            if not unit.wide or len(name.units) == 1:
                self._by_key[unit.key].append((number, at))
            for step in (1, 2):
                other = name.units[at + step] if at + step < len(name.units) else None
                if unit.wide and other is not None and other.wide:
                    self._by_pair[(unit.sounds or (unit.key,))[0], (other.sounds or (other.key,))[0]].append(
                        (number, at, step)
                    )
        if name.units[name.head].wide:
            self._by_head[name.units[name.head].key].append(number)
        for thing, places in name.things:
            self._by_thing[thing].append((number, places))

    def find(self, text: Sequence[Unit], cut: Sequence[Span], things: Sequence[Span]) -> dict[str, Called]:
        """Each product by the name that was said best."""
        likeness: Likeness = defaultdict(dict)
        elsewhere = {at for span in cut if ELSEWHERE in span.means for at in range(span.begin, span.end)}
        for number, at, like, where in [*self._words(text), *self._hanzi(text), *self._heads(text, cut)]:
            if where not in elsewhere and like > likeness[number].get(at, NOT_LIKE)[0]:
                likeness[number][at] = (like, range(where, where + 1))
        self._others(things, likeness)
        best: dict[str, tuple[float, Called]] = {}
        heads: defaultdict[str, float] = defaultdict(float)
        for number, found in likeness.items():
            name = self._names[number]
            called = _judged(name, found)
            score = sum(called.told.values()) * math.sqrt(called.said)
            heads[name.product] = max(heads[name.product], called.head)
            if called.said >= LEAST and score > best.get(name.product, (0.0, called))[0]:
                best[name.product] = (score, called)
        return {product: replace(called, head=heads[product]) for product, (_, called) in best.items()}

    def _words(self, text: Sequence[Unit]) -> Iterator[tuple[int, int, float, int]]:
        for where, unit in enumerate(text):
            for key, like in unit.likely():
                for number, at in self._by_key.get(key, ()):
                    yield number, at, like, where

    def _hanzi(self, text: Sequence[Unit]) -> Iterator[tuple[int, int, float, int]]:
        for where, unit in enumerate(text):
            for step in (1, 2):
                other = text[where + step] if where + step < len(text) else None
                if other is None or not (unit.wide or unit.sounds) or not (other.wide or other.sounds):
                    continue
                for one in unit.sounds or (unit.key,):
                    for two in other.sounds or (other.key,):
                        yield from self._pairs(unit, other, (one, two), where, step)

    def _pairs(
        self, unit: Unit, other: Unit, sounds: tuple[str, str], where: int, step: int
    ) -> Iterator[tuple[int, int, float, int]]:
        for number, at, apart in self._by_pair.get(sounds, ()):
            its = self._names[number].units
            same = (not unit.key or unit.key == its[at].key) + (not other.key or other.key == its[at + apart].key)
            if same == 2 or step == apart == 1:
                like = PAIR[same] * (1.0 if step == apart == 1 else SKIPPED)
                yield number, at, like, where
                yield number, at + apart, like, where + step

    def _heads(self, text: Sequence[Unit], cut: Sequence[Span]) -> Iterator[tuple[int, int, float, int]]:
        for span in cut:
            if span.end - span.begin == 1 and not span.is_silent and text[span.begin].wide:
                for number in self._by_head.get(text[span.begin].key, ()):
                    yield number, self._names[number].head, HEAD, span.begin

    def _others(self, things: Sequence[Span], likeness: Likeness) -> None:
        """Goods under another name count where the name's own word was not said."""
        for span in things:
            for thing in span.things():
                for number, places in self._by_thing.get(thing, ()):
                    found = likeness[number]
                    like = OTHER_WORD * span.quality
                    if any(span.begin <= found[at][1].start < span.end for at in places if at in found):
                        continue  # the name's own word was said
                    for at in places:
                        if like > found.get(at, NOT_LIKE)[0]:
                            found[at] = (like, range(span.begin, span.end))


def _judged(name: Name, found: Mapping[int, tuple[float, range]]) -> Called:
    told: dict[int, float] = defaultdict(float)
    for at, (like, places) in found.items():
        _, before = found.get(at - 1, (0.0, places))
        follows = name.units[at].wide or places == before or 0 < places.start - before.start <= APART_MOST
        for where in places:
            told[where] += name.weights[at] * like * (1.0 if follows else APART) / len(places)
    said = sum(told.values()) / sum(name.weights)
    told = {where: min(WORD, weight) for where, weight in told.items()}
    return Called(min(1.0, said), found.get(name.head, NOT_LIKE)[0], told)


class _Shares:
    """How much a unit of a name tells: less, the more products have it in their names."""

    def __init__(self, ways: Sequence[tuple[str, tuple[Unit, ...]]], products: int, little: Set[str]) -> None:
        self._little = little
        features: dict[str, set[str]] = defaultdict(set)
        for product, read in ways:
            features[product].update(feature for at in range(len(read)) for feature in _features(read, at))
        self._rare = rarity(features.values(), products)

    def weights(self, read: tuple[Unit, ...]) -> tuple[float, ...]:
        found = []
        for at, unit in enumerate(read):
            rare = [self._rare[feature] for feature in _features(read, at)]
            base = HANZI if unit.wide else WORD
            if unit.raw in self._little or not (unit.wide or unit.raw[0].isalpha()) or _counts(read, at):
                found.append(LITTLE)  # says how many, or nothing
            else:
                found.append(max(base * sum(rare) / len(rare), 1.5 * LITTLE))
        return tuple(found)


def rarity(texts: Iterable[Iterable[str]], count: int) -> dict[str, float]:
    """1 for what one of the texts alone has, SHARED for what all have."""
    counts: defaultdict[str, int] = defaultdict(int)
    for text in texts:
        for feature in text:
            counts[feature] += 1
    most = math.log(max(2, count) + 1)
    return {feature: max(SHARED, 1.0 - math.log(number) / most) for feature, number in counts.items()}


def _counts(read: Sequence[Unit], at: int) -> bool:
    """A short word behind a figure: 2 m, 20 kg."""
    return bool(at) and len(read[at].raw) <= UNIT_LETTERS and not read[at].wide and read[at - 1].raw[0].isdigit()


def _features(read: Sequence[Unit], at: int) -> list[str]:
    """A word; of a Hanzi, the pairs that it is part of."""
    if not read[at].wide:
        return [read[at].key]
    pairs = [read[one].key + read[one + 1].key for one in (at - 1, at) if 0 <= one < len(read) - 1]
    return pairs or [read[at].key]


def _ways(product: str, fields: Mapping[str, str]) -> Iterator[list[Unit]]:
    """All names of a product, without what stands in brackets."""
    ways = [product] if re.search("[A-Za-z]", product) else []
    for field, text in fields.items():
        if field_language(field)[0] in NAMED:
            parts = [text] if field_language(field)[0] in TITLED else PARTED.split(text)
            ways += [BRACKETED.sub(" ", PACKED.sub("", part)) or part for part in parts]
    seen: set[tuple[str, ...]] = set()
    for way in ways[:NAMES_MAX]:
        read = units(way)
        key = tuple(unit.key for unit in read)
        if key not in seen:
            seen.add(key)
            yield read
