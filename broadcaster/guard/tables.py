"""The tables that the guard reads texts with: likenesses of letters, simplified characters, readings, common words.

In: the files in data/, each of which says where it was drawn from. Out: dictionaries, read once when first asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

DATA = Path(__file__).parent / "data"


@cache
def lookalikes() -> Mapping[str, str]:
    """A character that looks like a Latin letter or a figure → that one, in small letters."""
    return {like: line[0].lower() for line in _lines("lookalikes.txt") for like in line.split()[1:]}


@cache
def twins() -> Mapping[str, str]:
    """A Hanzi that is drawn like another one → that one."""
    return {like: line[0] for line in _lines("twins.txt") for like in line.split()[1:]}


@cache
def simplified() -> Mapping[str, str]:
    """Traditional → simplified."""
    return {pair[0]: pair[1] for line in _lines("simplified.txt") for pair in line.split()}


@cache
def parts() -> Mapping[str, str]:
    """Parts of a character, one behind the other → the characters that are made of them."""
    found: dict[str, str] = {}
    for line in _lines("parts.txt"):
        for entry in line.split():
            found[entry[1:]] = found.get(entry[1:], "") + entry[0]
    return found


@cache
def emoji() -> Mapping[str, tuple[str, str]]:
    """A sign → what it is written for, in Chinese and English."""
    rows = (line.split(" ", 2) for line in _lines("emoji.txt"))
    return {sign: (zh, en) for sign, zh, en in rows}


@cache
def readings() -> Mapping[str, tuple[str, ...]]:
    """A Hanzi → its syllables without tones, the usual one first."""
    usual: dict[str, tuple[str, ...]] = {}
    others: dict[str, tuple[str, ...]] = {}
    for line in _lines("readings.txt"):
        syllable, _, characters = line.partition(" ")
        first, _, rest = characters.partition("|")
        for table, found in ((usual, first), (others, rest)):
            for character in found:
                table[character] = (*table.get(character, ()), syllable)
    return {character: usual.get(character, ()) + others.get(character, ()) for character in {**others, **usual}}


@cache
def syllables() -> frozenset[str]:
    """All of them, as Latin letters spell them."""
    return frozenset(line.partition(" ")[0] for line in _lines("readings.txt"))


@cache
def chinese() -> Mapping[str, float]:
    """A word → its cost: the negative natural logarithm of how often it comes."""
    costs: dict[str, float] = {}
    for line in _lines("words-zh.txt"):
        level, *words = line.split()
        costs.update(dict.fromkeys(words, int(level) / 2))
    return costs


@cache
def live() -> frozenset[str]:
    """Words of selling by live stream and of what is sold there, which other tables are too grave to know."""
    return frozenset(word for line in _lines("words-live.txt") for word in line.split())


@cache
def english() -> Mapping[str, int]:
    """A word → its place among the most common ones."""
    return {word: place for place, word in enumerate(word for line in _lines("words-en.txt") for word in line.split())}


def _lines(name: str) -> Iterator[str]:
    for line in (DATA / name).read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            yield line
