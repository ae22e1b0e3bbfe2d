"""Which questions of the FAQ a question asks, however it is put. Pure.

In: entries of FAQ files, units of a question and their spans. Out: entries, the likeliest first, with how alike they
are. An entry is asked in its own ways, and in those of data/asked.yaml which every shop is asked, where they ask the
same; what many entries share tells little. Entries of one id, in several languages, are one.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from broadcaster.chat.faq import Entry
from broadcaster.chat.knowledge_common import GOODS, NOBODY, TALK, common_reads, owners_of, read_of
from broadcaster.chat.knowledge_features import (
    SILENT_WORD,
    Features,
    bag_of,
    features_of,
    is_word,
    joined,
    pieces_of,
)
from broadcaster.chat.knowledge_leaning import Leaning
from broadcaster.chat.knowledge_spans import Span
from broadcaster.chat.knowledge_units import Unit
from broadcaster.chat.knowledge_ways import Way, Ways, nearest_of
from broadcaster.chat.knowledge_wording import Wordings
from broadcaster.chat.knowledge_words import Words

ANSWER = 0.6  # what only the answer says, beside what the question says
ANSWER_COUNT = 0.3  # and of how much it makes a feature common
COMMON, GENERIC = 0.4, 0.5  # what all entries speak of, and what says little in any shop, beside what one alone does
ALIKE, KNOWN, LEAN = 0.6, 0.4, 1.0  # likeness to the nearest way to ask, share that the entry knows, and its leaning
COMMONLY, COMMONLY_TOLD = 0.95, 0.7  # ways that every shop is asked, beside the file's own, and their words
FOREIGN = 0.9  # of an entry that is told in another language alone: the same may be there in the viewer's own
LIGHTEST = 0.01  # weight of a feature that is kept
BESIDE, SPOKEN_LEAST = 0.25, 0.2  # of the weight of a clause in which no more than that is known
BY_CLAUSE = 0.12  # power of a clause's share of the question: how much its likeness alone is worth
TRAILING = 0.7  # and that of a remark behind the question
CLAUSE_LEAST = 0.1  # share of the question of a clause that is looked at by itself
NOT_LIKE = (0.0, 0.0)
JUDGED_MAX, FOUND_MAX = 5, 4  # entries of one question


@dataclass(frozen=True, slots=True)
class Topic:
    """alike: cosine with the nearest way to ask it, 0 to 1. whole: share of that one's words that were said. known:
    share of the question that the entry speaks of. told: how much that is. lean: how likely it is that kind of
    question, by all of its words. is_own: it is told in the viewer's language. is_worded: it is asked in the very words
    of one of its ways."""

    id: str
    alike: float
    whole: float
    known: float
    told: float
    lean: float
    is_own: bool
    is_worded: bool

    @property
    def score(self) -> float:
        return ALIKE * self.alike + KNOWN * self.known + LEAN * self.lean


class Heard(NamedTuple):
    """topics: the likeliest first. nobodys, talked: how like the question is to what no entry answers, and to what asks
    nothing. goods, talk: how likely it asks something of a product, and nothing."""

    topics: list[Topic]
    nobodys: float
    talked: float
    goods: float
    talk: float


class _Part(NamedTuple):
    """Of a question. means, words: features; the second alone where there are none of the first."""

    weight: float
    means: tuple[str, ...]
    words: tuple[str, ...]


class Topics:
    def __init__(self, entries: Sequence[Entry], words: Words) -> None:
        own = [(entry.id, read_of(text, words)) for entry in entries for text in entry.questions]
        common = common_reads(words) if entries else {}
        self._wordings = Wordings(entries, words)
        self._told: dict[str, dict[str, float]] = defaultdict(dict)  # id → feature → 1, or less
        for entry in entries:
            for text in entry.paragraphs:
                self._told[entry.id].update(dict.fromkeys(bag_of(text, words), ANSWER))
        for identity, read in own:
            self._told[identity].update(dict.fromkeys(read.bag, 1.0))
        speaking = {name: joined(read.bag for read in asked) for name, asked in common.items()}
        others = {f"{NOBODY}{name}": dict.fromkeys(features, COMMONLY_TOLD) for name, features in speaking.items()}
        self._rare = _rarity({**self._told, **others}, words.generic)
        asked = {
            name: [self._weighed(read.bag, SILENT_WORD + LIGHTEST) for read in reads] for name, reads in common.items()
        }
        likeness = Ways(Way(f"{NOBODY}{name}", bag, 1.0) for name, bags in asked.items() for bag in bags)
        owners = owners_of([(identity, self._weighed(read.bag, 0.0)) for identity, read in own], likeness, common)
        ways = [Way(identity, self._weighed(read.bag, LIGHTEST), 1.0) for identity, read in own]
        for name, bags in asked.items():
            worth = COMMONLY if owners[name] else 1.0
            ways += [Way(owner, bag, worth) for owner in owners[name] or (f"{NOBODY}{name}",) for bag in bags]
        self._ways = Ways(ways)
        self._nobodys = {way.owner for way in ways if way.owner.startswith(NOBODY)}
        self._kinds: dict[str, list[str]] = defaultdict(list)  # id of an entry → kinds that it answers
        for name, owning in owners.items():
            for owner in owning:
                self._kinds[owner].append(f"{NOBODY}{name}")
                for feature in speaking[name]:
                    self._told[owner].setdefault(feature, COMMONLY_TOLD)
        kinds = [(f"{NOBODY}{name}", {**read.bag, **read.pieces}) for name, reads in common.items() for read in reads]
        for identity in dict.fromkeys(identity for identity, _ in own):
            if all(kind.startswith(GOODS) for kind in self._kinds[identity]):
                self._kinds[identity].append(identity)
        for identity, read in own:
            its = [kind for kind in self._kinds[identity] if not kind.startswith(GOODS)]
            kinds += [(kind, {**read.bag, **read.pieces}) for kind in its]
        self._leaning = Leaning(kinds)
        answered = {kind for held in self._kinds.values() for kind in held}
        self._goods = [kind for kind in self._leaning.kinds if kind.startswith(GOODS) and kind not in answered]
        self._talk = [kind for kind in self._leaning.kinds if kind.startswith(TALK) and kind not in answered]

    def _weighed(self, bag: Features, lightest: float) -> Features:
        return {one: weight * self._rare.get(one, 1.0) for one, weight in bag.items() if weight > lightest}

    def find(
        self,
        text: Sequence[Unit],
        spans: Sequence[Span],
        aside: frozenset[int],
        told_in: Set[str],
        trailing: Set[int] = frozenset(),
        *,
        is_asking: bool = False,
    ) -> Heard:
        """aside: units that name a product, and say little of a topic. told_in: ids of entries in the viewer's
        language. trailing: clauses behind the question. is_asking: by its form."""
        worded = self._wordings.entry(text, spans, is_asking=is_asking)
        clauses: dict[int, list[tuple[Features, float]]] = defaultdict(list)
        for span in spans:
            clauses[text[span.begin].clause].append(features_of(text, span, aside, self._rare))
        asked = [[self._part(*part) for part in parts] for parts in clauses.values()]
        weights = [sum(part.weight for part in parts) for parts in asked]
        bags = [joined(features for features, _ in parts) for parts in clauses.values()]
        pieces = {clause: _pieces_of_clause(text, clause, aside) for clause in clauses}
        put = [clause for clause in clauses if clause not in trailing]
        whole = joined(bag for clause, bag in zip(clauses, bags, strict=True) if clause in put)
        alike = self._ways.nearest(self._weighed(whole, 0.0))
        lean = dict(self._leaning.of({**whole, **joined(pieces[clause] for clause in put)}))
        nobodys = nearest_of(alike, [owner for owner in alike if owner in self._nobodys])
        talked = nearest_of(alike, [owner for owner in alike if owner.startswith(TALK)])
        talk = sum(lean.get(kind, 0.0) for kind in self._talk)
        for clause, weight, bag in zip(clauses, weights, bags, strict=True) if len(bags) > 1 else ():
            if weight < CLAUSE_LEAST * sum(weights):
                continue
            worth = (weight / sum(weights)) ** BY_CLAUSE * (TRAILING if clause in trailing else 1.0) if weight else 0.0
            for owner, (cosine, said) in self._ways.nearest(self._weighed(bag, 0.0)).items():
                alike[owner] = max((worth * cosine, worth * said), alike.get(owner, NOT_LIKE))
            for kind, chance in self._leaning.of({**bag, **pieces[clause]}).items():
                lean[kind] = max(lean[kind], worth * chance)
        goods = sum(lean.get(kind, 0.0) for kind in self._goods)
        for owner in alike.keys() - told_in:
            cosine, share = alike[owner]
            alike[owner] = FOREIGN * cosine, FOREIGN * share
        leans = {owner: min(1.0, sum(lean.get(kind, 0.0) for kind in kinds)) for owner, kinds in self._kinds.items()}
        for owner, chance in leans.items():  # what nobody answers is asked in those very words
            leans[owner] = chance * (1.0 - max(0.0, nobodys - alike.get(owner, NOT_LIKE)[0]))
        likest = {owner: (owner == worded, leans[owner], alike.get(owner, NOT_LIKE)) for owner in self._told}
        nearest = sorted(likest, key=lambda owner: likest[owner], reverse=True)
        found = [
            self._judged(
                owner,
                *alike.get(owner, NOT_LIKE),
                asked,
                leans[owner],
                is_own=owner in told_in,
                is_worded=owner == worded,
            )
            for owner in nearest[:JUDGED_MAX]
        ]
        found.sort(key=lambda topic: (not topic.is_worded, -topic.score))
        return Heard(found[:FOUND_MAX], nobodys, talked, min(1.0, goods), min(1.0, talk))

    def _part(self, features: Features, mass: float) -> _Part:
        """A part of the question is known as far as its meanings are, or when its words are."""
        weight = mass * max((self._rare.get(feature, 1.0) for feature in features), default=1.0)
        means = tuple(feature for feature in features if ":" in feature and feature in self._rare)
        return _Part(weight, means, () if means else tuple(filter(is_word, features)))

    def _judged(
        self,
        identity: str,
        alike: float,
        share: float,
        clauses: Iterable[Sequence[_Part]],
        lean: float,
        *,
        is_own: bool,
        is_worded: bool,
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
        share_known = told / whole if whole else 0.0
        return Topic(identity, min(1.0, alike), min(1.0, share), share_known, told, lean, is_own, is_worded)


def _pieces_of_clause(text: Sequence[Unit], clause: int, aside: frozenset[int]) -> Features:
    places = [at for at, unit in enumerate(text) if unit.clause == clause]
    own = frozenset(number for number, at in enumerate(places) if at in aside)
    return pieces_of([text[at] for at in places], own)


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
