"""A folded text in cells: one Hanzi, one run of letters or one figure each, and what stands between them. Pure.

In: a folded text. Out: its cells; the clause around some of them, as it is weighed.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from broadcaster.guard.fold import HAN, PAUSES
from broadcaster.guard.lexicon import UNKNOWN

NONE, PAUSE, SPACE, SIGN = range(4)  # what stands between two cells
CELL = re.compile(
    rf"(?P<tones>(?:[a-z]{{1,6}}[1-5](?![0-9]))+(?![a-z0-9]))|(?P<run>[a-z]+)|(?P<han>[{HAN}])|(?P<digit>[\d+])"
)
RUN_COST, LETTER_COST, DIGIT_COST = 14.0, 9.0, 9.0  # of Latin letters and figures in a Chinese sentence
PLACES = {RUN_COST: "\ue000", LETTER_COST: "\ue001", DIGIT_COST: "\ue002"}
WINDOW = 10  # characters on each side that are weighed with it


class Cell(NamedTuple):
    """kind: han | run | digit. gap: what stands before it."""

    begin: int
    end: int
    kind: str
    text: str
    gap: int


@lru_cache(maxsize=8)  # one text is looked through for several sets of words
def cells_of(text: str) -> list[Cell]:
    cells: list[Cell] = []
    end = 0
    for match in CELL.finditer(text):
        kind = match.lastgroup or ""
        shown = re.sub(r"\d", "", match[0]) if kind == "tones" else match[0]
        cells.append(
            Cell(match.start(), match.end(), "run" if kind == "tones" else kind, shown, _gap(text[end : match.start()]))
        )
        end = match.end()
    return cells


def window_of(cells: Sequence[Cell], begin: int, end: int) -> tuple[str, int, int]:
    """The clause around it, as Hanzi and signs in the place of letters and figures; where the word is in it."""
    first, last = begin, end
    while first > max(0, begin - WINDOW) and cells[first].gap != PAUSE and cells[first - 1].kind == "han":
        first -= 1
    while last < min(len(cells), end + WINDOW) and cells[last].gap != PAUSE and cells[last].kind == "han":
        last += 1
    text = "".join(_sign(cell) for cell in cells[first:last])
    return text, begin - first, end - first


def _gap(between: str) -> int:
    if not between:
        return NONE
    if any(char in PAUSES for char in between):
        return PAUSE
    return SPACE if between.isspace() else SIGN


def _sign(cell: Cell) -> str:
    if cell.kind == "han":
        return cell.text
    if cell.kind == "digit":
        return PLACES[DIGIT_COST]
    return PLACES[LETTER_COST if len(cell.text) <= 2 else RUN_COST]


def placed(signs: str) -> float:
    """What the signs among them cost, other than as unknown characters."""
    return sum(signs.count(sign) * (cost - UNKNOWN) for cost, sign in PLACES.items())
