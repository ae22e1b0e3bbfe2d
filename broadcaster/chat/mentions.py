"""Which products a text speaks of, by any of their names. Pure.

In: a catalog, then texts. Out: where names of products stand in a text, and whose they are. Names are found as they are
written, capitals apart: how viewers write them is for broadcaster.chat.knowledge_names.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from broadcaster.script.products import Catalog

ALIASES = ("alias", "aliases", "also", "别名", "名称")  # fields
PARTED = re.compile(r"\s*[,;|/，；、\n]\s*")
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]+")
SHORT_HAN = 2  # a name of so many Hanzi may be any word
HEAD = 2  # characters by which names are looked up


class Mention(NamedTuple):
    at: int
    name: str  #: as it is written there
    products: frozenset[str]
    is_distinct: bool  #: it is no common word


class Names:
    """With what a product is called for short ("the teapot", 茶壶), where that is one product's alone."""

    def __init__(self, catalog: Catalog) -> None:
        found: dict[str, set[str]] = {}
        short: dict[str, set[str]] = {}
        for identity, fields in catalog.items():
            for name in _names(fields):
                found.setdefault(name, set()).add(identity)
                for end in _ends(name):
                    short.setdefault(end, set()).add(identity)
        for end, products in short.items():
            if len(products) == 1:
                found.setdefault(end, set()).update(products)
        self._products = {name: frozenset(products) for name, products in found.items()}
        self._by_head: dict[str, list[str]] = {}  # the longest first
        for name in sorted(self._products, key=len, reverse=True):
            self._by_head.setdefault(name[:HEAD], []).append(name)

    def of(self, product: str) -> list[str]:
        return [name for name, products in self._products.items() if product in products]

    def mentions(self, text: str) -> list[Mention]:
        """First to last, the longest at each place."""
        folded = text.casefold()
        if len(folded) != len(text):
            folded = "".join(char.casefold() if len(char.casefold()) == 1 else char for char in text)
        found, at = [], 0
        while at < len(folded):
            name = next((one for one in self._heads(folded, at) if _stands(one, folded, at)), "")
            if name:
                end = at + len(name)
                found.append(Mention(at, text[at:end], self._products[name], _is_distinct(name)))
            at += max(1, len(name))
        return found

    def _heads(self, text: str, at: int) -> Iterator[str]:
        for size in (HEAD, 1):
            yield from self._by_head.get(text[at : at + size], ())


def _names(fields: Mapping[str, str]) -> Iterator[str]:
    for field, text in fields.items():
        if field == "name" or field.startswith("name_"):
            yield text.strip().casefold()
        elif field.partition("_")[0] in ALIASES:
            yield from filter(None, (alias.strip().casefold() for alias in PARTED.split(text)))


def _ends(name: str) -> Iterator[str]:
    """Its last word, or its last Hanzi."""
    if HAN.fullmatch(name):
        yield from (name[-count:] for count in (SHORT_HAN, SHORT_HAN + 1) if len(name) > count)
    elif " " in name:
        yield name.rpartition(" ")[2]


def _stands(name: str, text: str, begin: int) -> bool:
    """Whether it is there, and if it is of Latin letters, as no part of a longer word; its plural is it."""
    end = begin + len(name)
    if not text.startswith(name, begin):
        return False
    before, after = text[:begin][-1:], text[end : end + 2].removeprefix("s")[:1]
    return not (
        (text[begin].isascii() and before.isascii() and before.isalnum())
        or (text[end - 1].isascii() and after.isascii() and after.isalnum())
    )


def _is_distinct(name: str) -> bool:
    return any(char in name for char in " -") or (not name.isascii() and len(name) > SHORT_HAN)
