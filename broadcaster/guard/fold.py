"""One folding of a text, so that what is written in a thousand ways is read in one; and the way back. Pure.

In: any text. Out: the same in small ASCII and simplified letters: full and half width, circled, mathematical, Cyrillic
and Greek likenesses are plain letters, accents and what has no width are gone, emoji are one sign. Of each character
it is known where in the text it stood, so that what is found can be shown as it was written.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from broadcaster.guard.tables import lookalikes, simplified

SIGN = "·"  # in the place of an emoji and of all that is neither letter nor figure nor punctuation
HAN = "\u3400-\u9fff"
IS_HAN = re.compile(f"[{HAN}]")
PAUSES = ",!?;:。、…\n"  # what people end clauses with; all else between two letters is there to part them
INVISIBLE = ("Mn", "Me", "Cf", "Cs", "Co")
KEPT = {
    "…": "…",
    "\n": "\n",
    "\r": "\n",
    "\t": " ",
    "ʼ": "'",
    "’": "'",
    "‘": "'",
    "｀": "'",
    "×": "×",
    "°": "°",
    "·": "·",
    "〇": "〇",
}
SPELT = {"➕": "+", "✚": "+", "❌": "x", "✖": "x", "⭕": "o", "🔟": "10", "💲": "$", "ß": "ss"}
LETTER = re.compile(r"LETTER (?:[A-Z]+ )*?([A-Z])(?: WITH .*)?$")
WRAPPED = re.compile(r"\((.+)\)|(\d+)[.,]")  # what ⑴ and ⒈ come apart into
PARTED = re.compile(rf"(?<=[{HAN}])[^\w{PAUSES}]+(?=[{HAN}])")
ONE = rf"[a-z0-9{HAN}]"
#: signs one by one, with the same between each two of them; with a space there it takes three letters, and figures are
#: left alone, for people write them so
SPELT_OUT = re.compile(
    rf"(?<![a-z0-9])(?:{ONE}(?P<sign>(?:[^\w\s]|_){{1,3}}|[、。…,.]))(?:[@_.]?{ONE}(?P=sign))*{ONE}(?![a-z0-9])"
    rf"|(?<![a-z0-9'])(?:[a-z](?P<gap>\s{{1,3}}))(?:[a-z0-9@_.](?P=gap))+[a-z0-9](?![a-z0-9]|[^\w\s][a-z0-9](?![a-z0-9]))"
)
WIDE = re.compile(r" {2,}")
ENUMERATED = 4  # signs with commas between them that people write: colours, sizes
HANGUL = ("\uac00", "\ud7a3")


class Spot(NamedTuple):
    """Where a word stands in the folded text. plain: as it is."""

    begin: int
    end: int
    word: str
    plain: bool


@dataclass(frozen=True, slots=True)
class Folded:
    """at: index in the original of each character of `text`, and of its end."""

    original: str
    text: str
    at: Sequence[int]

    def source(self, begin: int, end: int) -> str:
        """What stands in the original where `text[begin:end]` does."""
        return self.original[self.at[begin] : self.at[end]].strip() if begin < end else ""

    def replaced(self, changes: Iterable[tuple[int, int, str]]) -> Folded:
        """With other words at these places, first to last; none overlap."""
        parts: list[str] = []
        at: list[int] = []
        done = 0
        for begin, end, words in changes:
            parts += [self.text[done:begin], words]
            at += [*self.at[done:begin], *(self._spread(begin, end, len(words)))]
            done = end
        parts.append(self.text[done:])
        at += self.at[done:]
        return Folded(self.original, "".join(parts), at)

    def closed_up(self) -> Folded:
        """Without what parts two Hanzi and ends no clause, and with what is spelt sign by sign in one."""
        gaps = [(match.start(), match.end(), "") for match in PARTED.finditer(self.text)]
        whole = self.replaced(gaps) if gaps else self
        spelt = [(match.start(), match.end(), _together(match)) for match in SPELT_OUT.finditer(whole.text)]
        spelt = [one for one in spelt if one[2] != whole.text[one[0] : one[1]]]
        whole = whole.replaced(spelt) if spelt else whole
        wide = [(match.start(), match.end(), " ") for match in WIDE.finditer(whole.text)]
        return whole.replaced(wide) if wide else whole

    def _spread(self, begin: int, end: int, count: int) -> list[int]:
        """Places of `count` characters where `end - begin` were."""
        return [self.at[begin + min(index * (end - begin) // max(1, count), end - begin - 1)] for index in range(count)]


def _together(match: re.Match[str]) -> str:
    """What is spelt; as it stands where it is none: a date, a size, two words with a dash."""
    text, sign = match[0], match["sign"] or match["gap"]
    parts = text.split(sign)
    natural = (len(parts) == 2 and sign in "-/.&'+") or (len(parts) <= ENUMERATED and sign in PAUSES)
    if natural or all(part.isdecimal() for part in parts):
        return text
    return "".join(parts)


def fold(text: str) -> Folded:
    parts: list[str] = []
    at: list[int] = []
    for index, char in enumerate(text):
        if folded := FOLDS[char]:
            parts.append(folded)
            at += [index] * len(folded)
    at.append(len(text))
    return Folded(text, "".join(parts), at)


class _Folds(dict[str, str]):
    """Of each character that was ever asked for; there are no more than Unicode has."""

    def __missing__(self, char: str) -> str:
        found = self[char] = _folded(char)
        return found


FOLDS = _Folds()


def _folded(char: str) -> str:
    if char in KEPT:
        return KEPT[char]
    if char in SPELT:
        return SPELT[char]
    if char.isascii():
        return char.lower() if char.isprintable() else ""
    if HANGUL[0] <= char <= HANGUL[1]:
        return char
    parts = unicodedata.normalize("NFKD", char)
    if wrapped := WRAPPED.fullmatch(parts):
        parts = wrapped[1] or wrapped[2]
    return "".join(_plain(part) for part in parts)


def _plain(char: str) -> str:
    """Of a character that comes apart no further."""
    if char.isascii():
        return char.lower()
    for likeness in (char, char.lower()):
        if likeness in lookalikes():
            return lookalikes()[likeness]
    category = unicodedata.category(char)
    if category in INVISIBLE:
        return ""
    if category[0] == "Z":
        return " "
    if category in ("Nd", "No"):
        number = unicodedata.numeric(char)
        return str(int(number)) if number == int(number) else SIGN
    if category[0] == "L":
        char = simplified().get(char, char).lower()
        letter = LETTER.search(unicodedata.name(char, ""))
        return letter[1].lower() if letter and "LATIN" in unicodedata.name(char, "") else char
    if category[0] in "PS" and category not in ("So", "Sk"):
        return char
    letter = LETTER.search(unicodedata.name(char, ""))
    return letter[1].lower() if letter else SIGN if category != "Cn" else ""
