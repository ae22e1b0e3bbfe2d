"""How long a text takes to say: what may be expected of any voice, and what is usual for one.

In: texts as they are read out, and how long they took. Out: seconds, and multiples of what was expected. Pure. It knows
letters, syllables and pauses, no words: 432 sentences in twelve languages at five speeds took espeak 0.6 to 1.3 times
what is expected here, one voice 0.7 to 1.2 times its own median.
"""

from __future__ import annotations

import re
from collections import OrderedDict, deque
from statistics import median

LETTER_S, HANZI_S, KANA_S, HANGUL_S, PAUSE_S = 0.065, 0.22, 0.12, 0.16, 0.25  #: at normal speed
HASTE = 0.5  #: of a pause
SPELT_S = 0.6  #: at most, of a digit, a sign, or a capital that is spelt
PAUSES = ".,;:!?…，。；：！？、"
SOUNDS = 6  #: different letters; a text of fewer may be one long vowel, or a hiss
RESTS = re.compile(rf"[{PAUSES}][{PAUSES}\s]*")  # a row of them is one pause
SPELT = re.compile(r"(?<!['’])\b(?:[A-Z]{2,}|www|\w)\b|\d|[^\w\s.,;:!?…，。；：！？、'’\"-]")
ALIEN = re.compile(r"[^\W\d_\u0000-\u024f\u1e00-\u1eff\u3400-\u9fff\uf900-\ufaff]")  # no Latin letter, no Hanzi
TELLING_S = 1.5  #: expected; shorter ones vary too much
VARIED_S = 0.9  #: expected; shorter ones may be a hiss or a hum
KNOWN_AFTER = 5  #: sentences
REMEMBERED = 48  #: sentences of a voice
VOICES = 200  #: voices at speeds; beyond, the least recently used is forgotten


class Tempos:
    """Of voices at speeds, by any key."""

    def __init__(self) -> None:
        self._heard: OrderedDict[str, deque[float]] = OrderedDict()

    def usual(self, key: str) -> float | None:
        """How many times what is expected this one takes; None while too little was heard of it."""
        heard = self._heard.get(key, ())
        return median(heard) if len(heard) >= KNOWN_AFTER else None

    def learn(self, key: str, text: str, seconds: float) -> None:
        """`seconds` at normal speed, of a sentence that was said whole."""
        if (expected := expected_s(text)) < TELLING_S:
            return
        self._heard.setdefault(key, deque(maxlen=REMEMBERED)).append(seconds / expected)
        self._heard.move_to_end(key)
        if len(self._heard) > VOICES:
            self._heard.popitem(last=False)


def expected_s(text: str) -> float:
    """Seconds that a voice may be expected to take, at normal speed."""
    return sum(map(_seconds, text)) + _pauses_s(text)


def least_s(text: str) -> float:
    """The same by a hasty voice, which makes shorter pauses."""
    return expected_s(text) - (1 - HASTE) * _pauses_s(text)


def most_s(text: str, *, latin: bool = False) -> float:
    """The same where everything is spelt that can be. latin: by a voice to which other letters are signs."""
    spelt = sum(len(found) for found in SPELT.findall(text)) + (len(ALIEN.findall(text)) if latin else 0)
    return expected_s(text) + SPELT_S * spelt


def is_varied(text: str) -> bool:
    """Whether it is long enough, and of enough different letters, to sound like speech and nothing else."""
    return expected_s(text) >= VARIED_S and len({char for char in text.casefold() if char.isalnum()}) >= SOUNDS


def _pauses_s(text: str) -> float:
    return PAUSE_S * len(RESTS.findall(text.strip(PAUSES + " \n")))


def _seconds(char: str) -> float:
    if not char.isalnum():
        return 0.0
    if "\u3040" <= char <= "\u30ff":
        return KANA_S
    if "\uac00" <= char <= "\ud7a3":
        return HANGUL_S
    return HANZI_S if "\u3400" <= char <= "\u9fff" or "\uf900" <= char <= "\ufaff" else LETTER_S
