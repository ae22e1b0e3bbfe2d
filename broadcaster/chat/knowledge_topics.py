"""Which questions of the FAQ a question asks, however it is put. Pure.

In: entries of FAQ files, units of a question and their spans. Out: entries, the likeliest first, with how alike they
are. An entry is asked in its own ways, and in those of data/asked.yaml which every shop is asked, where they ask the
same; what many entries share tells little. Entries of one id, in several languages, are one.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import NamedTuple

import yaml

from broadcaster.chat.faq import Entry
from broadcaster.chat.knowledge_features import (
    SILENT_WORD,
    Features,
    bag_of,
    features_of,
    is_word,
    joined,
    length_of,
)
from broadcaster.chat.knowledge_units import Unit
from broadcaster.chat.knowledge_words import Span, Words

ASKED = Path(__file__).parent / "data" / "asked.yaml"
ANSWER = 0.6  # what only the answer says, beside what the question says
ANSWER_COUNT = 0.3  # and of how much it makes a feature common
COMMON, GENERIC = 0.4, 0.5  # what all entries speak of, and what says little in any shop, beside what one alone does
ALIKE, KNOWN = 0.6, 0.4  # likeness to the nearest way to ask, and share of the question that the entry knows
COMMONLY, COMMONLY_TOLD = 0.95, 0.7  # ways that every shop is asked, beside the file's own, and their words
SAME, SAME_WAYS = 0.6, 0.3  # an entry asks what every shop is asked: so alike is one of its ways, so many of them
SAME_SHARE = 0.95  # of the likeness of the likest entry
FOREIGN = 0.9  # of an entry that is told in another language alone: the same may be there in the viewer's own
NOBODY = "-"  # begins the owner of ways to ask what no entry answers
LIGHTEST = 0.01  # weight of a feature that is kept
BESIDE, SPOKEN_LEAST = 0.25, 0.2  # of the weight of a clause in which no more than that is known
BY_CLAUSE = 0.12  # power of a clause's share of the question: how much its likeness alone is worth
NOT_LIKE = (0.0, 0.0)
JUDGED_MAX, FOUND_MAX = 8, 4  # entries of one question


@dataclass(frozen=True, slots=True)
class Topic:
    """alike: cosine with the nearest way to ask it, 0 to 1. whole: share of that one's words that were said. known:
    share of the question that the entry speaks of. told: how much that is. nobodys: how like it is what no entry
    answers. is_own: it is told in the viewer's language."""

    id: str
    alike: float
    whole: float
    known: float
    told: float
    nobodys: float
    is_own: bool

    @property
    def score(self) -> float:
        return ALIKE * self.alike + KNOWN * self.known


class _Way(NamedTuple):
    """A way to ask. owner: id of an entry; of what no entry answers: NOBODY and its name. length, weight: of its
    features. worth: 1, less where it is not the entry's own."""

    owner: str
    features: Features
    length: float
    weight: float
    worth: float


class _Part(NamedTuple):
    """Of a question. means, words: features; the second alone where there are none of the first."""

    weight: float
    means: tuple[str, ...]
    words: tuple[str, ...]


class Topics:
    def __init__(self, entries: Sequence[Entry], words: Words) -> None:
        own = [(entry.id, bag_of(text, words)) for entry in entries for text in entry.questions]
        common = {
            name: [bag_of(text, words) for text in texts] for name, texts in common_questions().items() if entries
        }
        self._told: dict[str, dict[str, float]] = defaultdict(dict)  # id → feature → 1, or less
        for entry in entries:
            for text in entry.paragraphs:
                self._told[entry.id].update(dict.fromkeys(bag_of(text, words), ANSWER))
        for identity, bag in own:
            self._told[identity].update(dict.fromkeys(bag, 1.0))
        others = {f"{NOBODY}{name}": dict.fromkeys(joined(bags), COMMONLY_TOLD) for name, bags in common.items()}
        self._rare = _rarity({**self._told, **others}, words.generic)
        self._ways: list[_Way] = []
        self._by_feature: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for name, bags in common.items():
            for bag in bags:
                self._add(f"{NOBODY}{name}", bag, 1.0, SILENT_WORD + LIGHTEST)
        owners = self._owners(own, common)
        ways, self._ways = self._ways, []
        self._by_feature.clear()
        for identity, bag in own:
            self._add(identity, bag, 1.0, LIGHTEST)
        for way in ways:
            name = way.owner.removeprefix(NOBODY)
            for owner in owners[name] or (way.owner,):
                self._take(way._replace(owner=owner, worth=COMMONLY if owners[name] else 1.0))
        for name, asked in owners.items():
            for owner in asked:
                for feature in joined(common[name]):
                    self._told[owner].setdefault(feature, COMMONLY_TOLD)

    def _add(self, owner: str, bag: Features, worth: float, lightest: float) -> None:
        weighed = {one: weight * self._rare.get(one, 1.0) for one, weight in bag.items() if weight > lightest}
        self._take(_Way(owner, weighed, length_of(weighed) or 1.0, sum(weighed.values()) or 1.0, worth))

    def _take(self, way: _Way) -> None:
        self._ways.append(way)
        for feature, weight in way.features.items():
            self._by_feature[feature].append((len(self._ways) - 1, weight))

    def _owners(
        self, own: Sequence[tuple[str, Features]], common: Mapping[str, Sequence[Features]]
    ) -> dict[str, set[str]]:
        """For each thing that everybody asks, the entries that ask the same, as enough of their own ways show."""
        alike: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in common}
        for identity, bag in own:
            likeness, owner = max(((one[0], owner) for owner, one in self._likeness(bag).items()), default=(0.0, ""))
            if likeness >= SAME:
                alike[owner.removeprefix(NOBODY)][identity].append(likeness)
        ways = Counter(identity for identity, _ in own)
        found: dict[str, set[str]] = {}
        for name, owners in alike.items():
            asking = {one: max(like) for one, like in owners.items() if len(like) >= SAME_WAYS * ways[one]}
            most = max(asking.values(), default=0.0)
            found[name] = {one for one, likeness in asking.items() if likeness >= SAME_SHARE * most}
        return found

    def find(
        self, text: Sequence[Unit], spans: Sequence[Span], aside: frozenset[int], told_in: Set[str]
    ) -> list[Topic]:
        """aside: units that name a product, and say little of a topic. told_in: ids of entries in the viewer's
        language."""
        clauses: dict[int, list[tuple[Features, float]]] = defaultdict(list)
        for span in spans:
            clauses[text[span.begin].clause].append(features_of(text, span, aside, self._rare))
        asked = [[self._part(*part) for part in parts] for parts in clauses.values()]
        weights = [sum(part.weight for part in parts) for parts in asked]
        bags = [joined(features for features, _ in parts) for parts in clauses.values()]
        alike = self._likeness(joined(bags))
        nobodys = max((likeness for owner, (likeness, _) in alike.items() if owner.startswith(NOBODY)), default=0.0)
        for weight, bag in zip(weights, bags, strict=True) if len(bags) > 1 else ():
            worth = (weight / sum(weights)) ** BY_CLAUSE if weight else 0.0
            for owner, (cosine, said) in self._likeness(bag).items():
                alike[owner] = max((worth * cosine, worth * said), alike.get(owner, NOT_LIKE))
        for owner in alike.keys() - told_in:
            cosine, share = alike[owner]
            alike[owner] = FOREIGN * cosine, FOREIGN * share
        nearest = sorted((owner for owner in alike if owner in self._told), key=alike.__getitem__, reverse=True)
        found = [
            self._judged(owner, *alike[owner], asked, nobodys, is_own=owner in told_in)
            for owner in nearest[:JUDGED_MAX]
        ]
        return sorted(found, key=lambda topic: -topic.score)[:FOUND_MAX]

    def _part(self, features: Features, mass: float) -> _Part:
        """A part of the question is known as far as its meanings are, or when its words are."""
        weight = mass * max((self._rare.get(feature, 1.0) for feature in features), default=1.0)
        means = tuple(feature for feature in features if ":" in feature and feature in self._rare)
        return _Part(weight, means, () if means else tuple(filter(is_word, features)))

    def _likeness(self, bag: Features) -> dict[str, tuple[float, float]]:
        """Owner → (cosine with their nearest way to ask, share of that one's words)."""
        weighed = {feature: weight * self._rare.get(feature, 1.0) for feature, weight in bag.items()}
        length = length_of(weighed)
        products: dict[int, float] = defaultdict(float)
        for feature, weight in weighed.items():
            for number, other in self._by_feature.get(feature, ()):
                products[number] += weight * other
        nearest: dict[str, tuple[float, _Way]] = {}
        for number, product in products.items():
            way = self._ways[number]
            cosine = way.worth * product / (length * way.length)
            if way.owner not in nearest or cosine > nearest[way.owner][0]:
                nearest[way.owner] = cosine, way
        return {owner: (cosine, _share(weighed, way)) for owner, (cosine, way) in nearest.items()}

    def _judged(
        self,
        identity: str,
        alike: float,
        share: float,
        clauses: Iterable[Sequence[_Part]],
        nobodys: float,
        *,
        is_own: bool,
    ) -> Topic:
        """A clause of which nothing is known is talk beside the question."""
        told, whole = 0.0, 0.0
        known = self._told[identity]
        for parts in clauses:
            spoken, everything = 0.0, 0.0
            for weight, means, words in parts:
                everything += weight
                if means:
                    spoken += weight * sum(known.get(feature, 0.0) for feature in means) / len(means)
                else:
                    spoken += weight * max((known.get(feature, 0.0) for feature in words), default=0.0)
            told += spoken
            whole += everything if spoken >= SPOKEN_LEAST else spoken + BESIDE * (everything - spoken)
        return Topic(identity, min(1.0, alike), min(1.0, share), told / whole if whole else 0.0, told, nobodys, is_own)


def _share(weighed: Features, way: _Way) -> float:
    shared = sum(min(weight, weighed[feature]) for feature, weight in way.features.items() if feature in weighed)
    return way.worth * shared / way.weight


def _rarity(told: Mapping[str, Mapping[str, float]], generic: frozenset[str]) -> dict[str, float]:
    """1 for what one entry speaks of, less for what many do. What none has tells most: that nothing here is asked."""
    counts: dict[str, float] = defaultdict(float)
    for features in told.values():
        for feature, weight in features.items():
            counts[feature] += 1.0 if weight == 1.0 else ANSWER_COUNT
    most = math.log(len(told) + 1.5)
    found: dict[str, float] = {}
    for feature, count in counts.items():
        rare = min(1.0, math.log((len(told) + 1.5) / (max(1.0, count) + 0.5)) / (most - math.log(1.5)))
        found[feature] = (COMMON + (1 - COMMON) * rare) * (GENERIC if feature in generic else 1.0)
    return found


@cache
def common_questions() -> Mapping[str, tuple[str, ...]]:
    """What every shop is asked, in many words."""
    with ASKED.open(encoding="utf-8") as file:
        held: Mapping[str, Mapping[str, str]] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: tuple(line for text in texts.values() for line in text.splitlines()) for name, texts in held.items()}
