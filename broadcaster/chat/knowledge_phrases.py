"""Phrases with what they mean, found where they begin in a text: as they are written, with slips, by sound. Pure.

In: phrases; units of a text. Out: for a place in it, all phrases that begin there, where they end, and how well they
fit. Words are known by their stems, with little words between those of a phrase (send it back); Hanzi by their sound as
well.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from broadcaster.chat.knowledge_units import Unit

SOUND_ALIKE = 0.75  # of a Hanzi that is another one of the same sound
SOUND_LEAST = {2: 0.87, 3: 0.75}  # of a phrase, by its Hanzi: two other Hanzi may be any other word
HOMOPHONE, PINYIN = 0.95, 0.9  # of a phrase that is written with other Hanzi of its sound, and in Latin letters
PARTICLES = frozenset("的了吗呢吧啊呀哦么嘛是有在不我你他它这那就都也还")  # are hardly ever typed for another one
BETWEEN, BETWEEN_LEAST = 0.93, 0.85  # of a phrase with little words between its own

Phrase: TypeAlias = tuple[str, ...]
"""Words and Hanzi as they are written."""


class Met(NamedTuple):
    """text[begin:end] is a phrase. quality: 1 where it is written so."""

    end: int
    means: frozenset[str]
    quality: float


@dataclass(slots=True)
class Node:
    """phrases: those that end here, which are different words of the same stems, or Hanzi of the same sounds. means: of
    all of them."""

    next: dict[str, Node] = field(default_factory=dict)
    phrases: dict[Phrase, frozenset[str]] = field(default_factory=dict)
    means: frozenset[str] = frozenset()


class Phrases:
    """little: words that ask nothing, as they are written: cans are not to be able."""

    def __init__(self) -> None:
        self.little: set[str] = set()
        self._written, self._sounding = Node(), Node()

    def add(self, meaning: str, read: Sequence[Unit]) -> None:
        _grow(self._written, [unit.key for unit in read], meaning, read)
        if len(read) > 1 and all(unit.wide and unit.sounds for unit in read):
            _grow(self._sounding, [unit.sounds[0] for unit in read], meaning, read)

    def find(self, text: Sequence[Unit], begin: int) -> list[Met]:
        """All that begin here."""
        return [*self._exact(text, begin), *self._alike(text, begin)]

    def likeness_to_little(self, unit: Unit) -> float:
        """How likely it is a little word; 0 where it is none."""
        if unit.wide or unit.raw in self.little:
            return float(unit.raw in self.little)
        return max((like for word, like in unit.slips if word in self.little), default=0.0)

    def all(self) -> list[tuple[Phrase, frozenset[str]]]:
        found: list[tuple[Phrase, frozenset[str]]] = []
        left = [self._written]
        while left:
            node = left.pop()
            left.extend(node.next.values())
            found.extend((phrase, node.means) for phrase in node.phrases)
        return found

    def _exact(self, text: Sequence[Unit], begin: int) -> Iterator[Met]:
        states = [(self._written, 1.0)]
        is_little = text[begin].raw in self.little
        for end in range(begin + 1, len(text) + 1):
            unit = text[end - 1]
            met = [
                (node.next[key], quality * likeness)
                for node, quality in states
                for key, likeness in unit.likely()
                if key in node.next
            ]
            for node, quality in met:
                if node.means and (end > begin + 1 or not is_little or (unit.raw,) in node.phrases):
                    yield Met(end, node.means, quality)
            if end > begin + 1 and unit.raw in self.little:
                met += [(node, quality * BETWEEN) for node, quality in states if quality >= BETWEEN_LEAST]
            states = met
            if not states:
                return

    def _alike(self, text: Sequence[Unit], begin: int) -> Iterator[Met]:
        """Phrases of Hanzi that sound like what begins here, in Hanzi or in pinyin."""
        states = [self._sounding]
        for end in range(begin + 1, len(text) + 1):
            states = [node.next[sound] for node in states for sound in text[end - 1].sounds if sound in node.next]
            if not states:
                return
            for node in states:
                for phrase, means in node.phrases.items():
                    quality = _likeness(text[begin:end], phrase)
                    if quality:
                        yield Met(end, means, quality)


def _likeness(part: Sequence[Unit], phrase: Phrase) -> float:
    """0 where it is written so, which is found by itself, or is too unlike."""
    slips = [unit.key for unit, wanted in zip(part, phrase, strict=True) if unit.key != wanted]
    wrong = sum(map(bool, slips))  # what is written in pinyin is not wrong
    quality = 1.0 - wrong * (1.0 - SOUND_ALIKE) / len(part)
    if slips and not wrong:
        return PINYIN
    if wrong and quality >= SOUND_LEAST.get(len(part), SOUND_ALIKE) and PARTICLES.isdisjoint(slips):
        return quality * HOMOPHONE
    return 0.0


def _grow(node: Node, keys: Sequence[str], meaning: str, read: Sequence[Unit]) -> None:
    for key in keys:
        node = node.next.setdefault(key, Node())
    phrase = tuple(unit.raw for unit in read)
    node.phrases[phrase] = node.phrases.get(phrase, frozenset()) | {meaning}
    node.means |= {meaning}
