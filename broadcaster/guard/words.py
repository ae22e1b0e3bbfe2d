"""Words of lists in a text, as they are and by evasion, but for the phrases in which they are harmless. Pure.

In: entries of lists; a folded text. Out: where each word stands, however it is written, and which entry it is.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from broadcaster.guard.fold import IS_HAN, PAUSES, Folded, Spot
from broadcaster.guard.han import HanWords
from broadcaster.guard.latin import LatinWords
from broadcaster.guard.lists import Entry, tight


class Hit(NamedTuple):
    """In the folded text."""

    begin: int
    end: int
    entry: Entry


class Words:
    def __init__(self, entries: Iterable[Entry]) -> None:
        self._entries: dict[str, list[Entry]] = defaultdict(list)
        initials: list[tuple[str, str]] = []
        for entry in entries:
            if entry.word:
                self._entries[entry.word].append(entry)
                initials += [(entry.word, letters) for letters in entry.initials]
        han = [word for word in self._entries if IS_HAN.search(word)]
        self._single = {word for word in han if len(tight(word)) == 1}
        self._han = HanWords([word for word in han if word not in self._single], initials)
        self._latin = LatinWords([word for word in self._entries if not IS_HAN.search(word)], inflected=True)

    def find(self, folded: Folded) -> Iterator[Hit]:
        """One for each place, in no order."""
        spots = [*self._han.find(folded), *self._latin.find(folded), *self._singles(folded)]
        if not spots:
            return
        signs = Signs(folded)
        for spot in spots:
            for entry in self._entries[spot.word]:
                if entry.exact and not (spot.plain and folded.text[spot.begin : spot.end] == spot.word):
                    continue
                if not signs.within(spot, spot.word, entry.allow):
                    yield Hit(spot.begin, spot.end, entry)

    def _singles(self, folded: Folded) -> Iterator[Spot]:
        for at, char in enumerate(folded.text):
            if char in self._single:
                yield Spot(at, at + 1, char, True)


class Signs:
    """The letters and figures of a folded text, without what parts them but ends no clause."""

    def __init__(self, folded: Folded) -> None:
        self._at = [at for at, char in enumerate(folded.text) if char.isalnum() or char in PAUSES]
        self._text = "".join(folded.text[at] for at in self._at)

    def within(self, spot: Spot | tuple[int, int], word: str, phrases: Sequence[str]) -> bool:
        """Whether it stands in one of these phrases; what stands there counts as the word."""
        if not phrases:
            return False
        begin, end = (sum(at < edge for at in self._at) for edge in spot[:2])
        meant = tight(word) or self._text[begin:end]
        text, last = self._text[:begin] + meant + self._text[end:], begin + len(meant)
        for phrase in phrases:
            at = text.find(phrase, max(0, last - len(phrase)))
            if 0 <= at <= begin:
                return True
        return False

    def spans(self, phrases: Iterable[str]) -> Iterator[tuple[int, int]]:
        """Where phrases stand in the folded text."""
        for phrase in phrases:
            at = self._text.find(phrase)
            while phrase and at >= 0:
                yield self._at[at], self._at[at + len(phrase) - 1] + 1
                at = self._text.find(phrase, at + 1)
