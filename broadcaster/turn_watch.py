"""Turns come to an end: by the message that says so, or because nobody goes on with them.

In: messages that only end a turn, the time. Out: a rundown that waits no longer, and the last word on those messages
once their turn is over: until then a director that takes over has to read them, too. It does no I/O.
"""

from __future__ import annotations

from collections.abc import Callable

import structlog

from broadcaster.events import TURN_ENDED, Event, event_of
from broadcaster.rundown import Rundown
from broadcaster.turn import TURN_WAIT_S
from broadcaster.utterance import Utterance
from pipeline.clock import NS, Clock

WAIT_NS = int(TURN_WAIT_S * NS)

log = structlog.get_logger()


class TurnWatch:
    """On the director's loop. emit: takes the last word on a message."""

    def __init__(self, rundown: Rundown, clock: Clock, emit: Callable[[Event], None]) -> None:
        self._rundown = rundown
        self._clock = clock
        self._emit = emit
        self._closing: dict[str, Utterance] = {}  # by entry of the stream
        self._silent_ns: int | None = None  # since when nobody goes on with a turn that is open

    def close(self, message: Utterance) -> None:
        """Its turn ends with what came of it before."""
        self._closing[message.stream_id] = message
        self._rundown.close_turn(message.turn)

    def forget(self) -> None:
        """Another broadcaster has the room."""
        self._closing.clear()
        self._rundown.end_turns()

    def tick(self, may_begin: bool) -> None:
        """may_begin: words may be said at all now; else nobody is late with them."""
        for message in [one for one in self._closing.values() if not self._rundown.of_turn(one.turn)]:
            del self._closing[message.stream_id]
            self._emit(event_of(TURN_ENDED, message, turn=message.turn))
        now_ns = self._clock.now_ns()
        turns = self._rundown.turns
        if not turns or self._rundown.out or not may_begin:
            self._silent_ns = None
        elif self._silent_ns is None:
            self._silent_ns = now_ns
        elif now_ns >= self._silent_ns + WAIT_NS:
            log.info("turn.given_up", turns=list(turns))
            self._silent_ns = None
            self._rundown.end_turns()
