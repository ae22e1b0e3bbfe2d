"""What the variables of a script stand for at a moment.

In: the time, the script's own variables, the products, what was given from outside (`viewers` and whatever else).
Out: the value of a name, or None: then what needs it is not said. The nearest one counts: the clock's, then what
outside says of this very product, the product's own, what outside says, the script's. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from broadcaster.script import template
from broadcaster.script.model import Line, Section
from tts.text import language_of
from tts.tongues import EN_MONTHS

CLOCK = ("time", "date", "weekday")  # nobody else may give these
OUTSIDE = ("viewers",)  # known to every script; others are declared in its front matter, without a value
PRODUCT = "product"  # `product.price`: of the section's product

WEEKDAYS = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "zh": ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日"),
    "ja": ("月曜日", "火曜日", "水曜日", "木曜日", "金曜日", "土曜日", "日曜日"),
    "ko": ("월요일", "화요일", "수요일", "목요일", "금요일", "토요일", "일요일"),
    "de": ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"),
    "fr": ("lundi", "mardi", "mercredi", "jeudi", "vendredi", "samedi", "dimanche"),
    "es": ("lunes", "martes", "miércoles", "jueves", "viernes", "sábado", "domingo"),
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
    "pt": ("segunda-feira", "terça-feira", "quarta-feira", "quinta-feira", "sexta-feira", "sábado", "domingo"),
    "ru": ("понедельник", "вторник", "среда", "четверг", "пятница", "суббота", "воскресенье"),
}


@dataclass(frozen=True, slots=True)
class Values:
    """now: local time, None where nothing may depend on it. language: of words that do not show theirs."""

    now: datetime | None = None
    own: Mapping[str, str | None] = field(default_factory=dict)
    products: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    outside: Mapping[str, str] = field(default_factory=dict)
    language: str = "en"

    def of(self, name: str, product: str = "", language: str = "") -> str | None:
        """The value of a name in a section of this product, for words in this language; None: it has none."""
        if name in CLOCK:
            return clock(name, self.now, language or self.language) if self.now else None
        owner, dot, key = name.rpartition(".")
        owner = owner if dot and owner != PRODUCT else product
        if given := self.outside.get(f"{owner}.{key}") or self.products.get(owner, {}).get(key.lower()):
            return given
        return None if dot else self.outside.get(name) or self.own.get(name)


def worded(line: Line, section: Section, values: Values, choose: Callable[[int], int]) -> template.Filled:
    """What a line says now. `choose(n)`: an index below n, which picks alternatives."""
    if "{" not in line.text and "\\" not in line.text:
        return template.Filled(line.text)
    language = language_of(template.parse(line.text).literal, values.language)
    return template.fill(line.text, lambda name: values.of(name, section.product, language), choose)


def clock(name: str, now: datetime, language: str) -> str | None:
    """`time` 20:05, `date` November 21 or 11月21日, `weekday` in the languages that are known here."""
    if name == "time":
        return f"{now.hour}:{now.minute:02}"
    if name == "weekday":
        names = WEEKDAYS.get(language)
        return names[now.weekday()] if names else None
    if language == "en":
        return f"{EN_MONTHS[now.month - 1]} {now.day}"
    return f"{now.month}月{now.day}日" if language in ("zh", "ja") else now.date().isoformat()
