"""What is forbidden in no single wording, but in what a sentence brings together: a doctor, and that none is needed.
Pure.

In: which ideas a text speaks of, and where; rules that name ideas. Out: where all ideas of a rule stand together, in
any order, in one sentence or what follows a question, and none that makes it harmless.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from broadcaster.guard.fold import IS_HAN

ENDS = re.compile(r"[。!;\n…]|(?<!\d)\.(?=\s|$)")
REACH = 130  # signs from the first idea to the last, a Hanzi counting as two
PLACES_MAX = 6  # of one idea in one sentence that are tried

R = TypeVar("R")
Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Together(Generic[R]):
    """ideas: by name. without: those that make it harmless."""

    rule: R
    ideas: tuple[str, ...]
    without: tuple[str, ...] = ()


def parsed(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """`A + B - C`: the ideas A and B, without C."""
    wanted, *without = (part.strip() for part in text.split(" - "))
    return tuple(part.strip() for part in wanted.split(" + ")), tuple(without)


class Brought(Generic[R]):
    def __init__(self, rules: Sequence[Together[R]]) -> None:
        self.rules = rules
        self._by_first: dict[str, list[Together[R]]] = defaultdict(list)
        for rule in rules:
            self._by_first[rule.ideas[0]].append(rule)

    def find(self, text: str, ideas: Mapping[str, Sequence[Span]]) -> Iterator[tuple[Together[R], Span]]:
        """One place for each rule that fits."""
        wanted = [rule for name in ideas for rule in self._by_first.get(name, ()) if all(map(ideas.get, rule.ideas))]
        if not wanted:
            return
        for first, last in _sentences(text):
            here = {
                name: [one for one in spans if first <= one[0] and one[1] <= last][:PLACES_MAX]
                for name, spans in ideas.items()
            }
            for rule in wanted:
                if not any(here.get(name) for name in rule.without) and (
                    span := _together(text, [here[name] for name in rule.ideas])
                ):
                    yield rule, span


def _sentences(text: str) -> Iterator[Span]:
    begin = 0
    for match in ENDS.finditer(text):
        yield begin, match.end()
        begin = match.end()
    yield begin, len(text)


def _together(text: str, places: Sequence[Sequence[Span]], taken: tuple[Span, ...] = ()) -> Span | None:
    """The first way to have one place of each, none of which overlap, near enough."""
    if len(taken) == len(places):
        begin, end = min(one[0] for one in taken), max(one[1] for one in taken)
        near = end - begin + len(IS_HAN.findall(text[begin:end])) <= REACH
        return (begin, end) if near else None
    for one in places[len(taken)]:
        if all(one[1] <= other[0] or one[0] >= other[1] for other in taken) and (
            found := _together(text, places, (*taken, one))
        ):
            return found
    return None
