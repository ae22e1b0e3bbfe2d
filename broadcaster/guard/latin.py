"""Words of Latin letters where they are written otherwise: figures for letters, repeated, parted or masked. Pure.

In: a folded text, and words or phrases. Out: where each of them stands, and whether it stands there as it is. A word is
found as a whole alone: not within another (Scunthorpe), nor across words that people write side by side (pen is).
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import product
from typing import NamedTuple

from broadcaster.guard.fold import PAUSES, Folded, Spot
from broadcaster.guard.tables import english

TOKEN = re.compile(r"[a-z0-9@$](?:[a-z0-9'@$!|*€£¥#]*[a-z0-9@$*])?")
#: one letter for all that are read as one another
MERGED = str.maketrans(
    {"4": "a", "@": "a", "8": "b", "6": "b", "g": "b", "9": "b", "q": "c", "k": "c", "3": "e", "€": "e"}
    | {"1": "i", "!": "i", "|": "i", "l": "i", "£": "i", "y": "i", "¥": "i", "0": "o", "5": "s", "$": "s", "z": "s"}
    | {"2": "s", "7": "t", "v": "u", "#": "h"}
)
#: what may stand for a letter, all told
ALIKE = (
    "aa4@ bb86 cckq ee3€ ff gg96 hh# ii1!|ly kkcq ll1|!i£ oo0 qqkg9 ss5$z2 tt7 uuv vvu yyi¥ zzs2 "
    "00o 11il!| 22z 33e 44a 55s 66bg 77t 88b 99gq"
)
CLASSES = {group[0]: group[1:] for group in ALIKE.split()}
#: letters that are read in the place of a sign
INSTEAD = "4a @a 8b 6bg 9gq 3e €e 1il !il |li 0o 5s $s 2zs 7t ¥y £l #h"
READ = {group[0]: group[1:] for group in INSTEAD.split()}
MEASURE = re.compile(r"\d+[a-z]{1,4}|[a-z]{1,3}\d+|\d+(?:x\d+)+")  # 100ml, p01
READ_LEAST = 4  # letters of a word that is read so
READINGS_MAX = 64  # of one run of letters
RUN_LEAST = 8  # letters of a run that is cut into words
PART_COMMON = 6_000  # such words alone
MASK = "*"
MASKED_MOST = 0.5  # of its letters
LOOSE = 3  # letters from which on a word may be written otherwise
TERSE = 5  # and from which on a doubled letter may be single
COMMON = 12_000  # English words that people write side by side
RARE = 15_000  # from which place on a word in -er is no word of its own: scammer, not butter
TOKENS_MAX = 24  # in one word


class Token(NamedTuple):
    """gap: a clause may end before it."""

    begin: int
    end: int
    text: str
    gap: bool


class LatinWords:
    """inflected: with their plurals and tenses."""

    def __init__(self, words: Iterable[str], *, inflected: bool = False) -> None:
        self._forms: dict[str, dict[str, str]] = defaultdict(dict)  # merged → form, without spaces → word
        self._cut: dict[str, tuple[str, ...]] = {}  # form → as it is written
        self._shapes: dict[str, re.Pattern[str]] = {}
        self._masked: dict[int, dict[str, str]] = defaultdict(dict)
        self._starts: set[str] = set()  # of merged forms
        for word in dict.fromkeys(words):
            for form in forms(word) if inflected else (word,):
                cut = tuple(token.text for token in _tokens(form))
                tight = "".join(cut)
                if not tight:
                    continue
                self._cut[tight] = cut
                self._forms[_merged(tight)].setdefault(tight, word)
                self._masked[len(tight)].setdefault(tight, word)
                merged = _merged(tight)
                self._starts.update(merged[:size] for size in range(1, len(merged) + 1))

    def find(self, folded: Folded) -> list[Spot]:
        tokens = _tokens(folded.text)
        merged = [_merged(token.text) for token in tokens]
        found: list[Spot] = []
        for first in range(len(tokens)):
            joined = ""
            for last in range(first, min(len(tokens), first + TOKENS_MAX)):
                if last > first and tokens[last].gap and not _spelt(tokens, first, last):
                    break
                joined += merged[last][1:] if joined[-1:] == merged[last][:1] else merged[last]
                masked = MASK in joined
                if joined not in self._starts and not masked:
                    break
                here = tokens[first : last + 1]
                raw = "".join(token.text for token in here)
                for form, word in (self._masked[len(raw)] if masked else self._forms.get(joined, {})).items():
                    if (plain := self._is(form, here, raw)) is not None:
                        found.append(Spot(here[0].begin, here[-1].end, word, plain))
                if masked:
                    break
        return found

    def _is(self, form: str, here: Sequence[Token], raw: str) -> bool | None:
        """Whether it is that form as it is, or otherwise; None: it is not."""
        texts = tuple(token.text for token in here)
        if raw == form and texts == self._cut[form]:
            return True
        if raw == form:
            return None if len(here) > 1 and all(map(_is_word, texts)) else False
        if len(form) < LOOSE or not any(map(str.isalpha, raw)):
            return None
        if all(text.isalpha() and (_is_word(text) if len(here) > 1 else text in english()) for text in texts):
            return None
        if raw.count(MASK) > MASKED_MOST * len(form):
            return None
        shape = self._shapes.get(form) or self._shapes.setdefault(form, _shape(form))
        return False if shape.fullmatch(raw) else None


def read_as_words(folded: Folded, known: frozenset[str]) -> Iterator[Spot]:
    """Runs of letters and signs that are common words, or those known, with figures for letters or without spaces."""
    for token in _tokens(folded.text):
        if token.text.isalpha():
            unknown = len(token.text) >= RUN_LEAST and token.text not in english() and token.text not in known
            if unknown and (parts := _cut(token.text)):
                yield Spot(token.begin, token.end, " ".join(parts), False)
        elif word := _read(token.text, known):
            yield Spot(token.begin, token.end, word, False)


def _read(text: str, known: frozenset[str]) -> str:
    if not any(map(str.isalpha, text)) or len(text) < READ_LEAST or MEASURE.fullmatch(text):
        return ""
    options = [READ.get(char, char) for char in text]
    if math.prod(map(len, options)) > READINGS_MAX:
        return ""
    found = ["".join(letters) for letters in product(*options)]
    words = [word for word in found if word.isalpha() and (word in english() or word in known)]
    return min(words, key=lambda word: english().get(word, 0), default="")


def _cut(run: str) -> list[str]:
    """Common words of which it is made, the most common ones; none when it is not."""
    best: list[list[str] | None] = [[]]
    for end in range(1, len(run) + 1):
        ways = [
            [*before, run[begin:end]]
            for begin in range(max(0, end - 14), end)
            if (before := best[begin]) is not None and _is_part(run[begin:end])
        ]
        best.append(min(ways, key=_seldom, default=None))
    found = best[-1] or []
    return found if len(found) > 1 and len(run) >= 3 * len(found) else []


def _seldom(words: Sequence[str]) -> float:
    return sum(math.log(english().get(word, PART_COMMON) + 10) for word in words)


def _is_part(text: str) -> bool:
    return text in ("a", "i") or (len(text) > 1 and english().get(text, PART_COMMON) < PART_COMMON)


def forms(word: str) -> Iterator[str]:
    """The word, and what grammar makes of it."""
    yield word
    if not re.fullmatch(r"(?:.*\s)?[a-z]{3,}", word):
        return
    yield from (f"{word}s", f"{word}'s")
    if word[-1] in "sxzh":
        yield f"{word}es"
    if " " in word:
        return
    stem = word[:-1] if word[-1] == "e" else word
    yield from (f"{stem}ed", f"{stem}ing")
    yield from (form for form in (f"{stem}er", f"{stem}ers") if english().get(form, RARE) >= RARE)
    if word[-1] == "y" and word[-2] not in "aeiou":
        yield from (f"{word[:-1]}ies", f"{word[:-1]}ied")
    elif word[-1] not in "aeiouwxy" and word[-2] in "aeiou" and word[-3] not in "aeiou":
        doubled = f"{word}{word[-1]}"
        yield from (f"{doubled}ed", f"{doubled}ing")
        yield from (form for form in (f"{doubled}er", f"{doubled}ers") if english().get(form, RARE) >= RARE)


@lru_cache(maxsize=20_000)
def _merged(raw: str) -> str:
    """What all ways of writing it have in common."""
    return re.sub(r"(.)\1+", r"\1", raw.replace("ph", "f").replace("vv", "w").translate(MERGED))


def _shape(form: str) -> re.Pattern[str]:
    parts = []
    for match in re.finditer(r"ph|(.)\1*", form):
        letter, count = match[0][0], len(match[0])
        one = re.escape("".join(sorted(CLASSES.get(letter, letter))) + MASK)
        if match[0] == "ph":
            parts.append("(?:ph|f)")
        elif letter == "w":
            parts.append(rf"(?:[w{re.escape(MASK)}]|vv|uu)+")
        else:
            parts.append(rf"[{one}]{{{1 if len(form) >= TERSE else count},}}")
            if letter == "f":
                parts[-1] = rf"(?:{parts[-1]}|ph)"
    return re.compile("".join(parts))


@lru_cache(maxsize=8)  # one text is looked through for several sets of words
def _tokens(text: str) -> list[Token]:
    tokens: list[Token] = []
    end = 0
    for match in TOKEN.finditer(text):
        between = text[end : match.start()]
        gap = any(char in PAUSES for char in between) or ". " in between
        tokens.append(Token(match.start(), match.end(), match[0].replace("'", ""), gap))
        end = match.end()
    return tokens


def _spelt(tokens: Sequence[Token], first: int, last: int) -> bool:
    """Letter by letter, so that what stands between them ends no clause."""
    return all(len(token.text) == 1 for token in tokens[first : last + 1])


def _is_word(text: str) -> bool:
    return english().get(text, COMMON) < COMMON
