"""Numbers and sums of money in a text, in figures and in words, Chinese and English, with what they may mean. Pure.

In: folded text. Out: where each stands and its values: `three ninety nine` is 3.99 or 399, `一百二` is 120, 九块九
is 9.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from tts.numbers import EN_SMALL, EN_TENS

HAN_DIGITS = {
    char: value
    for value, chars in enumerate(
        ("零〇", "一壹幺", "二两贰俩", "三叁仨", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
    )
    for char in chars
}
HAN_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000, "万": 10_000, "亿": 100_000_000}
HAN_TENS = {"廿": "二十", "卅": "三十"}
HAN_NUMBER = rf"[0-9{''.join(HAN_DIGITS)}{''.join(HAN_UNITS)}廿卅]+(?:[点.][0-9{''.join(HAN_DIGITS)}]+)?"
FIGURES = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?"
SMALL = {word: value for value, word in enumerate(EN_SMALL)} | {"oh": 0, "a": 1}
TENS = {word: 10 * value for value, word in enumerate(EN_TENS) if value > 1} | {"fourty": 40, "ninty": 90}
SCALES = {"hundred": 100, "thousand": 1000, "million": 1_000_000, "grand": 1000, "k": 1000}
EN_WORD = "|".join(sorted({*SMALL, *TENS, "hundred", "thousand", "million"} - {"a", "oh"}, key=len, reverse=True))
A_LOT = r"a (?=hundred|thousand)"
EN_NUMBER = (
    rf"(?:\b{A_LOT})?\b(?:{EN_WORD})\b"
    rf"(?:(?:[\s-]+and)?[\s-]+(?:{A_LOT})?(?:{EN_WORD}|oh|point)\b)*"
)
HAN_ONE = "".join(HAN_DIGITS)
ONE = rf"[0-9{HAN_ONE}]"
NUMBER = (
    rf"(?:{FIGURES}(?:[万千百](?![{HAN_ONE}]))?(?![0-9{HAN_ONE}{''.join(HAN_UNITS)}])"
    rf"|{HAN_NUMBER}|{EN_NUMBER})"
)

CURRENCIES = {
    "CNY": r"¥|rmb|cny|yuan|kuai|renminbi|元钱?|圆|块钱|块|人民币|大洋",
    "USD": r"us\$|\$|usd|dollars?|bucks?|美元|美金|美刀|刀",
    "EUR": r"€|eur|euros?|欧元?",
    "GBP": r"£|gbp|pounds?|quid|英镑",
    "JPY": r"jpy|yen|日元|日币",
    "HKD": r"hk\$|hkd|港币|港元",
}
BEFORE = r"us\$|hk\$|[$€£¥]|rmb|cny|usd|eur|gbp|hkd|jpy|人民币"
#: what may follow 块 where it is money, and not a piece of something
KUAI = (
    r"块(?!\s?\d+(?:\.\d+)?\s?元)(?=$|包邮|左右|上下|[\s,.。!?;、:~)…/\d一二三四五六七八九两]"
    r"|[的都就也吧了啦哦呢带拿搞秒到起多以还每能可买拍卖送给发这那您你我家宝整不现直今限是呀啊嘛哈没只赶抢下有])"
)
AFTER = (
    rf"[$€£¥]|块钱|{KUAI}|元钱|元|圆|人民币|大洋|美元|美金|美刀|刀|欧元|英镑|日元|日币|港币|港元"
    r"|(?:rmb|cny|yuan|kuai|renminbi|usd|dollars?|bucks?|euros?|eur|pounds?|quid|gbp|yen|jpy|hkd)\b"
)
MEASURE = "(?:[件个只条双盒袋瓶套台把支份对副顶块张组罐根枚本幅箱桶卷片颗粒斤串束杯壶朵副款箱打提]|包(?!邮))"
MONEY = re.compile(
    rf"(?:(?P<before>{BEFORE})\s?(?P<sum>{NUMBER})(?:\s?(?:{AFTER}))?"
    rf"|(?P<whole>{NUMBER})\s?(?P<after>{AFTER}|快(?={ONE}(?!递)))"
    rf"(?:\s?(?P<dime>\d{{1,2}}(?!\d)|[{HAN_ONE}](?![{HAN_ONE}](?!{MEASURE})))"
    rf"(?:\s?(?P<mao>毛|角)(?:\s?(?P<fen>{ONE})分?)?)?"
    rf"(?![%.]|\s?(?:{MEASURE}|[十百千万天次克号折元]))"
    rf"|(?:\s?and|\s?,)?\s(?P<cents>{NUMBER})(?:\s?(?:cents?|毛|角)\b|(?=\s*(?:$|[,.!?;]))))?"
    rf"|(?P<mao_only>{NUMBER})\s?(?:毛钱?|角钱?)(?!巾|衣|线|毯|绒|度|落)|(?P<cents_only>{NUMBER})\s?cents?\b)"
)


@dataclass(frozen=True, slots=True)
class Amount:
    """values: what it may mean. currency: as CNY, "" = not said. bare: nothing says that it is a price."""

    begin: int
    end: int
    values: frozenset[Decimal]
    currency: str = ""
    bare: bool = False


def money(text: str) -> Iterator[Amount]:
    """Sums with a currency."""
    for match in MONEY.finditer(text):
        found = match.groupdict()
        if small := found["mao_only"] or found["cents_only"]:
            part = 10 if found["mao_only"] else 100
            yield Amount(match.start(), match.end(), frozenset(value / part for value in values(small)))
            continue
        sums = values(found["sum"] or found["whole"])
        if sums:
            sign = found["before"] or found["after"]
            yield Amount(match.start(), match.end(), frozenset(_with_cents(sums, found)), currency_of(sign))


def _with_cents(sums: frozenset[Decimal], found: dict[str, str | None]) -> Iterator[Decimal]:
    for value in sums:
        if dime := found["dime"]:
            digits = "".join(_digit(char) for char in dime)
            fen = _digit(found["fen"]) if found["fen"] else ""
            yield value + Decimal(f"0.{digits}{fen}")
        elif cents := found["cents"]:
            yield from (value + cent / 100 for cent in values(cents) if cent < 100)
        else:
            yield value


def currency_of(sign: str | None) -> str:
    """As CNY; "" when it is none that is known."""
    for code, pattern in CURRENCIES.items():
        if sign and (sign.upper() == code or re.fullmatch(pattern, sign)):
            return code
    return "CNY" if sign == "快" else ""


def values(text: str) -> frozenset[Decimal]:
    """What a number may mean; none when it is no number."""
    text = text.strip()
    if match := re.fullmatch(rf"({FIGURES})([万千百]?)", text):
        return frozenset({Decimal(match[1].replace(",", "")) * HAN_UNITS.get(match[2], 1)})
    if re.match(rf"(?:{EN_NUMBER})$", text):
        return frozenset(_english(re.split(r"[\s-]+", text)))
    return frozenset(_chinese(text))


# ── Chinese ──────────────────────────────────────────────────────────────────────────────────────


def _digit(char: str) -> str:
    return char if char.isdecimal() else str(HAN_DIGITS[char])


def _chinese(text: str) -> Iterator[Decimal]:
    for char, spelt in HAN_TENS.items():
        text = text.replace(char, spelt)
    whole, _, fraction = text.replace(".", "点").partition("点")
    if not whole:
        return
    part = Decimal(f"0.{''.join(map(_digit, fraction))}") if fraction else Decimal(0)
    if not any(char in HAN_UNITS for char in whole):
        yield Decimal("".join(map(_digit, whole))) + part
    elif (value := _counted(whole)) is not None:
        yield value + part


def _counted(text: str) -> Decimal | None:
    """`一千零八十` by its units; a last figure counts the next lower one: 一百二, 三千八."""
    total, section, number, unit = Decimal(0), Decimal(0), None, 1
    index = 0
    while index < len(text):
        if run := re.compile(r"\d+").match(text, index):
            number, index = Decimal(run[0]), run.end()
            continue
        char, index = text[index], index + 1
        if char in HAN_DIGITS:
            number, unit = Decimal(HAN_DIGITS[char]), 1 if HAN_DIGITS[char] == 0 else unit
            continue
        unit = HAN_UNITS[char]
        if unit >= 10_000:
            section = (section + (number or 0) or Decimal(1)) * unit
            total, section = total + section, Decimal(0)
        else:
            section += (Decimal(1) if number is None else number) * unit
        number = None
    if number is not None:
        section += number * (unit // 10 if unit >= 100 and number < 10 else 1)
    return total + section


# ── English ──────────────────────────────────────────────────────────────────────────────────────


def _english(words: Sequence[str]) -> Iterator[Decimal]:
    """`nineteen ninety five` is 19.95 or 1995; `one hundred and twenty` is one number; `one oh nine` is 109 or 1.09."""
    if "point" in words:
        at = words.index("point")
        digits = "".join(str(SMALL[word]) for word in words[at + 1 :] if word in SMALL and SMALL[word] < 10)
        for whole in _english(words[:at]) if at else [Decimal(0)]:
            yield whole + Decimal(f"0.{digits or 0}")
        return
    parts = _cardinals([word for word in words if word != "and"])
    if not parts:
        return
    if len(parts) == 1:
        yield parts[0]
        return
    whole = Decimal("".join(str(part) for part in parts))
    yield whole
    if parts[-1] < 100:
        last = f"{parts[-1]:02}" if len(parts) > 1 and parts[-2] != 0 and parts[-1] >= 10 else f"{parts[-2]}{parts[-1]}"
        head = parts[:-1] if parts[-1] >= 10 else parts[:-2]
        if head and len(last) == 2:
            yield Decimal("".join(str(part) for part in head)) + Decimal(f"0.{last}")
    if len(parts) == 2 and parts[0] < 100 and parts[1] < 10:  # "nine nine": 9.9
        yield parts[0] + parts[1] / 10


def _cardinals(words: Sequence[str]) -> list[Decimal]:
    """`three`, `ninety nine` of `three ninety nine`."""
    found: list[Decimal] = []
    total = section = Decimal(0)
    last = 0  # of the part that goes on: what may still follow is smaller
    open_ = False
    for word in words:
        if word in SCALES:
            scale = SCALES[word]
            section = (section or 1) * Decimal(scale)
            if scale >= 1000:
                total, section = total + section, Decimal(0)
            last, open_ = scale, True
            continue
        value = TENS.get(word, SMALL.get(word, 0))
        size = 100 if word in TENS else 10 if value < 10 else 99
        if open_ and not (last >= 100 or (last == 20 and 0 < value < 10)):
            found.append(total + section)
            total = section = Decimal(0)
        section += value
        last, open_ = 20 if size == 100 else 1, True
    if open_:
        found.append(total + section)
    return found
