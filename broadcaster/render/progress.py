"""How far a long piece of work is: a bar on a terminal, plain lines elsewhere.

In: what is done, how much of how much. Out: text on standard error. Stages follow one another; each has its own
unit. It decides nothing and may be thrown away at any moment.
"""

from __future__ import annotations

import sys
from typing import Protocol, TextIO

from rich.console import Console
from rich.progress import BarColumn, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichBar

from pipeline.clock import NS, Clock, RealClock

MEDIA = "s"  #: the unit that has a pace: seconds of media
LINE_EVERY_S = 5.0  # in a log file: often enough to see that it moves
PACE_AFTER_S = 0.5  # before that a pace says nothing


class Progress(Protocol):
    """One thread."""

    def begin(self, what: str, total: float, unit: str = MEDIA, done: float = 0) -> None:
        """A stage begins, `done` of it by an earlier process. total: in units; 0 = unknown."""

    def reach(self, done: float) -> None:
        """So much of the stage is done."""

    def note(self, text: str) -> None:
        """A line that stays."""

    def close(self) -> None:
        """The work ended, well or not."""


def progress(stream: TextIO | None = None) -> Progress:
    """The one that fits where standard error goes."""
    stream = stream or sys.stderr
    return Bar(stream, RealClock()) if stream.isatty() else Lines(stream, RealClock())


class _Pace:
    """How fast a stage goes, and when it will be done."""

    def __init__(self, clock: Clock, total: float, unit: str, done: float) -> None:
        self._clock = clock
        self._total, self._unit, self._from = total, unit, done
        self._began_ns = clock.now_ns()

    def words(self, done: float) -> str:
        took_s = (self._clock.now_ns() - self._began_ns) / NS
        if self._unit != MEDIA or took_s < PACE_AFTER_S or done <= self._from:
            return ""
        return f"{(done - self._from) / took_s:.1f}× real time"

    def left_s(self, done: float) -> float | None:
        took_s = (self._clock.now_ns() - self._began_ns) / NS
        return (self._total - done) * took_s / (done - self._from) if self._from < done < self._total else None


class Bar:
    """See Progress."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._clock = clock
        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[pace]}"),
            TimeRemainingColumn(),
        )
        self._bar = RichBar(*columns, console=Console(file=stream))
        self._task: TaskID | None = None

    def begin(self, what: str, total: float, unit: str = MEDIA, done: float = 0) -> None:
        self._bar.start()
        self._pace = _Pace(self._clock, total, unit, done)
        self._task = self._bar.add_task(what, total=total or None, completed=int(done), pace="")

    def reach(self, done: float) -> None:
        assert self._task is not None
        self._bar.update(self._task, completed=done, pace=self._pace.words(done))

    def note(self, text: str) -> None:
        self._bar.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def close(self) -> None:
        self._bar.stop()


class Lines:
    """See Progress: a line at the start of a stage, every five seconds, and at its end."""

    def __init__(self, stream: TextIO, clock: Clock) -> None:
        self._stream = stream
        self._clock = clock

    def begin(self, what: str, total: float, unit: str = MEDIA, done: float = 0) -> None:
        self._what, self._total, self._unit = what, total, unit
        self._pace = _Pace(self._clock, total, unit, done)
        self._told_ns = self._clock.now_ns()
        self.note(
            f"{what}" + (f": {total:.0f} {unit}" if total else "") + (f", {done:.0f} done before" if done else "")
        )

    def reach(self, done: float) -> None:
        now_ns = self._clock.now_ns()
        if (done < self._total or not self._total) and now_ns < self._told_ns + LINE_EVERY_S * NS:
            return
        self._told_ns = now_ns
        share = f"{100 * done / self._total:.0f} %" if self._total else f"{done:.0f} {self._unit}"
        left_s = self._pace.left_s(done)
        parts = (f"{self._what}: {share}", self._pace.words(done), f"{left_s:.0f} s left" if left_s else "")
        self.note(", ".join(part for part in parts if part))

    def note(self, text: str) -> None:
        self._stream.write(text + "\n")
        self._stream.flush()

    def close(self) -> None:
        """Every line is out."""
