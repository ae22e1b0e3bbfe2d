"""Number words of Mandarin and English. Pure: digits in, words out.

A number comes as its digits (`"1299"`, `"3.50"`), so that nothing is lost to floats; what is longer than
the largest named unit is read digit by digit.
"""

from __future__ import annotations

ZH_DIGITS = "零一二三四五六七八九"
ZH_UNITS = ("", "十", "百", "千")
ZH_SECTIONS = ("", "万", "亿", "万亿")  # one for each four digits
ZH_MAX_DIGITS = 16

EN_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
EN_TENS = ("zero", "ten", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
EN_SECTIONS = ("", "thousand", "million", "billion", "trillion")  # one for each three digits
EN_MAX_DIGITS = 15
EN_ORDINALS = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def zh_digits(digits: str) -> str:
    """`400` → 四零零; other characters are left out."""
    return "".join(ZH_DIGITS[int(digit)] for digit in digits if digit.isdecimal())


def zh_integer(digits: str) -> str:
    """`10086` → 一万零八十六, `12` → 十二, `2000` → 两千; a number beyond 万亿 digit by digit."""
    digits = digits.lstrip("0") or "0"
    if digits == "0" or len(digits) > ZH_MAX_DIGITS:
        return zh_digits(digits)
    sections = _in_groups(digits, 4)
    words, gap = "", False
    for index, section in enumerate(sections):
        value = int(section)
        if not value:
            gap = True
            continue
        if words and (gap or value < 1000):
            words += "零"
        unit = ZH_SECTIONS[len(sections) - 1 - index]
        words += "两" + unit if value == 2 and unit and not words else _zh_section(value, not words) + unit
        gap = False
    return words


def zh_number(number: str) -> str:
    """`3.50` → 三点五零."""
    whole, point, fraction = number.partition(".")
    return zh_integer(whole) + ("点" + zh_digits(fraction) if point else "")


def _zh_section(value: int, first: bool) -> str:
    """A number under ten thousand; `first`: nothing stands before it, so 十 needs no 一 and 2000 is 两千."""
    words, gap = "", False
    for place in (3, 2, 1, 0):
        digit = value // 10**place % 10
        if not digit:
            gap = gap or bool(words)
            continue
        if gap:
            words, gap = words + "零", False
        if digit == 1 and place == 1 and first and not words:
            words += "十"
        elif digit == 2 and place == 3 and first:
            words += "两千"
        else:
            words += ZH_DIGITS[digit] + ZH_UNITS[place]
    return words


def en_digits(digits: str) -> str:
    """`400` → four zero zero; other characters are left out."""
    return " ".join(EN_SMALL[int(digit)] for digit in digits if digit.isdecimal())


def en_integer(digits: str) -> str:
    """`1299` → one thousand two hundred ninety-nine; a number beyond trillions digit by digit."""
    digits = digits.lstrip("0") or "0"
    if digits == "0" or len(digits) > EN_MAX_DIGITS:
        return en_digits(digits)
    sections = _in_groups(digits, 3)
    words = []
    for index, section in enumerate(sections):
        if int(section):
            words += [_en_section(int(section)), EN_SECTIONS[len(sections) - 1 - index]]
    return " ".join(filter(None, words))


def en_number(number: str) -> str:
    """`3.50` → three point five zero."""
    whole, point, fraction = number.partition(".")
    return en_integer(whole) + (" point " + en_digits(fraction) if point else "")


def en_ordinal(digits: str) -> str:
    """`21` → twenty-first."""
    words = en_integer(digits)
    head, last = words[: -len(_last_word(words))], _last_word(words)
    if last in EN_ORDINALS:
        return head + EN_ORDINALS[last]
    return head + (last[:-1] + "ieth" if last.endswith("y") else last + "th")


def en_year(digits: str) -> str:
    """`2026` → twenty twenty-six, `2005` → two thousand five, `1905` → nineteen oh five."""
    century, rest = int(digits) // 100, int(digits) % 100
    if len(digits) != 4 or (century % 10 == 0 and rest < 10):
        return en_integer(digits)
    if not rest:
        return f"{en_integer(str(century))} hundred"
    return f"{en_integer(str(century))} {'oh ' if rest < 10 else ''}{en_integer(str(rest))}"


def _en_section(value: int) -> str:
    hundreds, rest = divmod(value, 100)
    words = [f"{EN_SMALL[hundreds]} hundred"] if hundreds else []
    if rest:
        tens, ones = divmod(rest, 10)
        small = EN_SMALL[rest] if rest < 20 else EN_TENS[tens] + (f"-{EN_SMALL[ones]}" if ones else "")
        words.append(small)
    return " ".join(words)


def _last_word(words: str) -> str:
    return words.replace("-", " ").split(" ")[-1]


def _in_groups(digits: str, size: int) -> list[str]:
    """`12345`, 4 → `1`, `2345`."""
    first = len(digits) % size
    return ([digits[:first]] if first else []) + [digits[at : at + size] for at in range(first, len(digits), size)]
