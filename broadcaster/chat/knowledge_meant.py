"""Which products a question means: by what they are called, and by all else that their file says of them. Pure.

In: a catalog, units of a question and what they may mean. Out: products, the likeliest first, with how much of the
question speaks of each: `the green one for the gym` names none, and still means one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

from broadcaster.chat.knowledge_names import NAMED, Called, Names, rarity
from broadcaster.chat.knowledge_replies import priced_in
from broadcaster.chat.knowledge_spans import ATTRIBUTE, ELSEWHERE, Span
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import Words, field_language
from broadcaster.script.products import Catalog

FOUND_MAX = 3
LEAST = 0.3  # told of it: less was said by chance
#: how much a field says which product is meant, without language; what is not named here: OTHER; 0 is not looked at
FIELDS = dict.fromkeys(NAMED, 1.0) | dict.fromkeys(("colour", "color", "颜色", "category", "类别"), 0.8)
FIELDS |= dict.fromkeys(("material", "材质"), 0.7)
FIELDS |= dict.fromkeys(("id", "price", "stock", "currency", "image", "url", "价格", "库存"), 0.0)
OTHER = 0.55
WORD, HANZI, THING = 1.0, 0.5, 0.8  # what a unit tells at most, and a thing in all at least
OTHER_WORD = 0.85  # a thing under another name
SOUND = 0.7  # two Hanzi by their sound
TRAILING = 0.6  # of what a remark tells behind the question
SAID, HEAD = 0.35, 0.25  # how much the share of its name, and its last word, count beside what was told


@dataclass(frozen=True, slots=True)
class Meant:
    """said: share of its name, 0 to 1. head: how like the last word of that. told: how much of the question speaks of
    it. named: units that call it by name. at: all that speak of it."""

    product: str
    said: float
    head: float
    told: float
    named: frozenset[int]
    at: frozenset[int]

    @property
    def score(self) -> float:
        return self.told + SAID * self.said + HEAD * self.head


class Meaning:
    def __init__(self, catalog: Catalog, words: Words) -> None:
        self.names = Names(catalog, words)
        texts = {product: _features_of(fields, words) for product, fields in catalog.items()}
        self._rare = rarity(texts.values(), len(texts))
        self._by_feature: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for product, features in texts.items():
            for feature, weight in features.items():
                self._by_feature[feature].append((product, weight))

    def find(
        self, text: Sequence[Unit], cut: Sequence[Span], things: Sequence[Span], trailing: Set[int] = frozenset()
    ) -> list[Meant]:
        """trailing: clauses behind the question."""
        called = self.names.find(text, cut, things)
        told: defaultdict[str, dict[int, float]] = defaultdict(dict)
        for feature, likeness, places in _asked(text, cut, things):
            each = likeness * self._rare.get(feature, 0.0) / len(places)
            for product, weight in self._by_feature.get(feature, ()):
                by_unit = told[product]
                for at in places:
                    by_unit[at] = max(by_unit.get(at, 0.0), each * weight)
        behind = {at for at, unit in enumerate(text) if unit.clause in trailing}
        found = [_meant(product, called.get(product), told[product], behind) for product in {*called, *told}]
        kept = [one for one in found if one.told >= LEAST]
        return sorted(kept, key=lambda one: -one.score)[:FOUND_MAX]


def _meant(product: str, called: Called | None, told: Mapping[int, float], behind: Set[int]) -> Meant:
    names = called.told if called else {}
    whole = {
        at: max(told.get(at, 0.0), names.get(at, 0.0)) * (TRAILING if at in behind else 1.0) for at in {*told, *names}
    }
    return Meant(
        product,
        called.said if called else 0.0,
        called.head if called else 0.0,
        sum(whole.values()),
        frozenset(names),
        frozenset(whole),
    )


def _features_of(fields: Mapping[str, str], words: Words) -> dict[str, float]:
    """What the file says of a product: words, pairs of Hanzi, and things; each with the weight of its field."""
    found: dict[str, float] = {}
    for field, text in fields.items():
        base, _ = field_language(field)
        weight = FIELDS.get(base, OTHER)
        if weight and base not in priced_in():
            read = units(text)
            for feature, _, _ in _asked(read, *words.understood(read)):
                found[feature] = max(found.get(feature, 0.0), weight)
    return found


def _asked(
    text: Sequence[Unit], cut: Sequence[Span], things: Sequence[Span]
) -> Iterator[tuple[str, float, Sequence[int]]]:
    """(feature, how much it tells in all, units that say it)."""
    spoken = {
        at
        for span in cut
        if not span.is_silent and ELSEWHERE not in span.means and not _is_asking(span)
        for at in range(span.begin, span.end)
    }
    for at, unit in enumerate(text):
        if at not in spoken:
            continue
        if not unit.wide:
            for key, like in unit.likely():
                yield key, WORD * like, (at,)
        if at + 1 in spoken and text[at + 1].clause == unit.clause:
            other = text[at + 1]
            if unit.wide and other.wide:
                yield unit.key + other.key, 2 * HANZI, (at, at + 1)
            for one in unit.sounds[:2]:
                for two in other.sounds[:2]:
                    yield f"{one} {two}", 2 * HANZI * SOUND, (at, at + 1)
    for span in things:
        places = range(span.begin, span.end)
        count = max(THING, sum(HANZI if text[at].wide else WORD for at in places))
        for thing in span.things():
            yield thing, count * OTHER_WORD * span.quality, places


def _is_asking(span: Span) -> bool:
    """What is asked for says nothing of which product."""
    return bool(span.of(ATTRIBUTE)) and not span.things()
