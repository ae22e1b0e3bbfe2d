"""How long a sentence will last: from its characters, and from how fast the last ones were spoken.

In: texts, marked (tts.markup) or not, with the length of their sound. Out: seconds for a text that has no sound yet.
Pure.
"""

from __future__ import annotations

import unicodedata
from collections import deque

from pipeline.media import AIR_HZ
from tts.markup import parse

FIRST_PER_S = 14.0  # letters a second, until something was spoken: espeak and edge at rate 1 say 13 to 16
WIDE = 3.0  # a Hanzi lasts as long as so many Latin letters
KEPT = 40  # sentences that the rate is taken from
SHORTEST_S = 0.3  # of any sentence


class Pace:
    def __init__(self) -> None:
        self._made: deque[tuple[float, int]] = deque(maxlen=KEPT)  # weight, samples
        self._per_s = FIRST_PER_S

    def made(self, text: str, samples: int) -> None:
        """This text became so much sound, of 48 kHz."""
        if not (text and samples):
            return
        weight, pauses_s = _measured(text)
        spoken = samples - int(pauses_s * AIR_HZ)
        if spoken <= 0:
            return
        self._made.append((weight, spoken))
        self._per_s = sum(weight for weight, _ in self._made) * AIR_HZ / sum(samples for _, samples in self._made)

    def seconds(self, text: str) -> float:
        weight, pauses_s = _measured(text)
        return max(SHORTEST_S, weight / self._per_s) + pauses_s


def _measured(text: str) -> tuple[float, float]:
    """(letters that take as long at the room's speed, seconds of marked pauses)"""
    spans = parse(text).spans
    return sum(_weight(span.text) / span.speed for span in spans), sum(span.pause_s for span in spans)


def _weight(text: str) -> float:
    return sum(WIDE if unicodedata.east_asian_width(char) in "WF" else 1.0 for char in text)
