"""Sums of money that are written by their sound: 漆十酒块 for 七十九块, jiu kuai jiu for 九块九. Pure.

In: folded text. Out: where they stand, and how they are meant.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from broadcaster.guard.amounts import HAN_DIGITS, HAN_UNITS
from broadcaster.guard.lexicon import word_cost
from broadcaster.guard.tables import readings

#: how figures and units sound; a character that sounds like one is taken for it before 块 or 元, unless it is common
SOUNDS = {
    "ling": "零", "yi": "一", "er": "二", "liang": "两", "san": "三", "si": "四", "wu": "五", "liu": "六", "qi": "七",
    "ba": "八", "jiu": "九", "shi": "十", "bai": "百", "qian": "千", "wan": "万", "dian": "点",
}  # fmt: skip
SPELT = "|".join(sorted(SOUNDS, key=len, reverse=True))
SOUNDING = re.compile(r"(?P<han>[\u3400-\u9fff]{2,7})(?P<unit>[块元])(?P<rest>[\u3400-\u9fff]?)")
SOUNDING_SPELT = re.compile(
    rf"(?<![a-z])(?P<whole>(?:{SPELT})(?:\s?(?:{SPELT}))*)\s?(?P<unit>kuai|yuan|块|元)(?:\s?(?P<rest>{SPELT}))?(?![a-z])"
)
UNCOMMON = 7.5  # cost of a character from which on it may be written for a figure


def sounded(text: str) -> Iterator[tuple[int, int, str]]:
    """Sums that are written by their sound: 漆十酒块, jiu kuai jiu; and how they are meant."""
    for match in SOUNDING.finditer(text):
        figures = ""
        for at in range(match.end("han") - 1, match.start("han") - 1, -1):
            if not (figure := _heard(text[at])) or (figure != text[at] and _is_in_word(text, at)):
                break
            figures = figure + figures
        if figures and figures[0] != text[match.end("han") - len(figures)] and figures[0] in HAN_UNITS:
            figures = figures[1:]  # 摆一块: no sum begins with what is only heard as a hundred
        rest = _heard(match["rest"]) if match["rest"] not in ("", "儿", "钱") else ""
        begin, end = match.end("han") - len(figures), match.end("rest") if rest else match.end("unit")
        meant = f"{figures}{match['unit']}{rest}"
        if figures and meant != text[begin:end]:
            yield begin, end, meant
    for match in SOUNDING_SPELT.finditer(text):
        figures = "".join(SOUNDS[sound] for sound in re.findall(SPELT, match["whole"]))
        unit = {"kuai": "块", "yuan": "元"}.get(match["unit"], match["unit"])
        yield match.start(), match.end(), figures + unit + (SOUNDS[match["rest"]] if match["rest"] else "")


def _heard(char: str) -> str:
    """The figure that a character is or, being none that is common, sounds like."""
    if char in HAN_DIGITS or char in HAN_UNITS or char == "点":
        return char
    return SOUNDS.get(readings().get(char, ("",))[0], "") if (word_cost(char) or 0.0) >= UNCOMMON else ""


def _is_in_word(text: str, at: int) -> bool:
    """As 宜 is in 便宜."""
    return any(
        word_cost(text[begin : begin + 2]) is not None
        for begin in (at - 1, at)
        if begin >= 0 and begin + 2 <= len(text)
    )
