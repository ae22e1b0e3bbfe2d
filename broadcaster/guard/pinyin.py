"""How characters sound, and which of them people take for one another. Pure.

In: a character, or a syllable. Out: its syllables without tones; one form for those that many people do not tell apart.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from broadcaster.guard.tables import readings, twins

PLUS = "+"  # written for 加
FIGURES = "ling yi er san si wu liu qi ba jiu".split()  # noqa: SIM905
DIGITS = {str(value): (sound,) for value, sound in enumerate(FIGURES)} | {
    "1": ("yi", "yao"),
    "2": ("er", "liang"),
    PLUS: ("jia",),
}


@cache
def near(syllable: str) -> str:
    """The same for syllables that many people do not tell apart."""
    syllable = re.sub(r"^([zcs])h", r"\1", syllable)
    syllable = "n" + syllable[1:] if syllable[:1] == "l" else syllable
    return syllable[:-1] if syllable.endswith("ng") else syllable


@lru_cache(maxsize=30_000)
def sounds_of(char: str) -> tuple[str, ...]:
    """Of a Hanzi or a figure, and of what it is drawn like."""
    if char in DIGITS:
        return DIGITS[char]
    found = readings().get(char, ())
    return found + readings().get(twins()[char], ()) if char in twins() else found


@lru_cache(maxsize=30_000)
def near_sounds(char: str) -> tuple[str, ...]:
    return tuple({near(sound) for sound in sounds_of(char)})
