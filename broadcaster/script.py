"""Script files: prepared words, read once at the start, said from top to bottom, again if they loop.

In: a Markdown or plain text file. Out: utterances of the script lane, one a paragraph or list item, and the place
to go on from after a restart. `# Heading` names a section; front matter and `<!-- comments -->` are not said.
ScriptError names file and line. It watches no file and knows no lane but its own.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from broadcaster.utterance import SCRIPT_PREFIX, TEXT_MAX_CHARS, Lane, Utterance
from pipeline.errors import ScriptError

FILE_MAX_BYTES = 5 * 1024 * 1024  # a hundred hours of talk; more is no script
MARKDOWN = (".md", ".markdown")
COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*(?:\n|\Z)", re.DOTALL)
HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*?)[ \t]*#*[ \t]*$")
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,4}[.)])[ \t]+(.*)$")
RULE = re.compile(r" {0,3}([-*_])[ \t]*(?:\1[ \t]*){2,}$")
LINK = re.compile(r"!?\[([^\]]*)\]\([^)]*\)")
MARKUP = re.compile(r"[\[*_`]")
EMPHASIS = re.compile(r"(\*\*|__|`)(?=\S)(.+?)(?<=\S)\1")
BINARY = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One utterance of a script. `number`: within its section, from 0. `line`: in the file, from 1."""

    text: str
    section: str
    number: int
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    paragraphs: tuple[Paragraph, ...]
    digest: str


class Place(msgspec.Struct, frozen=True):
    """Where a reading stands: the paragraph that comes next. `digest`: of the file that these numbers count in."""

    lap: int = 0
    index: int = 0
    section: str = ""
    number: int = 0
    digest: str = ""


def load(path: Path) -> Script:
    """Read a script; ScriptError says what is wrong in which line."""
    try:
        data = path.read_bytes() if path.stat().st_size <= FILE_MAX_BYTES else None
    except OSError as error:
        raise ScriptError(f"{path}: {error.strerror}") from error
    if data is None:
        raise ScriptError(f"{path}: more than {FILE_MAX_BYTES >> 20} MB; a script is text")
    return parse(_decoded(data, path), path)


def parse(text: str, path: Path) -> Script:
    """Cut a text into paragraphs; `path` names it in errors and says by its suffix whether it is Markdown."""
    blocks = _markdown(text) if path.suffix.lower() in MARKDOWN else _plain(text)
    paragraphs: list[Paragraph] = []
    for line, section, block in blocks:
        if len(block) > TEXT_MAX_CHARS:
            raise ScriptError(f"{path}: line {line}: {len(block):,} characters; cut it into shorter paragraphs")
        number = paragraphs[-1].number + 1 if paragraphs and paragraphs[-1].section == section else 0
        paragraphs.append(Paragraph(block, section, number, line))
    if not paragraphs:
        raise ScriptError(f"{path}: line 1: there is nothing to say in it")
    return Script(tuple(paragraphs), hashlib.sha256(text.encode()).hexdigest()[:16])


class Reading:
    """A script being said: `next` gives the coming utterance, `place_of` the place to remember."""

    def __init__(self, script: Script, split: Callable[[str], Sequence[str]], loop: bool, place: Place) -> None:
        self._script = script
        self._split = split
        self._loop = loop
        self._lap, self._index = self._found(place)

    def next(self, now_s: float) -> Utterance | None:
        """The coming utterance; None when the script has ended. What cannot be said is passed over."""
        for _ in self._script.paragraphs:
            if self._index >= len(self._script.paragraphs):
                if not self._loop:
                    return None
                self._lap, self._index = self._lap + 1, 0
            index, self._index = self._index, self._index + 1
            if sentences := tuple(self._split(self._script.paragraphs[index].text)):
                return self._utterance(index, sentences, now_s)
        return None

    def coming(self, sentences: int) -> list[str]:
        """About so many sentences that `next` would give, without taking them."""
        found: list[str] = []
        paragraphs = self._script.paragraphs
        for step in range(len(paragraphs)):
            index = self._index + step
            if len(found) >= sentences or (index >= len(paragraphs) and not self._loop):
                break
            found += self._split(paragraphs[index % len(paragraphs)].text)
        return found

    def place_of(self, identity: str | None) -> Place:
        """The place where this utterance of ours is what comes next; None: what `next` would give."""
        lap, index = (self._lap, self._index) if identity is None else _numbers(identity)
        paragraphs = self._script.paragraphs
        here = paragraphs[index] if index < len(paragraphs) else paragraphs[-1]
        return Place(lap, index, here.section, here.number, self._script.digest)

    def seek(self, identity: str) -> None:
        """Go on at this utterance, which an earlier reading gave."""
        self._lap, self._index = _numbers(identity)

    def _utterance(self, index: int, sentences: tuple[str, ...], now_s: float) -> Utterance:
        paragraph = self._script.paragraphs[index]
        return Utterance(
            id=f"{SCRIPT_PREFIX}{self._lap}:{index}",
            sentences=sentences,
            lane=Lane.SCRIPT,
            accepted_s=now_s,
            section=paragraph.section if paragraph.number == 0 else "",
        )

    def _found(self, place: Place) -> tuple[int, int]:
        """Lap and index of a place; in a file that was changed, the same paragraph of the same section, a lap later."""
        if not place.digest or place.digest == self._script.digest:
            return place.lap, place.index
        for index, paragraph in enumerate(self._script.paragraphs):
            if (paragraph.section, paragraph.number) == (place.section, place.number):
                return place.lap + 1, index
        return place.lap + 1, 0


def _numbers(identity: str) -> tuple[int, int]:
    """Lap and index of an utterance of ours."""
    lap, index = identity.removeprefix(SCRIPT_PREFIX).split(":")
    return int(lap), int(index)


def _decoded(data: bytes, path: Path) -> str:
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        what = "binary" if b"\0" in data[: error.start + 1024] else "not UTF-8 text"
        raise ScriptError(f"{path}: line {line}: {what}") from error
    if found := BINARY.search(text):
        line = text.count("\n", 0, found.start()) + 1
        raise ScriptError(f"{path}: line {line}: binary (byte 0x{ord(found[0]):02x})")
    return text


def _plain(text: str) -> Iterator[tuple[int, str, str]]:
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            lines.append(line.strip())
        elif lines:
            yield number - len(lines), "", _joined(lines)
            lines = []


def _markdown(text: str) -> Iterator[tuple[int, str, str]]:
    """(line, section, text) of each paragraph and list item."""
    text = COMMENT.sub(_blank, FRONT_MATTER.sub(_blank, text))
    section, start = "", 0
    lines: list[str] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        heading, item = HEADING.match(line), ITEM.match(line)
        if lines and (not line.strip() or heading or item or RULE.match(line)):
            if said := _joined(lines):
                yield start, section, said
            lines = []
        if heading:
            section = _bare(heading[1])
        elif line.strip() and not RULE.match(line):
            start = start if lines else number
            lines.append(item[1] if item else line)


def _blank(match: re.Match[str]) -> str:
    """As many lines as before, so that the lines after it keep their numbers."""
    return "\n" * match[0].count("\n")


def _joined(lines: Sequence[str]) -> str:
    """One text of several lines; Chinese ones are joined without a space."""
    text = ""
    for line in map(_bare, lines):
        glue = "" if not text or not line or (CJK.match(text[-1]) and CJK.match(line[0])) else " "
        text += glue + line
    return text.strip()


def _bare(text: str) -> str:
    return EMPHASIS.sub(r"\2", LINK.sub(r"\1", text)).strip() if MARKUP.search(text) else text.strip()
