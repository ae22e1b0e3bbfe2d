"""Prices, stock and names that a text says of products, against the products file. Pure.

In: a view of a text, the goods, the product that is spoken of. Out: what is not as the file says, and where. A sum is
taken for the price of the product that is named before it, else of the one that is spoken of, else of any; what is no
price of a product (postage, a voucher, what is saved) is not looked at. Several pieces may cost several times as much.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import chain, combinations

from broadcaster.guard.amounts import Amount
from broadcaster.guard.goods import Goods, Mention, Product
from broadcaster.guard.kinds import Kinds
from broadcaster.guard.stock import SAID, left
from broadcaster.guard.sums import clause, counted, numbers, pieces, sentence, sums
from broadcaster.guard.view import Finding, View

ABOUT_PART = Decimal("0.1")  # of a sum that is said to be about so much
#: what a sum that is said roughly may be: from, and below
RANGES = {
    "tens": (10, 100),
    "ten": (10, 20),
    "hundred": (100, 200),
    "hundreds": (200, 1000),
    "h3": (100, 1000),
    "low": (1, 35),
    "digit": (1, 10),
    "digits": (10, 100),
}
DOZEN = 12
HEAP = 1000  # pieces that are a mountain
FEW = 9  # pieces, the most that are "a handful"
COUPON_MOST = 20  # off a price, where a coupon is spoken of
POSTAGE_MOST = 60  # on top of a price, where postage is spoken of
PARTS = (2, 3, 4, 6, 9, 12)  # in which a price may be paid
NAMED_MOST = 5  # products of a sum that is added up
COUNT_MOST = 12  # pieces of each
SAID_LEAST = 5  # a number that may be added or taken off
STATES: tuple[tuple[re.Pattern[str], Callable[[int], bool]], ...] = (
    (SAID["NONE_LEFT"], lambda stock: stock == 0),
    (SAID["SOME_LEFT"], lambda stock: stock > 0),
    (SAID["FEW_LEFT"], lambda stock: stock <= FEW),
    (SAID["DOZEN_LEFT"], lambda stock: stock == DOZEN),
    (SAID["HEAPS"], lambda stock: stock >= HEAP),
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
        for amount in sums(text, mentions):
            right = self._is_price(text, amount, mentions, product, written)
            if (
                not right
                and not (amount.bare and self._is_known(amount))
                and not self._explained(text, mentions, amount)
            ):
                meant = self._meant(text, amount.begin, amount.end, mentions, product)
                told = f"{text[amount.begin : amount.end]} is no price of {_told(meant)}"
                yield Finding(amount.begin, amount.end, "facts.price", told)
        for one in chain(left(text), counted(text, mentions)):
            meant = self._meant(text, one.begin, one.end, mentions, product)
            if not any(one.is_true(each.stock) for each in meant):
                yield Finding(one.begin, one.end, "facts.stock", f"there are not so many of {_told(meant)}")
        yield from self._states(text, mentions, product)
        yield from self._deals(text, mentions, product)
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
        first, last = sentence(text, begin, end)
        here = [one for one in mentions if first <= one.begin and one.end <= last]
        before = [one for one in here if one.end <= begin]
        after = [one for one in here if one.begin >= end and one.whole]
        spoken = [product] if product in self._goods.products else []
        beside = [one for one in here if one.begin >= end and text[end : one.begin].isspace()]
        if beside:
            return self._of(beside[0].products)
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
        before, after = clause(text, amount.begin, amount.end)
        was = SAID["WAS"].search(before) is not None
        about = SAID["ABOUT"].search(before) is not None or SAID["ABOUT"].search(after) is not None
        less = SAID["LESS"].search(before) is not None or SAID["WITHIN"].search(after) is not None
        counts = pieces(before, after)
        first, last = sentence(text, amount.begin, amount.end)
        meant = self._meant(text, amount.begin, amount.end, mentions, product)
        counted = SAID["PIECES_LEFT"].search(before) or any(one.end == amount.begin for one in mentions)
        if counted and any(one.stock in amount.values for one in meant):
            return True  # 茶巾52块, of what is counted so
        for one in self._goods.products.values() if written else meant:
            for cost in one.costs(amount.currency, was):
                if any(_fits(value, cost * count, about, less) for value in amount.values for count in counts):
                    return True
        named = [one for one in mentions if first <= one.begin and one.end <= last]
        if len(named) > 1 and SAID["TOGETHER"].search(text, first, last):
            total = sum((self._dearest(one, amount.currency, was) for one in named), Decimal(0))
            return any(_fits(value, total, about, less) for value in amount.values)
        return False

    def _explained(self, text: str, mentions: Sequence[Mention], amount: Amount) -> bool:
        """Whether what is named and what is counted makes so much: both together, what is missing to a sum, with
        postage, in three parts.
        """
        named = list(dict.fromkeys(name for one in mentions for name in one.products))[:NAMED_MOST]
        spoken = {value for value in numbers(text) if value not in amount.values}
        counts = {Decimal(1), *(value for value in spoken if value <= COUNT_MOST)}
        said = {value for value in spoken if value >= SAID_LEAST}
        costs = {name: set(self._goods.products[name].costs(amount.currency, False)) for name in named}
        terms = {name: {cost * count for cost in costs[name] for count in counts} for name in named}
        single = set().union(*terms.values()) if terms else set()
        twos = {x + y for one, other in combinations(terms.values(), 2) for x in one for y in other}
        threes = {x + y + z for a, b, c in combinations(terms.values(), 3) for x in a for y in b for z in c}
        made = single | twos | threes
        for value in amount.values:
            if value in made or any(value + other in made or other - value in made for other in said):
                return True
            if value - min(said, default=Decimal(0)) in made and said:
                return True
            if SAID["POSTAGE"].search(text) and any(0 < value - cost <= POSTAGE_MOST for cost in made):
                return True
            if SAID["COUPON"].search(text) and any(0 < cost - value <= COUPON_MOST for cost in made):
                return True
            if SAID["INSTALMENTS"].search(text) and any(abs(value * n - cost) < 1 for cost in made for n in PARTS):
                return True
        return False

    def _deals(self, text: str, mentions: Sequence[Mention], product: str) -> Iterator[Finding]:
        """What the file does not say of any price: half off, two for one, what a cup of tea costs."""
        if not mentions and not product and not SAID["ALL_OF_IT"].search(text):
            return
        for match in SAID["DEAL"].finditer(text):
            before, after = clause(text, match.start(), match.end())
            if not SAID["DENIED"].search(before) and not SAID["REFUSED"].search(after):
                yield Finding(match.start(), match.end(), "facts.price", "the products file has no such price")
        for match in SAID["VAGUE_SUM"].finditer(text):
            low, high = next((RANGES[name] for name, said in match.groupdict().items() if said and name in RANGES))
            meant = self._meant(text, match.start(), match.end(), mentions, product)
            if not any(low <= cost < high for one in meant for cost in one.costs("", False)):
                yield Finding(match.start(), match.end(), "facts.price", f"that is no price of {_told(meant)}")

    def _is_known(self, amount: Amount) -> bool:
        """A number by itself, which is some product's price or stock."""
        known = self._goods.products.values()
        return any(amount.values & {*one.costs("", False), one.stock} for one in known)

    def _dearest(self, mention: Mention, currency: str, was: bool) -> Decimal:
        costs = [cost for one in self._of(mention.products) for cost in one.costs(currency, was)]
        return max(costs, default=Decimal(0))

    # ── stock ────────────────────────────────────────────────────────────────────────────────────

    def _states(self, text: str, mentions: Sequence[Mention], product: str) -> Iterator[Finding]:
        """`Sold out`, where there are some, and the reverse; of a variant nothing is known."""
        for pattern, is_right in STATES:
            for match in pattern.finditer(text):
                first, last = sentence(text, match.start(), match.end())
                here = [one for one in mentions if first <= one.begin and one.end <= last]
                named = [one for one in here if one.whole] or here
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


def _fits(value: Decimal, cost: Decimal, about: bool, less: bool) -> bool:
    if less:
        return cost < value
    return abs(value - cost) <= cost * ABOUT_PART if about else value == cost
