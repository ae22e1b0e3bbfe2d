"""Prices, stock and names that a text says of products, against the products file. Pure.

In: a view of a text, the goods, the product that is spoken of. Out: what is not as the file says, and where. A sum is
taken for the price of the product that is named before it, else of the one that is spoken of, else of any; what is no
price of a product (postage, a voucher, what is saved) is not looked at. Several pieces may cost several times as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal

from broadcaster.guard.amounts import Amount, money, values
from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.goods import Goods, Mention, Product
from broadcaster.guard.kinds import Kinds
from broadcaster.guard.stock import SAID, left
from broadcaster.guard.view import Finding, View

ABOUT_PART = Decimal("0.1")  # of a sum that is said to be about so much
PIECES_MAX = 100  # that a sum is taken to be for
AFTER_CHARS = 12  # behind a sum, in which it is said for how many
STATES: tuple[tuple[re.Pattern[str], Callable[[int], bool]], ...] = (
    (SAID["NONE_LEFT"], lambda stock: stock == 0),
    (SAID["SOME_LEFT"], lambda stock: stock > 0),
)


class Facts:
    """names: like the real ones, but for a figure or a letter, are found as well."""

    def __init__(self, goods: Goods) -> None:
        self._goods = goods
        self._near = _near_names(goods)
        self._kinds = Kinds(goods)

    def find(self, view: View, product: str = "", written: bool = False) -> Iterator[Finding]:
        """written: by whoever wrote the script, whose prices stand in for variables: any product's will do."""
        if not self._goods.products:
            return
        text = view.undone.text
        mentions = self._goods.mentions(view.undone)
        for amount in _sums(text, mentions):
            if not self._is_price(text, amount, mentions, product, written):
                meant = self._meant(text, amount.begin, amount.end, mentions, product)
                told = f"{text[amount.begin : amount.end]} is no price of {_told(meant)}"
                yield Finding(amount.begin, amount.end, "facts.price", told)
        for one in left(text):
            meant = self._meant(text, one.begin, one.end, mentions, product)
            if not any(one.is_true(each.stock) for each in meant):
                yield Finding(one.begin, one.end, "facts.stock", f"there are not so many of {_told(meant)}")
        yield from self._states(text, mentions, product)
        yield from self._names(text, mentions)
        for wrong in self._kinds.find(text):
            yield Finding(wrong.begin, wrong.end, "facts.name", f"{wrong.product} is not {wrong.word}")

    # ── which product ────────────────────────────────────────────────────────────────────────────

    def _meant(self, text: str, begin: int, end: int, mentions: Sequence[Mention], product: str) -> list[Product]:
        """What a figure may be about: what is named right behind it, else right before it in its sentence.

        An end of a name (`the mug`) may stand for something else: then what is named in full, and what is spoken of,
        may be meant as well. In a sentence that names nothing, what is spoken of or was named last is meant;
        else anything.
        """
        first, last = _sentence(text, begin, end)
        here = [one for one in mentions if first <= one.begin and one.end <= last]
        before = [one for one in here if one.end <= begin]
        after = [one for one in here if one.begin >= end and one.whole]
        spoken = [product] if product in self._goods.products else []
        if after and SAID["FORWARD"].match(text[end : after[0].begin]):
            return self._of(after[0].products)
        if before and before[-1].whole:
            return self._of(before[-1].products)
        if before:
            named = [one for one in (*here, *mentions) if one.whole or one in before]
            return self._of(dict.fromkeys([*spoken, *(name for one in named for name in one.products)]))
        if after:
            return self._of(dict.fromkeys([*after[0].products, *spoken]))
        earlier = [one for one in mentions if one.end <= begin]
        earlier = [one for one in earlier if one.whole] or earlier
        named = earlier[-1:]
        meant = dict.fromkeys([*spoken, *(name for one in named for name in one.products)])
        return self._of(meant) or list(self._goods.products.values())

    def _of(self, identities: Iterable[str]) -> list[Product]:
        return [self._goods.products[identity] for identity in identities]

    # ── prices ───────────────────────────────────────────────────────────────────────────────────

    def _is_price(self, text: str, amount: Amount, mentions: Sequence[Mention], product: str, written: bool) -> bool:
        before, after = _clause(text, amount.begin, amount.end)
        was = SAID["WAS"].search(before) is not None
        about = SAID["ABOUT"].search(before) is not None or SAID["ABOUT"].search(after) is not None
        less = SAID["LESS"].search(before) is not None or SAID["WITHIN"].search(after) is not None
        pieces = _pieces(before, after)
        first, last = _sentence(text, amount.begin, amount.end)
        meant = self._meant(text, amount.begin, amount.end, mentions, product)
        counted = SAID["PIECES_LEFT"].search(before) or any(one.end == amount.begin for one in mentions)
        if counted and any(one.stock in amount.values for one in meant):
            return True  # 茶巾52块, of what is counted so
        for one in self._goods.products.values() if written else meant:
            for cost in one.costs(amount.currency, was):
                if any(_fits(value, cost * count, about, less) for value in amount.values for count in pieces):
                    return True
        named = [one for one in mentions if first <= one.begin and one.end <= last]
        if len(named) > 1 and SAID["TOGETHER"].search(text, first, last):
            total = sum((self._dearest(one, amount.currency, was) for one in named), Decimal(0))
            return any(_fits(value, total, about, less) for value in amount.values)
        return False

    def _dearest(self, mention: Mention, currency: str, was: bool) -> Decimal:
        costs = [cost for one in self._of(mention.products) for cost in one.costs(currency, was)]
        return max(costs, default=Decimal(0))

    # ── stock ────────────────────────────────────────────────────────────────────────────────────

    def _states(self, text: str, mentions: Sequence[Mention], product: str) -> Iterator[Finding]:
        """`Sold out`, where there are some, and the reverse; of a variant nothing is known."""
        for pattern, is_right in STATES:
            for match in pattern.finditer(text):
                first, last = _sentence(text, match.start(), match.end())
                named = [one for one in mentions if first <= one.begin and one.end <= last and one.whole]
                spoken = [product] if product in self._goods.products else []
                meant = self._of(named[-1].products if named else spoken)
                known = [one.stock for one in meant if one.stock is not None]
                denied = SAID["DENIED"].search(text[first : match.start()]) or SAID["PARTLY"].search(text[first:last])
                if known and not denied and not any(map(is_right, known)):
                    told = f"there are {known[0]} of {_told(meant)}"
                    yield Finding(match.start(), match.end(), "facts.stock", told)

    # ── names ────────────────────────────────────────────────────────────────────────────────────

    def _names(self, text: str, mentions: Sequence[Mention]) -> Iterator[Finding]:
        for pattern, name in self._near:
            for match in pattern.finditer(text):
                if not any(one.begin <= match.start() and match.end() <= one.end for one in mentions if one.whole):
                    yield Finding(match.start(), match.end(), "facts.name", f"the product is called {name}")


def _near_names(goods: Goods) -> list[tuple[re.Pattern[str], str]]:
    """Patterns of names that differ from a product's in a figure alone."""
    found = []
    for product in goods.products.values():
        for name in product.names:
            if re.search(r"\d", name) and re.search(r"[^\W\d]{2}", name):
                parts = [re.escape(part).replace(r"\ ", r"\s*") for part in re.split(r"\d+(?:\.\d+)?", name)]
                edge = r"(?<![a-z0-9])" if name[0].isascii() else ""
                found.append(
                    (
                        re.compile(
                            edge + r"\d+(?:\.\d+)?".join(parts) + (r"(?![a-z0-9])" if name[-1].isascii() else "")
                        ),
                        name,
                    )
                )
    return found


def _told(meant: Sequence[Product]) -> str:
    return meant[0].identity if len(meant) == 1 else "any product"


def _sums(text: str, mentions: Sequence[Mention]) -> Iterator[Amount]:
    """What may be prices of products."""
    found = [*money(text), *_bare(text)]
    for one in _after_names(text, mentions):
        if all(one.end <= other.begin or one.begin >= other.end for other in found):
            found.append(one)
    yield from (one for one in found if max(one.values) >= 1 and not _is_other_sum(text, one))


def _bare(text: str) -> Iterator[Amount]:
    """Sums without a currency, where words say that they are prices."""
    for pattern in (SAID["BARE_ZH"], SAID["BARE_EN"]) if IS_HAN.search(text) else (SAID["BARE_EN"],):
        for match in pattern.finditer(text):
            begin, end = match.span("sum")
            found = values(match["sum"])
            if found and (len(found) > 1 or "." in match["sum"] or not match.groupdict().get("vague")):
                yield Amount(begin, end, found)


def _after_names(text: str, mentions: Sequence[Mention]) -> Iterator[Amount]:
    """Sums without a currency right behind a product: 羊毛围巾一条八十九，"""
    for one in mentions:
        match = SAID["AFTER_NAME"].match(text, one.end)
        if match and (found := values(match["sum"])):
            yield Amount(*match.span("sum"), found)


def _is_other_sum(text: str, amount: Amount) -> bool:
    before, after = _clause(text, amount.begin, amount.end)
    return SAID["NO_PRICE_BEFORE"].search(before) is not None or SAID["NO_PRICE_AFTER"].search(after) is not None


def _fits(value: Decimal, cost: Decimal, about: bool, less: bool) -> bool:
    if less:
        return cost < value
    return abs(value - cost) <= cost * ABOUT_PART if about else value == cost


def _pieces(before: str, after: str) -> list[Decimal]:
    """How many pieces a sum may be for."""
    found = {Decimal(1)}
    for match in (*SAID["PIECES"].finditer(before), *SAID["PIECES"].finditer(after[:AFTER_CHARS])):
        found |= {value for value in values(match["count"] or match["words"]) if 1 <= value <= PIECES_MAX}
    return sorted(found)


def _sentence(text: str, begin: int, end: int) -> tuple[int, int]:
    return _between(SAID["ENDS"], text, begin, end)


def _clause(text: str, begin: int, end: int) -> tuple[str, str]:
    """What stands in its clause before and after it."""
    first, last = _between(SAID["CLAUSE_ENDS"], text, begin, end)
    return text[first:begin], text[end:last]


def _between(pattern: re.Pattern[str], text: str, begin: int, end: int) -> tuple[int, int]:
    first = 0
    for match in pattern.finditer(text, 0, begin):
        first = match.end()
    following = pattern.search(text, end)
    return first, following.start() if following else len(text)
