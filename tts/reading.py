"""What is written becomes what is said: figures, prices, units, dates, signs. Pure.

In: a sentence as viewers see it, its language, and what of it is said otherwise. Out: a `Reading`: the
text for a voice, and for each stretch of it where it came from, so that a spoken word leads back to the
shown one. Text stays text: markup is never interpreted, emoji and control characters are not said.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from tts.lexicon import Respelt
from tts.tongues import EN_MONEY, EN_MONTHS, EN_UNITS, SCALES, TONGUES, ZH_MEASURES, ZH_UNITS, Tongue

SEARCH_AHEAD = 40  #: characters in which a reported word is looked for: further off it is another one

JOINERS = "\u200c\u200d"  #: shape letters of Persian and Indic scripts; between emoji they mean nothing
DROPPED = "\0"  #: stands for a character that is not said and does not part words
PARTING_SIGNS = frozenset('<>{}[]|/\\^_`"*~#$¥€£•·')  #: said as nothing where no rule reads them
SAID_SYMBOLS = frozenset("℃°±÷×№㎡+=")  #: symbols that a rule reads

PLAIN = {chr(0xFF01 + offset): chr(0x21 + offset) for offset in range(94) if chr(0x21 + offset) not in "!(),;?"}
PLAIN |= {"￥": "¥", "\u2212": "-", "\u2013": "-", "〜": "~", "\u3000": " "}  #: look-alikes, one character for one
RINGED = (*range(0x2460, 0x2469), *range(0x2474, 0x247D), *range(0x2776, 0x277F))  # ① ⑴ ❶, which many voices lack
PLAIN |= {chr(code): str(unicodedata.digit(chr(code))) for code in RINGED}
EN_MONTH_NAMES = {name[:length]: index for index, name in enumerate(EN_MONTHS, 1) for length in (3, len(name))}

NUMBER = r"(?:\d{1,3}(?:,\d{3})+(?!\d)(?:\.\d+)?|\d+(?:\.\d+)?)"
AMOUNTS = rf"(?P<low>{NUMBER})(?:\s?[-~]\s?(?P<high>{NUMBER}))?"
SIGNS = "|".join(re.escape(sign) for sign in sorted(EN_MONEY, key=len, reverse=True) if not sign.isalpha())
CODES = "|".join(sign for sign in EN_MONEY if sign.isalpha())
UNITS = "|".join(re.escape(unit) for unit in sorted({*EN_UNITS, *ZH_UNITS}, key=len, reverse=True))
LONG_SCALES = "|".join(scale for scale in SCALES if len(scale) > 1)
SCALE = rf"(?:\s?(?P<scale>万亿|万|亿|千|百|(?:{LONG_SCALES}|[kKmMbB])(?![A-Za-z])))?"
MONTHS = "|".join(EN_MONTH_NAMES)
DOMAINS = "com|cn|net|org|io|tv|ai|co|app|me|live|shop|edu|gov"

# tried in this order at each place; a group is named as the argument it becomes
RULES = {
    "email": r"(?P<text>[A-Za-z0-9_.+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)",
    "url": r"https?://(?:www\.)?(?P<text>[A-Za-z0-9.-]+[A-Za-z0-9])(?::\d+)?(?:[/?#][!-~]*[A-Za-z0-9/=_&-]|/)?",
    "domain": rf"(?<![A-Za-z0-9@.])(?:www\.)?(?P<text>(?:[A-Za-z0-9-]+\.)+(?:{DOMAINS}))(?![A-Za-z0-9-]|\.[A-Za-z])"
    r"(?:/[!-~]*[A-Za-z0-9/=_&-]|/)?",
    "date": r"(?<![\d.-])(?P<year>\d{4})(?P<by>[-/.])(?P<month>0?[1-9]|1[0-2])(?:[-/.])"
    r"(?P<day>[12]\d|3[01]|0?[1-9])(?![\d.-]\d|\d)",
    "named_date": rf"\b(?P<name>{MONTHS})\.? (?P<day>[12]\d|3[01]|0?[1-9])(?:st|nd|rd|th)?(?!\d)"
    r"(?:,? (?P<year>(?:19|20)\d\d)(?!\d))?",
    "year": r"(?<!\d)(?P<year>\d{4})(?=年(?!级))|(?:(?<=\b[Ii]n )|(?<=\b[Ss]ince )|(?<=\b[Yy]ear ))"
    r"(?P<year2>(?:19|20)\d\d)(?![\d,.%:/-]?\d|%)",
    "time": r"(?<![\d:.])(?P<hour>[01]?\d|2[0-4]):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d))?(?![\d:])"
    r"(?:\s?(?P<half>[aApP])\.?[mM]\b)?",
    "phone": r"(?<![\d.-])(?P<groups>\+\d{1,3}(?:[ -]?\d{2,4}){2,5}|\d{1,4}(?:-\d{2,4}){2,4}|0\d{2,3}-\d{7,8})"
    r"(?![\d.-]?\d)",
    "money": rf"(?P<sign>{SIGNS})\s?{AMOUNTS}{SCALE}(?:\s?[元块])?",
    "coded_money": rf"(?<![\d.]){AMOUNTS}{SCALE}\s?(?P<sign>{CODES})(?![A-Za-z])",
    "percent": rf"(?<![\d.]){AMOUNTS}\s?(?P<sign>[%‰])",
    "measured": rf"(?<![\d.A-Za-z])(?P<number>{NUMBER})\s?(?P<unit>{UNITS})(?![A-Za-z0-9])",
    "dotted": r"(?<![\d.])(?P<parts>\d+(?:\.\d+){2,})(?!\d)",
    "fraction": r"(?<![\d/.])(?P<over>\d{1,3})/(?P<under>\d{1,3})(?![\d/.]?\d)",
    "ratio": r"(?<![\d:.])(?P<one>\d+):(?P<two>\d+)(?![:.\d])",
    "ordinal": r"(?<![\d.,])(?P<number>\d+)(?:st|nd|rd|th)\b",
    "item": rf"(?:\bNo\.\s?|№\s?|#)(?P<number>{NUMBER})(?:号)?",
    "times": rf"(?<![\d.A-Za-z])(?P<number>{NUMBER})[xX](?![A-Za-z0-9])",
    "more_than": rf"(?<![\d.A-Za-z])(?P<number>{NUMBER})\+(?!\s?\d)",
    "code": r"(?<=[A-Za-z])(?<!\d[xX])-?(?P<digits>\d{3,})(?![\d.])",
    "number": rf"(?P<number>{NUMBER})",
    "minus": r"(?<![\w)%])-(?=[\d¥$€£])",
    "to": r"(?<=[\d%])\s?[-~]{1,2}\s?(?=[\d¥$€£])",
    "by": r"(?<=[\d])\s?[x×*]\s?(?=\d)",
    "per": r"(?<=[元块毛])/|(?<=[A-Za-z\d])/(?=[件个斤只克条米瓶盒])",
    "hyphen": r"(?<=[A-Za-z])-(?=\d)",
    "slash": r"(?<=\w)\s?/\s?(?=\w)",
    "sign": r"[&@+=%±÷°×]",
}
ANY_RULE = re.compile("|".join(f"(?P<{name}>{re.sub(r'[(][?]P<[a-z0-9]+>', '(?:', RULES[name])})" for name in RULES))
PATTERNS = {name: re.compile(source) for name, source in RULES.items()}
COUNTED = re.compile(rf"\s?(?:{ZH_MEASURES})")


@dataclass(frozen=True, slots=True)
class Span:
    """spoken[start:end] came from shown[shown:shown_end]; `whole`: only as a whole, else letter by letter."""

    start: int
    end: int
    shown: int
    shown_end: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """text: what a voice is given. shown: what viewers see. spans: in order, covering the text."""

    text: str
    shown: str
    spans: tuple[Span, ...] = field(repr=False)

    @property
    def sayable(self) -> bool:
        """Whether there is a letter or a figure in it."""
        return any(char.isalnum() for char in self.text)

    def origin(self, start: int, end: int) -> tuple[int, int]:
        """Where in the shown text spoken[start:end] comes from."""
        first, last = self._span(start), self._span(end - 1)
        begin = first.shown if first.whole else first.shown + start - first.start
        return begin, last.shown_end if last.whole else last.shown + end - last.start

    def _span(self, at: int) -> Span:
        return self.spans[max(0, bisect_right(self.spans, at, key=lambda span: span.start) - 1)]


class ShownWords:
    """The words a voice reports, in order, become the words that viewers see."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._said_to = 0
        self._shown_to = 0
        self.at = 0  #: where in the shown text the word begins that was told last

    def shown(self, word: str) -> str:
        """The shown word; empty where an earlier one stood for it (`nineteen dollars` → `$19`, ``)."""
        at = self._reading.text.find(word, self._said_to, self._said_to + len(word) + SEARCH_AHEAD) if word else -1
        if at < 0:
            return word
        self._said_to = at + len(word)
        start, end = self._reading.origin(at, self._said_to)
        self.at = start
        start, self._shown_to = max(start, self._shown_to), max(end, self._shown_to)
        return self._reading.shown[start:end].strip()


def readable(sentence: str, language: str, respelt: Sequence[Respelt] = ()) -> Reading:
    """The reading of a sentence in `zh` or `en`; another language keeps its figures, its voice knows them.

    respelt: from a dictionary, in order. A word inside an address or a price is left as it is.
    """
    plain = _plain(sentence)
    builder, done = _Builder(sentence, plain), 0
    for said in _said_otherwise(plain, TONGUES.get(language), respelt):
        builder.copy(done, said.start)
        builder.say(said.said, said.start, said.end)
        done = said.end
    builder.copy(done, len(plain))
    return builder.built()


def _said_otherwise(plain: str, tongue: Tongue | None, respelt: Sequence[Respelt]) -> list[Respelt]:
    """Figures and signs, and the words of a dictionary, in order."""
    found, left = [], list(respelt)
    for match in ANY_RULE.finditer(plain) if tongue else ():
        name = match.lastgroup or ""
        parts = PATTERNS[name].match(plain, match.start())
        if tongue is None or parts is None:
            continue
        meeting = [one for one in left if one.start < match.end() and match.start() < one.end]
        if all(match.end() - match.start() > one.end - one.start for one in meeting):
            left = [one for one in left if one not in meeting]
            found.append(Respelt(match.start(), match.end(), READERS[name](tongue, parts)))
    return sorted([*found, *left], key=lambda one: one.start)


READERS: dict[str, Callable[[Tongue, re.Match[str]], str]] = {
    "email": lambda tongue, m: tongue.address(m["text"]),
    "url": lambda tongue, m: tongue.address(m["text"]),
    "domain": lambda tongue, m: tongue.address(m["text"]),
    "date": lambda tongue, m: tongue.date(m["year"], int(m["month"]), int(m["day"])),
    "named_date": lambda tongue, m: tongue.date(m["year"] or "", EN_MONTH_NAMES[m["name"]], int(m["day"])),
    "year": lambda tongue, m: tongue.year(m["year"] or m["year2"]),
    "time": lambda tongue, m: tongue.time(
        int(m["hour"]), int(m["minute"]), int(m["second"]) if m["second"] else None, (m["half"] or "").lower()
    ),
    "phone": lambda tongue, m: tongue.digits(re.findall(r"\d+", m["groups"])),
    "money": lambda tongue, m: tongue.money(m["sign"], _amounts(m), m["scale"] or ""),
    "coded_money": lambda tongue, m: tongue.money(m["sign"], _amounts(m), m["scale"] or ""),
    "percent": lambda tongue, m: tongue.percent(_amounts(m), m["sign"]),
    "measured": lambda tongue, m: tongue.measured(_bare(m["number"]), m["unit"]),
    "dotted": lambda tongue, m: tongue.dotted(m["parts"].split(".")),
    "fraction": lambda tongue, m: _fraction(tongue, m["over"], m["under"]),
    "ratio": lambda tongue, m: tongue.ratio(m["one"], m["two"]),
    "ordinal": lambda tongue, m: tongue.ordinal(m["number"]),
    "item": lambda tongue, m: tongue.item(_bare(m["number"])),
    "times": lambda tongue, m: tongue.times(_bare(m["number"])),
    "more_than": lambda tongue, m: tongue.more_than(_bare(m["number"])),
    "code": lambda tongue, m: tongue.digits([m["digits"]]),
    "number": lambda tongue, m: tongue.number(_bare(m["number"]), _is_counted(m)),
    "minus": lambda tongue, m: tongue.signs["minus"],
    "to": lambda tongue, m: tongue.signs["-"],
    "by": lambda tongue, m: tongue.signs["x"],
    "per": lambda tongue, m: tongue.signs["per"],
    "hyphen": lambda tongue, m: " ",
    "slash": lambda tongue, m: _slash(tongue, m),
    "sign": lambda tongue, m: tongue.signs["x" if m[0] == "×" else m[0]],
}


def _bare(number: str) -> str:
    return number.replace(",", "")


def _amounts(match: re.Match[str]) -> list[str]:
    return [_bare(amount) for amount in (match["low"], match["high"]) if amount]


def _fraction(tongue: Tongue, over: str, under: str) -> str:
    """1/2 is a half; 24/7 is not a fraction."""
    if 0 < int(over) < int(under):
        return tongue.fraction(over, under)
    return f"{tongue.number(over, counted=False)} {tongue.number(under, counted=False)}"


def _is_counted(match: re.Match[str]) -> bool:
    """2个 is 两个, 第2个 and 12个 are not."""
    ordinal = match.string[: match.start()].endswith("第")
    return not ordinal and COUNTED.match(match.string, match.end()) is not None


def _slash(tongue: Tongue, match: re.Match[str]) -> str:
    """his/her is *his or her*; and/or, TCP/IP only part."""
    around = match.string[: match.start()][-1:] + match.string[match.end() :][:1]
    before_or = match.string[match.end() :].startswith("or")
    return " " if around.isupper() or before_or or any(char.isdigit() for char in around) else tongue.signs["or"]


def _plain(sentence: str) -> str:
    """The sentence with one plain character for each of its own: full-width forms narrowed, the unsayable marked."""
    return "".join(_plain_char(char, sentence[at - 1 : at]) for at, char in enumerate(sentence))


def _plain_char(char: str, before: str) -> str:
    char = PLAIN.get(char, char)
    kind = unicodedata.category(char)
    if char.isspace() or char in SAID_SYMBOLS:
        return " " if char.isspace() else char
    if char in JOINERS and before and unicodedata.category(before)[0] in "LM":
        return char
    if kind in ("Cf", "Me") or 0xFE00 <= ord(char) <= 0xFE0F:
        return DROPPED
    return " " if kind[0] == "C" or (kind in ("So", "Sk", "Sm") and char not in PARTING_SIGNS) else char


class _Builder:
    """Puts a reading together, stretch by stretch, with single spaces."""

    def __init__(self, shown: str, plain: str) -> None:
        self._shown, self._plain = shown, plain
        self._text: list[str] = []
        self._spans: list[Span] = []
        self._length = 0

    def copy(self, start: int, end: int) -> None:
        for at in range(start, end):
            char = self._plain[at]
            if char == DROPPED:
                continue
            if char in PARTING_SIGNS:
                char = " "
            if char == " " and self._ends_in_space():
                continue
            self._append(char, at, at + 1, whole=False)

    def say(self, words: str, start: int, end: int) -> None:
        if self._text and _meet(self._text[-1][-1], words[0]):
            self._append(" ", start, start, whole=True)
        if words == " " and self._ends_in_space():
            return
        self._append(words, start, end, whole=True)

    def built(self) -> Reading:
        text = "".join(self._text).rstrip()
        return Reading(text, self._shown, tuple(span for span in self._spans if span.start < len(text)))

    def _ends_in_space(self) -> bool:
        return not self._text or self._text[-1].endswith(" ")

    def _append(self, text: str, start: int, end: int, *, whole: bool) -> None:
        last = self._spans[-1] if self._spans else None
        if not whole and self._text and last and last.whole and _meet(self._text[-1][-1], text[0]):
            self._append(" ", start, start, whole=True)
            last = None
        if last and not whole and not last.whole and last.shown_end == start:
            self._spans[-1] = Span(last.start, last.end + len(text), last.shown, end, whole=False)
        else:
            self._spans.append(Span(self._length, self._length + len(text), start, end, whole))
        self._text.append(text)
        self._length += len(text)


def _meet(one: str, two: str) -> bool:
    """Whether two letters would run into one word."""
    return one.isascii() and two.isascii() and one.isalnum() and two.isalnum()
