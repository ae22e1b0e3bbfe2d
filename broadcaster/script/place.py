"""Where a reading of a script stands, in words that outlive the process and an edit of the file.

In: a place, and the sections of another version of its file. Out: where the same line is there. Pure.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Sequence

import msgspec

from broadcaster.script.model import Line, Section
from broadcaster.script.shuffle import Turn


class Place(msgspec.Struct, frozen=True):
    """The line that comes next.

    index: among all lines where they are read as listed; among those of this lap where they are shuffled. section: its
    key. number: of the line in it, from 0; as many as it has lines when it is over. digest: of the file that these
    count in. seed: of the dice. turns: of sections, least recently said first. now: laps, as the dice count them.
    asked: a person wants this section, whatever its dayparts. said, before: digests of this line and the one before.
    """

    lap: int = 0
    index: int = 0
    section: str = ""
    number: int = 0
    digest: str = ""
    seed: int = 0
    turns: dict[str, Turn] = {}
    now: float = 0.0
    asked: bool = False
    said: str = ""
    before: str = ""


def seed_of(room: str) -> int:
    """Of the dice of a room that begins: its own, and the same should all notes be lost."""
    return zlib.crc32(room.encode())


def keys(names: Iterable[str]) -> list[str]:
    """One key a section: its name, with a number where that name came before."""
    times: dict[str, int] = {}
    made: list[str] = []
    for name in names:
        times[name] = times.get(name, 0) + 1
        made.append(name if times[name] == 1 else f"{name} #{times[name]}")
    return made


def digest(line: Line) -> str:
    return hashlib.blake2b(line.text.encode("utf-8", "replace"), digest_size=6).hexdigest()


def recognised(place: Place, names: Sequence[str], sections: Sequence[Section]) -> tuple[int, int]:
    """Index of the section and number of the line in it that a place of an earlier version means; the first of all
    lines where neither is there. By its words, else by those of the line before it, else by its number. names: keys.
    """
    if place.section not in names:
        for at, section in enumerate(sections):
            number = _nearest([digest(line) for line in section.lines], place.said, place.number)
            if number is not None:
                return at, number
        return 0, 0
    at = names.index(place.section)
    if place.number == 0:
        return at, 0
    lines = [digest(line) for line in sections[at].lines]
    number = _nearest(lines, place.said, place.number)
    if number is None and (before := _nearest(lines, place.before, place.number - 1)) is not None:
        number = before + 1
    return at, min(place.number, len(lines)) if number is None else number


def _nearest(lines: Sequence[str], wanted: str, number: int) -> int | None:
    """Where these words are, nearest to that number."""
    found = [index for index, one in enumerate(lines) if one == wanted]
    return min(found, key=lambda index: abs(index - number)) if found else None
