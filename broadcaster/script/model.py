"""A script as it is held: sections of lines, each line one utterance, and what is said of them all.

In: what the formats read. Out: values for whoever reads it aloud. Texts are templates (broadcaster/script/template.py)
and may hold marks (tts/markup.py); nothing here is filled in or spoken.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from pipeline.errors import ScriptError

DAY_MINUTES = 24 * 60
TOLD_MAX = 20  # mistakes in one error: it goes to a log line and to an operator's terminal

Order: TypeAlias = Literal["listed", "shuffle"]


@dataclass(frozen=True, slots=True)
class Daypart:
    """A part of every day, local time, in minutes after midnight; one that ends where it begins is the whole day.

    to_minute: the first minute that is not in it; not after from_minute when it passes midnight.
    """

    from_minute: int
    to_minute: int

    def holds(self, minute: int) -> bool:
        if self.from_minute < self.to_minute:
            return self.from_minute <= minute < self.to_minute
        return minute >= self.from_minute or minute < self.to_minute


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance. line, column: in the file, from 1. speed: ×. pause_s: after it; None: the section's."""

    text: str
    line: int
    column: int = 1
    voice: str = ""
    speed: float | None = None
    pause_s: float | None = None


@dataclass(frozen=True, slots=True)
class Section:
    """name: "" for what stands before the first heading. product: an id of the products file, or "".

    weight: how often it comes when shuffled, 1 being once a lap, 0 never. dayparts: none is always.
    """

    name: str
    lines: tuple[Line, ...]
    line: int
    weight: float = 1.0
    product: str = ""
    dayparts: tuple[Daypart, ...] = ()
    pause_s: float | None = None
    voice: str = ""
    speed: float | None = None

    def is_open(self, minute: int) -> bool:
        """Whether it may be said at this minute of the day, local time."""
        return self.weight > 0 and (not self.dayparts or any(part.holds(minute) for part in self.dayparts))


@dataclass(frozen=True, slots=True)
class Script:
    """variables: the script's own; None is a value that comes from outside. loop: None is as the configuration says."""

    path: Path
    sections: tuple[Section, ...]
    digest: str
    order: Order = "listed"
    products: Path | None = None
    pause_s: float | None = None
    voice: str = ""
    speed: float | None = None
    loop: bool | None = None
    title: str = ""
    variables: Mapping[str, str | None] = field(default_factory=dict)

    def lines(self) -> Iterator[tuple[Section, Line]]:
        """All lines, in the order of the file."""
        for section in self.sections:
            for line in section.lines:
                yield section, line


@dataclass(frozen=True, slots=True)
class Mistake:
    """line, column: from 1; 0 is the file as a whole. warning: the script is used all the same.

    path: of another file that it names.
    """

    line: int
    column: int
    text: str
    warning: bool = False
    path: Path | None = None

    def told(self, path: Path) -> str:
        kind = "warning: " if self.warning else ""
        where = f":{self.line}:{self.column}" if self.line else ""
        return f"{self.path or path}{where}: {kind}{self.text}"


def raise_for(path: Path, mistakes: list[Mistake]) -> None:
    """ScriptError with the mistakes that are no mere warnings, if there are any."""
    wrong = sorted((one for one in mistakes if not one.warning), key=lambda one: (one.line, one.column))
    if wrong:
        told = [mistake.told(path) for mistake in wrong[:TOLD_MAX]]
        more = [f"{path}: and {len(wrong) - TOLD_MAX:,} more mistakes"] if len(wrong) > TOLD_MAX else []
        raise ScriptError("\n".join([*told, *more]))
