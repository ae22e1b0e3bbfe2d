"""How Mandarin and English say what is written in figures and signs. Pure: parts of a token in, words out.

tts.reading finds the tokens and calls these; `Tongue` is what a further language has to answer.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Protocol

from tts.numbers import en_digits, en_integer, en_number, en_ordinal, en_year, zh_digits, zh_integer, zh_number

DIGITS_FROM = 11  #: digits without separators: a phone or an order number, read digit by digit

ZH_UNITS = {
    "km/h": "公里每小时", "m/s": "米每秒", "kg": "公斤", "mg": "毫克", "g": "克", "km": "公里", "cm": "厘米",
    "mm": "毫米", "m": "米", "m²": "平方米", "㎡": "平方米", "m³": "立方米", "ml": "毫升", "mL": "毫升", "L": "升",
    "°C": "摄氏度", "℃": "摄氏度", "°F": "华氏度", "°": "度", "h": "小时", "min": "分钟", "ms": "毫秒", "W": "瓦",
    "kW": "千瓦", "kWh": "千瓦时", "V": "伏", "mAh": "毫安时", "Hz": "赫兹", "kHz": "千赫兹", "GHz": "吉赫兹",
    "MB": "兆", "GB": "G", "TB": "T", "lb": "磅", "oz": "盎司", "ft": "英尺", "mph": "英里每小时",
}  # fmt: skip
EN_UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"), "m/s": ("meter per second", "meters per second"),
    "kg": ("kilogram", ""), "mg": ("milligram", ""), "g": ("gram", ""), "km": ("kilometer", ""),
    "cm": ("centimeter", ""), "mm": ("millimeter", ""), "m": ("meter", ""), "m²": ("square meter", ""),
    "㎡": ("square meter", ""), "m³": ("cubic meter", ""), "ml": ("milliliter", ""), "mL": ("milliliter", ""),
    "L": ("liter", ""), "°C": ("degree Celsius", "degrees Celsius"), "℃": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"), "°": ("degree", ""), "h": ("hour", ""), "min": ("minute", ""),
    "ms": ("millisecond", ""), "W": ("watt", ""), "kW": ("kilowatt", ""), "kWh": ("kilowatt hour", ""),
    "V": ("volt", ""), "mAh": ("milliamp hour", ""), "Hz": ("hertz", "hertz"), "kHz": ("kilohertz", "kilohertz"),
    "GHz": ("gigahertz", "gigahertz"), "MB": ("megabyte", ""), "GB": ("gigabyte", ""), "TB": ("terabyte", ""),
    "lb": ("pound", ""), "oz": ("ounce", ""), "ft": ("foot", "feet"), "mph": ("mile per hour", "miles per hour"),
}  # fmt: skip

ZH_MONEY = {
    "¥": "元", "RMB": "元", "CNY": "元", "$": "美元", "US$": "美元", "USD": "美元", "HK$": "港元", "HKD": "港元",
    "€": "欧元", "EUR": "欧元", "£": "英镑", "GBP": "英镑",
}  # fmt: skip
EN_MONEY = {  # sign: one, many, hundredth, hundredths ("" where hundredths are not said)
    "¥": ("yuan", "yuan", "", ""), "RMB": ("yuan", "yuan", "", ""), "CNY": ("yuan", "yuan", "", ""),
    "$": ("dollar", "dollars", "cent", "cents"), "US$": ("U S dollar", "U S dollars", "cent", "cents"),
    "USD": ("U S dollar", "U S dollars", "cent", "cents"),
    "HK$": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"),
    "HKD": ("Hong Kong dollar", "Hong Kong dollars", "cent", "cents"), "€": ("euro", "euros", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"), "£": ("pound", "pounds", "penny", "pence"),
    "GBP": ("pound", "pounds", "penny", "pence"),
}  # fmt: skip

SCALES = {"k": 3, "K": 3, "thousand": 3, "m": 6, "M": 6, "million": 6, "B": 9, "b": 9, "billion": 9, "trillion": 12}
EN_SCALES = {"k": "thousand", "m": "million", "b": "billion", "万": "ten thousand", "亿": "hundred million"}
ZH_MEASURES = (
    "个|件|只|条|张|本|支|瓶|盒|包|箱|袋|双|对|套|台|部|辆|位|人|名|次|遍|天|年(?!级)|周|小时|分钟|秒|元|块|毛|米|斤|公斤|公里|克|升|杯|碗|"
    "片|颗|粒|份|种|款|项|倍|岁|场|家|点|盘|罐|桶|根|把|层|千|万|亿|美元|欧元|英镑|克拉|平方米|平米"
)
EN_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip

ZH_SIGNS = {
    "&": "和", "@": "艾特", "+": "加", "=": "等于", "-": "到", "x": "乘", "%": "百分号", "±": "正负", "÷": "除以",
    "°": "度", "minus": "负", "or": "或", "per": "每",
}  # fmt: skip
EN_SIGNS = {
    "&": "and", "@": "at", "+": "plus", "=": "equals", "-": "to", "x": "by", "%": "percent", "±": "plus or minus",
    "÷": "divided by", "°": "degrees", "minus": "minus", "or": "or", "per": "per",
}  # fmt: skip


class Tongue(Protocol):
    """Numbers come as digits with at most one point and no commas."""

    signs: dict[str, str]  # for the keys of ZH_SIGNS

    def number(self, number: str, counted: bool) -> str:
        """A bare number; `counted`: a measure word follows (两个)."""

    def digits(self, groups: list[str]) -> str: ...
    def dotted(self, parts: list[str]) -> str: ...
    def money(self, sign: str, amounts: list[str], scale: str) -> str: ...
    def percent(self, amounts: list[str], sign: str) -> str: ...
    def measured(self, number: str, unit: str) -> str: ...
    def date(self, year: str, month: int, day: int) -> str: ...
    def year(self, year: str) -> str: ...
    def time(self, hour: int, minute: int, second: int | None, half: str) -> str: ...
    def fraction(self, over: str, under: str) -> str: ...
    def ratio(self, one: str, two: str) -> str: ...
    def times(self, number: str) -> str: ...
    def more_than(self, number: str) -> str: ...
    def item(self, number: str) -> str: ...
    def ordinal(self, number: str) -> str: ...
    def address(self, text: str) -> str: ...


class Mandarin:
    signs = ZH_SIGNS

    def number(self, number: str, counted: bool) -> str:
        if _is_code(number):
            return zh_digits(number)
        return "两" if counted and number == "2" else zh_number(number)

    def digits(self, groups: list[str]) -> str:
        return "，".join(zh_digits(group) for group in groups)

    def dotted(self, parts: list[str]) -> str:
        return "点".join(zh_integer(part) for part in parts)

    def money(self, sign: str, amounts: list[str], scale: str) -> str:
        if scale in SCALES:
            amounts, scale = [_scaled(amount, SCALES[scale]) for amount in amounts], ""
        said = [self.number(_trimmed(amount), counted=True) + scale for amount in amounts]
        return "到".join(said) + ZH_MONEY[sign]

    def percent(self, amounts: list[str], sign: str) -> str:
        return ("千分之" if sign == "‰" else "百分之") + "到".join(zh_number(amount) for amount in amounts)

    def measured(self, number: str, unit: str) -> str:
        return self.number(number, counted=True) + ZH_UNITS[unit]

    def date(self, year: str, month: int, day: int) -> str:
        return f"{zh_digits(year)}年{zh_integer(str(month))}月{zh_integer(str(day))}日"

    def year(self, year: str) -> str:
        return zh_digits(year)

    def time(self, hour: int, minute: int, second: int | None, half: str) -> str:
        part = {"a": "上午", "p": "下午"}.get(half, "")
        said = f"{part}{self.number(str(hour), counted=True)}点"
        if minute or second is not None:
            said += f"{'零' if minute < 10 else ''}{zh_integer(str(minute)) if minute else ''}分"
        if second is not None:
            said += f"{zh_integer(str(second))}秒"
        return said

    def fraction(self, over: str, under: str) -> str:
        return f"{zh_integer(under)}分之{zh_integer(over)}"

    def ratio(self, one: str, two: str) -> str:
        return f"{zh_integer(one)}比{zh_integer(two)}"

    def times(self, number: str) -> str:
        return self.number(number, counted=True) + "倍"

    def more_than(self, number: str) -> str:
        return zh_number(number) + "多"

    def item(self, number: str) -> str:
        return zh_number(number) + "号"

    def ordinal(self, number: str) -> str:
        return "第" + zh_integer(number)

    def address(self, text: str) -> str:
        return text.replace(".", "点").replace("@", "艾特")


class English:
    signs = EN_SIGNS

    def number(self, number: str, counted: bool) -> str:
        return en_digits(number) if _is_code(number) else en_number(number)

    def digits(self, groups: list[str]) -> str:
        return ", ".join(en_digits(group) for group in groups)

    def dotted(self, parts: list[str]) -> str:
        return " point ".join(en_integer(part) for part in parts)

    def money(self, sign: str, amounts: list[str], scale: str) -> str:
        one, many, _, _ = EN_MONEY[sign]
        if scale:
            said = " to ".join(en_number(amount) for amount in amounts)
            return f"{said} {EN_SCALES.get(scale.lower(), scale)} {many}"
        if len(amounts) > 1:
            return f"{' to '.join(en_number(amount) for amount in amounts)} {many}"
        whole, _, hundredths = amounts[0].partition(".")
        if not EN_MONEY[sign][2] or len(hundredths) > 2:
            return f"{en_number(amounts[0])} {one if amounts[0] == '1' else many}"
        return _coins(EN_MONEY[sign], int(whole), int(hundredths.ljust(2, "0")))

    def percent(self, amounts: list[str], sign: str) -> str:
        return f"{' to '.join(en_number(amount) for amount in amounts)} {'per mille' if sign == '‰' else 'percent'}"

    def measured(self, number: str, unit: str) -> str:
        one, many = EN_UNITS[unit]
        return f"{en_number(number)} {one if number == '1' else many or one + 's'}"

    def date(self, year: str, month: int, day: int) -> str:
        said = f"{EN_MONTHS[month - 1]} {en_ordinal(str(day))}"
        return f"{said}, {en_year(year)}" if year else said

    def year(self, year: str) -> str:
        return en_year(year)

    def time(self, hour: int, minute: int, second: int | None, half: str) -> str:
        if not minute and second is None and not half and hour in (0, 12, 24):
            return "noon" if hour == 12 else "midnight"
        said = en_integer(str((hour - 1) % 12 + 1))
        if minute or second is not None:
            said += f" {'oh ' if minute < 10 else ''}{en_integer(str(minute))}"
        if second is not None:
            said += f" and {en_integer(str(second))} second{'' if second == 1 else 's'}"
        return f"{said} {half.upper() or ('P' if 12 <= hour < 24 else 'A')} M"

    def fraction(self, over: str, under: str) -> str:
        one, many = {"2": ("half", "halves"), "4": ("quarter", "quarters")}.get(under, ("", ""))
        part = one or en_ordinal(under)
        return f"{en_integer(over)} {part if over == '1' else many or part + 's'}"

    def ratio(self, one: str, two: str) -> str:
        return f"{en_integer(one)} to {en_integer(two)}"

    def times(self, number: str) -> str:
        return f"{en_number(number)} {'time' if number == '1' else 'times'}"

    def more_than(self, number: str) -> str:
        return f"{en_number(number)} plus"

    def item(self, number: str) -> str:
        return f"number {en_number(number)}"

    def ordinal(self, number: str) -> str:
        return en_ordinal(number)

    def address(self, text: str) -> str:
        return text.replace(".", " dot ").replace("@", " at ")


TONGUES: dict[str, Tongue] = {"zh": Mandarin(), "en": English()}


def _is_code(number: str) -> bool:
    return "." not in number and (len(number) >= DIGITS_FROM or (len(number) > 1 and number[0] == "0"))


def _scaled(number: str, power: int) -> str:
    """`1.5`, 3 → `1500`."""
    return f"{(Decimal(number) * 10**power).normalize():f}"


def _trimmed(number: str) -> str:
    """`1299.50` → `1299.5`."""
    return number.rstrip("0").rstrip(".") if "." in number else number


def _coins(names: tuple[str, str, str, str], whole: int, hundredths: int) -> str:
    one, many, coin, coins = names
    parts = []
    if whole or not hundredths:
        parts.append(f"{en_integer(str(whole))} {one if whole == 1 else many}")
    if hundredths:
        parts.append(f"{en_integer(str(hundredths))} {coin if hundredths == 1 else coins}")
    return " and ".join(parts)
