"""Words as they are written become whole sentences that can be said. Pure.

In: pieces of an answer, cut anywhere. Out: each sentence once another has begun, so that "24." may still become
"24.50"; the last one at the end. What a model thinks aloud first, marks, brackets and emoji are left out.
"""

from __future__ import annotations

import re

from tts.text import CLOSERS, sentences

THINK, THOUGHT = "<think>", "</think>"
MARKS = str.maketrans(dict.fromkeys("*`#[]{}<>|^\\_", " ") | {"~": "-"})  # a space, so that no figures are joined
EMOJI = re.compile("[\u2600-\u27bf\u20e3\ufe0e\ufe0f\u200d\ufffd\U0001f000-\U0001faff\U000e0000-\U000e007f]")
CONTROL = re.compile(r"[^\S\n ]|[\x00-\x08\x0b-\x1f\x7f-\x9f]")
BULLET = re.compile(r"(?m)^[ ]*[-–—•·][ ]+")
ENDED = re.compile(rf"[.!?。！？；｡…]{CLOSERS}$")
WIDE = r"[\u3000-\u30ff\u3400-\u9fff\uf900-\uffef]"
NO_SPACE = re.compile(rf"(?<={WIDE}) (?={WIDE})| (?=[,.;:!?](?:\s|$))")


class Cutter:
    def __init__(self) -> None:
        self._text = ""
        self._begun = False  # what was thought aloud is over

    @property
    def waiting(self) -> int:
        """Characters that are no sentence yet."""
        return len(self._text)

    def feed(self, piece: str) -> list[str]:
        """The sentences that this piece completes."""
        self._text += piece
        if not self._begun and not self._begins():
            return []
        self._text = _plain(self._text)
        whole = _whole(self._text)
        if len(whole) > 1:
            self._text = _tail(self._text, whole[-1])
        return [_spaced(sentence) for sentence in whole[:-1]]

    def end(self) -> list[str]:
        """What is left, when nothing more comes."""
        text, self._text = self._text, ""
        if not self._begun and text.lstrip().startswith(THINK):
            return []
        return [_spaced(sentence) for sentence in _whole(_plain(text))]

    def _begins(self) -> bool:
        begin = self._text.lstrip()
        if len(begin) < len(THINK) and THINK.startswith(begin):
            return False
        if begin.startswith(THINK):
            _, found, rest = begin.partition(THOUGHT)
            if not found:
                return False
            self._text = rest
        self._begun = True
        return True


def _plain(text: str) -> str:
    return BULLET.sub("", EMOJI.sub("", CONTROL.sub(" ", text)).translate(MARKS))


def _whole(text: str) -> list[str]:
    """Sentences of any width: parts that would be shown one after the other are one again."""
    whole: list[str] = []
    for part in sentences(text):
        if whole and not ENDED.search(whole[-1]):
            whole[-1] += f" {part}"
        else:
            whole.append(part)
    return whole


def _spaced(sentence: str) -> str:
    return NO_SPACE.sub("", sentence)


def _tail(text: str, sentence: str) -> str:
    """The end of a text that this sentence was made of, with its spaces."""
    left = sum(not char.isspace() for char in sentence)
    at = len(text)
    while left:
        at -= 1
        left -= not text[at].isspace()
    return text[at:]
