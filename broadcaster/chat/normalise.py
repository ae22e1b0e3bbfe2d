"""What a viewer wrote, as it may be read aloud and as it is compared; or why it is passed over. Pure.

In: any text. Out: words without pictures, hidden characters, marks of our own, names, numbers that belong to a person;
full width made narrow, shouting and repetition made plain. It knows no lists: those are in broadcaster.chat.blocked.
"""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from broadcaster.chat.model import Reason
from tts.text import CJK, HAN

RAW_MAX_CHARS = 500  # what is longer is passed over, whatever it is
SAID_MAX_CHARS = 200  # about 12 s of talk; a longer question is none that a room could follow
SYMBOLS_MAX = 0.3  #: of the characters; more is code, a table or a drawing

HIDDEN = re.compile(  # zero width, directions, tags, variation selectors, what belongs to nobody
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f"
    r"\ufeff\uffa0\ufff0-\uffff\ue000-\uf8ff\U000e0000-\U0010ffff]"
)
PICTURES = re.compile(
    r"[\u20e3\u2190-\u21ff\u2300-\u27bf\u2900-\u297f\u2b00-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff]+"
)
PILED = re.compile(r"[\u0334-\u0338\u0489]|[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff]{2,}")
EMOTE = re.compile(r"\[[^\[\]]{1,12}\]")
MENTION = re.compile(r"@(?:主播|客服|小助手|老板|店家)|@[^\s@,，:：?？]{1,40}")
NARROW = re.compile(rf"(?<={CJK})[,?!:;]")
WIDE = str.maketrans(",?!:;", "，？！：；")

MAY_LINK = re.compile(r"[.。:@+➕加]|[vwq]\s?[xq]|chat|telegram|whats")  # worth a closer look
LINK = re.compile(
    r"https?:|ftp:|www\s?\."
    r"|(?<=[a-z0-9])\s?[.。]\s?(?:com|cn|net|org|io|xyz|cc|gg|ly|ru|biz)(?![a-z0-9])"
    r"|(?<=[a-z0-9-]{4})\.(?:top|vip|shop|store|link|app|site|online|info|club|live|me|tv|de|fr|uk|jp|kr)(?![a-z0-9])"
    r"|(?<![a-z])t\.me/|(?<=\w)@[\w-]{1,40}\.\w"
    r"|(?<![a-z])(?:v\s?x|w\s?x|q\s?q|we\s?chat|whats\s?app|telegram)(?![a-z])\s?(?:号|群|[:：+]|\w{5,})"
    r"|[加➕+]\s?(?:我|一下)?\s?(?:v\s?x|w\s?x|v|微信|薇信|威信|微|薇|扣扣|q\s?q)(?![a-z])"
)
MAY_CODE = re.compile(r"[`<{$=:;\\&|(]|-- |0x|select")
CODE = re.compile(
    r"```|</?[a-z!][^<>]{0,60}>|\{\{|\$\{|<script|</|=>|::|;\s?(?:drop|select|rm)\b|\bselect\b.{1,60}?\bfrom\b"
    r"|\\[xu][0-9a-f]{2}|\b(?:def|function|const|import|print|console)\b.{0,30}?[({;=]|0x[0-9a-f]{6,}|&&|\|\||--\s"
)
SYMBOL = re.compile(r"[{}<>\[\]|\\/;=$#^~*_`@+%&()]")
UNSAID = re.compile(r"[\[\]{}<>|\\=#^~*_`\"“”]+")  # marks of texts and templates are in it
OWN_NUMBER = re.compile(r"\+\d[\d \-.()]{6,20}|(?:\d[ \-.()]{0,2}){9,}\d|\d{7,}")

STRETCHED = re.compile(r"([^\W\d_])\1{2,}")
PUNCTUATION = re.compile(r"([^\w\s])(?:\s?\1)+")
ASKED_LOUD = re.compile(r"[?!？！]{2,}")
OVER_AND_OVER = re.compile(r"(.{2,30}?)(?:[\s,.!?，。！？]{0,3}\1)+[\s,.!?，。！？]*")
KEPT = re.compile(rf"\d+(?:[.,]\d+)*|[^\W\d_{HAN}]+|[{HAN}]")
HANZI = re.compile(f"[{HAN}]")
NOISE = re.compile(
    r"6{2,}|8{2,}|9{3,}|[哈呵嘿嘻嘎]+|(?:ha|he|hi){2,}h?|l+o+l+|lmf?ao|rofl|x+d+|w{2,}|z{2,}|k{3,}|gg|f|first"
    r"|打卡|签到|前排|沙发|路过|来了"
)
ASKS = re.compile(
    r"[?？吗呢咋哪谁求价]|什么|多少|怎么|几[个天块号]|多久|多大|多重|能不能|可不可以|有没有|是不是|会不会"
)
ASKING = frozenset(
    {"what", "how", "when", "where", "which", "who", "why", "can", "could", "does", "do", "is", "are", "will", "would"}
    | {"any", "price", "cost", "ship", "shipping"}
)


class Normal(NamedTuple):
    """said: as it may be read aloud. key: the same in small letters, without marks, what is compared.

    why: what it is passed over for, or None. asks: whether it looks like a question.
    """

    said: str
    key: str
    why: Reason | None = None
    asks: bool = False


def normalised(text: str) -> Normal:
    """The text in both forms; a text that is passed over may have neither."""
    if len(text) > RAW_MAX_CHARS:
        return Normal("", "", Reason.LONG)
    plain = visible(text)
    low = plain.lower()
    if MAY_LINK.search(low) and LINK.search(low):
        return Normal("", "", Reason.LINK)
    if (MAY_CODE.search(low) and CODE.search(low)) or _is_drawn(low):
        return Normal("", "", Reason.CODE)
    said = _said(plain)
    key = key_of(said)
    if not key or NOISE.fullmatch(key):
        return Normal(said, key, Reason.NOISE)
    if len(said) > SAID_MAX_CHARS:
        return Normal(said, key, Reason.LONG)
    return Normal(said, key, None, ASKS.search(said) is not None or not ASKING.isdisjoint(key.split()))


def visible(text: str) -> str:
    """The text without what cannot be seen and without pictures, in narrow and joined characters."""
    if text.isascii():
        return text
    text = unicodedata.normalize("NFKC", HIDDEN.sub("", text))
    return PILED.sub("", PICTURES.sub(" ", text))


def _is_drawn(low: str) -> bool:
    symbols = len(SYMBOL.findall(low))
    return symbols > 3 and len(SYMBOL.findall(EMOTE.sub("", low))) > max(3, SYMBOLS_MAX * len(low))


def _said(text: str) -> str:
    text = UNSAID.sub(" ", OWN_NUMBER.sub(" ", MENTION.sub(" ", EMOTE.sub(" ", text))))
    text = PUNCTUATION.sub(r"\1", STRETCHED.sub(r"\1\1", text))
    text = ASKED_LOUD.sub(_loud, " ".join(text.split()))
    if repeated := OVER_AND_OVER.fullmatch(text):
        text = repeated[1]
    if text.isupper() and " " in text:
        text = text.capitalize()  # a voice spells what is all capitals
    if not text.isascii():
        text = NARROW.sub(lambda mark: mark[0].translate(WIDE), text)
    return text.replace(" ?", "?").replace(" ？", "？").strip(" +,.，。、:：;；-/")


def _loud(marks: re.Match[str]) -> str:
    return "?" if "?" in marks[0] or "？" in marks[0] else "!"


def key_of(said: str) -> str:
    """Words, figures and Hanzi in small letters, with one space between words."""
    parts = [part if HANZI.match(part) else f" {part} " for part in KEPT.findall(said.casefold())]
    return " ".join("".join(parts).split())
