"""Which question is shown in the picture now: the one that is being answered.

In: marks as they go on air, with their sample; the time as a sample. Out: the lines to show, two at most. A question
stands from the first sentence that answers it until one begins that does not, or ASKED_SAMPLES after the last one:
an answer comes in pieces, and the next may be late. Pure but for the widths of letters.
"""

from __future__ import annotations

from pipeline.media import AIR_HZ, QUESTION, SENTENCE, SENTENCE_END, UTTERANCE_END, Mark
from streams.subtitles import AWAY_SAMPLES
from streams.typeset import Typeface

ASKED_LINES = 2
ASKED_SAMPLES = 3 * AIR_HZ  # the longest that a turn waits for its next sentence


class Asked:
    """One thread. `max_px`: width of a line."""

    def __init__(self, typeface: Typeface, max_px: float) -> None:
        self._typeface = typeface
        self._max_px = max_px
        self.clear()

    def clear(self) -> None:
        self._text = ""
        self._lines: tuple[str, ...] = ()
        self._until: int | None = None
        self._seen = 0
        self._renewed = True  #: the sentence on air answers it

    def mark(self, mark: Mark, sample: int) -> None:
        """A mark goes on air at this sample; QUESTION follows the SENTENCE that it stands beside."""
        if mark.kind == SENTENCE:
            self._renewed = False
        elif mark.kind == QUESTION:
            self._show(mark.text, sample)
        elif mark.kind in (SENTENCE_END, UTTERANCE_END) and self._until is None:
            self._until = sample + ASKED_SAMPLES

    def lines(self, sample: int, live: bool) -> tuple[str, ...]:
        """What to show at this sample, once its marks are known; () for nothing."""
        if not self._text:
            return ()
        if live:
            self._seen = sample
        over = self._until is not None and sample >= self._until
        if over or not self._renewed or sample - self._seen >= AWAY_SAMPLES:
            self.clear()
        return self._lines

    def _show(self, text: str, sample: int) -> None:
        if text != self._text:
            self._text, self._lines = text, self._broken(self._typeface.printable(text))
        self._until, self._seen, self._renewed = None, sample, True

    def _broken(self, text: str) -> tuple[str, ...]:
        spans = self._typeface.lines(text, self._max_px)
        lines = [text[start:end].strip() for start, end in spans[:ASKED_LINES]]
        if len(spans) > ASKED_LINES:
            lines[-1] = f"{lines[-1][:-1]}…"
        return tuple(lines)
