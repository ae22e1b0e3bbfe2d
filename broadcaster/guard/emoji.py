"""A text that is read with its emoji as words: `five-star sign` for five of them, 银行卡 for a card. Pure.

In: a text. Out: the same with the emoji of data/emoji.txt in the words of its language, or nothing where it has none. A
heart between two letters parts them, and is read so elsewhere (broadcaster.guard.fold).
"""

from __future__ import annotations

import re
from functools import cache

from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.tables import emoji

NUMBERS = ("", "", "two", "three", "four", "five", "six")  # of the same sign in a row
NUMBERS_ZH = ("", "", "两", "三", "四", "五", "六")


def spoken(text: str) -> str:
    """With its emoji as words; "" when none of them stands for a word."""
    chinese = IS_HAN.search(text) is not None
    said = _signs().sub(lambda match: _said(match, chinese), text)
    return said if said != text else ""


def _said(match: re.Match[str], chinese: bool) -> str:
    zh, en = emoji()[match["sign"]]
    count = len(re.findall(re.escape(match["sign"]), match[0]))
    if count >= len(NUMBERS):
        count = 1
    if chinese:
        return f"{NUMBERS_ZH[count]}{zh}"
    return f" {NUMBERS[count]} {en}{'s' if count > 1 else ''} "


@cache
def _signs() -> re.Pattern[str]:
    signs = "|".join(re.escape(sign) for sign in sorted(emoji(), key=len, reverse=True))
    return re.compile(rf"\s?(?P<sign>{signs})[\ufe0f\u200d\U0001f3fb-\U0001f3ff]*(?:(?P=sign)\ufe0f?)*\s?")
