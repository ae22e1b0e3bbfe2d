"""Answers of the language model, kept for whoever asks the same next, in whatever words. Pure but for the clock.

In: a question with the entry that knowledge found for it, and its answer. Out: that answer again, for a question of the
same entry, the same question words and the same words that carry it, slips apart; unless what it was made of has
changed since, or it is old. Kept in memory alone, the one used longest ago is forgotten first.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from broadcaster.chat.normalise import key_of
from broadcaster.chat.sameness import Words, same, words_of
from broadcaster.script.products import Catalog
from pipeline.clock import NS, Clock

AGE_S = 30 * 60.0
SLIPS_LOOKED_AT = 50  # answers of one entry that a question with a slip in it is compared with
ASKERS = re.compile(
    r"\b(?:what|how|when|where|which|whose?|whom|why)\b"
    r"|什么时候|为什么|什么|多久|多大|多重|多长|多少|怎么|哪|谁|几"
)


@dataclass(frozen=True, slots=True)
class Subject:
    """What a question is about. entry: of knowledge, "" = none. talked_of: the product that "it" is, "" = none."""

    language: str
    entry: str
    talked_of: str
    askers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Kept:
    """records: of the products that it was made of. faq: as it was then."""

    sentences: tuple[str, ...]
    product: str
    records: Mapping[str, Mapping[str, str]]
    faq: object
    at_ns: int


def subject_of(text: str, language: str, entry: str, talked_of: str) -> Subject:
    return Subject(language, entry, talked_of, tuple(sorted(ASKERS.findall(text.casefold()))))


class Cache:
    """most: answers that are kept; 0 keeps none."""

    def __init__(self, clock: Clock, most: int) -> None:
        self._clock = clock
        self._most = most
        self._kept: OrderedDict[tuple[Subject, Words], Kept] = OrderedDict()
        self._worded: dict[Subject, OrderedDict[Words, None]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def put(
        self, subject: Subject, text: str, sentences: tuple[str, ...], product: str, records: Catalog, faq: object
    ) -> None:
        """records: of all products whose facts it may rest on."""
        if not self._most or not sentences:
            return
        words = words_of(key_of(text))
        copied = {identity: dict(fields) for identity, fields in records.items()}
        self._kept[subject, words] = Kept(sentences, product, copied, faq, self._clock.now_ns())
        self._kept.move_to_end((subject, words))
        self._worded.setdefault(subject, OrderedDict())[words] = None
        while len(self._kept) > self._most:
            self._forget(*next(iter(self._kept)))

    def get(self, subject: Subject, text: str, catalog: Catalog, faq: object) -> Kept | None:
        """catalog, faq: as they are now."""
        words = words_of(key_of(text))
        if (subject, words) not in self._kept:
            lately = list(reversed(self._worded.get(subject, ())))[:SLIPS_LOOKED_AT]
            alike = next((one for one in lately if same(one, words)), None)
            if alike is None:
                return None
            words = alike
        kept = self._kept[subject, words]
        if self._is_over(kept, catalog, faq):
            self._forget(subject, words)
            return None
        self._kept.move_to_end((subject, words))
        return kept

    def _is_over(self, kept: Kept, catalog: Catalog, faq: object) -> bool:
        if self._clock.now_ns() - kept.at_ns > AGE_S * NS or kept.faq != faq:
            return True
        return any(catalog.get(identity) != fields for identity, fields in kept.records.items())

    def _forget(self, subject: Subject, words: Words) -> None:
        del self._kept[subject, words]
        worded = self._worded[subject]
        del worded[words]
        if not worded:
            del self._worded[subject]
