"""Tables as scripts: CSV with a header row, and JSONL. Each row is a line. Pure.

In: a text. Out: a draft. Rows of one section follow each other; a row without a section belongs to the one before, and
what is set for a section stands in any of its rows, at best in the first.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

from broadcaster.script.draft import Draft, DraftLine, DraftSection, Place
from broadcaster.script.model import Mistake
from broadcaster.script.settings import LINE_KEYS, TABLE_KEYS, Given, unknown

DELIMITERS = ",;\t"
CHARACTER = re.compile(r"\\(?:u[0-9a-fA-F]{4}|.)|.", re.DOTALL)  # of a JSON string
UNSAYABLE = re.compile(r"[\x00-\x08\x0e-\x1f\x7f\ud800-\udfff]")  # that JSON can write: half of one, and binary
NESTED = (dict, list)
WORDS = ("section", "text")
KEY = -1  # in place of an index: where the key stands, or the cell begins


def csv_draft(text: str) -> Draft:
    found = Draft()
    rows = csv_rows(text, found.mistakes)
    top, header = next(rows, (1, []))
    lines, delimiter = text.split("\n"), delimiter_of(text)
    names = [name.strip().lower() for name in header]
    for index, name in enumerate(names):
        if name not in TABLE_KEYS:
            column = Cell(lines, top, index, delimiter).place(KEY)
            found.mistakes.append(Mistake(*column, unknown("column", name, TABLE_KEYS)))
    if "text" not in names:
        if header:
            known = ", ".join(name for name in TABLE_KEYS if name != "text")
            found.mistakes.append(Mistake(top, 1, f"no column text; the first row names text, and any of {known}"))
        return found
    columns = {name: index for index, name in enumerate(names)}
    for line, cells in rows:
        if len(cells) > len(names):
            text = 'more cells than the first row has names; put "quotes" around a text with commas in it'
            found.mistakes.append(Mistake(*Cell(lines, line, len(names), delimiter).place(KEY), text))
        else:
            # bound now: the row is another one when a place is asked for
            def place_of(key: str, line: int = line) -> Place:
                return Cell(lines, line, columns[key], delimiter).place

            _add(found, line, dict(zip(names, cells, strict=False)), place_of)
    return found


def jsonl_draft(text: str) -> Draft:
    found = Draft()
    for line, raw in enumerate(text.split("\n"), 1):
        row = _object(raw, line, found.mistakes) if raw.strip() else None
        if row is None:
            continue

        def place_of(key: str, line: int = line, raw: str = raw) -> Place:
            return lambda at: (line, _json_column(raw, key, at))

        cells: dict[str, str] = {}
        for key, value in row.items():
            if key not in TABLE_KEYS:
                found.mistakes.append(Mistake(*place_of(key)(KEY), unknown("key", key, TABLE_KEYS)))
            elif isinstance(value, NESTED) or (key in WORDS and value is not None and not isinstance(value, str)):
                found.mistakes.append(Mistake(*place_of(key)(KEY), f'{key}: write one "text in quotes"'))
            elif found_in := UNSAYABLE.search(str(value)):
                told = f"{key}: the character \\u{ord(found_in[0]):04x} is none that can be said; take it out"
                found.mistakes.append(Mistake(*place_of(key)(found_in.start()), told))
            elif value is not None:
                cells[key] = str(value)
        if "text" not in row:
            found.mistakes.append(Mistake(line, 1, "no text; every line needs the key text"))
        _add(found, line, cells, place_of)
    return found


def csv_rows(text: str, mistakes: list[Mistake]) -> Iterator[tuple[int, list[str]]]:
    """(line where it begins, cells) of each row that is not empty."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter_of(text), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        mistakes.append(Mistake(line, 1, f'not CSV ({error}); inside "quotes" write "" for one'))


def delimiter_of(text: str) -> str:
    """The one that the first row has most of."""
    first = next((line for line in text.split("\n") if line.strip()), "")
    return max(DELIMITERS, key=first.count)


class Cell:
    """A cell of a CSV file. line: where its row begins. index: of the cell in it."""

    def __init__(self, lines: Sequence[str], line: int, index: int, delimiter: str) -> None:
        self._lines = lines
        self._line = line
        self._index = index
        self._delimiter = delimiter

    def place(self, at: int) -> tuple[int, int]:
        """Line and column of a character of it."""
        cell, seen, quoted, fresh = 0, 0, False, True
        for number in range(self._line - 1, len(self._lines)):
            row, column = self._lines[number] + "\n", 0
            while column < len(row):
                char = row[column]
                if fresh and char == '"':
                    quoted, fresh = True, False
                    column += 1
                    continue
                fresh = False
                if not quoted and char in (self._delimiter, "\n"):
                    if cell == self._index or char == "\n":
                        return number + 1, column + 1
                    cell, fresh = cell + 1, True
                    column += 1
                    continue
                if quoted and char == '"' and row[column + 1] != '"':
                    quoted = False
                    column += 1
                    continue
                if cell == self._index:
                    if seen >= at:
                        return number + 1, column + 1
                    seen += 1
                column += 2 if quoted and char == '"' else 1
        return len(self._lines), 1


def _object(raw: str, line: int, mistakes: list[Mistake]) -> dict[str, object] | None:
    try:
        row = json.loads(raw)
    except json.JSONDecodeError as error:
        mistakes.append(Mistake(line, error.colno, f"not JSON ({error.msg}); write one object a line"))
        return None
    except RecursionError:
        row = None
    if not isinstance(row, dict):
        mistakes.append(Mistake(line, 1, 'not an object; write for example {"text": "Hello."}'))
        return None
    return row


def _json_column(raw: str, key: str, at: int) -> int:
    """Column, from 1, of a character of a key's string."""
    found = re.search(rf"{re.escape(json.dumps(key, ensure_ascii=False))}\s*:\s*\"?", raw)
    if found is None:
        return 1
    if at == KEY:
        return found.start() + 1
    column = found.end()
    for _ in range(at):
        match = CHARACTER.match(raw, column)
        column = match.end() if match else column
    return column + 1


def _add(found: Draft, line: int, cells: Mapping[str, str], place_of: Callable[[str], Place]) -> None:
    """A row joins the section that it names, or the one before it."""
    name = cells.get("section", "").strip()
    if not found.sections or (name and name != found.sections[-1].name):
        found.sections.append(DraftSection(name, line))
    section = found.sections[-1]
    own: list[Given] = []
    for key, value in cells.items():
        if key in WORDS or key not in TABLE_KEYS or not value.strip():
            continue
        one = Given(key, value, partial(place_of(key), KEY))
        if key in LINE_KEYS:
            own.append(one)
        else:
            _agree(section, one, found.mistakes)
    raw = cells.get("text", "")
    if text := raw.strip():
        place, skipped = place_of("text"), len(raw) - len(raw.lstrip())
        section.lines.append(DraftLine(text, line, 1, lambda at: place(at + skipped), own))


def _agree(section: DraftSection, one: Given, mistakes: list[Mistake]) -> None:
    """What is set for a section may stand in all of its rows, if it is the same."""
    for earlier in section.settings:
        if earlier.key == one.key:
            if earlier.value.strip() != one.value.strip():
                said = f"line {earlier.place()[0]} says {earlier.value.strip()} of the same section; say it once"
                mistakes.append(Mistake(*one.place(), f"{one.key}: {said}"))
            return
    section.settings.append(one)
