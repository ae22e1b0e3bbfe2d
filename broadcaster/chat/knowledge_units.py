"""A text becomes the units that it is understood by: words by their stems, Hanzi with their sounds. Pure.

In: any text. Out: units in order; traditional, wide, accented and capital letters are simplified, narrow, bare and
small. Punctuation and emoji are left out, but part clauses. What is beyond MAX_UNITS is not looked at.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

import snowballstemmer

from broadcaster.guard.fold import fold
from broadcaster.guard.pinyin import near
from broadcaster.guard.tables import readings

MAX_UNITS = 80  # a comment is shorter; of more, what begins it counts
MAX_CHARS = 4 * MAX_UNITS

WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af"
TOKEN = re.compile(rf"(?P<word>[^\W\d_{WIDE}]+(?:'[^\W\d_{WIDE}]+)*)|(?P<number>\d+(?:\.\d+)?)|(?P<wide>[{WIDE}])")
DRAWN_OUT = re.compile(r"([^\W\d])\1{2,}")  # soooo
CLAUSE = re.compile(r"[,;:!?~…·、，。；：！？()（）\n]|\.(?=\s|$)|\s[-–—]\s")
#: words that mean something else than others of their stem: to install, a package, a present
STEMS = dict.fromkeys(("instalment", "instalments", "installment", "installments"), "instalment")
STEMS |= {"handed": "handed", "packaging": "packaging", "presenter": "presenter", "presenters": "presenter"}


@dataclass(frozen=True, slots=True)
class Unit:
    """raw: the word, figure or Hanzi. key: what it is known by, "" for pinyin. others: keys that it may be a slip of,
    and how likely, 0 to 1; slips: the same, as they are written. sounds: of a Hanzi or pinyin, those of its readings
    that people tell apart. clause: its number, from 0."""

    raw: str
    key: str
    wide: bool = False
    sounds: tuple[str, ...] = ()
    others: tuple[tuple[str, float], ...] = ()
    slips: tuple[tuple[str, float], ...] = ()
    clause: int = 0

    def likely(self) -> Iterator[tuple[str, float]]:
        """Keys that it may be meant by, and how likely each is."""
        if self.key:
            yield self.key, 1.0
        yield from self.others


def units(text: str) -> list[Unit]:
    """As they are written."""
    folded = DRAWN_OUT.sub(r"\1\1", fold(text[:MAX_CHARS]).text)
    found: list[Unit] = []
    clause = end = 0
    for match in TOKEN.finditer(folded):
        gap = folded[end : match.start()]
        if found and gap and (CLAUSE.search(gap) or (found[-1].wide and match["wide"])):
            clause += 1
        end = match.end()
        found.append(_unit(match, clause))
    return found[:MAX_UNITS]


def _unit(match: re.Match[str], clause: int) -> Unit:
    raw = match[0].replace("'", "")  # few type it
    if match["wide"]:
        return Unit(raw, raw, True, sounds_of(raw), clause=clause)
    return Unit(raw, stem(raw) if match["word"] else raw, clause=clause)


@lru_cache(16_384)
def sounds_of(char: str) -> tuple[str, ...]:
    """The usual one first."""
    return tuple(dict.fromkeys(near(one) for one in readings().get(char, ())))


@lru_cache(16_384)
def stem(word: str) -> str:
    if word in STEMS or not word.isascii():
        return STEMS.get(word, word)
    return str(_stemmer().stemWord(word))


@cache
def _stemmer() -> snowballstemmer.stemmer:
    return snowballstemmer.stemmer("english")
