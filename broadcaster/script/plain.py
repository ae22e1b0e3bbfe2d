"""Plain text as a script: paragraphs with empty lines between them. Pure.

In: a text. Out: a draft of one section; each paragraph is a line.
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.script.draft import Draft, DraftSection, Row, line_of, said


def draft(text: str) -> Draft:
    found = Draft()
    for rows in _paragraphs(text):
        if not found.sections:
            found.sections.append(DraftSection("", rows[0].line))
        found.sections[0].lines.append(line_of(rows, str.strip, _kept, found.mistakes))
    return found


def paragraphs(text: str) -> list[str]:
    return [said(rows, str.strip, _kept)[0] for rows in _paragraphs(text)]


def _paragraphs(text: str) -> Iterator[list[Row]]:
    rows: list[Row] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        if line.strip():
            rows.append(Row(line, number))
        elif rows:
            yield rows
            rows = []


def _kept(raw: str) -> list[int]:
    return list(range(len(raw) - len(raw.lstrip()), len(raw.rstrip())))
