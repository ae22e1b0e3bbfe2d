"""What in a text may be the price of a product, or the number of its pieces, and what is said around it. Pure.

In: folded text; where products are named in it. Out: sums with a currency, behind words that speak of prices, or
beside a product without a unit; the pieces that a sum may be for; the sentence and the clause around a place.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from decimal import Decimal

from broadcaster.guard.amounts import NUMBER, Amount, money, values
from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.goods import Mention
from broadcaster.guard.stock import SAID, How, Left

PIECES_MAX = 100  # that a sum is taken to be for
AFTER_CHARS = 12  # behind a sum, in which it is said for how many
ANY = re.compile(NUMBER)
NEAR_LEAST = 5  # a number beside a product that may be a price
HOURS = 25  # and where it may be a time
BEFORE_CHARS = 24  # before its sentence, in which a question may name the product
BESIDE_CHARS = 14  # between a number and the product that it counts


def sums(text: str, mentions: Sequence[Mention]) -> Iterator[Amount]:
    """What may be prices of products."""
    found = [*money(text), *_bare(text)]
    for one in (*_after_names(text, mentions), *_near(text, mentions)):
        if all(one.end <= other.begin or one.begin >= other.end for other in found):
            found.append(one)
    yield from (one for one in found if max(one.values) >= 1 and not _is_other_sum(text, one))


def _bare(text: str) -> Iterator[Amount]:
    """Sums without a currency, where words say that they are prices."""
    for pattern in (SAID["BARE_ZH"], SAID["BARE_EN"]) if IS_HAN.search(text) else (SAID["BARE_EN"],):
        for match in pattern.finditer(text):
            begin, end = match.span("sum")
            found = values(match["sum"])
            exact = len(found) > 1 or "." in match["sum"] or "point" in match["sum"]
            if found and (exact or not match.groupdict().get("vague")):
                yield Amount(begin, end, found)


def _after_names(text: str, mentions: Sequence[Mention]) -> Iterator[Amount]:
    """Sums without a currency right behind a product: 羊毛围巾一条八十九，"""
    for one in mentions:
        match = SAID["AFTER_NAME"].match(text, one.end)
        if match and (found := values(match["sum"])):
            yield Amount(*match.span("sum"), found)


def _is_other_sum(text: str, amount: Amount) -> bool:
    before, after = clause(text, amount.begin, amount.end)
    return SAID["NO_PRICE_BEFORE"].search(before) is not None or SAID["NO_PRICE_AFTER"].search(after) is not None


def _near(text: str, mentions: Sequence[Mention]) -> Iterator[Amount]:
    """Sums without a currency that close a clause where a product is named: 六十六拿走, for a hundred flat."""
    if not mentions:
        return
    for pattern in (SAID["NEAR_ZH"], SAID["NEAR_EN"]) if IS_HAN.search(text) else (SAID["NEAR_EN"],):
        for match in pattern.finditer(text):
            begin, end = match.span("sum")
            first, last = sentence(text, begin, end)
            beside = any(first - BEFORE_CHARS <= one.begin and one.end <= last for one in mentions)
            within = any(one.begin <= begin and end <= one.end for one in mentions)
            no_price = SAID["NO_SUM_BEFORE"].search(text[:begin])
            found = values(match["sum"])
            least = HOURS if SAID["TIME_BEFORE"].search(text[:begin]) else NEAR_LEAST
            if beside and not within and not no_price and found and max(found) >= least:
                yield Amount(begin, end, found, bare=True)


def numbers(text: str) -> set[Decimal]:
    """All that a text says."""
    return {value for match in ANY.finditer(text) for value in values(match[0])}


def counted(text: str, mentions: Sequence[Mention]) -> Iterator[Left]:
    """`We have nine lamps`, of which there are so many."""
    for match in SAID["HAVE"].finditer(text):
        begin, end = match.span("count")
        if any(0 <= one.begin - end <= BESIDE_CHARS for one in mentions):
            found = values(match["count"])
            if found and max(found) >= NEAR_LEAST:
                yield Left(begin, end, found, How.EXACTLY)


def pieces(before: str, after: str) -> list[Decimal]:
    """How many pieces a sum may be for."""
    found = {Decimal(1)}
    for match in (*SAID["PIECES"].finditer(before), *SAID["PIECES"].finditer(after[:AFTER_CHARS])):
        found |= {value for value in values(match["count"] or match["words"]) if 1 <= value <= PIECES_MAX}
    return sorted(found)


def sentence(text: str, begin: int, end: int) -> tuple[int, int]:
    return _between(SAID["ENDS"], text, begin, end)


def clause(text: str, begin: int, end: int) -> tuple[str, str]:
    """What stands in its clause before and after it."""
    first, last = _between(SAID["CLAUSE_ENDS"], text, begin, end)
    return text[first:begin], text[end:last]


def _between(pattern: re.Pattern[str], text: str, begin: int, end: int) -> tuple[int, int]:
    first = 0
    for match in pattern.finditer(text, 0, begin):
        first = match.end()
    following = pattern.search(text, end)
    return first, following.start() if following else len(text)
