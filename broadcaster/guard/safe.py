"""What is said in the place of a reply that the guard stopped, in the room's language. Pure.

In: sentences of the configuration, or none. Out: one after another, so that no viewer hears the same twice in a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

SAFE: Mapping[str, Sequence[str]] = {
    "zh": (
        "这个问题我先不回答，咱们接着看。",
        "这个我说了不算，您问问客服吧。",
        "这句我就不念了，咱们往下聊。",
        "这个不方便在这儿说，请您看商品页面。",
    ),
    "en": (
        "I would rather not answer that one here. Let us go on.",
        "I leave that one to our customer service.",
        "Let me skip that one, and go on with the show.",
        "That is not for me to say here; please look at the product page.",
    ),
}
FALLBACK = "en"


class Safe:
    """own: language → sentences; of a language without any the project's own are said."""

    def __init__(self, own: Mapping[str, Sequence[str]], language: str) -> None:
        found = own.get(language) or SAFE.get(language) or own.get(FALLBACK) or SAFE[FALLBACK]
        self._sentences = tuple(found)
        self._next = 0

    def sentences(self) -> Iterator[str]:
        """Each once, beginning with the one whose turn it is."""
        for _ in self._sentences:
            sentence = self._sentences[self._next]
            self._next = (self._next + 1) % len(self._sentences)
            yield sentence
