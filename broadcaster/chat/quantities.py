"""Figures of a text as quantities: "$24.00", "twenty-four dollars" and "24美元" are the same number of the same. Pure.

In: a text, English or Chinese; of other languages digits alone. Out: where each figure stands, which numbers it may be
read as, its unit and its currency. Which figures there are is broadcaster.rewrite.figures' to say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TypeAlias

from broadcaster.rewrite.figures import DAYS, DIGITS, HAN, WORD, figures
from tts.numbers import EN_SMALL, EN_TENS, en_ordinal

Numbers: TypeAlias = tuple[Decimal, ...]
"""One number, or those of a range or a time of day."""

MONEY, PERCENT, ORDINAL, DAY = "money", "percent", "ordinal", "day"
OF_HUNDRED = "百分之"

DAY_WORD = re.compile(DAYS, re.IGNORECASE)
CORE = re.compile(
    rf"{DIGITS}|\b(?:{WORD})\b(?:[\s-]+(?:(?:and|a|point|oh)[\s-]+)?(?:{WORD})\b)*|[{HAN}]+(?:点[{HAN}]+)?", re.I
)
GROUPED = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?")
WORKING = re.compile(r"\s*(?:(?:working|business|full|whole|more)\s+(days?|weeks?|hours?)\b|工作日)", re.I)
RANGE = re.compile(r"\s*(?:to|or|through|up to|[-–—~～]|到|至|或)\s*", re.I)
PARTS = re.compile(r"[:/–-]|,(?=\d)")

#: written → currency; cents and jiao are parts of one
CURRENCIES = {
    "USD": "$ us$ usd dollar dollars buck bucks 美元 美金",
    "CNY": "¥ ￥ rmb cny yuan 元 块 块钱 人民币",
    "EUR": "€ eur euro euros 欧元",
    "GBP": "£ gbp pound pounds 英镑",
    "JPY": "¥ ￥ yen jpy 日元",
    "HKD": "hk$ hkd 港币",
    "TWD": "nt$ twd",
    "KRW": "₩",
    "INR": "₹",
    "RUB": "₽",
}
PARTS_OF_MONEY = {"cent": "0.01", "cents": "0.01", "角": "0.1", "毛": "0.1"}
UNITS = {
    PERCENT: "% ％ percent",
    "‰": "‰",
    "折": "折",
    "g": "g gram grams 克",
    "kg": "kg kilo kilos kilogram kilograms 公斤 千克",
    "mg": "mg",
    "ml": "ml 毫升",
    "l": "l liter liters litre litres",
    "cm": "cm 厘米",
    "mm": "mm 毫米",
    "km": "km",
    "m": "meter meters metre metres 米",
    "inch": "inch inches 寸",
    "°": "° °c °f degree degrees 度",
    "year": "year years 年",
    "month": "month months 个月",
    "week": "week weeks 周",
    "night": "night nights",
    "day": "day days 天 日",
    "hour": "hour hours 小时 个小时",
    "minute": "minute minutes 分钟",
    "second": "second seconds 秒",
    "o'clock": "am pm a.m p.m a.m. p.m. o'clock o’clock 点 点钟 点半",
    "piece": "piece pieces pair pairs pack packs set sets 件 个 只 条 杯 瓶 盒 包 袋 箱 套 双 对 本 支 台 份",
    "person": "people person 人 位",
    "times": "time times x 倍",
    "star": "star stars",
    ORDINAL: "th st nd rd",
}

CURRENCY_OF: dict[str, frozenset[str]] = {}
for _name, _written in CURRENCIES.items():
    for _one in _written.split():
        CURRENCY_OF[_one] = CURRENCY_OF.get(_one, frozenset()) | {_name}
UNIT_OF = {one: name for name, written in UNITS.items() for one in written.split()}

SMALL = {word: number for number, word in enumerate(EN_SMALL)}
TENS = {EN_TENS[number]: 10 * number for number in range(2, 10)}
ORDINAL_OF = {en_ordinal(str(number)): number for number in range(1, 21)}
SCALES = {"dozen": 12, "hundred": 100, "hundredth": 100, "thousand": 1_000, "million": 10**6, "billion": 10**9}
FACTORS = {"half": "0.5", "quarter": "0.25", "double": "2", "doubled": "2", "twice": "2", "thrice": "3", "triple": "3"}

HAN_DIGITS = {char: n for n, char in enumerate("零一二三四五六七八九")} | {"〇": 0, "两": 2} | {
    char: n for n, char in enumerate("壹贰叁肆伍陆柒捌玖", 1)
}  # fmt: skip
HAN_TENS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1_000, "仟": 1_000}
HAN_SECTIONS = {"万": 10**4, "亿": 10**8}


@dataclass(frozen=True, slots=True)
class Quantity:
    """readings: what it may be read as. unit: "" where none stands there. currencies: that it may be, of money."""

    begin: int
    end: int
    readings: tuple[Numbers, ...]
    unit: str = ""
    currencies: frozenset[str] = frozenset()
    day: str = ""

    @property
    def is_money(self) -> bool:
        return self.unit == MONEY

    def same_number(self, other: Quantity) -> bool:
        return self.day == other.day and (bool(self.day) or bool({*self.readings} & {*other.readings}))


def quantities(text: str) -> list[Quantity]:
    """First to last; "eleven dollars and fifty cents" is one."""
    found: list[Quantity] = []
    for begin, end, _ in figures(text):
        begin += len(text[begin:end]) - len(text[begin:end].lstrip())
        one = _read(text[begin:end], begin, end)
        if found and (joined := _joined(found[-1], one, text)):
            found[-1] = joined
        else:
            found.append(one)
    for index in reversed(range(len(found))):
        one, after = found[index], text[found[index].end :]
        if one.unit in ("", "piece") and (days := WORKING.match(after)):
            found[index] = replace(one, unit=UNIT_OF.get((days[1] or "day").casefold(), one.unit))
        elif not one.unit and index + 1 < len(found) and RANGE.fullmatch(text[one.end : found[index + 1].begin]):
            other = found[index + 1]
            found[index] = replace(one, unit=other.unit, currencies=other.currencies)
    return found


def _read(written: str, begin: int, end: int) -> Quantity:
    if DAY_WORD.fullmatch(written):
        return Quantity(begin, end, (), DAY, day=written.casefold())
    if written.startswith(OF_HUNDRED):
        return Quantity(begin, end, _readings(written.removeprefix(OF_HUNDRED)), PERCENT)
    core = CORE.search(written)
    if core is None:  # a currency alone
        return Quantity(begin, end, (), MONEY, CURRENCY_OF.get(written.casefold(), frozenset()))
    before, after = written[: core.start()].strip().casefold(), written[core.end() :].strip(" -").casefold()
    readings = _readings(core[0])
    if before.endswith("第") or any(word in ORDINAL_OF for word in core[0].casefold().replace("-", " ").split()):
        return Quantity(begin, end, readings, ORDINAL)
    for sign in (before, after):
        if sign in CURRENCY_OF:
            return Quantity(begin, end, readings, MONEY, CURRENCY_OF[sign])
    if after in PARTS_OF_MONEY:
        part = Decimal(PARTS_OF_MONEY[after])
        return Quantity(begin, end, tuple(tuple(n * part for n in numbers) for numbers in readings), MONEY)
    unit = UNIT_OF.get(after, after)
    if unit == "折":  # 八五折 is 8.5
        readings += tuple((n / 10,) for (n,) in (one for one in readings if len(one) == 1) if n > 10)
    return Quantity(begin, end, readings, unit)


def _joined(one: Quantity, other: Quantity, text: str) -> Quantity | None:
    """24块5, 24元5角, eleven dollars and fifty cents, 4,90 €."""
    between = text[one.end : other.begin].strip().casefold()
    if not (between or one.unit or other.readings) and other.is_money:
        return replace(one, end=other.end, unit=MONEY, currencies=other.currencies)
    if not (one.is_money and one.readings and other.readings and between in ("", "and")):
        return None
    is_part = other.is_money and not other.currencies
    if not is_part and (other.unit or between or one.currencies != CURRENCY_OF["块"]):
        return None
    small = other.readings[0][0] if is_part else other.readings[0][0] / (10 if other.readings[0][0] < 10 else 100)
    if len(one.readings[0]) != 1 or len(other.readings[0]) != 1 or not small < 1:
        return None
    return replace(one, end=other.end, readings=((one.readings[0][0] + small,),))


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────


def _readings(core: str) -> tuple[Numbers, ...]:
    if core[0].isdecimal():
        return tuple(_of_digits(core))
    if core[0] in HAN:
        return ((_of_han(core),),)
    return tuple((number,) for number in _of_words(core.casefold()))


def _of_digits(core: str) -> Iterator[Numbers]:
    if GROUPED.fullmatch(core):
        yield (Decimal(core.replace(",", "")),)
    elif core.count(".") > 1:
        yield tuple(Decimal(part) for part in core.split(".") if part)
    else:
        yield tuple(Decimal(part) for part in PARTS.split(core) if part)
    if re.fullmatch(r"\d+,\d\d?", core):  # as half of Europe writes it
        yield (Decimal(core.replace(",", ".")),)


def _of_words(core: str) -> Iterator[Decimal]:
    """ "eleven fifty" may be a price or a year."""
    whole, total, now = Decimal(0), Decimal(0), Decimal(0)
    after_point = ""
    is_fraction = False
    pair: Decimal | None = None
    for word in re.split(r"[\s-]+", core):
        word = word.removesuffix("s") if word.removesuffix("s") in SCALES or word == "quarters" else word
        if word == "point":
            is_fraction = True
        elif is_fraction and word in SMALL:
            after_point += str(SMALL[word])
        elif word in SCALES:
            now = (now or Decimal(1)) * SCALES[word]
            if SCALES[word] >= 1_000:
                total, now = total + now, Decimal(0)
        elif word in FACTORS:
            now = now + Decimal(FACTORS[word]) if now or total else Decimal(FACTORS[word])
        elif word in SMALL or word in TENS or word in ORDINAL_OF:
            value = Decimal(SMALL.get(word, TENS.get(word, ORDINAL_OF.get(word, 0))))
            fits = now % 100 == 0 or (now % 10 == 0 and now % 100 >= 20 and value < 10)
            if now and not fits and pair is None:
                pair, now = now, value
            else:
                now += value
    whole = total + now + (Decimal(f"0.{after_point}") if after_point else 0)
    if pair is None:
        yield whole
    else:
        yield pair + now / 100
        yield pair * 100 + now


def _of_han(core: str) -> Decimal:
    whole, _, fraction = core.partition("点")
    if all(char in HAN_DIGITS for char in whole):
        value = Decimal("".join(str(HAN_DIGITS[char]) for char in whole))
    else:
        value = _of_sections(whole)
    if fraction:
        value += Decimal("0." + "".join(str(HAN_DIGITS.get(char, 0)) for char in fraction))
    return value


def _of_sections(whole: str) -> Decimal:
    total, section, digit, last = Decimal(0), Decimal(0), None, 1
    for char in whole:
        if char in HAN_DIGITS:
            digit = HAN_DIGITS[char]
            last = 1 if digit == 0 else last
        elif char in HAN_TENS:
            section += (1 if digit is None else digit) * HAN_TENS[char]
            digit, last = None, HAN_TENS[char]
        elif char in HAN_SECTIONS:
            total = (total + section + (digit or 0)) * HAN_SECTIONS[char]
            section, digit, last = Decimal(0), None, HAN_SECTIONS[char]
        elif char == "半":
            section += Decimal("0.5")
    if digit:  # 一千二 is 1200, 一千零二 is 1002
        section += digit * (last // 10 if last > 10 else 1)
    return total + section
