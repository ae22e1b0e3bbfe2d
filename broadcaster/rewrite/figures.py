"""Figures in a text: numbers with what they count, prices, percentages, dates and times, in digits or in words. Pure.

In: a text. Out: where they stand, each in a form that is the same however it is spaced or spelt with capitals. Words
for numbers are known in English and Chinese; in other languages digits alone. Rather one too many than one too few.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

DIGITS = r"\d+(?:[.,:/–-]\d+)*"
CURRENCY = r"(?:US\$|HK\$|NT\$|[$€£¥￥₩₹₽]|\b(?:RMB|CNY|USD|EUR|GBP|JPY|HKD|TWD)\b)"
UNITS = (
    r"(?:%|％|‰|°\s?[CF]?|percent\b|per\s?cent\b|[ap]\.?m\b\.?|o['’]clock\b"
    r"|(?:dollar|buck|euro|pound|cent|yuan|yen|year|month|week|day|night|hour|minute|second|gram|kilo|kilogram|kg|g|mg|ml|l"
    r"|liter|litre|inch|inche|foot|feet|meter|metre|cm|mm|km|degree|piece|pair|pack|set|time|people|person|point|star|gb|mb"
    r"|tb|w|v|mah|hz|th|st|nd|rd|am|pm|rmb|cny|usd|eur|gbp|jpy|hkd|x)s?\b)"
)
UNITS_HAN = (
    r"(?:个?小时|分钟|个?月|美元|欧元|英镑|日元|港币|人民币|块钱|公斤|千克|毫升|厘米|毫米|平方米|平米|点半|点钟"
    r"|[年月日号天周时点分秒个件只条块元角毛折倍成岁斤克米寸层杯瓶盒包袋箱套双对本支台位次届楼代人家种款份度])"
)

ONES = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen"
ORDINALS = "first third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth fifteenth twentieth"
SECOND = (
    r"(?<=\bthe )second|(?<=\bevery )second|(?<=\ba )second(?= )"  # alone it is a length of time, and counted with it
)
TENS = "eighteen nineteen zero twenty thirty forty fifty sixty seventy eighty ninety"
SCALES = "hundreds? thousands? millions? billions? dozens? half quarters? doubled? twice thrice triple hundredth"
WORD = "|".join([*f"{ONES} {TENS} {SCALES} {ORDINALS}".split(), SECOND])
WORDS = rf"\b(?:{WORD})\b(?:[\s-]+(?:(?:and|a|point|oh)[\s-]+)?(?:{WORD})\b)*"
NO_NUMBER = re.compile(  # "one" as a pronoun
    r"\b(?:this|that|the|no|any|every|each|another|which|some|little|new)[\s-]+ones?\b|\bone\s+(?:another|of|day\b)",
    re.I,
)

HAN = "零〇一二三四五六七八九十百千万亿两壹贰叁肆伍陆柒捌玖拾佰仟半"
HAN_NUMBER = rf"(?:百分之)?第?[{HAN}]+(?:点[{HAN}]+)?"
HAN_NO_NUMBER = re.compile(  # characters of numbers in words that count nothing
    r"一(?:起|样|下|定|直|些|般|切|旦|边|会儿|会|点儿|点也|点都|向|律|并|味|路|如|同|面|生|眼|看|想|试|款|个|种|站式)"
    r"|(?:统|唯|专|万)一|(?<=[看试想说用尝])一(?=[看试想说用尝])|十(?:分(?!钟)|足)|千万(?=[别不要])|万(?:能|分感)"
    r"|百(?:货|搭|姓)|零(?:食|售|钱|件)|半(?:点|天)|四(?:季|周)|五彩|[七八]{1}嘴"
)

DAYS = (
    r"\b(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day\b|\b(?:January|February|April|June|July|August|September|October"
    r"|November|December)\b|\b(?:March|May)\b(?=\s+\d)|(?<=\d )(?:March|May)\b"
    r"|\b(?:today|tonight|tomorrow|yesterday|noon|midnight|weekend)\b|(?:星期|周|礼拜)[一二三四五六日天末]|[今明昨后][天晚日]|今[早年]|明年|去年|中午|半夜|凌晨|上午|下午|晚上|早上|傍晚"
)

NUMBER = rf"{CURRENCY}?\s?(?:{DIGITS}|{WORDS}|{HAN_NUMBER})(?:[\s-]?{UNITS}|\s?{UNITS_HAN}|[A-Za-z]+)?|{CURRENCY}"
COUNT = re.compile(rf"{DIGITS}|\b(?:{WORD})\b|[{HAN}]+(?:点[{HAN}]+)?", re.IGNORECASE)
DAY = re.compile(DAYS, re.IGNORECASE)
FIGURE = re.compile(rf"(?P<day>{DAYS})|(?P<number>{NUMBER})", re.IGNORECASE)


def figures(text: str) -> Iterator[tuple[int, int, str]]:
    """(begin, end, form) of each, first to last."""
    clear = HAN_NO_NUMBER.sub(_blank, NO_NUMBER.sub(_blank, text))
    for match in FIGURE.finditer(clear):
        if form := _form(match[0]):
            yield match.start(), match.end(), form


def unit_of(form: str) -> str:
    """What it counts, or in what it is paid; figures of one unit can be mixed up."""
    return DAY.sub("day", COUNT.sub("", form)).strip()


def _form(found: str) -> str:
    """As it is compared: no case, no spaces and hyphens between words, no plural."""
    form = re.sub(r"(?<=[a-z])[\s-]+(?=[a-z])", " ", found.strip().casefold())
    form = re.sub(r"\s+(?![a-z])|(?<![a-z])\s+", "", form)
    return re.sub(r"(?<=[a-z]{3})s$", "", form)


def _blank(match: re.Match[str]) -> str:
    return "\0" * len(match[0])
