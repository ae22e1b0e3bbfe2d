"""Which words are shown under the picture now: the sentence being spoken, a page of two lines at a time.

In: marks as they go on air, with their sample; the time as a sample. Out: the lines to show. A page
turns when a word of the next one is spoken; a voice without word marks is paged by time, in proportion
to characters. A sentence goes 0.6 s after its end, or when live is away for a second. Pure but for the
widths of letters.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.media import AIR_HZ, SENTENCE, SENTENCE_END, UTTERANCE_END, WORD, Mark
from streams.typeset import Typeface

PAGE_LINES = 2
LINGER_SAMPLES = AIR_HZ * 6 // 10  # read the last word to its end, and gone within a second
AWAY_SAMPLES = AIR_HZ  # live that stopped for longer will not finish its sentence
CHARACTER_SAMPLES = AIR_HZ // 12  # a guess where a sentence does not say how long it is


@dataclass(frozen=True, slots=True)
class Page:
    lines: tuple[str, ...]
    start: int  # first character of the sentence on it


class Subtitles:
    """One thread. `max_px`: width of a line."""

    def __init__(self, typeface: Typeface, max_px: float) -> None:
        self._typeface = typeface
        self._max_px = max_px
        self.clear()

    def clear(self) -> None:
        self._text = ""
        self._pages: Sequence[Page] = ()
        self._start = self._span = self._seen = 0
        self._until: int | None = None
        self._spoken = 0  # characters up to the word being spoken
        self._has_words = False

    def mark(self, mark: Mark, sample: int) -> None:
        """A mark goes on air at this sample."""
        if mark.kind == SENTENCE:
            self._begin(mark, sample)
        elif mark.kind == WORD:
            self._speak(mark.text)
        elif mark.kind in (SENTENCE_END, UTTERANCE_END):
            self._until = min(self._until or sample + LINGER_SAMPLES, sample + LINGER_SAMPLES)

    def lines(self, sample: int, live: bool) -> tuple[str, ...]:
        """What to show at this sample; () for nothing."""
        if live:
            self._seen = sample
        over = self._until is not None and sample >= self._until
        if self._pages and (over or sample - self._seen >= AWAY_SAMPLES):
            self.clear()
        if not self._pages:
            return ()
        at = self._spoken if self._has_words else self._by_time(sample)
        return [page for page in self._pages if page.start <= at][-1].lines

    def _begin(self, mark: Mark, sample: int) -> None:
        self.clear()
        self._text = self._typeface.printable(mark.text)
        self._pages = pages(self._typeface, self._text, self._max_px)
        self._start = self._seen = sample
        self._span = mark.span or max(1, len(self._text)) * CHARACTER_SAMPLES
        if mark.span:
            self._until = sample + mark.span + LINGER_SAMPLES

    def _speak(self, word: str) -> None:
        word = self._typeface.printable(word)
        found = self._text.lower().find(word.lower(), self._spoken) if word else -1
        if found >= 0:  # else it is read otherwise than it is written, as a number is
            self._spoken = found
            self._has_words = True

    def _by_time(self, sample: int) -> int:
        return min(len(self._text) * (sample - self._start) // self._span, len(self._text) - 1)


def pages(typeface: Typeface, text: str, max_px: float) -> list[Page]:
    """The sentence in pages of at most two lines."""
    lines = typeface.lines(text, max_px)
    return [
        Page(tuple(text[start:end].strip() for start, end in lines[first : first + PAGE_LINES]), lines[first][0])
        for first in range(0, len(lines), PAGE_LINES)
    ]
