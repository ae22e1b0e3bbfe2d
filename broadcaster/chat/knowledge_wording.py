"""Questions that are asked in the very words that a FAQ lists. Pure.

In: entries of FAQ files; a question's units and their spans. Out: the entry that lists it, if one alone does. Of a
question by its form, what asks nothing makes no difference: `refund?` is `refund, please`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

from broadcaster.chat.faq import Entry
from broadcaster.chat.knowledge_spans import Span
from broadcaster.chat.knowledge_units import Unit, units
from broadcaster.chat.knowledge_words import Words

HANZI_LEAST = 2  # fewer say too little without the others

Wording: TypeAlias = tuple[str, ...]
"""Keys of units, one after the other."""


class Wordings:
    def __init__(self, entries: Sequence[Entry], words: Words) -> None:
        owners: dict[Wording, set[str]] = defaultdict(set)
        for entry in entries:
            for question in entry.questions:
                read = units(question)
                for wording in (_all(read), _said(read, words.read(read))):
                    owners[wording].add(entry.id)
        self._owners = {wording: min(ids) for wording, ids in owners.items() if wording and len(ids) == 1}

    def entry(self, text: Sequence[Unit], spans: Sequence[Span], *, is_asking: bool) -> str:
        """Its id, "" for none."""
        return self._owners.get(_said(text, spans) if is_asking else _all(text), "")


def _all(text: Sequence[Unit]) -> Wording:
    return tuple(unit.key for unit in text)


def _said(text: Sequence[Unit], spans: Sequence[Span]) -> Wording:
    """All of it where too little is said."""
    said = [unit for span in spans if not span.is_silent for unit in text[span.begin : span.end]]
    is_little = len(said) < HANZI_LEAST if said and said[0].wide else not said
    return _all(text if is_little else said)
