"""What a language model is told of an answer's facts, and is held to. Pure.

In: what knowledge found, and which products the question names. Out: facts, the most telling first, each said once. A
price stands there with its currency where that is known, and then not as the bare number of the file as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from broadcaster.chat.found import Found
from broadcaster.chat.knowledge_replies import money_of, name_of
from broadcaster.chat.mentions import ALIASES
from broadcaster.chat.proof import Fact
from broadcaster.chat.quantities import CURRENCY_OF
from broadcaster.script.products import Catalog

BARE_PRICE = re.compile(rf": (?:price|{'|'.join(map(re.escape, CURRENCY_OF))})[: ]+[\d.,]+(?: \w+)?$", re.IGNORECASE)
NAMED_MAX = 4  # products of a question
FIELDS_MAX = 30
UNTOLD = ("id", "name", "currency", *ALIASES)  # fields that are no facts, in any language


def facts_of(found: Sequence[Found], catalog: Catalog, language: str, named: Sequence[str] = ()) -> list[Fact]:
    """named: ids of products, also such as knowledge was not led to."""
    told: dict[str, Fact] = {}
    for rank, one in enumerate(found):
        texts = [*one.text.split("\n"), *_priced(one.product, catalog.get(one.product, {}), language, one.facts)]
        for text in filter(str.strip, texts):
            told.setdefault(text, Fact(text, one.product, rank))
    missing = [product for product in dict.fromkeys(named) if product not in {one.product for one in found}]
    for rank, product in enumerate(missing[:NAMED_MAX], len(found)):
        fields = catalog.get(product, {})
        for text in _priced(product, fields, language, list(_facts(product, fields, language))):
            told.setdefault(text, Fact(text, product, rank))
    return list(told.values())


def _priced(product: str, fields: Mapping[str, str], language: str, facts: Sequence[str]) -> Iterator[str]:
    money = money_of(fields, ("price",), language)
    if money:
        yield f"{name_of(product, fields, language)}: price {money}"
    yield from (text for text in facts if not (money and BARE_PRICE.search(text)))


def _facts(product: str, fields: Mapping[str, str], language: str) -> Iterator[str]:
    name = name_of(product, fields, language)
    for field, text in list(fields.items())[:FIELDS_MAX]:
        if field.partition("_")[0] not in UNTOLD:
            yield f"{name}: {field.replace('_', ' ')} {text}"
