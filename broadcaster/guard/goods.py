"""The products file as the guard reads it: what each product is called, may cost, and how many there are. Pure.

In: a catalogue. Out: products by what they are called in a text, in full or by the end of their names (`the mug`).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from broadcaster.guard.amounts import currency_of
from broadcaster.guard.fold import HAN, IS_HAN, Folded, fold
from broadcaster.guard.lists import tight
from broadcaster.script.products import COUNT, NUMBER, Catalog

NAMES = re.compile(r"name(?:_\w+)?|title(?:_\w+)?|alias(?:es)?(?:_\w+)?|short_?name(?:_\w+)?|品名|名称|别名")
PRICES = re.compile(
    r".*(?:price|yuan|rmb|cny|usd|eur|gbp|hkd|jpy|dollars|cost|deal|sale|promo|deposit|价|定金|postage|shipping).*"
)
WAS = re.compile(r".*(?:orig|list|market|was|rrp|before|原|划线|市场).*")
CURRENCY_NAMES = {
    "CNY": "yuan|rmb|cny|_zh",
    "USD": "usd|dollar",
    "EUR": "eur",
    "GBP": "gbp",
    "HKD": "hkd",
    "JPY": "jpy",
}
SPLIT = re.compile(r"[;|,、；，]\s*")
HEAD_CHARS = (2, 4)  # of a Chinese name's end that may stand for it


@dataclass(frozen=True, slots=True)
class Price:
    """currency: "" = none is named. was: it is what the product used to cost."""

    value: Decimal
    currency: str = ""
    was: bool = False


@dataclass(frozen=True, slots=True)
class Product:
    """names: folded."""

    identity: str
    names: tuple[str, ...]
    prices: tuple[Price, ...]
    stock: int | None

    def costs(self, currency: str, was: bool) -> Iterator[Decimal]:
        """What it may be said to cost in a currency; "" is any."""
        own = [one for one in self.prices if one.currency == currency] if currency else []
        for one in own or [one for one in self.prices if not (currency and one.currency)]:
            if one.was == was or not any(other.was for other in self.prices):
                yield one.value


@dataclass(frozen=True, slots=True)
class Mention:
    """Where products are named in a folded text; several when the name's end fits several."""

    begin: int
    end: int
    products: frozenset[str]
    whole: bool


class Goods:
    def __init__(self, catalog: Catalog) -> None:
        self.products = {identity: _product(identity, fields) for identity, fields in catalog.items()}
        called: dict[str, set[str]] = defaultdict(set)
        heads: dict[str, set[str]] = defaultdict(set)
        for product in self.products.values():
            for name in product.names:
                called[tight(name)].add(product.identity)
                for head in _heads(name):
                    heads[head].add(product.identity)
        self._called = {name: frozenset(ids) for name, ids in called.items() if name}
        self._heads = {name: frozenset(ids) for name, ids in heads.items() if name and name not in called}
        self._order = [
            *((name, True) for name in sorted(self._called, key=len, reverse=True)),
            *((name, False) for name in sorted(self._heads, key=len, reverse=True)),
        ]

    def mentions(self, folded: Folded) -> list[Mention]:
        """In order; a name within a longer one is none."""
        at = [index for index, char in enumerate(folded.text) if char.isalnum()]
        text = "".join(folded.text[index] for index in at)
        found: list[Mention] = []
        for name, whole in self._order:
            begin = text.find(name)
            while begin >= 0:
                first, last = at[begin], at[begin + len(name) - 1] + 1
                if _whole_word(folded.text, first, last) and all(
                    last <= one.begin or first >= one.end for one in found
                ):
                    found.append(Mention(first, last, (self._called if whole else self._heads)[name], whole))
                begin = text.find(name, begin + 1)
        return sorted(found, key=lambda one: one.begin)


def _product(identity: str, fields: Mapping[str, str]) -> Product:
    names = [part for name, value in fields.items() if NAMES.fullmatch(name) for part in SPLIT.split(value)]
    prices = [_price(name, value, fields) for name, value in fields.items() if PRICES.fullmatch(name)]
    stock = fields.get("stock", "")
    return Product(
        identity,
        tuple(dict.fromkeys(fold(name).text.strip() for name in names if tight(name))),
        tuple(price for price in prices if price is not None),
        int(stock) if COUNT.fullmatch(stock) else None,
    )


def _price(name: str, value: str, fields: Mapping[str, str]) -> Price | None:
    number = re.sub(r"[^\d.,]", "", value).strip(".,")
    if not NUMBER.fullmatch(number):
        return None
    named = next((code for code, pattern in CURRENCY_NAMES.items() if re.search(pattern, name)), "")
    currency = named or currency_of(fold(fields.get("currency", "")).text.strip())
    return Price(Decimal(number.replace(",", "")), currency, bool(WAS.fullmatch(name)))


def _heads(name: str) -> Iterator[str]:
    """`马克杯` of 渡口马克杯, `mug` of Ferry Mug."""
    if IS_HAN.search(name):
        bare = re.sub(rf"[^{HAN}a-z]", "", re.sub(r"\d.*$", "", name))
        for size in range(HEAD_CHARS[0], min(HEAD_CHARS[1], len(bare) - 1) + 1):
            yield bare[-size:]
        return
    words = re.findall(r"[a-z-]+", re.sub(r"\s\d.*$", "", name))
    for size in range(1, len(words)):
        yield tight(" ".join(words[-size:]))
    if many := re.sub(r"(?:f|fe)$", "ves", words[-1]) if words and words[-1].endswith(("f", "fe")) else "":
        yield from (many, tight(" ".join((*words[:-1], many))))  # scarves, knives


def _whole_word(text: str, begin: int, end: int) -> bool:
    """Latin letters at its ends belong to no longer word, a plural's aside."""
    before, after = text[max(0, begin - 1) : begin], text[end : end + 2]
    if text[begin].isascii() and before.isascii() and before.isalnum():
        return False
    if text[end - 1].isascii() and after[:1].isascii() and after[:1].isalnum():
        return after[0] == "s" and not (after[1:].isascii() and after[1:].isalnum())
    return True
