"""Whether the figures of a sentence are those of the facts, in the same sense and of the same product. Pure.

In: facts; then a sentence, and which product it is about. Out: the first figure that no fact holds, or "". A price is
no stock, another product's price is a wrong one, and of two figures of a kind that one is meant beside which the fact
speaks of the same as the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from broadcaster.chat import claims
from broadcaster.chat.mentions import Mention, Names
from broadcaster.chat.quantities import DAY, MONEY, ORDINAL, Quantity, quantities
from broadcaster.rewrite.similarity import content

PRICE, STOCK = "price", "stock"
CUES = {
    PRICE: re.compile(
        r"\b(?:price|cost|charge|pay|paid|fee|sell|worth)(?:s|d|ing)?\b|\bhow much\b|价|多少钱|卖|售(?!罄)|花费|贵|付",
        re.I,
    ),
    STOCK: re.compile(
        r"\b(?:stock|left|remain(?:s|ing)?|available|on the shelf|have|has|got|how many|of them)\b"
        r"|库存|剩|还有|现货|有货|存货|多少[件个只]",
        re.I,
    ),
}
PRICED = re.compile(r"\d+[.,]\d\d")  # as only prices are written
CLAUSE = re.compile(r"[,，;；。!！?？、\n|]|[.:：](?!\d)|\b(?:and|but|or)\b")
COUNTED = ("", "piece", "person", "times")  # units that tell nothing of what is counted
ONCE = ((Decimal(1),),)
NEUTRAL_DAYS = ("today", "tonight", "今天", "今晚", "早上", "上午", "下午", "晚上", "中午", "傍晚")


@dataclass(frozen=True, slots=True)
class Fact:
    """product: whose it is, "" of the shop. rank: 0 of what answers best."""

    text: str
    product: str = ""
    rank: int = 0


@dataclass(frozen=True, slots=True)
class _Figure:
    """near: what is spoken of beside it."""

    quantity: Quantity
    sense: str
    near: frozenset[str]
    fact: Fact


class Proof:
    """question: a bare number answers it. products: that the facts speak of."""

    def __init__(self, facts: Sequence[Fact], names: Names, question: str) -> None:
        self._names = names
        owners = {fact.product for fact in facts if fact.product}
        spoken_of = (one.products for fact in facts for one in names.mentions(fact.text) if one.is_distinct)
        self.products = frozenset(owners.union(*spoken_of))
        self._asked = _cue(question)
        self._figures = [self._figure(one, fact) for fact in facts for one in self._counted(fact.text)]

    def lacks(self, sentence: str, named: Sequence[Mention], about: str) -> str:
        """named: products in the sentence. about: of which it is, where that is one or none, "" = of none."""
        found = [one for one in self._counted(sentence) if not _is_harmless(one, sentence)]
        said = Fact(sentence)
        figures = [self._figure(one, said, self._asked if not one.unit else "") for one in found]
        known = [one for one in named if one.products & self.products]
        lacking = [one for one in figures if _is_anothers(one.quantity, sentence, named, known)]
        for owners in [] if lacking else self._owners(found, known, about):
            held = [owner is not None and self._holds(one, owner) for one, owner in zip(figures, owners, strict=True)]
            lacking = [one for one, is_held in zip(figures, held, strict=True) if not is_held]
            if not lacking:
                return ""
        return sentence[lacking[0].quantity.begin : lacking[0].quantity.end] if lacking else ""

    def pieces(self, product: str) -> list[Decimal]:
        """How many there are, as the facts say."""
        stocks = (one for one in self._figures if one.sense == STOCK and one.fact.product == product)
        return [number for one in stocks for (number, *_) in one.quantity.readings]

    def _owners(self, found: list[Quantity], named: Sequence[Mention], about: str) -> Iterator[list[str | None]]:
        """Whose each figure may be: of the name before it, or of the one after it, all of them alike."""
        spots = [(one.at, min(one.products & self.products)) for one in named]
        if len({product for _, product in spots}) < 2:
            yield [about] * len(found)
            return
        yield [next((product for at, product in reversed(spots) if at < one.begin), None) for one in found]
        yield [next((product for at, product in spots if at > one.begin), None) for one in found]

    def _holds(self, figure: _Figure, owner: str) -> bool:
        return any(
            _same_number(figure, fact, self._figures)
            and self._same_sense(figure, fact)
            and self._is_meant(figure, fact, owner)
            for fact in self._figures
            if fact.fact.product in (owner, "")
        )

    def _same_sense(self, figure: _Figure, fact: _Figure) -> bool:
        one, other = figure.quantity, fact.quantity
        if one.is_money or (figure.sense == PRICE and one.unit in COUNTED):
            return fact.sense == PRICE and (not one.currencies or bool(one.currencies & self._currencies(fact)))
        if one.unit not in COUNTED:
            return one.unit == other.unit
        return fact.sense == STOCK if figure.sense == STOCK else not fact.sense

    def _currencies(self, fact: _Figure) -> frozenset[str]:
        """That this price may be in: its own, else what other facts of the product say of that number."""
        if fact.quantity.currencies:
            return fact.quantity.currencies
        same = (one.quantity for one in self._figures if one.fact.product == fact.fact.product)
        return frozenset().union(*(one.currencies for one in same if one.same_number(fact.quantity)))

    def _is_meant(self, figure: _Figure, fact: _Figure, owner: str) -> bool:
        """Whether both speak of the same thing: words are shared, or no other figure of the kind can be meant."""
        if figure.near & fact.near:
            return True
        if fact.fact.product != owner or (not owner and fact.fact.rank):
            return False
        others = [one for one in self._figures if one.fact.product == owner and (owner or not one.fact.rank)]
        return all(one.quantity.same_number(fact.quantity) for one in others if _same_kind(one, fact))

    def _figure(self, one: Quantity, fact: Fact, asked: str = "") -> _Figure:
        clause = clause_of(fact.text, one.begin, one.end)
        sense = ""
        if one.unit == MONEY or (one.unit in COUNTED and PRICED.fullmatch(fact.text, one.begin, one.end)):
            sense = PRICE
        elif one.unit in COUNTED:
            sense = _cue(clause) or asked
        return _Figure(one, sense, frozenset(self.spoken_of(clause) or self.spoken_of(fact.text)), fact)

    def _counted(self, text: str) -> list[Quantity]:
        """Its figures; "Two Small Cups" is a name."""
        return quantities(_without(text, self._named(text)))

    def _named(self, text: str) -> list[tuple[int, int]]:
        return [(one.at, one.at + len(one.name)) for one in self._names.mentions(text)]

    def spoken_of(self, text: str) -> set[str]:
        """Its content without figures and names of products, which all facts are full of."""
        return content(_without(text, [*((one.begin, one.end) for one in quantities(text)), *self._named(text)]))


def _without(text: str, spans: Sequence[tuple[int, int]]) -> str:
    for begin, end in spans:
        text = text[:begin] + "\0" * (end - begin) + text[end:]
    return text


def _same_number(figure: _Figure, fact: _Figure, figures: Sequence[_Figure]) -> bool:
    """ "3-5 days" as well, where the fact says from three to five."""
    if figure.quantity.same_number(fact.quantity):
        return True
    beside = {n for one in figures if one.fact is fact.fact for numbers in one.quantity.readings for n in numbers}
    own = {n for numbers in fact.quantity.readings for n in numbers}
    return any(len(said) > 1 and {*said} <= beside and {*said} & own for said in figure.quantity.readings)


def _same_kind(one: _Figure, other: _Figure) -> bool:
    """Money in two currencies is of two kinds."""
    if (one.sense, one.quantity.unit) != (other.sense, other.quantity.unit):
        return False
    currencies = one.quantity.currencies, other.quantity.currencies
    return not all(currencies) or bool(currencies[0] & currencies[1])


def _cue(text: str) -> str:
    """Whether it speaks of a price or of stock, as its first such word says."""
    found = [(match.start(), name) for name, pattern in CUES.items() if (match := pattern.search(text))]
    return min(found)[1] if found else ""


def clause_of(text: str, begin: int, end: int) -> str:
    """What stands around this stretch of a text, up to the next stop, comma or conjunction."""
    return text[slice(*_clause(text, begin, end))]


def _clause(text: str, begin: int, end: int) -> tuple[int, int]:
    after = CLAUSE.search(text, end)
    return (
        max((match.end() for match in CLAUSE.finditer(text, 0, begin)), default=0),
        after.start() if after else len(text),
    )


def _is_anothers(one: Quantity, sentence: str, named: Sequence[Mention], known: Sequence[Mention]) -> bool:
    """Whether it stands beside a product that no fact is of, and beside no other."""
    begin, end = _clause(sentence, one.begin, one.end)
    beside = [mention for mention in named if begin <= mention.at < end]
    return bool(beside) and not any(mention in known for mention in beside)


def _is_harmless(one: Quantity, sentence: str) -> bool:
    """ "today", and "one cup" where nothing is offered or counted."""
    if one.unit == DAY:
        return one.day in NEUTRAL_DAYS
    is_one = one.readings == ONCE and one.unit in (*COUNTED, ORDINAL, "day")
    return is_one and not (_cue(sentence) or claims.offers(sentence) or claims.stock(sentence))
