"""What a room's supervisor and the house that it is in say to each other.

In: drain and reload, down the lifeline. Out: a beat each second, with what the house wants to know. A house that is
gone ends the room in good order, if the kernel leaves it the time.
"""

from __future__ import annotations

import selectors
import signal
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from pipeline.errors import WireError
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.wire import Drain, Reload

log = structlog.get_logger()


class Tenancy:
    """The room's side. stop: takes a signal's number. reload: takes the order."""

    def __init__(self, house: Lifeline, stop: Callable[[int], None], reload: Callable[[Reload], None]) -> None:
        self._house = house
        self._stop = stop
        self._reload = reload

    def open(self, selector: selectors.BaseSelector) -> None:
        """Listen; each entry of the selector is a function without arguments."""
        self._selector = selector
        selector.register(self._house, selectors.EVENT_READ, self._hear)

    def tell(self, phase: str, encoded: int, tier: Mapping[str, Any]) -> None:
        """encoded: pictures so far, which shows that the room is on air."""
        self._house.beat(phase, encoded=encoded, tier=tier)

    def _hear(self) -> None:
        try:
            for message in self._house.poll():
                if isinstance(message, Drain):
                    self._stop(signal.SIGTERM)
                elif isinstance(message, Reload):
                    self._reload(message)
        except WireError as error:
            log.warning("order.dropped", reason=str(error))
        except LineClosed:
            self._selector.unregister(self._house)
            self._stop(signal.SIGTERM)
