"""How many pieces a text says are left, and that none or some are. Pure.

In: folded text. Out: where it says so, and how many: three left, 库存上千, sold out. The words for that stand in
rules/facts.rules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum

from broadcaster.guard.amounts import HAN_ONE, MEASURE, NUMBER, values
from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.patterns import named

MANY = {
    "上百": 100,
    "几百": 200,
    "数百": 200,
    "好几百": 300,
    "上千": 1000,
    "成千上万": 1000,
    "几千": 2000,
    "数千": 2000,
    "好几千": 3000,
    "上万": 10_000,
    "几万": 20_000,
    "hundreds": 200,
    "a thousand": 1000,
    "thousands": 2000,
    "tens of thousands": 10_000,
}
BEFORE_CHARS = 12  # in which `more than` is looked for


def _any_of(*, chinese: bool) -> str:
    """The longest ones first."""
    words = [word for word in MANY if bool(IS_HAN.search(word)) is chinese]
    return "|".join(sorted(words, key=len, reverse=True))


#: for this module and broadcaster.guard.facts
SAID = named(
    "facts",
    HAN_ONE=HAN_ONE,
    MEASURE=MEASURE,
    NUMBER=NUMBER,
    MANY_ZH=_any_of(chinese=True),
    MANY_EN=_any_of(chinese=False),
)


class How(Enum):
    """How a count is meant: as it is, `more than`, `less than`, or roughly by hundreds."""

    EXACTLY = "exactly"
    MORE = "more"
    LESS = "less"
    MANY = "many"


@dataclass(frozen=True, slots=True)
class Left:
    """counts: what the number may mean."""

    begin: int
    end: int
    counts: frozenset[Decimal]
    how: How

    def is_true(self, stock: int | None) -> bool:
        """Whether it may be said with so many on stock; of an unknown stock nothing may."""
        if stock is None:
            return False
        match self.how:
            case How.EXACTLY:
                return stock in self.counts
            case How.MORE:
                return any(count <= stock < count * 2 for count in self.counts)
            case How.LESS:
                return any(stock < count for count in self.counts)
            case How.MANY:
                return any(count <= stock * 2 for count in self.counts)


def left(text: str) -> Iterator[Left]:
    """What is said to be left."""
    for match in SAID["VAGUE"].finditer(text):
        name = next(name for name in ("zh", "en", "en2") if match[name])
        yield Left(*match.span(name), frozenset({Decimal(MANY[match[name]])}), How.MANY)
    for pattern in (SAID["STOCK_ZH"], SAID["STOCK_EN"]):
        for match in pattern.finditer(text):
            name, number = next((name, match[name]) for name in "abcd" if name in pattern.groupindex and match[name])
            begin, end = match.span(name)
            before = text[max(0, match.start() - BEFORE_CHARS) : begin]
            more = match.groupdict().get(f"{name}_more") or SAID["MORE_THAN"].search(before)
            how = How.MORE if more else How.LESS if SAID["LESS_THAN"].search(before) else How.EXACTLY
            yield Left(begin, end, values(number), how)
