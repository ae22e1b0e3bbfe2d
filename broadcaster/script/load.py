"""Script files: prepared words, read as a whole and judged as a whole.

In: a Markdown, plain text, CSV or JSONL file; its suffix says which. Out: a Script, or ScriptError with every
mistake in it, each with file, line and column. It opens no other file: what a script says of products is for
broadcaster/script/check.py.
"""

from __future__ import annotations

import gc
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from broadcaster.script import markdown, plain, settings, table, template
from broadcaster.script.draft import Draft, DraftLine, DraftSection, Place
from broadcaster.script.model import Line, Mistake, Script, Section, raise_for
from broadcaster.script.source import FILE_MAX_BYTES, decoded, read
from broadcaster.utterance import TEXT_MAX_CHARS
from pipeline.errors import ScriptError
from tts import markup

__all__ = ["FILE_MAX_BYTES", "Examined", "examined", "load", "parse", "pasted"]

FORMATS: Mapping[str, Callable[[str], Draft]] = {
    ".md": markdown.draft,
    ".markdown": markdown.draft,
    ".csv": table.csv_draft,
    ".tsv": table.csv_draft,
    ".jsonl": table.jsonl_draft,
    ".ndjson": table.jsonl_draft,
}  # all others are plain text
MARK = re.compile(r"\[[^\[\]]*\]")  # or a bracket that is said
UNMARKED = str.maketrans("[]*", "()+")  # as long as before, and no mark
NO_SCRIPTS = (".json", ".yaml", ".yml", ".html", ".htm", ".xml")  # they would be read out, brackets and all


@dataclass(frozen=True, slots=True)
class Used:
    """The variables of a line, and where its characters stand."""

    variables: tuple[template.Variable, ...]
    section: Section
    place: Place


@dataclass(frozen=True, slots=True)
class Called:
    """A person whom a line calls into the picture, and where the mark stands."""

    name: str
    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Examined:
    """script: without all that is wrong; None where nothing is left. used: variables, called: persons, in the order of
    the file.
    """

    script: Script | None
    mistakes: list[Mistake]
    used: Sequence[Used] = ()
    called: Sequence[Called] = ()


def load(path: Path) -> Script:
    """Read a script; ScriptError names line and column of every mistake."""
    return _good(path, examined(path, read(path)))


def parse(text: str, path: Path) -> Script:
    """Read a text as a script; `path` names it in errors, and says by its suffix what it is."""
    return _good(path, examined(path, text))


def pasted(data: bytes, path: Path) -> Script:
    """Read what came from elsewhere as a file of this name would be."""
    return _good(path, examined(path, decoded(data)))


def examined(path: Path, text: str | Mistake) -> Examined:
    """text: of the file, or why there is none."""
    if path.suffix.lower() in NO_SCRIPTS:
        hint = "write .md, .txt, .csv or .jsonl (one object a line)"
        return Examined(None, [Mistake(0, 0, f"{path.suffix} is no script; {hint}")])
    if isinstance(text, Mistake):
        return Examined(None, [text])
    with _uncollected():
        return _examined(path, text)


def _examined(path: Path, text: str) -> Examined:
    found = FORMATS.get(path.suffix.lower(), plain.draft)(text)
    mistakes = found.mistakes
    used: list[Used] = []
    called: list[Called] = []
    drafted = (_section(draft, mistakes, used, called) for draft in found.sections)
    sections = tuple(section for section in drafted if section is not None)
    given = settings.read(found.settings, settings.SCRIPT_KEYS, mistakes)
    if not sections:
        if not any(not mistake.warning for mistake in mistakes):
            mistakes.append(Mistake(1, 1, "there is nothing to say in it"))
        return Examined(None, mistakes)
    if not any(section.weight > 0 for section in sections):
        mistakes.append(Mistake(sections[0].line, 1, "every section has weight=0: nothing is ever said"))
    if "products" in given:
        given["products"] = path.parent / given["products"]
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    script = Script(path, sections, digest, variables=found.variables, **given)
    return Examined(script, mistakes, used, called)


def _good(path: Path, found: Examined) -> Script:
    raise_for(path, found.mistakes)
    if found.script is None:
        raise ScriptError(f"{path}: there is nothing to say in it")
    return found.script


@contextmanager
def _uncollected() -> Iterator[None]:
    """A long script is a great many small objects that all stay; to look for rubbish among them takes as long as the
    reading. One that finds the collector off leaves it to the other to put it on."""
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def _section(draft: DraftSection, mistakes: list[Mistake], used: list[Used], called: list[Called]) -> Section | None:
    given = settings.read(draft.settings, settings.SECTION_KEYS, mistakes)
    if not draft.lines:
        if given:
            text = f"section {draft.name!r} has settings, but no line; write its words under it"
            mistakes.append(Mistake(draft.line, 1, text, warning=True))
        return None
    words = [template.parse(line.text) for line in draft.lines]
    named = [one.variables() if "{" in line.text else [] for line, one in zip(draft.lines, words, strict=True)]
    whole = zip(draft.lines, words, named, strict=True)
    lines = tuple(_line(line, one, bool(variables), mistakes) for line, one, variables in whole)
    section = Section(draft.name, lines, draft.line, **given)
    for line, variables in zip(draft.lines, named, strict=True):
        if variables:
            used.append(Used(tuple(variables), section, line.place))
        if "[" in line.text:
            calls = markup.persons(line.text.replace("\\[", "[["))
            called += [Called(name, *line.place(column - 1)) for column, name in calls]
    return section


def _line(draft: DraftLine, words: template.Template, varies: bool, mistakes: list[Mistake]) -> Line:
    text, place = draft.text, draft.place
    given = settings.read(draft.settings, settings.LINE_KEYS, mistakes) if draft.settings else {}
    if len(text) > TEXT_MAX_CHARS:
        told = f"{len(text):,} characters; cut it into shorter paragraphs of at most {TEXT_MAX_CHARS:,}"
        mistakes.append(Mistake(draft.line, draft.column, told))
    else:
        mistakes += [Mistake(*place(fault.at), fault.text) for fault in words.faults]
        mistakes += [Mistake(*place(at), told) for at, told in _mark_faults(text, words.nodes, 0, len(text))]
        if not varies and not _sayable(words):
            told = "there is nothing to say in this line; it is passed over"
            mistakes.append(Mistake(draft.line, draft.column, told, warning=True))
    return Line(text, draft.line, draft.column, **given)


def _mark_faults(text: str, nodes: template.Nodes, begin: int, end: int) -> Iterator[tuple[int, str]]:
    """Each alternative is a marked text of its own, and so is what surrounds them: whichever is chosen, marks fit."""
    if text.find("[", begin, end) < 0 and text.find("**", begin, end) < 0:
        return
    groups = [node for node in nodes if isinstance(node, template.Group)]
    outer = text[begin:end].replace("\\[", "[[")
    for group in groups:
        inner = outer[group.at - begin : group.end - begin].translate(UNMARKED)
        outer = f"{outer[: group.at - begin]}{inner}{outer[group.end - begin :]}"
    for fault in markup.faults(outer):
        yield begin + fault.column - 1, fault.text
    for group in groups:
        for choice, (first, last) in zip(group.choices, group.spans(), strict=True):
            yield from _mark_faults(text, choice, first, last)


def _sayable(words: template.Template) -> bool:
    """Whether there is a letter or a figure in what is said."""
    literal = words.literal
    if any(char.isalnum() for char in MARK.sub("", literal)):
        return True
    return any(char.isalnum() for char in markup.plain(literal))
