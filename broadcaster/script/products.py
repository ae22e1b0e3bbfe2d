"""The products that scripts speak of: name, price, stock and whatever else a file says of each.

In: CSV with a header row, JSONL, JSON or YAML (a list, or id: fields). Out: for each id its fields as text, as they are
written there; or every mistake with file, row and field. `Products` reads the file again when it changed, and goes on
with what it knew while the file is broken.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import structlog
import yaml

from broadcaster.script import table
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.settings import PRODUCT_ID, shown
from broadcaster.script.source import read
from pipeline.errors import ScriptError

NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,12}(?:\.\d+)?")
COUNT = re.compile(r"\d{1,12}")
NULLS = ("null", "~")
#: field → (what it must be, in words, an example)
FIELDS = {
    "price": (NUMBER, "a price; write for example 12.50, and its currency in a field of its own"),
    "stock": (COUNT, "a number of pieces; write for example 20"),
}
NEEDED = ("id", "name")

Catalog: TypeAlias = Mapping[str, Mapping[str, str]]
"""id → field, in small letters → text."""
Fields: TypeAlias = Mapping[Any, Any]
Rows: TypeAlias = Iterator[tuple[int, int, Fields]]
"""(number of the row from 1, its line or 0, its fields)."""

log = structlog.get_logger()


def load(path: Path) -> Catalog:
    """Read the file; ScriptError names row and field of every mistake."""
    products, mistakes = examined(path)
    raise_for(path, mistakes)
    return products


def examined(path: Path) -> tuple[Catalog, list[Mistake]]:
    """The products that are right, and all that is wrong."""
    text = read(path)
    if isinstance(text, Mistake):
        return {}, [Mistake(text.line, text.column, text.text, path=path)]
    mistakes: list[Mistake] = []
    found: dict[str, dict[str, str]] = {}
    for number, line, row in READERS.get(path.suffix.lower(), _csv)(text, mistakes):
        fields = _fields(row)
        identity = fields.get("id", "")

        def wrong(field: str, what: str, number: int = number, line: int = line) -> None:
            mistakes.append(Mistake(line, 1 if line else 0, f"row {number}, field {field}: {what}"))

        for name in NEEDED:
            if not fields.get(name):
                wrong(name, "it is missing")
        if identity and not PRODUCT_ID.fullmatch(identity):
            wrong("id", f"{shown(identity)} is no id; write letters, figures, - and _")
        elif identity in found:
            wrong("id", f"{shown(identity)} is there already; each product has an id of its own")
        elif identity:
            found[identity] = fields
        for name, (pattern, right) in FIELDS.items():
            if fields.get(name) and not pattern.fullmatch(fields[name]):
                wrong(name, f"{shown(fields[name])} is not {right}")
    if not found and not mistakes:
        mistakes.append(Mistake(1, 1, "there is no product in it; write id,name,price in the first row, and one a row"))
    return found, [Mistake(one.line, one.column, one.text, path=path) for one in mistakes]


class Products:
    """A products file that is edited while it is in use."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ...] | None = ()  # what the file looked like when it was read; None: it was not there
        self._known: Catalog = {}

    def current(self) -> Catalog:
        """As the file says now; as it said before while it is broken, which is told once."""
        try:
            stat = self._path.stat()
            looks = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            looks = None
        if looks != self._seen:
            self._seen = looks
            try:
                self._known = load(self._path)
            except ScriptError as error:
                log.error("products.unusable", reason=str(error), known=len(self._known))
        return self._known


def _fields(row: Fields) -> dict[str, str]:
    """What of a row can be said: texts and numbers, under names in small letters."""
    fields: dict[str, str] = {}
    for name, value in row.items():
        text = str(value).strip() if isinstance(value, str | int | float) else ""
        if name is not None and text and text not in NULLS:
            fields[str(name).strip().lower()] = text
    return fields


def _csv(text: str, mistakes: list[Mistake]) -> Rows:
    rows = table.csv_rows(text, mistakes)
    _, header = next(rows, (0, []))
    for number, (line, cells) in enumerate(rows, 1):
        if len(cells) > len(header):
            hint = 'put "quotes" around a text with commas in it'
            mistakes.append(Mistake(line, 1, f"row {number}: more cells than the first row has names; {hint}"))
        yield number, line, dict(zip(header, cells, strict=False))


def _jsonl(text: str, mistakes: list[Mistake]) -> Rows:
    number = 0
    for line, raw in enumerate(text.split("\n"), 1):
        if raw.strip():
            number += 1
            for _, _, row in _json(raw, mistakes, number, line):
                yield number, line, row


def _json(text: str, mistakes: list[Mistake], number: int = 0, line: int = 0) -> Rows:
    """number, line: of the only row, when the text is one."""
    try:
        held = json.loads(text, parse_float=str, parse_int=str)
    except json.JSONDecodeError as error:
        mistakes.append(Mistake(line or error.lineno, error.colno, f"not JSON ({error.msg})"))
    except RecursionError:
        mistakes.append(Mistake(line or 1, 1, "not JSON that anybody could read: too deep"))
    else:
        yield from [(number, line, held)] if number and isinstance(held, dict) else _listed(held, mistakes)


def _yaml(text: str, mistakes: list[Mistake]) -> Rows:
    try:
        held = yaml.load(text, Loader=getattr(yaml, "CBaseLoader", yaml.BaseLoader))  # texts, as they are written
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        mistakes.append(Mistake(*where, f"not YAML ({error.problem})"))
    except (yaml.YAMLError, RecursionError) as error:
        mistakes.append(Mistake(1, 1, f"not YAML ({error})"))
    else:
        yield from _listed(held, mistakes)


def _listed(held: object, mistakes: list[Mistake]) -> Rows:
    """A list of products, or products by their ids."""
    if isinstance(held, dict):
        held = [{"id": name, **fields} if isinstance(fields, dict) else fields for name, fields in held.items()]
    if not isinstance(held, list):
        mistakes.append(Mistake(1, 1, "neither a list of products nor products by their ids"))
        return
    for number, fields in enumerate(held, 1):
        if isinstance(fields, dict):
            yield number, 0, fields
        else:
            mistakes.append(Mistake(0, 0, f"row {number}: not a product; write id, name and what else is to be said"))


READERS: Mapping[str, Callable[[str, list[Mistake]], Rows]] = {
    ".csv": _csv,
    ".tsv": _csv,
    ".jsonl": _jsonl,
    ".ndjson": _jsonl,
    ".json": _json,
    ".yaml": _yaml,
    ".yml": _yaml,
}
