"""Figures into docs/reliability.md: a cell that ends with <!--ROW:INDEX--> gets what that row's figure reached.

In: the page, and the figures of a run. Out: the page. Cells of rows that were not run stay as they are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.figures import Figure

CELL = re.compile(r"\| ([^|\n]*?) <!--([a-z_0-9]+):(\d+)-->")
SOAK = re.compile(r"(<!--soak-->\n).*?(<!--/soak-->)", re.DOTALL)


def cells(text: str) -> list[tuple[str, int]]:
    """The figures that a page asks for: row and index."""
    return [(row, int(index)) for _, row, index in CELL.findall(text)]


def filled(text: str, done: Mapping[str, Sequence[Figure]]) -> str:
    """The text with what was reached."""

    def cell(match: re.Match[str]) -> str:
        row, index = match[2], int(match[3])
        if row not in done or index >= len(done[row]):
            return match[0]
        figure = done[row][index]
        reached = figure.reached if figure.met is not False else f"**{figure.reached}**"
        return f"| {reached} <!--{row}:{index}-->"

    return CELL.sub(cell, text)


def with_soak(text: str, head: str, figures: Sequence[Figure], plots: Sequence[str]) -> str:
    """The text with the table and the plots of a soak."""
    rows = [f"| {figure.name} | {figure.bar} | {figure.reached} |" for figure in figures]
    lines = [head, "", "| | bar | reached |", "|---|---|---|", *rows, "", *(f"![{plot}]({plot})" for plot in plots), ""]
    return SOAK.sub(lambda match: match[1] + "\n".join(lines) + match[2], text)


def fill(path: Path, done: Mapping[str, Sequence[Figure]]) -> None:
    path.write_text(filled(path.read_text(), done))
