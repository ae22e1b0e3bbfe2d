"""Words for when nothing else can be said: no voice works, or nothing is left to say.

In: a script file, read once, and word of when something else was said. Out: utterances, in the order of the file, round
and round, of those that can be said at the moment; never the same twice in a row. Whatever else can be said goes first,
at the next sentence end. Pure but for reading the file.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from broadcaster.script.load import load as load_script
from broadcaster.script.values import Values, worded
from broadcaster.utterance import EVERGREEN_PREFIX, FILL, Lane, Utterance
from pipeline.clock import NS


class Evergreen:
    """after_s: how long nothing else was said before it begins."""

    def __init__(self, lines: Sequence[tuple[str, ...]], after_s: float) -> None:
        self.lines = lines
        self._after_ns = int(after_s * NS)
        self._since_ns: int | None = None
        self._following = 0  # index of the line that comes next
        self._barred: int | None = None  # index of the line said last, until something else is said

    def not_now(self, now_ns: int) -> None:
        """Something else is said at this moment, or nothing may be."""
        self._since_ns = now_ns
        self._barred = None

    def is_due(self, now_ns: int) -> bool:
        if self._since_ns is None:
            self._since_ns = now_ns
        return now_ns >= self._since_ns + self._after_ns

    def next(self, now_s: float, can_say: Callable[[str], bool]) -> Utterance | None:
        """The next line all of whose sentences can be said; None when there is none but the one said last."""
        for index in [*range(self._following, len(self.lines)), *range(self._following)]:
            if index != self._barred and all(map(can_say, self.lines[index])):
                self._following, self._barred = (index + 1) % len(self.lines), index
                return Utterance(
                    id=f"{EVERGREEN_PREFIX}{round(now_s * 1000)}:{index}",
                    sentences=self.lines[index],
                    lane=Lane.SCRIPT,
                    mode=FILL,
                    accepted_s=now_s,
                )
        return None


def load(path: Path, split: Callable[[str], Sequence[str]], after_s: float) -> Evergreen:
    """Read a file as scripts are; ScriptError says what is wrong in which line.

    Each line is worded once and for all, so that it can be kept: of alternatives the first, and none with a variable.
    """
    said = (worded(line, section, Values(), lambda count: 0).text for section, line in load_script(path).lines())
    lines = [tuple(split(text)) for text in said]
    return Evergreen([line for line in lines if line], after_s)
