"""Facts of a product become a sentence in the viewer's language. Facts come from the products file alone.

In: fields of a product, what was asked of it, a language. Out: a sentence, in other words than the last time; or ""
when the file does not know. Wordings are in data/replies.yaml; a language that is not there is answered in English.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from broadcaster.chat.knowledge_words import Attribute
from broadcaster.script.template import fill
from tts.text import language_of

REPLIES = Path(__file__).parent / "data" / "replies.yaml"
LANGUAGES = ("en", "zh")
CURRENCY = "currency"
PRICES = ("price", "original_price")
VALUE_MAX_CHARS = 300  # of one field: more is a page, and nobody would listen to it
YES = frozenset({"yes", "y", "true", "是", "可以", "支持", "有"})
NO = frozenset({"no", "n", "false", "none", "否", "不可以", "不支持", "不", "无"})
ENDS = ".。!！;；,， "
ROUND = re.compile(r"\.0+$")
WHOLE = re.compile(r"\d{1,12}")

Fields = Mapping[str, str]


def value_of(fields: Fields, names: Sequence[str], language: str) -> str:
    """Of the first of these fields that the product has, at best as it is said in that language."""
    for name in names:
        for key in (f"{name}_{language}", name, *(f"{name}_{other}" for other in LANGUAGES)):
            if found := fields.get(key):
                return found
    return ""


def name_of(product: str, fields: Fields, language: str) -> str:
    return value_of(fields, ("name",), language) or product


def money_of(fields: Fields, names: Sequence[str], language: str, currency: str = "") -> str:
    """The price as it is said, in the currency of the language where the file has one. currency: of a file that names
    none. "" where there is no price."""
    language = language if language in LANGUAGES else "en"
    for code, held in _table()["currencies"].items():
        if held.get("own") == language and "price" in names and not fields.get(f"price_{language}"):
            for name in held["names"]:
                if found := fields.get(name):
                    return _money(found, code, language)
    price = value_of(fields, names, language)
    if not price:
        return ""
    of_price = value_of(fields, (CURRENCY,), language) if fields.get(f"price_{language}") else fields.get(CURRENCY, "")
    return _money(price, of_price or currency, language)


@cache
def priced_in() -> frozenset[str]:
    """Names of fields that hold the price in a currency of their own, as `yuan`."""
    return frozenset(name for held in _table()["currencies"].values() for name in held["names"])


def figures_of(price: str) -> frozenset[str]:
    """How viewers write it: 24 for 24.00."""
    return frozenset((price, ROUND.sub("", price)))


def _money(price: str, currency: str, language: str) -> str:
    wanted = currency.strip().casefold()
    for code, held in _table()["currencies"].items():
        if wanted and (wanted == code.casefold() or wanted in held["names"]):
            bare = ROUND.sub("", price)
            return str(held[language]).replace("{price}", bare)
    return f"{price} {currency}".strip()


class Replies:
    """choose(n): an index below n. The same wording never comes twice in a row while there is another."""

    def __init__(self, choose: Callable[[int], int], currency: str = "") -> None:
        self._choose = choose
        self._currency = currency
        self._last: dict[tuple[str, str], int] = {}

    def say(self, product: str, fields: Fields, asked: Sequence[Attribute], language: str) -> str:
        """What was asked, one sentence each; with nothing asked, name and price."""
        language = language if language in LANGUAGES else "en"
        said = [sentence for one in asked if (sentence := self._fact(product, fields, one, language))]
        return ("" if language == "zh" else " ").join(said) if said else self._intro(product, fields, language)

    def _intro(self, product: str, fields: Fields, language: str) -> str:
        values = {"name": name_of(product, fields, language), "money": self._money(fields, ("price",), language)}
        if not values["money"]:
            return self._worded("intro_without_price", language, values)
        kind = "intro_sold_out" if _is_none(value_of(fields, ("stock",), language)) else "intro"
        return self._worded(kind, language, values)

    def _fact(self, product: str, fields: Fields, asked: Attribute, language: str) -> str:
        values = {"name": name_of(product, fields, language), "what": label_of(asked.name, language)}
        if asked.name == "price":
            values["money"] = self._money(fields, asked.fields, language)
            return self._worded("price", language, values) if values["money"] else ""
        value = value_of(fields, asked.fields, language)
        if asked.name in PRICES:
            value = self._money(fields, asked.fields, language)
        if not value:
            return ""
        values["value"] = values["stock"] = value[:VALUE_MAX_CHARS].rstrip(ENDS)
        if asked.name == "stock":
            kind = "stock_none" if _is_none(value) else "stock" if WHOLE.fullmatch(value) else "stock_words"
            return self._worded(kind, language, values)
        if value.casefold() in YES or value.casefold() in NO:
            return self._worded("is_so" if value.casefold() in YES else "is_not", language, values)
        is_titled = language_of(values["what"], language) == language  # a field of the file's own has one name alone
        kind = asked.name if asked.name in _table()[language] else "fact" if is_titled else "untitled"
        return self._worded(kind, language, values)

    def _money(self, fields: Fields, names: Sequence[str], language: str) -> str:
        return money_of(fields, names, language, self._currency)

    def _worded(self, kind: str, language: str, values: Mapping[str, str]) -> str:
        wordings: Sequence[str] = _table()[language][kind]
        last = self._last.get((kind, language))
        left = [number for number in range(len(wordings)) if number != last] or [0]
        number = left[self._choose(len(left))]
        self._last[kind, language] = number
        said = fill(wordings[number], lambda name: values.get(name), self._choose).text
        return said[:1].upper() + said[1:]


def label_of(attribute: str, language: str) -> str:
    held: Mapping[str, str] = _table()["labels"].get(attribute, {})
    return held.get(language, attribute.replace("_", " "))


def _is_none(stock: str) -> bool:
    return WHOLE.fullmatch(stock) is not None and int(stock) == 0


@cache
def _table() -> Mapping[str, Any]:
    with REPLIES.open(encoding="utf-8") as file:
        held: Mapping[str, Any] = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return held
