"""IPA inside a text for a voice, as `[[fəˈnɛtɪks]]`, and the same in espeak-ng's own letters. Pure.

In: a text as tts.reading makes it, in which double brackets hold nothing else. Out: the text for espeak, and for each
place of it the place in the text that came in. Letters that espeak lacks are refused when a dictionary is read.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass

# espeak-ng 1.52, docs/phonemes.md; where IPA has several letters for one sound that languages do not tell apart, one
ESPEAK = {
    "tʃ": "tS", "dʒ": "dZ", "eɪ": "eI", "aɪ": "aI", "ɔɪ": "OI", "aʊ": "aU", "oʊ": "oU", "əʊ": "oU", "iː": "i:",
    "ɑː": "A:", "ɔː": "O:", "uː": "u:", "ɜː": "3:", "ɪə": "i@", "eə": "e@", "ʊə": "U@", "ɑ̃": "A~", "ɛ̃": "E~", "ɔ̃": "O~",
    "œ̃": "W~", "ɚ": "3", "ɝ": "3:", "ɪ": "I", "ɛ": "E", "æ": "a", "ɑ": "A:", "ɒ": "0", "ɔ": "O", "ʌ": "V", "ʊ": "U",
    "ə": "@", "ɜ": "3:", "ø": "Y", "œ": "W", "θ": "T", "ð": "D", "ʃ": "S", "ʒ": "Z", "ŋ": "N", "ɲ": "n^", "ɹ": "r",
    "ʁ": "R", "ɾ": "*", "ɡ": "g", "ç": "C", "ʎ": "l^", "β": "B", "ɣ": "Q", "ʔ": "?", "ˈ": "'", "ˌ": ",", "ː": ":",
    ".": "", "‿": "", " ": "||", **{letter: letter for letter in "abdefghijklmnoprstuvwxyz"},
}  # fmt: skip
LETTERS = re.compile("|".join(re.escape(letters) for letters in sorted(ESPEAK, key=len, reverse=True)))
SOUNDS = re.compile(r"\[\[(.+?)\]\]")


@dataclass(frozen=True, slots=True)
class Spelt:
    """text: for espeak. `places` of it, in order, and where they are in the text that came in."""

    text: str
    places: tuple[int, ...] = (0,)
    origins: tuple[int, ...] = (0,)

    def origin(self, at: int) -> int:
        index = bisect_right(self.places, at) - 1
        return self.origins[index] + at - self.places[index]


def unknown(ipa: str) -> str:
    """The letters that cannot be said, "" where there are none."""
    return LETTERS.sub("", ipa)


def bracketed(ipa: str) -> str:
    return f"[[{ipa}]]"


def has_sounds(text: str) -> bool:
    return SOUNDS.search(text) is not None


def spelt(text: str) -> Spelt:
    """The text with its IPA in espeak's letters."""
    parts, places, origins = [], [0], [0]
    done, length = 0, 0
    for match in SOUNDS.finditer(text):
        letters = LETTERS.sub(lambda found: ESPEAK[found[0]], match[1])
        parts += [text[done : match.start(1)], letters]
        length += match.start(1) - done + len(letters)
        done = match.end(1)
        places.append(length)
        origins.append(done)
    return Spelt("".join([*parts, text[done:]]), tuple(places), tuple(origins))
