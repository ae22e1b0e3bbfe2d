"""What belongs to a person and is not said on air: telephone, identity and card numbers, mail, messenger ids, homes.

In: a view of a text. Out: where such a thing stands, in figures, in words, spelt or in Hanzi. A barcode, an order
number, sizes and prices are none. What it found is shown with its middle hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from broadcaster.guard.digits import Row, rows
from broadcaster.guard.patterns import load, named
from broadcaster.guard.view import Finding, View

SAID = named("personal")
BOOK = load("private")

ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
ID_CHECKS = "10X98765432"
CARD_DIGITS = (13, 19)
KINDS = {
    "phone": "a telephone number",
    "identity": "an identity number",
    "card": "a card number",
    "mail": "a mail address",
    "messenger": "somebody's id with a messenger",
    "address": "an address",
}
AROUND = 24  # characters before a row in which words say what it is
HANDLE_LEAST = 6  # characters
SERVICE_MOST = 6  # figures of a number that no person has: 96110
SPELT_LEAST = 6  # figures in words that are a number where one is spoken of anywhere


def find(view: View) -> Iterator[Finding]:
    folded = view.folded.text
    for row in rows(folded):
        if kind := _kind(row, folded):
            yield _on(view, row.begin, row.end, kind)
    store = SAID["STORE"].search(folded) is not None  # where the shop is may be said
    for pattern, kind in ((SAID["MAIL"], "mail"), (SAID["ADDRESS_EN"], "address")):
        for match in pattern.finditer(folded) if kind == "mail" or not store else ():
            yield _on(view, match.start(), match.end(), kind)
    text = view.undone.text
    spared = [match.span() for match in SAID["HANDLE_HARMLESS"].finditer(text)]
    for match in SAID["HANDLE"].finditer(text):
        if not any(begin <= match.start() < end for begin, end in spared):
            yield _finding(match.start(), match.end(), "messenger")
    if SAID["SPEAKS_OF"].search(text):
        for match in SAID["SOMEBODY"].finditer(text):
            if len(match[0]) >= HANDLE_LEAST and not SAID["NO_HANDLE"].fullmatch(match[0]):
                yield _finding(match.start(), match.end(), "messenger")
    for match in SAID["ADDRESS_ZH"].finditer(text) if not store else ():
        yield _finding(match.start(), match.end(), "address")
    for match in SAID["MAIL"].finditer(text) if view.closed.text != folded else ():
        yield _finding(match.start(), match.end(), "mail")


def _finding(begin: int, end: int, kind: str) -> Finding:
    return Finding(begin, end, f"personal.{kind}", KINDS[kind])


def _on(view: View, begin: int, end: int, kind: str) -> Finding:
    """In the reading in which the others are: places there of what was found in `view.folded`."""
    return _finding(_moved(view, begin), _moved(view, end - 1) + 1, kind)


def _moved(view: View, at: int) -> int:
    source, target = view.folded.at[at], view.undone.at
    return max(0, next((index for index, place in enumerate(target) if place > source), len(target)) - 1)


def hidden(text: str) -> str:
    """As it may be told: letters and figures of its middle are hidden."""
    shown = [index for index, char in enumerate(text) if char.isalnum()]
    middle = set(shown[3:-2]) if len(shown) > 6 else set(shown[1:])
    return "".join("*" if index in middle else char for index, char in enumerate(text))


# ── rows of figures ──────────────────────────────────────────────────────────────────────────────


def _kind(row: Row, text: str) -> str:
    """What a row of figures is; "" when it is nobody's."""
    before = text[max(0, row.begin - AROUND) : row.begin]
    figures = row.figures
    if row.counts or SAID["HARMLESS_ROW"].search(before):
        return ""
    if _is_id(figures + ("X" if re.match(r"\s?x(?![a-z])", text[row.end :]) else "")) or (
        SAID["IDS"].search(before) and 6 <= len(figures) <= 20
    ):
        return "identity"
    if tuple(map(len, row.groups)) == (3, 2, 4) and not _is_list(row, text):
        return "identity"
    if SAID["IDS"].search(text[max(0, row.begin - 2 * AROUND) : row.begin]) and 8 <= len(figures) <= 20:
        return "identity"
    if _is_card(row) or (SAID["CARDS"].search(before) and len(figures) >= 10):
        return "card"
    if _is_phone(row, text, before):
        return "phone"
    return ""


def _is_phone(row: Row, text: str, before: str) -> bool:
    figures = row.figures
    plain = figures.removeprefix("00")
    hotline = re.fullmatch(r"1?(?:400|800)\d{7}", figures)
    if (hotline or len(figures) <= SERVICE_MOST) and SAID["SERVICE"].search(text):
        return False  # it is a company's
    if SAID["MOBILE"].fullmatch(plain) or (SAID["HOTLINE"].fullmatch(figures) and len(row.groups) != 1) or hotline:
        return not re.match(r"\s?(?:元|块|件|个|次|人|万|yuan|dollars)", text[row.end :])
    if SAID["LANDLINE"].fullmatch(figures) and (len(row.groups) > 1 or SAID["CALLS"].search(before)):
        return True
    plus = re.search(r"\+\s?$", text[: row.begin]) is not None
    if plus and 8 <= len(figures) <= 15:
        return True
    shape = tuple(map(len, row.groups))
    if shape in (
        (3, 3, 4),
        (1, 3, 3, 4),
        (5, 6),
        (4, 3, 3),
        (4, 3, 4),
        (5, 3, 3),
        (2, 4, 4),
        (3, 4, 4),
    ) and not _is_list(row, text):
        return figures[0] in "0123456789"
    if set(shape) == {1} and len(figures) in (10, 11) and not SAID["CALLS"].search(before):
        return figures[:2] not in ("12", "01", "98", "10")
    if len(figures) >= SPELT_LEAST and not any(map(str.isdecimal, text[row.begin : row.end])):
        return SAID["CALLS"].search(text) is not None and not _is_list(row, text.replace(",", " "))
    return SAID["CALLS"].search(before) is not None and 6 <= len(figures) <= 15


def _is_list(row: Row, text: str) -> bool:
    """Prices or sizes, side by side."""
    return re.search(r"[,、;$¥€£%]|元|块", text[row.begin : row.end]) is not None


def _is_id(figures: str) -> bool:
    """Chinese: eighteen with a right last one, of somebody born on a day that was."""
    if len(figures) != 18 or not figures[:17].isdecimal():
        return False
    total = sum(int(figure) * weight for figure, weight in zip(figures[:17], ID_WEIGHTS, strict=True))
    if ID_CHECKS[total % 11] != figures[17]:
        return _is_day(figures[6:14]) and figures[0] in "123456"
    return _is_day(figures[6:14])


def _is_day(figures: str) -> bool:
    try:
        return 1900 <= date(int(figures[:4]), int(figures[4:6]), int(figures[6:])).year <= 2100
    except ValueError:
        return False


def _is_card(row: Row) -> bool:
    """By its last figure (Luhn); grouped as cards are, or not at all."""
    figures = row.figures
    sizes = [len(group) for group in row.groups]
    grouped = (
        len(sizes) == 1
        or set(sizes) == {1}
        or (all(size == 4 for size in sizes[:-1]) and 1 <= sizes[-1] <= 7)
        or sizes == [4, 6, 5]
    )
    if not CARD_DIGITS[0] <= len(figures) <= CARD_DIGITS[1] or not grouped or figures[0] not in "3456":
        return False
    if figures[:2] == "69" and len(figures) == 13:  # a barcode of China
        return False
    total = 0
    for index, figure in enumerate(reversed(figures)):
        doubled = int(figure) * (2 if index % 2 else 1)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0
