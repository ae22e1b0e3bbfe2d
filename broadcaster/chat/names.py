"""How a viewer may be called on air. Pure.

In: a name as the platform sent it. Out: words for a sentence, in Chinese or English; "" where nobody is to be
mentioned. A name is never the way out of the room: one with a number, an address or a messenger in it is not said at
all, nor one that a voice cannot read.
"""

from __future__ import annotations

import re
import unicodedata

from broadcaster.chat.normalise import HANZI, LINK, UNSAID, key_of, visible
from tts.text import HAN

FIRST_LETTER, VIEWER, NONE, FULL = "first_letter", "viewer", "none", "full"
SAID_MAX_CHARS = 16
SOMEBODY = {"zh": "有位朋友", "en": "a viewer"}
LETTER = {"zh": "{}开头的朋友", "en": "viewer {}"}

FIGURE = r"[0-9零〇一二三四五六七八九十幺两壹贰叁肆伍陆柒捌玖拾]"
NUMBER = re.compile(rf"(?:{FIGURE}[^0-9A-Za-z{HAN}]{{0,3}}){{5,}}")
SPELT = r"(?:zero|one|two|three|four|five|six|seven|eight|nine|oh)"
SPELT_NUMBER = re.compile(rf"{SPELT}(?:[^a-z]{{0,3}}{SPELT}){{4,}}")
WAY_OUT = re.compile(
    r"[.。点]\s?(?:com|cn|net|org|cc|top|vip|xyz|shop|me|io|tv)|\bdot\s?(?:com|net|org)|https?|www|[@/\\]"
    r"|(?<![a-z])(?:v\s?x|w\s?x|q\s?q|vv)(?![a-z])|we\s?chat|whats\s?app|telegram|微信|薇信|威信|微[号：:]|加[微薇威vwq]|扣扣|电话|手机号"
)
READABLE = re.compile(rf"[A-Za-zÀ-ɏ{HAN}]")


def called(user: str, how: str, language: str) -> str:
    """What the viewer is called. how: first_letter | viewer | none | full. language: English is for all but "zh"."""
    tongue = "zh" if language == "zh" else "en"
    if how == NONE:
        return ""
    name = _name(user) if how in (FIRST_LETTER, FULL) else ""
    if not name:
        return SOMEBODY[tongue]
    if how == FULL:
        return name
    first = READABLE.search(name)
    if first is None or (tongue != "zh" and HANZI.match(first[0])):
        return SOMEBODY[tongue]
    return LETTER[tongue].format(first[0].upper())


def _name(user: str) -> str:
    """The name as a voice can say it; "" when it must not or cannot."""
    plain = visible(user)
    low = unicodedata.normalize("NFKC", plain).casefold()
    if NUMBER.search(low) or SPELT_NUMBER.search(low) or WAY_OUT.search(low) or LINK.search(low):
        return ""
    name = " ".join(UNSAID.sub(" ", plain).split())
    if len(name) > SAID_MAX_CHARS or not key_of(name) or not READABLE.search(name):
        return ""
    return name
