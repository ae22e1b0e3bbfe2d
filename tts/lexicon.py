"""A pronunciation dictionary: how words are said that a voice gets wrong. What viewers read stays as it is.

In: a file of lines `word = respelling` or `word = /ipa/`, each with `[lang]` behind it where it counts for one language
alone; `#` begins a comment. Out: for a sentence, the places of such words and what is said instead. An error names file
and line.

A word in small letters is found however it is written, one with capitals only as it stands. Words end where letters and
figures end; between Hanzi and kana there is no end, so those are found anywhere. The longest word counts. IPA is for
voices that can say it; a word with both is respelt for the others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BadInput
from tts.ipa import bracketed, unknown

WORD_MAX_CHARS = 100
ENTRIES_MAX = 10_000
FILE_MAX_BYTES = 4_000_000
LINE = re.compile(r"(?P<word>[^=]+?)\s*=\s*(?P<said>.*?)(?:\s*\[(?P<lang>[^\[\]]*)\])?")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
CHINESE = {"cmn": "zh", "yue": "zh"}  # one language where words are chosen, as in tts.text


@dataclass(frozen=True, slots=True)
class Entry:
    """lang: "" = every one. said: a respelling, or IPA in brackets."""

    word: str
    said: str
    lang: str = ""
    is_ipa: bool = False

    def stands(self, text: str, at: int) -> bool:
        """Whether the text has the word at a place, with no letter or figure around it."""
        end = at + len(self.word)
        found = text[at:end]
        if found != self.word and (self.word != self.word.lower() or found.lower() != self.word):
            return False
        return not (_runs_on(text, at) or _runs_on(text, end))


@dataclass(frozen=True, slots=True)
class Respelt:
    """sentence[start:end] is said so."""

    start: int
    end: int
    said: str


class Lexicon:
    def __init__(self, entries: list[Entry] | None = None) -> None:
        self._by_word: dict[str, list[Entry]] = {}
        self._lengths: dict[str, list[int]] = {}  # by the first letter: of its words, the longest first
        for entry in sorted(entries or [], key=_first):
            self._by_word.setdefault(entry.word.lower(), []).append(entry)
            lengths = self._lengths.setdefault(entry.word[0].lower(), [])
            if len(entry.word) not in lengths:
                lengths.append(len(entry.word))

    def find(self, sentence: str, language: str, *, ipa: bool) -> list[Respelt]:
        """The words of a sentence that are said otherwise, in order. ipa: whether the voice can say it."""
        found: list[Respelt] = []
        done = 0
        for at, char in enumerate(sentence) if self._lengths else ():
            if at < done:
                continue
            for entry in self._entries(sentence, at, self._lengths.get(char.lower(), ())):
                if (ipa or not entry.is_ipa) and entry.lang in ("", language) and entry.stands(sentence, at):
                    done = at + len(entry.word)
                    found.append(Respelt(at, done, entry.said))
                    break
        return found

    def _entries(self, sentence: str, at: int, lengths: Iterable[int]) -> Iterator[Entry]:
        for length in lengths:
            yield from self._by_word.get(sentence[at : at + length].lower(), ())


def load(path: Path) -> Lexicon:
    """Read a file; BadInput with all that is wrong, each as FILE:LINE."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise BadInput(f"{path}: larger than {FILE_MAX_BYTES // 1_000_000} MB; keep what a voice gets wrong")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 text (byte {error.start})") from error
    return parse(text, str(path))


def parse(text: str, source: str) -> Lexicon:
    """The same of a text; `source` names it in errors."""
    entries: dict[tuple[str, str, bool], Entry] = {}
    lines: dict[tuple[str, str, bool], int] = {}
    wrong: list[str] = []
    for number, line in _written(text):
        try:
            entry = _entry(line)
        except ValueError as error:
            wrong.append(f"{source}:{number}: {error}")
            continue
        key = entry.word, entry.lang, entry.is_ipa
        if key in entries:
            wrong.append(f"{source}:{number}: {entry.word!r} stands in line {lines[key]} already; keep one of them")
        entries[key], lines[key] = entry, number
    if len(entries) > ENTRIES_MAX:
        wrong.append(f"{source}: {len(entries)} words; at most {ENTRIES_MAX}")
    if wrong:
        raise BadInput("\n".join(wrong))
    return Lexicon(list(entries.values()))


def _written(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.splitlines(), 1):
        line = re.split(r"(?:^|\s)#", line, maxsplit=1)[0].strip()
        if line:
            yield number, line


def _entry(line: str) -> Entry:
    """ValueError says what is wrong, and what would be right."""
    match = LINE.fullmatch(line)
    if match is None:
        raise ValueError(f"{line[:40]!r} has no word, or no '='; write word = respelling, or word = /ipa/")
    word, said, lang = " ".join(match["word"].split()), match["said"].strip(), match["lang"]
    if len(word) > WORD_MAX_CHARS or len(said) > WORD_MAX_CHARS:
        raise ValueError(f"longer than {WORD_MAX_CHARS} characters; one word or name at a time")
    if not word[0].isalnum():
        raise ValueError(f"{word[:40]!r}: a word begins with a letter or a figure")
    if lang is not None and not LANGUAGE.fullmatch(lang):
        raise ValueError(f"[{lang[:20]}] is no language; write [en], [zh], or nothing for all")
    base = re.split("[-_]", lang)[0].lower() if lang else ""
    base = CHINESE.get(base, base)
    if len(said) > 2 and said[0] == said[-1] == "/":
        if letters := unknown(said[1:-1]):
            raise ValueError(f"{said}: no voice can say {letters!r}; write IPA, as /fəˈnɛtɪks/")
        return Entry(word, bracketed(said[1:-1]), base, is_ipa=True)
    if not any(char.isalnum() for char in said) or set(said) & set("[]/"):
        raise ValueError(f"{said[:40]!r} is nothing to say instead of {word!r}; write letters alone, or /ipa/")
    return Entry(word, said, base)


def _first(entry: Entry) -> tuple[int, bool, bool, bool]:
    """The longest word counts, then one for this language, for this way of writing, in IPA."""
    return -len(entry.word), not entry.lang, entry.word == entry.word.lower(), not entry.is_ipa


def _runs_on(text: str, at: int) -> bool:
    """Whether a word goes on over a place."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    return before.isalnum() and after.isalnum() and not (UNSPACED.match(before) or UNSPACED.match(after))
