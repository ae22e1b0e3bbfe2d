"""The operator's panic: whether it is on, what stands on the slate, and who waits to hear what is on air.

In: orders, and what playout's beats say is on air. Out: the message for playout, answers to those who ordered. It is
kept in the runtime directory, so that neither a new playout nor a new supervisor ends it: only the operator, or a
clean stop of the room, does.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipeline.errors import WireError
from pipeline.wire import Answer, Panic, decode, encode

FILE = "panic"
SLATE = "slate"  # as playout names what is on air
SHOWN_WITHIN_S = 2.0  # then the answer says what is on air instead
OFF = Panic(on=False)


class Emergency:
    def __init__(self, runtime_dir: Path) -> None:
        self._path = runtime_dir / FILE
        self._waiting: list[tuple[Callable[[Answer], None], float]] = []  # and until when, monotonic seconds
        self.panic = self._kept()

    def order(self, panic: Panic, reply: Callable[[Answer], None], now_s: float) -> str:
        """Take an order; returns why it could not be kept for a new supervisor, "" when it is."""
        self._waiting.append((reply, now_s + SHOWN_WITHIN_S))
        self.panic = panic if panic.on else OFF
        try:
            if panic.on:
                self._path.write_bytes(encode(panic))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def hear(self, source: str | None, now_s: float) -> None:
        """`source`: what playout says is on air, None when it says nothing. Answers those for whom it is as ordered."""
        as_ordered = source is not None and (source == SLATE) == self.panic.on
        for reply, until_s in list(self._waiting):
            if as_ordered or now_s >= until_s:
                self._waiting.remove((reply, until_s))
                reply(Answer(done=True, lines=[self._line(source)]))

    def forget(self) -> None:
        """A clean stop ends it."""
        self._path.unlink(missing_ok=True)

    def _line(self, source: str | None) -> str:
        state = "panic is on" if self.panic.on else "panic is off"
        if source is None:
            begins = "with the slate" if self.panic.on else "with the programme"
            return f"{state}; playout is starting: it begins {begins}"
        shown = {
            "slate": "the slate and silence",
            "hold": "the avatar, idle: the engine is starting",
            "live": "the avatar",
        }
        return f"{state}; on air: {shown.get(source, source)}"

    def _kept(self) -> Panic:
        """What an earlier supervisor of this room left; a clean stop leaves nothing."""
        try:
            return decode(self._path.read_bytes(), Panic)
        except (OSError, WireError):
            return OFF
