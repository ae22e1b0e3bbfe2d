"""With which characters a match of a pattern can begin, so that most patterns need not be tried at most places. Pure.

In: a regular expression of the kind that rules/ is written in. Out: its alternatives, and for each the one or two
characters that a match begins with; "" where it may be any.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

SIZE = 2  # characters that are looked at
MOST = 3_000  # beginnings of one pattern; of more, any counts
DIGITS = "0123456789"
CLASS = re.compile(r"\[(\^?)((?:\\.|[^\]\\])*)\]")
TURNS = re.compile(rf"\\.|{CLASS.pattern}|[()|]")  # what does not stand for itself, as far as groups go
TIMES = re.compile(r"(\?|\*|\+|\{(\d*),?(\d*)\})[?+]?")
MARKS = ("?", "*", "+", "{")  # that it begins with
BETWEEN = "bB"  # escapes that match no character

# (text, open): what it begins with; open: whatever follows comes right behind it
Beginnings = frozenset[tuple[str, bool]]
NOTHING: Beginnings = frozenset({("", True)})
ANYTHING: Beginnings = frozenset({("", False)})


def alternatives(pattern: str) -> Iterator[str]:
    """Those on its outermost level."""
    depth, begin = 0, 0
    for match in TURNS.finditer(pattern):
        if match[0] == "(":
            depth += 1
        elif match[0] == ")":
            depth -= 1
        elif match[0] == "|" and not depth:
            yield pattern[begin : match.start()]
            begin = match.end()
    yield pattern[begin:]


def beginnings(pattern: str) -> frozenset[str]:
    """Of one or two characters each; "" alone: any."""
    found = {text for text, _ in _of_any(pattern)}
    return frozenset({""}) if "" in found or len(found) > MOST else frozenset(found)


def _of_any(pattern: str) -> Beginnings:
    return frozenset(one for alternative in alternatives(pattern) for one in _of_row(alternative))


@lru_cache(maxsize=512)  # the same groups come again and again
def _of_group(inner: str) -> Beginnings:
    return _of_any(inner)


def _of_row(row: str) -> Beginnings:
    so_far = NOTHING
    at = 0
    while at < len(row) and any(is_open and len(text) < SIZE for text, is_open in so_far):
        piece, at = _piece(row, at)
        if row[at : at + 1] in MARKS and (times := TIMES.match(row, at)):
            at = times.end()
            piece = _repeated(piece, times)
        so_far = frozenset(
            (f"{text}{following}"[:SIZE], still) if is_open and len(text) < SIZE else (text, is_open)
            for text, is_open in so_far
            for following, still in (piece if is_open and len(text) < SIZE else NOTHING)
        )
    return so_far


def _repeated(piece: Beginnings, times: re.Match[str]) -> Beginnings:
    again = times[1] in "*+" or (times[1][0] == "{" and times[3] != "0" and times[2] != times[3])
    if again or (times[1][0] == "{" and times[2] not in ("", "0", "1")):
        piece = frozenset((text, is_open and len(text) >= SIZE) for text, is_open in piece)  # itself may follow
    optional = times[1] in "?*" or (times[1][0] == "{" and times[2] in ("", "0"))
    return piece | NOTHING if optional else piece


def _piece(row: str, at: int) -> tuple[Beginnings, int]:
    """What stands there, and the index after it."""
    char = row[at]
    if char == "(":
        end = _closing(row, at)
        inner = row[at + 1 : end]
        if inner.startswith(("?=", "?!", "?<=", "?<!")):
            return NOTHING, end + 1
        return _of_group(inner.removeprefix("?:")), end + 1
    if char == "[" and (match := CLASS.match(row, at)):
        plain = not match[1] and "\\" not in match[2] and "-" not in match[2][1:-1]
        return frozenset((one, True) for one in match[2]) if plain else ANYTHING, match.end()
    if char == "\\":
        return _escaped(row, at)
    if char in "^$":
        return NOTHING, at + 1
    return ANYTHING if char == "." else frozenset({(char, True)}), at + 1


def _escaped(row: str, at: int) -> tuple[Beginnings, int]:
    char = row[at + 1]
    if char == "u":
        return frozenset({(chr(int(row[at + 2 : at + 6], 16)), True)}), at + 6
    if char in BETWEEN:
        return NOTHING, at + 2
    if char == "d":
        return frozenset((one, True) for one in DIGITS), at + 2
    if char == "n":
        return frozenset({("\n", True)}), at + 2
    return ANYTHING if char.isalpha() else frozenset({(char, True)}), at + 2


def _closing(row: str, at: int) -> int:
    depth = 0
    for match in TURNS.finditer(row, at):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    raise ValueError(f"a group has no end: {row[at:]}")
