"""One Chinese word at one place of a text: the ways in which what stands there can be read as it. Pure.

In: a word with its sounds; cells, and where to begin. Out: where each reading ends, and how far its writing is from the
word's own: by sound, by likeness, in pinyin, by initials, with something in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from broadcaster.guard.cells import NONE, PAUSE, Cell
from broadcaster.guard.pinyin import PLUS, near, near_sounds, sounds_of
from broadcaster.guard.tables import twins

SAME, SOUND, SELDOM, LIKE, NEAR, NOISE = 0.0, 0.7, 2.2, 0.7, 2.2, 2.0  # what a character's writing takes off the gain
SPELT, INITIAL = 0.0, 1.5


class Match(NamedTuple):
    """cells: index after its last one. loss: by how its characters are written. plain: each is the word's own."""

    cells: int
    loss: float
    plain: bool
    han: bool
    spelt: int = 0  # characters in pinyin
    initials: int = 0


@dataclass(frozen=True, slots=True)
class Word:
    """units: its Hanzi, and its letters and figures by the run; sounds: of each, none of a run."""

    word: str
    units: tuple[str, ...]
    sounds: tuple[tuple[str, ...], ...]


def aligned(word: Word, cells: Sequence[Cell], at: int, number: int, so_far: Match) -> Iterator[Match]:
    """Ways to read the cells from `at` on as the word's units from `number` on."""
    if number == len(word.units):
        yield so_far
        return
    if at == len(cells):
        return
    cell, sounds = cells[at], word.sounds[number]
    if not sounds:
        if run := _run(word.units[number], cells, at):
            step = so_far._replace(cells=run, spelt=so_far.spelt + 1)
            yield from aligned(word, cells, run, number + 1, step)
        return
    if cell.kind == "run":
        for used, spelt, initials in spelt_by(cell.text, word.sounds, number):
            loss = so_far.loss + spelt * SPELT + initials * INITIAL
            step = Match(at + 1, loss, False, so_far.han, so_far.spelt + spelt, so_far.initials + initials)
            yield from aligned(word, cells, at + 1, number + used, step)
    if number and _parts(cells, at):
        step = so_far._replace(cells=at + 1, loss=so_far.loss + NOISE, plain=False)
        yield from aligned(word, cells, at + 1, number, step)
    if (
        cell.kind != "run"
        and not _in_number(cells, at)
        and (far := _loss(cell, word.units[number], sounds)) is not None
    ):
        plain = so_far.plain and cell.text == word.units[number]
        han = so_far.han or cell.kind == "han" or cell.text == PLUS
        step = Match(at + 1, so_far.loss + far, plain, han, so_far.spelt, so_far.initials)
        yield from aligned(word, cells, at + 1, number + 1, step)


def _run(unit: str, cells: Sequence[Cell], at: int) -> int:
    """Index after the cells that are these letters and figures; 0: they are not."""
    text = ""
    for index in range(at, len(cells)):
        if cells[index].kind == "han" or (index > at and cells[index].gap == PAUSE):
            break
        text += cells[index].text
        if text == unit:
            following = cells[index + 1] if index + 1 < len(cells) else None
            return index + 1 if following is None or following.kind == "han" or following.gap != NONE else 0
        if not unit.startswith(text):
            break
    return 0


def _parts(cells: Sequence[Cell], at: int) -> bool:
    """A letter or figure by itself between two Hanzi."""
    cell = cells[at]
    return (
        cell.kind != "han"
        and len(cell.text) == 1
        and cells[at - 1].kind == "han"
        and at + 1 < len(cells)
        and cells[at + 1].kind == "han"
    )


def _in_number(cells: Sequence[Cell], at: int) -> bool:
    """A figure beside another one counts something, and sounds like no character."""
    beside = [cells[index] for index in (at - 1, at + 1) if 0 <= index < len(cells)]
    return cells[at].kind == "digit" and any(one.kind == "digit" for one in beside)


def _loss(cell: Cell, char: str, sounds: tuple[str, ...]) -> float | None:
    """None when the cell cannot be read as this character."""
    if cell.text == char:
        return SAME
    heard = sounds_of(cell.text)
    if twins().get(cell.text) == char:
        return LIKE
    if any(sound in heard for sound in sounds):
        return SOUND if heard[0] in sounds else SELDOM
    return NEAR if any(near(sound) in near_sounds(cell.text) for sound in sounds) else None


def spelt_by(run: str, sounds: Sequence[tuple[str, ...]], number: int, at: int = 0) -> Iterator[tuple[int, int, int]]:
    """(characters, of these in pinyin, by initials) that the whole run spells, from this character on."""
    if at == len(run):
        yield 0, 0, 0
        return
    if number == len(sounds):
        return
    if not sounds[number]:
        return
    for sound in sounds[number]:
        if run.startswith(sound, at):
            for used, spelt, initials in spelt_by(run, sounds, number + 1, at + len(sound)):
                yield used + 1, spelt + 1, initials
    for letter in {sound[0] for sound in sounds[number]}:
        if run[at] == letter:
            for used, spelt, initials in spelt_by(run, sounds, number + 1, at + 1):
                yield used + 1, spelt, initials + 1
