"""English words that are written as they sound: dye-a-bee-tees, Watts Ap, koke, won too. Pure.

In: a text, and words that rules and lists know. Out: the same with those in the place of what sounds like them, or
nothing. One word stands for another of its sound only where it is no English word; several together, where no two
common words make one: `pay pall`, not `pay pal`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.tables import english

TOKEN = re.compile(r"[a-z]+(?:['-][a-z]+)*")
WORD = re.compile(r"[a-z]{3,}")  # by which a language is told
LEAST = 6  # letters of a word that is heard in several
SINGLE_LEAST = 4  # and in one
TOKENS_MAX = 4
KEY_LEAST = 5  # sounds of several words, but for a vowel at the end
SINGLE_KEY_LEAST = 3  # and of one that is no English word
FAMILIAR = 12_000  # place among English words of one that is none of them
UNCOMMON = 5_000  # place from which on a word is not met beside others by chance
FOREIGN_LEAST, FOREIGN = 4, 1 / 3  # words of a text that is no English, and the share of them that are
#: what people write for another word of the same sound, with what has to stand beside it
NAMED = re.compile(r"\b(?:mr|mrs|ms|miss|dr|dear|hi|hello|thanks|thank you)\.? $")  # before somebody's name
AND = r"(?:,? (?:and then|and|plus|then|followed by) |, )"
PARTS = re.compile(rf"\b([a-z]{{2,8}}){AND}([a-z]{{2,8}})(?:{AND}([a-z]{{2,8}}))?\b")  # a word in pieces
ALIKE = (
    (re.compile(r"\beye(?= (?:am|will|now|can|have|was|do|must|obey|love|hate|sell)\b)"), "i"),
    (re.compile(r"\bate(?= (?:yuan|dollars?|bucks|hundred|ty|left|pairs?|pieces?)\b|, yes)"), "eight"),
    (re.compile(r"\b(?:fore|for)(?= (?:yuan|dollars|bucks|hundred yuan))"), "four"),
    (re.compile(r"\b(?:too|to)(?= (?:yuan|dollars|bucks|left)\b)"), "two"),
    (re.compile(r"\bwon(?= (?:yuan|dollars?|hundred|left)\b)"), "one"),
    (re.compile(r"\bsell(?= (?:is|number|phone)\b)"), "cell"),
    (re.compile(r"\b(?:yore|ur|yer)\b"), "your"),
)
SOUNDS = (
    (r"[^a-z]", ""), (r"^(?:kn|gn|pn)", "n"), (r"^wr", "r"), (r"^x", "s"), (r"^wh", "w"),
    (r"ck|q|kh|cc(?![eiy])|ch(?=r|e?m)", "k"), (r"(?:ti|ci|si|ssi|sh|ch)(?=[aou])|sh(?=u|i)", "x"),
    (r"sch|tch|ch|sh", "x"),
    (r"ph|gh$", "f"), (r"gh", ""), (r"dge?|j|g(?=[ey])", "j"), (r"c(?=[eiy])|z", "s"), (r"c", "k"), (r"mb$", "m"),
    (r"th", "t"), (r"(?<=[^aeiouy])e$", ""),  # an e at the end is silent; another vowel there is none: cuanto
    (r"[aeiouyw]+h?r\b", "ar"), (r"[aeiouy][aeiouywh]*|(?<=[aeiouy])[wh]", "a"),
    (r"h", ""), (r"(.)\1+", r"\1"), (r"v", "f"), (r"b$", "p"),
)  # fmt: skip
HEARD_AS = tuple((re.compile(pattern), meant) for pattern, meant in SOUNDS)


@lru_cache(maxsize=50_000)
def sound(text: str) -> str:
    """One key for what sounds the same."""
    for pattern, meant in HEARD_AS:
        text = pattern.sub(meant, text)
    return text


class Heard:
    """words: folded, of Latin letters."""

    def __init__(self, words: Iterable[str]) -> None:
        self._words: dict[str, str] = {}
        for word in sorted(set(words), key=lambda one: (english().get(one, FAMILIAR), one)):
            if re.fullmatch(r"[a-z' -]+", word) and len(word) >= SINGLE_LEAST:
                self._words.setdefault(sound(word), word)
        self._spelt = {word for word in self._words.values() if len(word) >= LEAST}
        self._longest = max(map(len, self._words), default=0)

    def spoken(self, text: str) -> str:
        """With those words in it; "" when there are none."""
        if _is_foreign(text):
            return ""
        whole = PARTS.sub(self._joined, text)
        parts, text = whole != text, whole
        changes = sorted(self._changes(text))
        for begin, end, word in reversed(changes):
            text = text[:begin] + word + text[end:]
        found = bool(changes) or parts
        for pattern, meant in ALIKE:
            text, count = pattern.subn(meant, text)
            found |= count > 0
        return text if found else ""

    def _joined(self, match: re.Match[str]) -> str:
        """`coun, ter and feit`, where that is a word."""
        parts = [part for part in match.groups() if part]
        for size in (len(parts), 2):
            if "".join(parts[:size]) in self._spelt:
                return "".join(parts[:size]) + (f" {parts[2]}" if len(parts) > size else "")
        return match[0]

    def _changes(self, text: str) -> Iterator[tuple[int, int, str]]:
        tokens = list(TOKEN.finditer(text))
        strange = [_is_strange(token[0]) for token in tokens]
        at = 0
        while at < len(tokens):
            near = any(strange[at : at + TOKENS_MAX])
            size, word = next(self._at(text, tokens, at), (1, "")) if near else (1, "")
            if word:
                yield tokens[at].start(), tokens[at + size - 1].end(), word
            at += size

    def _at(self, text: str, tokens: list[re.Match[str]], at: int) -> Iterator[tuple[int, str]]:
        for size in range(min(TOKENS_MAX, len(tokens) - at), 0, -1):
            begin, end = tokens[at].start(), tokens[at + size - 1].end()
            if re.search(r"[.,!?;:]", text[begin:end]) or end - begin > 3 * self._longest + 4:
                continue
            if size == 1 and NAMED.search(text[:begin]):
                continue
            parts = re.split(r"[\s-]+", text[begin:end])
            if not any(map(_is_strange, parts)):
                continue
            key = sound("".join(parts))
            word = self._words.get(key, "")
            least = KEY_LEAST if size > 1 else SINGLE_KEY_LEAST
            if len(key.removesuffix("a")) >= least and word and _is_meant(parts, word):
                yield size, word


def _is_foreign(text: str) -> bool:
    """Words of another language: read as English most of them sound like something."""
    words = WORD.findall(text)
    known = sum(english().get(word, FAMILIAR) < FAMILIAR for word in words)
    return len(words) >= FOREIGN_LEAST and known < FOREIGN * len(words) and not IS_HAN.search(text)


def _is_meant(parts: list[str], word: str) -> bool:
    spelt = "".join(parts)
    if len(parts) == 1:
        new = spelt not in english() and spelt.rstrip("s") != word.rstrip("s")
        return new and len(spelt) >= SINGLE_LEAST and abs(len(spelt) - len(word)) <= 2
    return len(word) >= LEAST and len(parts) > word.count(" ") + 1


def _is_strange(token: str) -> bool:
    """No word that is met beside any other by chance."""
    return any(
        english().get(part.partition("'")[0] or part, FAMILIAR) >= UNCOMMON and "n't" not in part
        for part in token.split("-")
    )
