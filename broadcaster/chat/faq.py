"""Questions that are asked again and again, with their answers, in Markdown that a person writes.

In: files of `## question {id=NAME}`, a list of further ways to ask it right below, then the answer's paragraphs, which
are templates (broadcaster/script/template.py). Front matter says the `language`. What stands under a heading of one `#`
is for whoever reads the file. Out: entries; or every mistake with file, line and column. `FaqFiles` reads a file again
when it changed, and goes on with what it said before while it is broken.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import structlog

from broadcaster.chat.kept import Kept
from broadcaster.script import template
from broadcaster.script.draft import Draft, DraftLine, DraftSection
from broadcaster.script.markdown import ITEM, draft
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.settings import Given, shown, unknown
from broadcaster.script.source import read
from tts.text import language_of

FAQ_KEYS = ("language", "title")
ENTRY_KEYS = ("id",)
IDENTITY = re.compile(r"[\w.-]{1,64}")
LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[A-Za-z0-9]+)*")
TITLE = re.compile(r" {0,3}#[ \t]")
NO_IDENTITY = re.compile(r"[^\w]+")
MADE_MAX_CHARS = 40  # of an id that is made from the question

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Entry:
    """questions: the heading, then the further ways to ask it. paragraphs: of the answer, templates."""

    id: str
    language: str
    questions: tuple[str, ...]
    paragraphs: tuple[str, ...]
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class Faq:
    """Entries of the same id in several languages are the same question."""

    entries: tuple[Entry, ...] = ()


def load(path: Path) -> Faq:
    """Read the file; ScriptError names line and column of every mistake."""
    faq, mistakes = examined(path)
    raise_for(path, mistakes)
    return faq


def examined(path: Path) -> tuple[Faq, list[Mistake]]:
    """The entries that are right, and all that is wrong."""
    text = read(path)
    if isinstance(text, Mistake):
        return Faq(), [text]
    found = draft(text)
    reading = _Reading(path, text.split("\n"), found)
    entries = tuple(reading.entries())
    if not entries and not reading.mistakes:
        reading.mistakes.append(Mistake(1, 1, "there is no question in it; write ## QUESTION, and its answer below"))
    mistakes = [Mistake(one.line, one.column, one.text, one.warning, path) for one in reading.mistakes]
    return Faq(entries), mistakes


class FaqFiles:
    """Files that are edited while they are in use."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._files = [Kept(path, load, Faq()) for path in paths]
        self._seen: tuple[Faq, ...] = ()
        self._known = Faq()

    def current(self) -> Faq:
        """As the files say now; of a broken one, as it said before. The same object while nothing changed."""
        now = tuple(file.current() for file in self._files)
        if len(now) != len(self._seen) or any(one is not other for one, other in zip(now, self._seen, strict=True)):
            self._seen = now
            self._known = Faq(tuple(entry for faq in now for entry in faq.entries))
        return self._known


class _Reading:
    def __init__(self, path: Path, rows: Sequence[str], found: Draft) -> None:
        self._path = path
        self._rows = rows
        self._found = found
        self.mistakes = list(found.mistakes)
        self._language = self._front_matter().get("language", "")
        self._ids: dict[str, int] = {}  # → line
        self._asked: dict[str, int] = {}

    def entries(self) -> Iterator[Entry]:
        for section in self._found.sections:
            if TITLE.match(self._rows[section.line - 1]):
                continue
            if not section.name:
                self._wrong(section.line, 1, "words before the first question; write ## QUESTION above them")
                continue
            asked, answer = self._parted(section)
            self._look_for_repeats(section, asked)
            if not answer:
                self._wrong(section.line, 1, f"{shown(section.name)} has no answer; write a paragraph below it")
                continue
            questions = (section.name, *(line.text for line in asked))
            language = self._language or language_of(" ".join(questions), "en")
            paragraphs = tuple(line.text for line in answer)
            yield Entry(self._identity(section), language, questions, paragraphs, self._path, section.line)

    def _parted(self, section: DraftSection) -> tuple[list[DraftLine], list[DraftLine]]:
        """Further ways to ask, and the answer."""
        asked: list[DraftLine] = []
        answer: list[DraftLine] = []
        for line in section.lines:
            is_item = not answer and ITEM.match(self._rows[line.line - 1]) is not None
            (asked if is_item else answer).append(line)
            for one in line.settings:
                self._wrong(*one.place(), unknown("key", one.key, ()))
            for fault in template.parse(line.text).faults if not is_item else ():
                self._wrong(*line.place(fault.at), fault.text)
        return asked, answer

    def _identity(self, section: DraftSection) -> str:
        given = self._given(section.settings, ENTRY_KEYS).get("id")
        made = NO_IDENTITY.sub("-", section.name.lower()).strip("-")[:MADE_MAX_CHARS].strip("-") or f"q{section.line}"
        identity = given.value.strip() if given else made
        line, column = given.place() if given else (section.line, 1)
        if given and not IDENTITY.fullmatch(identity):
            self._wrong(line, column, f"id: {shown(identity)} is no id; write letters, figures, -, . and _")
        elif (first := self._ids.setdefault(identity, section.line)) != section.line:
            self._wrong(line, column, f"the id {shown(identity)} is in line {first} already; write another {{id=…}}")
        return identity

    def _look_for_repeats(self, section: DraftSection, asked: Sequence[DraftLine]) -> None:
        ways = [(section.name, section.line, 1), *((one.text, one.line, one.column) for one in asked)]
        for text, line, column in ways:
            key = NO_IDENTITY.sub(" ", text.casefold()).strip()
            if (first := self._asked.setdefault(key, line)) != line:
                self._wrong(line, column, f"{shown(text)} is asked in line {first} already; keep one of them")

    def _front_matter(self) -> dict[str, str]:
        given = self._given(self._found.settings, FAQ_KEYS)
        language = given.get("language")
        if language and not LANGUAGE.fullmatch(language.value.strip()):
            self._wrong(*language.place(), f"language: {shown(language.value)} is no language; write for example en")
        for name in self._found.variables:
            self._wrong(1, 1, f"variables: {name} belongs to scripts; an answer names products, as {{mug.price}}")
        return {key: one.value.strip() for key, one in given.items()}

    def _given(self, settings: Sequence[Given], known: tuple[str, ...]) -> dict[str, Given]:
        found: dict[str, Given] = {}
        for one in settings:
            if one.key not in known:
                self._wrong(*one.place(), unknown("key", one.key, known))
            elif one.key in found:
                self._wrong(*one.place(), f"{one.key} is given twice; keep one of them")
            else:
                found[one.key] = one
        return found

    def _wrong(self, line: int, column: int, text: str) -> None:
        self.mistakes.append(Mistake(line, column, text))
