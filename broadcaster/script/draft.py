"""What a format finds in a file, before anybody judges it: sections of texts with their settings, and where they stand.

In: strings that came from lines of a file, maybe without some of their characters. Out: for every index of a text, the
line and column of the file where that character stands; they are worked out only when there is a mistake to tell of.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from broadcaster.script.model import Mistake
from broadcaster.script.settings import Given, attributes

CJK = re.compile(r"[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\uff00-\uffef]")
SETTINGS = re.compile(r"\{(\s*[A-Za-z_][\w.-]*\s*=[^{}|]*)\}\s*")  # at the start of a text: of this line alone

Place: TypeAlias = Callable[[int], tuple[int, int]]
"""Line and column, from 1, of an index in a text."""


@dataclass(slots=True)
class DraftLine:
    """line, column: where its text begins, which is asked of each."""

    text: str
    line: int
    column: int
    place: Place
    settings: Sequence[Given] = ()


@dataclass(slots=True)
class DraftSection:
    name: str
    line: int
    settings: list[Given] = field(default_factory=list)
    lines: list[DraftLine] = field(default_factory=list)


@dataclass(slots=True)
class Draft:
    """settings: of the script. variables: its own, None where outside gives the value."""

    sections: list[DraftSection] = field(default_factory=list)
    settings: list[Given] = field(default_factory=list)
    variables: dict[str, str | None] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Row:
    """Characters of one line of a file. column: of the first one."""

    raw: str
    line: int
    column: int = 1


def said(rows: Sequence[Row], bare: Callable[[str], str], kept: Callable[[str], list[int]]) -> tuple[str, Place]:
    """One text of several rows, Chinese ones joined without a space; `bare` takes away what is not said, and `kept`
    gives the index of each character that it leaves."""
    text = _joined([bare(row.raw) for row in rows])

    found: list[tuple[int, int]] = []

    def places() -> list[tuple[int, int]]:
        """Of each character, worked out once; what glues two rows stands where the second one begins."""
        if found:
            return found
        before = ""
        for row in rows:
            if part := bare(row.raw):
                own = [(row.line, row.column + index) for index in kept(row.raw)]
                found.extend([*own[:1] * len(_glue(before, part)), *own])
                before = part
        return found

    def place(at: int) -> tuple[int, int]:
        known = places()
        return known[at] if at < len(known) else (rows[-1].line, rows[-1].column + len(rows[-1].raw.rstrip()))

    return text, place


def line_of(
    rows: Sequence[Row], bare: Callable[[str], str], kept: Callable[[str], list[int]], mistakes: list[Mistake]
) -> DraftLine:
    """A line of one or more rows, with the settings that it begins with."""
    text, place = said(rows, bare, kept)
    found = SETTINGS.match(text)
    if not found:
        first = rows[0]
        return DraftLine(text, first.line, first.column + len(first.raw) - len(first.raw.lstrip()), place)
    settings = attributes(found[1], lambda at: place(at + 1), mistakes)
    skipped = found.end()
    return DraftLine(text[skipped:], *place(skipped), lambda at: place(at + skipped), settings)


def _joined(parts: Sequence[str]) -> str:
    text = ""
    for part in parts:
        text += _glue(text, part) + part
    return text


def _glue(before: str, part: str) -> str:
    return "" if not before or not part or (CJK.match(before[-1]) and CJK.match(part[0])) else " "
