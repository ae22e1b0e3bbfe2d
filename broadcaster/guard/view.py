"""A text as the rules read it: folded, closed up, and with evasions undone. Pure.

In: a text, and the words by which rules know what they look for. Out: readings of it, each of which knows where it
stands in the text. A rule that finds nothing in the text as it stands finds it where `最` is written for 醉, or b3st
for best.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from broadcaster.guard.fold import IS_HAN, Folded, Spot, fold
from broadcaster.guard.han import HanWords
from broadcaster.guard.latin import LatinWords, read_as_words
from broadcaster.guard.pieces import whole
from broadcaster.guard.sounded import sounded


class Finding(NamedTuple):
    """What a rule found: where in a reading, by which rule, and why, in words."""

    begin: int
    end: int
    rule: str
    why: str


@dataclass(frozen=True, slots=True)
class View:
    """text: as it came. folded: letter for letter. closed: Hanzi without what parts them. undone: the same with words
    that the rules know in the place of what was written for them; `closed` itself where there is nothing to undo.
    """

    text: str
    folded: Folded
    closed: Folded
    undone: Folded

    def readings(self) -> Iterator[Folded]:
        """Those that differ."""
        yield self.closed
        if self.undone is not self.closed:
            yield self.undone


class Undoing:
    """words: folded."""

    def __init__(self, words: Iterable[str]) -> None:
        known = list(dict.fromkeys(words))
        self._han = HanWords([word for word in known if IS_HAN.search(word)])
        latin = [word for word in known if not IS_HAN.search(word)]
        self._latin = LatinWords(latin)
        self._known = frozenset(latin)

    def view(self, text: str) -> View:
        folded = whole(fold(text))
        closed = folded.closed_up()
        spots = [*self._han.find(closed), *self._latin.find(closed), *read_as_words(closed, self._known)]
        spots += [Spot(begin, end, meant, False) for begin, end, meant in sounded(closed.text)]
        changes = list(_apart([spot for spot in spots if closed.text[spot.begin : spot.end] != spot.word]))
        undone = closed.replaced((spot.begin, spot.end, spot.word) for spot in changes) if changes else closed
        return View(text, folded, closed, undone)


def _apart(spots: Iterable[Spot]) -> Iterator[Spot]:
    """Those that do not overlap: the longest words first, then in order."""
    taken: list[Spot] = []
    for spot in sorted(spots, key=lambda one: (-len(one.word), one.begin, one.begin - one.end)):
        if all(spot.end <= other.begin or spot.begin >= other.end for other in taken):
            taken.append(spot)
    yield from sorted(taken)
