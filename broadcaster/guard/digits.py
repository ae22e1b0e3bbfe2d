"""Rows of figures in a text, however they are written: 138, 一三八, 幺三八, 壹叁捌, one three eight, yao san ba. Pure.

In: folded text. Out: each row with its figures, how they were grouped, and where it stands. What parts figures (spaces,
dashes, dots, emoji) does not end a row; words do, and so do commas between numbers that grow, which count something.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from broadcaster.guard.fold import HAN
from broadcaster.guard.pinyin import DIGITS
from broadcaster.guard.tables import readings
from tts.numbers import EN_SMALL

HAN_DIGITS = {
    char: str(value)
    for value, chars in enumerate(
        ("零〇", "一壹幺弌", "二贰两", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
    )
    for char in chars
}
TIMES = {"double": 2, "triple": 3}
SOUNDS = {sound: sign for sign, sounds in DIGITS.items() if sign.isdecimal() for sound in sounds if sound != "liang"}
WORDS = {word: str(value) for value, word in enumerate(EN_SMALL[:10])} | SOUNDS
WORDS |= {"oh": "0", "o": "0", "nought": "0", "won": "1", "niner": "9", "too": "2", "tree": "3", "fore": "4"}
WORDS |= {"fife": "5", "sicks": "6", "ate": "8", "nein": "9", "naught": "0", "zip": "0"}
SLANG = {"鸭蛋": "0", "零蛋": "0", "圈": "0", "洞": "0", "拐": "7", "勾": "9", "杠": "1"}  # among figures
LIKE = str.maketrans("oilszbq", "0115269")  # letters that stand among figures for them
WORD = "|".join(sorted([*WORDS, *TIMES], key=len, reverse=True))
PART = re.compile(
    rf"(?P<count>[二两三四五六七八2-8])(?:个|连)(?P<counted>[0-9{''.join(HAN_DIGITS)}]|{'|'.join(SLANG)})"
    rf"|(?P<spelt>(?<![a-z])(?:{'|'.join(SOUNDS)}){{2,}}(?![a-z]))|(?P<slang>鸭蛋|零蛋)"
    r"|(?P<then>然后|接着|跟着|再来?个?|又|之后|后面|后边|中间|前面|and|then|dash|hyphen|杠|横杠)"
    rf"|(?P<figures>(?:\d|(?<![a-z])[oil](?=\d))[\doilszb]*)|(?P<han>[{''.join(HAN_DIGITS)}])"
    rf"|(?P<word>(?<![a-z])(?:{WORD})(?![a-z]))|(?P<other>[a-z{HAN}])"
)
GAP_MAX = 6  # signs between two figures of one row
LEAST = 5  # figures of a row that is told of
HEARD_LEAST = 10  # characters that only sound like figures, all of them, before they are taken for these
HEARD = re.compile(rf"[{HAN}](?:[^\w\n]{{0,2}}[{HAN}]){{{HEARD_LEAST - 1},}}")
CHINESE_UNITS = "十百千万亿拾佰仟"


@dataclass(frozen=True, slots=True)
class Row:
    """groups: its figures as they were parted. counts: they are numbers that grow, side by side."""

    begin: int
    end: int
    groups: tuple[str, ...]
    counts: bool

    @property
    def figures(self) -> str:
        return "".join(self.groups)


def rows(text: str) -> Iterator[Row]:
    parts: list[tuple[int, int, str]] = []
    times, end = 1, 0
    for match in PART.finditer(text):
        if match["other"] or (parts and match.start() - end > GAP_MAX):
            yield from _row(text, parts)
            parts, times = [], 1
            if match["other"]:
                continue
        end = match.end()
        if match["then"]:
            continue
        if match["word"] in TIMES:
            times = TIMES[match["word"]]
            continue
        figures = _figures(match)
        if figures is None:
            yield from _row(text, parts)
            parts, times = [], 1
            continue
        parts.append((match.start(), match.end(), figures * times))
        times = 1
    yield from _row(text, parts)
    yield from _heard(text)


def _figures(match: re.Match[str]) -> str | None:
    if match["count"]:
        counted = {**HAN_DIGITS, **SLANG}.get(match["counted"], match["counted"])
        return counted * int(HAN_DIGITS.get(match["count"], match["count"]))
    if match["han"]:
        return HAN_DIGITS[match["han"]]
    if match["slang"]:
        return SLANG[match["slang"]]
    if match["spelt"]:
        return "".join(SOUNDS[sound] for sound in re.findall("|".join(SOUNDS), match["spelt"]))
    if match["word"]:
        return WORDS[match["word"]]
    found = match["figures"].translate(LIKE)
    return found if found.isdecimal() else None


def _row(text: str, parts: Sequence[tuple[int, int, str]]) -> Iterator[Row]:
    if sum(len(figures) for _, _, figures in parts) < LEAST:
        return
    groups = [parts[0][2]]
    for (_, end, _), (begin, _, figures) in pairwise(parts):
        if end == begin:
            groups[-1] += figures
        else:
            groups.append(figures)
    last = parts[-1][1]
    if text[last : last + 1] in CHINESE_UNITS and text[last : last + 1]:
        return  # 三百: the last of them counts hundreds
    yield Row(parts[0][0], last, tuple(groups), _counts(groups))


def _counts(groups: Sequence[str]) -> bool:
    """Numbers that grow or fall: sizes, prices, a countdown."""
    if len(groups) < 4 or max(map(len, groups)) > 3:
        return False
    numbers = [int(group) for group in groups]
    return all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))


def _heard(text: str) -> Iterator[Row]:
    """Hanzi all of which sound like figures, though they are none: 伊叁霸凌."""
    for match in HEARD.finditer(text):
        at = [index for index in range(match.start(), match.end()) if text[index].isalpha()]
        figures = [
            next((SOUNDS[one] for one in readings().get(text[index], ())[:1] if one in SOUNDS), "") for index in at
        ]
        begin = 0
        for index, figure in enumerate([*figures, ""]):
            if figure:
                continue
            plain = all(text[place] in HAN_DIGITS for place in at[begin:index])
            if index - begin >= HEARD_LEAST and not plain:
                yield Row(at[begin], at[index - 1] + 1, ("".join(figures[begin:index]),), counts=False)
            begin = index + 1
