"""How alike two texts are: in wording, in what they speak of, in language. Pure.

In: two texts without marks. Out: numbers from 0 to 1, and a language's name. Words of Latin letters are compared by
their beginnings, Chinese by its characters; what any sentence is full of does not count.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

from broadcaster.rewrite.openers import LITTLE, LITTLE_HAN

STEM_CHARS = 5  # of a word: so much of it is the same in its other forms
SHINGLE = 3  # characters that are compared at a time, two of them where they are Hanzi
WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\uac00-\ud7af]")
WORD = re.compile(r"[^\W\d_]+")
LITTLE_WORDS = frozenset().union(*LITTLE.values())
SCRIPTS = (
    "LATIN",
    "CJK",
    "HIRAGANA",
    "KATAKANA",
    "HANGUL",
    "CYRILLIC",
    "ARABIC",
    "GREEK",
    "HEBREW",
    "THAI",
    "DEVANAGARI",
)
JAPANESE = ("HIRAGANA", "KATAKANA")
PLAIN = 0.2  # of the words: so many little ones of a language tell it


def likeness(one: str, other: str) -> float:
    """Of the wording: 1 for the same, spaces, stops and capitals apart."""
    first, second = _shingles(one), _shingles(other)
    whole = sum((first | second).values())
    return sum((first & second).values()) / whole if whole else 1.0


def shared(one: str, other: str) -> float:
    """How much of what the first text speaks of the second one speaks of too; 1 when it speaks of nothing."""
    spoken_of = content(one)
    return len(spoken_of & content(other)) / len(spoken_of) if spoken_of else 1.0


def content(text: str) -> set[str]:
    """What it speaks of: stems of words, and characters."""
    text = text.casefold()
    words = WORD.findall(WIDE.sub(" ", text))
    stems = {word[:STEM_CHARS] for word in words if word not in LITTLE_WORDS and len(word) > 2}
    return stems | {char for char in WIDE.findall(text) if char not in LITTLE_HAN}


def same_language(one: str, other: str) -> bool:
    """Whether both are written in the same script, and none is plainly in another language of that script."""
    if _script(one) != _script(other):
        return False
    first, second = tongue(one), tongue(other)
    return not first or not second or first == second


def _shingles(text: str) -> Counter[str]:
    bare = "".join(char for char in text.casefold() if char.isalnum())
    size = SHINGLE - 1 if WIDE.search(bare) else SHINGLE
    return Counter(bare[at : at + size] for at in range(max(1, len(bare) - size + 1))) if bare else Counter()


def _script(text: str) -> str:
    """The script of most letters; kana among Hanzi make it Japanese."""
    names = (unicodedata.name(char, "").split(" ")[0].split("-")[0] for char in text if char.isalpha())
    counts = Counter(name for name in names if name in SCRIPTS)
    kana = sum(counts.pop(name, 0) for name in JAPANESE)
    if kana > counts["CJK"] / 4:
        return "JAPANESE"
    return counts.most_common(1)[0][0] if counts else ""


def tongue(text: str) -> str:
    """The language of Latin letters whose little words it is full of; "" when that is not plain."""
    words = [word for word in WORD.findall(text.casefold()) if not WIDE.search(word)]
    hits = sorted(((sum(word in little for word in words), name) for name, little in LITTLE.items()), reverse=True)
    (most, name), (second, _) = hits[0], hits[1]
    return name if most >= max(2, PLAIN * len(words)) and most > second else ""
