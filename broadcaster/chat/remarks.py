"""What may be said when nobody asks: a text file of templates, by occasion.

In: files with `[occasion]` above the lines that suit it, one remark a line, `{a|b}` and `{name}` in them as in scripts,
`#` before comments. Out: remarks by occasion, or every mistake with file, line and column. Lines of several languages
may stand in one file: each shows its own.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from broadcaster.chat.kept import Kept
from broadcaster.script import template
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.source import read
from broadcaster.script.values import CLOCK
from pipeline.shipped import CONFIGS
from tts import markup
from tts.text import language_of

OWN = (CONFIGS / "chat" / "proactive-en.txt", CONFIGS / "chat" / "proactive-zh.txt")
SEVERAL = " several"  # behind an occasion: more than one viewer at once
PEOPLE = ("welcome", "gift", "order", "follow", "like")
ROOM = "room"  # nobody did anything
OCCASIONS = (*(f"{name}{more}" for name in PEOPLE for more in ("", SEVERAL)), ROOM)
#: variables → occasions that have them; those of the clock and of products are everywhere
GIVEN = {
    "name": OCCASIONS[:-1],
    "others": tuple(f"{name}{SEVERAL}" for name in PEOPLE),
    "value": ("gift", "order"),
}
REMARK_MAX_CHARS = 300
REMARKS_MAX = 2_000
HEAD = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True, slots=True)
class Remark:
    """text: a template. language: that it is in."""

    text: str
    language: str


@dataclass(frozen=True, slots=True)
class Remarks:
    by_occasion: dict[str, tuple[Remark, ...]] = field(default_factory=dict)

    def of(self, occasion: str, language: str) -> tuple[Remark, ...]:
        """Those in this language."""
        return tuple(one for one in self.by_occasion.get(occasion, ()) if one.language == language)


class RemarkFiles:
    """Files that are edited while they are in use. paths: none = our own."""

    def __init__(self, paths: Sequence[Path] = ()) -> None:
        self._files = [Kept(path, load, Remarks()) for path in paths or OWN]
        self._merged: tuple[list[Remarks], Remarks] = ([], Remarks())

    def current(self) -> Remarks:
        parts = [file.current() for file in self._files]
        if parts != self._merged[0]:
            merged = {
                name: tuple(one for part in parts for one in part.by_occasion.get(name, ())) for name in OCCASIONS
            }
            self._merged = (parts, Remarks(merged))
        return self._merged[1]


def load(path: Path) -> Remarks:
    """ScriptError names each mistake."""
    remarks, mistakes = examined(path)
    raise_for(path, mistakes)
    return remarks


def examined(path: Path) -> tuple[Remarks, list[Mistake]]:
    """What is right in it, and all that is wrong."""
    text = read(path)
    if isinstance(text, Mistake):
        return Remarks(), [text]
    mistakes: list[Mistake] = []
    found: dict[str, list[Remark]] = {}
    occasion = ""
    for number, line in enumerate(text.split("\n"), 1):
        written = line.strip()
        column = len(line) - len(line.lstrip()) + 1
        if not written or written.startswith("#"):
            continue
        if head := HEAD.fullmatch(written):
            occasion = " ".join(head[1].split()).lower()
            if occasion not in OCCASIONS:
                near = difflib.get_close_matches(occasion, OCCASIONS, n=1)
                hint = f"did you mean [{near[0]}]?" if near else f"choose from {', '.join(OCCASIONS)}"
                mistakes.append(Mistake(number, column, f"[{occasion[:40]}] is no occasion; {hint}"))
            continue
        if not occasion:
            mistakes.append(
                Mistake(number, column, "a remark before its occasion; write for example [welcome] above it")
            )
            occasion = ROOM
        wrong = list(_mistakes(written, occasion, number, column))
        mistakes += wrong
        if not wrong and occasion in OCCASIONS:
            literal = template.parse(written).literal
            found.setdefault(occasion, []).append(Remark(written, language_of(literal, "en")))
    count = sum(map(len, found.values()))
    if not count and not mistakes:
        mistakes.append(
            Mistake(1, 1, "there is no remark in it; write [room], and below it what may be said, one a line")
        )
    if count > REMARKS_MAX:
        mistakes.append(Mistake(0, 0, f"{count:,} remarks; at most {REMARKS_MAX:,} are one file"))
    return Remarks({name: tuple(some) for name, some in found.items()}), mistakes


def _mistakes(written: str, occasion: str, number: int, column: int) -> Iterator[Mistake]:
    if len(written) > REMARK_MAX_CHARS:
        text = f"{len(written)} characters; a remark has at most {REMARK_MAX_CHARS}"
        yield Mistake(number, column, text)
        return
    parsed = template.parse(written)
    for fault in parsed.faults:
        yield Mistake(number, column + fault.at, fault.text)
    for slip in markup.faults(written):
        yield Mistake(number, column + slip.column - 1, slip.text)
    for variable in parsed.variables():
        if variable.name not in CLOCK and "." not in variable.name and occasion not in GIVEN.get(variable.name, ()):
            known = [f"{{{name}}}" for name in (*(name for name, where in GIVEN.items() if occasion in where), *CLOCK)]
            hint = f"[{occasion}] has {', '.join(known)} and fields of products, as {{mug.price}}"
            yield Mistake(number, column + variable.at, f"{{{variable.name}}} stands for nothing here; {hint}")
