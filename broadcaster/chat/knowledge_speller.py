"""Questions as they are typed in a hurry: slips, spaces lost or put in, short forms, pinyin. Pure.

In: a text, and the words that occur in what is searched. Out: its units. A word that nobody knows is read as the known
words it may be a slip of, as two of them, or as pinyin; a known one stays what it is.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from itertools import pairwise

from rapidfuzz import process
from rapidfuzz.distance import OSA

from broadcaster.chat.knowledge_units import MAX_UNITS, Unit, stem, units
from broadcaster.guard.pinyin import near
from broadcaster.guard.tables import english, syllables

WORD_MAX_CHARS = 24  # longer ones are no words
KNOWN_RANK = 15_000  # English words as common as that are not taken for slips of others
SYLLABLE_MAX = 6  # letters
SLIPS_MAX = 4  # readings of one slip
SLIPS_KEPT = 4096
NEAREST = 24  # known words that are looked at

#: letters of a word → how like it a slip is that is so many letters off: shorter ones stand for too many others
LIKENESS = {3: (0.6,), 4: (0.75,), 5: (0.88,), 6: (0.88, 0.6), 7: (0.9, 0.75), 8: (0.92, 0.8)}
OTHER_INITIAL = 0.85  # of that, when the first letter is off
BEGUN, BEGUN_LETTERS, BEGUN_SHARE = (
    0.7,
    5,
    0.6,
)  # a word that is wrong at its end alone: so many letters and so much of it
SKELETON = 0.7  # a word without its vowels
VOWELS = re.compile(r"(?<!^)[aeiou]|(.)(?=\1)|c(?=k)")
PLAIN_SLIP = 0.88  # a word as like as that to a known one is neither two words nor pinyin
JOINED = 0.95  # of two words written as one, and of one written as two


class Speller:
    """known: words that occur. pairs: two of them, written as one → apart. short: forms → what they stand for."""

    def __init__(self, known: Iterable[str], pairs: Mapping[str, tuple[str, str]], short: Mapping[str, str]) -> None:
        self._known = frozenset(known)
        self._pairs = pairs
        self._short = short
        self._by_length: dict[int, list[str]] = defaultdict(list)
        self._by_begin: dict[str, list[str]] = defaultdict(list)
        self._by_skeleton: dict[str, list[str]] = defaultdict(list)
        for word in sorted(self._known | pairs.keys()):
            self._by_length[len(word)].append(word)
            if len(word) >= BEGUN_LETTERS:
                self._by_begin[word[:BEGUN_LETTERS]].append(word)
            self._by_skeleton[VOWELS.sub("", word)].append(word)
        self._by_lengths: dict[range, list[str]] = {}
        self._slips: dict[str, tuple[tuple[str, float], ...]] = {}

    def units(self, text: str) -> list[Unit]:
        written = units(text)
        found: list[Unit] = []
        for at, unit in enumerate(written):
            beside = any(other.wide for other in written[max(0, at - 1) : at + 2])
            found += self._read(unit, beside_hanzi=beside)
        return self._joined(found[:MAX_UNITS])

    def _read(self, unit: Unit, *, beside_hanzi: bool) -> list[Unit]:
        raw = unit.raw
        if raw in self._short and raw not in self._known:
            return [replace(one, clause=unit.clause) for one in units(self._short[raw])]
        if unit.wide or raw in self._known or not raw[0].isalpha() or len(raw) > WORD_MAX_CHARS:
            return [unit]
        is_common = english().get(raw, KNOWN_RANK) < KNOWN_RANK
        others = () if is_common else self._slip(raw)
        is_slip = bool(others) and others[0][1] >= PLAIN_SLIP
        spelt = pinyin(raw) if beside_hanzi or not (is_slip or raw in english()) else ()
        if len(spelt) > 1 or (spelt and beside_hanzi):
            return [Unit(one, "", sounds=(near(one),), clause=unit.clause) for one in spelt]
        if parts := self._pairs.get(raw) if is_common else self._parts(raw, others):
            return [Unit(part, stem(part), clause=unit.clause) for part in parts]
        stems = tuple((stem(word), like) for word, like in others)
        return [Unit(raw, unit.key, others=stems, slips=others, clause=unit.clause)]

    def _parts(self, raw: str, others: tuple[tuple[str, float], ...]) -> tuple[str, str] | None:
        """Two known words without their space, the longer the first; a slip in them is none."""
        if raw in self._pairs:
            return self._pairs[raw]
        if others and others[0][1] >= PLAIN_SLIP:
            return None
        for at in range(len(raw) - 2, 2, -1):
            if raw[:at] in self._known and raw[at:] in self._known:
                return raw[:at], raw[at:]
        close = [word for word in self._near_by(raw, 1) if word in self._pairs]
        return self._pairs[close[0]] if close and len(raw) >= BEGUN_LETTERS else None

    def _slip(self, raw: str) -> tuple[tuple[str, float], ...]:
        """Words that it may be, the likeliest first."""
        if raw not in self._slips:
            if len(self._slips) >= SLIPS_KEPT:
                self._slips.clear()
            self._slips[raw] = self._looked_up(raw)
        return self._slips[raw]

    def _looked_up(self, raw: str) -> tuple[tuple[str, float], ...]:
        steps = LIKENESS.get(min(len(raw), max(LIKENESS)), ())
        found: dict[str, float] = {}

        def add(word: str, likeness: float) -> None:
            if word in self._known:
                found[word] = max(likeness, found.get(word, 0.0))

        for word, distance in self._near_by(raw, len(steps)).items():
            if len(word) > 2 and (len(raw) > 3 or len(word) != len(raw) or sorted(word) == sorted(raw)):
                add(word, steps[max(0, distance - 1)] * (1.0 if word[0] == raw[0] else OTHER_INITIAL))
        for word in self._by_begin.get(raw[:BEGUN_LETTERS], ()):
            same = next(
                (at for at, (a, b) in enumerate(zip(raw, word, strict=False)) if a != b), min(len(raw), len(word))
            )
            if same >= BEGUN_SHARE * max(len(raw), len(word)):
                add(word, BEGUN)
        skeleton = VOWELS.sub("", raw)
        for word in self._by_skeleton.get(skeleton, ()) if len(skeleton) > 2 and skeleton == raw else ():
            add(word, SKELETON)
        return tuple(sorted(found.items(), key=lambda one: -one[1])[:SLIPS_MAX])

    def _near_by(self, raw: str, steps: int) -> dict[str, int]:
        lengths = range(len(raw) - steps, len(raw) + steps + 1)
        words = self._words_of(lengths)
        if not words or not steps:
            return {}
        near_by = process.extract(raw, words, scorer=OSA.distance, score_cutoff=steps, limit=NEAREST)
        return {word: int(distance) for word, distance, _ in near_by}

    def _words_of(self, lengths: range) -> list[str]:
        if lengths not in self._by_lengths:
            self._by_lengths[lengths] = [word for length in lengths for word in self._by_length.get(length, ())]
        return self._by_lengths[lengths]

    def _joined(self, found: list[Unit]) -> list[Unit]:
        """`tea pot`, where a teapot is known."""
        for at in range(len(found) - 1):
            one, other = found[at], found[at + 1]
            if one.wide or other.wide or not one.raw.isalpha() or not other.raw.isalpha():
                continue
            if (whole := one.raw + other.raw) in self._known:
                extra = ((stem(whole), JOINED),)
                found[at : at + 2] = [replace(part, others=part.others + extra) for part in (one, other)]
        return found


@lru_cache(4096)
def pinyin(word: str) -> tuple[str, ...]:
    """The syllables that a word is made of, as few as can be; none where it is not."""
    cuts: list[tuple[str, ...] | None] = [()]
    for end in range(1, len(word) + 1):
        fitting = [
            (*before, word[begin:end])
            for begin in range(max(0, end - SYLLABLE_MAX), end)
            if (before := cuts[begin]) is not None and word[begin:end] in syllables()
        ]
        cuts.append(min(fitting, key=len) if fitting else None)
    found = cuts[-1] or ()
    return found if len(found) > 1 or len(word) > 2 else ()


def pairs_of(texts: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Words that stand side by side in a text, written as one → apart."""
    found: dict[str, tuple[str, str]] = {}
    for text in texts:
        read = units(text)
        for one, other in pairwise(read):
            if (
                not one.wide
                and not other.wide
                and one.raw.isalpha()
                and other.raw.isalpha()
                and one.clause == other.clause
            ):
                found.setdefault(one.raw + other.raw, (one.raw, other.raw))
    return found
