"""Everything that is wrong with a script file, and with what it says of products.

In: the path of a script, and of the products file where the script names none. Out: the script as far as it can be
used, and mistakes and warnings with their places. It reads both files, changes nothing and needs no room.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from broadcaster.script import products as product_files
from broadcaster.script.load import Examined, Used, examined
from broadcaster.script.model import Mistake, Script, Section
from broadcaster.script.products import Catalog
from broadcaster.script.settings import unknown
from broadcaster.script.source import read
from broadcaster.script.values import CLOCK, OUTSIDE, PRODUCT


@dataclass(frozen=True, slots=True)
class Checked:
    """script: None where nothing of it can be used. mistakes: in the order of the file, warnings among them."""

    script: Script | None
    mistakes: tuple[Mistake, ...]

    @property
    def good(self) -> bool:
        return all(mistake.warning for mistake in self.mistakes)


def check(path: Path, products: Path | None = None, persons: Collection[str] = ()) -> Checked:
    """Look at a script, and at the products file that it names; `products` is the one where it names none.

    persons: of the room; none: nobody knows who there is.
    """
    text = read(path)
    found = examined(path, text)
    mistakes = list(found.mistakes)
    if found.script is not None and isinstance(text, str):
        where = found.script.products or products
        catalog, wrong = product_files.examined(where) if where else ({}, [])
        mistakes += [*wrong, *_section_mistakes(found.script, catalog, where, text.split("\n"))]
        looking = _Variables(found.script, catalog, where)
        for used in found.used:
            mistakes += looking.mistakes(used)
    mistakes += _strangers(found, persons) if persons else []
    return Checked(found.script, tuple(sorted(mistakes, key=_order)))


def strangers(path: Path, persons: Collection[str]) -> list[Mistake]:
    """Calls of a script for persons that its room does not have."""
    return _strangers(examined(path, read(path)), persons)


def _strangers(found: Examined, persons: Collection[str]) -> list[Mistake]:
    return [
        Mistake(one.line, one.column, unknown("person", one.name, tuple(persons)))
        for one in found.called
        if one.name not in persons
    ]


class _Variables:
    """Whether the variables of a line will have a value."""

    def __init__(self, script: Script, catalog: Catalog, file: Path | None) -> None:
        self._catalog = catalog
        self._file = file
        self._plain = (*CLOCK, *OUTSIDE, *script.variables)
        self._fields = tuple(sorted({field for fields in catalog.values() for field in fields}))

    def mistakes(self, used: Used) -> Iterator[Mistake]:
        for variable in used.variables:
            if told := self._told(variable.name, used.section):
                yield Mistake(*used.place(variable.at), told[0], warning=told[1])

    def _told(self, name: str, section: Section) -> tuple[str, bool] | None:
        """What is wrong with a variable, and whether that is a mere warning."""
        owner, dot, field = name.rpartition(".")
        field = field.lower()
        if not dot and name in self._plain:
            return None
        if self._file is None and dot:
            return f"{{{name}}} needs `products: FILE` in the front matter", False
        if not dot and field not in self._fields:
            return unknown("variable", name, (*self._plain, *self._fields)), False
        owner = section.product if owner in ("", PRODUCT) else owner
        if not owner:
            return f"{{{name}}} of which product? Write {{ID.{field}}}, or product=ID behind the heading", False
        if owner not in self._catalog:
            # the section's own product is told of once, at its heading
            return None if owner == section.product else (unknown("product", owner, tuple(self._catalog)), False)
        if field not in self._fields:
            return unknown(f"field of {owner},", field, self._fields), False
        if field not in self._catalog[owner]:
            return f"{owner} has no {field}: what needs {{{name}}} is left out until it has", True
        return None


def _section_mistakes(script: Script, catalog: Catalog, file: Path | None, rows: list[str]) -> Iterator[Mistake]:
    opened: dict[str, int] = {}
    for section in script.sections:
        if section.product and section.product not in catalog:
            column = max(0, rows[section.line - 1].find(section.product)) + 1
            if file is None:
                told = f"product {section.product!r} needs `products: FILE` in the front matter"
            else:
                told = unknown("product", section.product, tuple(catalog))
            yield Mistake(section.line, column, told)
        if section.weight == 0:
            yield Mistake(section.line, 1, f"section {section.name!r} is never said: its weight is 0", warning=True)
        if section.name and (first := opened.setdefault(section.name.casefold(), section.line)) != section.line:
            told = f"section {section.name!r} is in line {first} already: `goto` goes to that one"
            yield Mistake(section.line, 1, told, warning=True)


def _order(mistake: Mistake) -> tuple[str, int, int, str]:
    return str(mistake.path or ""), mistake.line, mistake.column, mistake.text
