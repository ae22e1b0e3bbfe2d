"""What a question says, as features that can be compared: meanings, words, sounds of Hanzi. Pure.

In: units of a text and what they may mean. Out: features with their weights. A word whose meaning is known weighs
little beside that; one that asks nothing weighs next to nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import TypeAlias

from broadcaster.chat.knowledge_spans import ATTRIBUTE, ELSEWHERE, TOPIC, VALUE, Span
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import Words

MEANING, WORD, SOUND = 1.0, 0.8, 0.2  # what a feature weighs
WORD_WITH_MEANING = 0.35  # a word whose meaning counts already
SILENT_WORD = 0.06
ASIDE = 0.2  # of the weight of words that name a product
PAIR, HANZI, LETTERS = 0.45, 0.3, 0.15  # of words side by side, a Hanzi alone, and three letters of a word
LETTERS_LEAST = 4  # of a word that is taken apart

Features: TypeAlias = dict[str, float]
"""A meaning, a word or two sounds → how much it weighs."""


def bag_of(text: str, words: Words) -> dict[str, float]:
    read = units(text)
    return joined(features_of(read, span, frozenset(), None)[0] for span in words.read(read))


def features_of(
    text: Sequence[Unit], span: Span, aside: frozenset[int], known: Mapping[str, float] | None
) -> tuple[Features, float]:
    """What a span says, and how much it weighs. known: features of the FAQ; of a word's meanings, those count."""
    found: Features = {}
    share = span.mass * (ASIDE if aside.issuperset(range(span.begin, span.end)) else 1.0)
    topics = [one for one in span.means if one.startswith(f"{TOPIC}:")]
    if span.means == {ELSEWHERE}:
        return found, WORD * share
    means = topics or [one for one in span.means if one.partition(":")[0] in (ATTRIBUTE, VALUE)]
    means = [one for one in means if known is None or one in known] or means
    for meaning in means:
        found[meaning] = MEANING * span.quality * share / math.sqrt(len(means))
    weight = SILENT_WORD if span.is_silent else (WORD_WITH_MEANING if means else WORD) * share
    part = text[span.begin : span.end]
    if part[0].wide:
        found["".join(unit.key for unit in part)] = weight
        for one, two in pairwise(part):
            if one.sounds and two.sounds:
                found[f"{one.sounds[0]} {two.sounds[0]}"] = weight * SOUND
    else:
        for unit in part:
            for key, likeness in unit.likely():
                found[key] = max(found.get(key, 0.0), weight * likeness / len(part))
    return found, MEANING * span.quality * share if means else weight


def pieces_of(text: Sequence[Unit], aside: frozenset[int] = frozenset()) -> Features:
    """What it says letter by letter, whatever it means: words that nobody thought of, and slips, are like others."""
    found: Features = {}
    for at, unit in enumerate(text):
        if at in aside or not unit.key:
            continue
        if unit.wide:
            found[f"hanzi {unit.key}"] = HANZI
        elif len(unit.raw) >= LETTERS_LEAST:
            word = f"<{unit.raw}>"
            found.update((f"letters {word[begin : begin + 3]}", LETTERS) for begin in range(len(word) - 2))
        other = text[at + 1] if at + 1 < len(text) else None
        if other and other.key and at + 1 not in aside and other.clause == unit.clause and other.wide == unit.wide:
            found[f"pair {unit.raw} {other.raw}"] = PAIR
    return found


def is_word(feature: str) -> bool:
    """Two sounds alone make no word known."""
    return " " not in feature and ":" not in feature


def joined(parts: Iterable[Features]) -> Features:
    found: Features = {}
    for part in parts:
        for feature, weight in part.items():
            found[feature] = max(found.get(feature, 0.0), weight)
    return found


def length_of(weighed: Mapping[str, float]) -> float:
    return math.sqrt(sum(weight * weight for weight in weighed.values()))
