"""What every shop is asked, in many words, and which entries of a FAQ ask the same. Pure, but for reading its table.

In: data/asked.yaml; the ways to ask that entries list. Out: ways to ask by kind, read once; for each kind the entries
that answer it: those of whose own ways enough, or one beyond doubt, ask that. Talk is answered by none.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import yaml

from broadcaster.chat.knowledge_features import Features, bag_of, pieces_of
from broadcaster.chat.knowledge_units import units
from broadcaster.chat.knowledge_ways import Ways
from broadcaster.chat.knowledge_words import Words

ASKED = Path(__file__).parent / "data" / "asked.yaml"
NOBODY = "-"  # begins the owner of ways to ask what no entry answers
GOODS, TALK = f"{NOBODY}goods-", f"{NOBODY}talk-"  # owners of ways to ask things of a product, and nothing
SAME, SAME_WAYS = 0.6, 0.3  # an entry asks what every shop is asked: so alike is one of its ways, so many of them
SAME_ALONE = 0.97  # or so alike is a single one of many
SAME_SHARE = 0.95  # of the likeness of the likest entry


class Read(NamedTuple):
    """A way to ask: bag, what it says; pieces, letter by letter."""

    bag: Features
    pieces: Features


def read_of(text: str, words: Words) -> Read:
    return Read(bag_of(text, words), pieces_of(units(text)))


def owners_of(own: Sequence[tuple[str, Features]], likeness: Ways, kinds: Iterable[str]) -> dict[str, set[str]]:
    """Kind → the entries that ask the same. own: entry, and a way to ask it, weighed. likeness: to the ways of kinds,
    whose owners begin with NOBODY."""
    alike: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in kinds}
    for identity, weighed in own:
        like, owner = max(((one[0], owner) for owner, one in likeness.nearest(weighed).items()), default=(0.0, ""))
        if like >= SAME and not owner.startswith(TALK):
            alike[owner.removeprefix(NOBODY)][identity].append(like)
    ways = Counter(identity for identity, _ in own)
    found: dict[str, set[str]] = {}
    for name, owners in alike.items():
        is_many = f"{NOBODY}{name}".startswith(GOODS)  # things: one way alone proves none of them
        asking = {
            one: max(like)
            for one, like in owners.items()
            if len(like) >= SAME_WAYS * ways[one] or (max(like) >= SAME_ALONE and not is_many)
        }
        most = max(asking.values(), default=0.0)
        found[name] = {one for one, likely in asking.items() if likely >= SAME_SHARE * most}
    return found


@lru_cache(4)
def common_reads(words: Words) -> Mapping[str, Sequence[Read]]:
    """Ways that every shop is asked; they do not change, and take a while."""
    return {name: [read_of(text, words) for text in texts] for name, texts in common_questions().items()}


@cache
def common_questions() -> Mapping[str, tuple[str, ...]]:
    """What every shop is asked, in many words."""
    with ASKED.open(encoding="utf-8") as file:
        held: Mapping[str, Mapping[str, str]] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return {name: tuple(line for text in texts.values() for line in text.splitlines()) for name, texts in held.items()}
