"""Where an output leads: its URL, or one of two. The one that is in use is `current`.

In: how tries end. Out: the destination to use now; and, while the backup is in use, whether the first would have
us again, which is asked on a connection that publishes nothing.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import msgspec

from pipeline.clock import Clock
from pipeline.errors import OutputError
from streams.destination import Destination, Note, PusherSpec, Watched, destination, endpoint
from streams.route import Route


@runtime_checkable
class Askable(Destination, Protocol):
    """One that can be asked without publishing."""

    def ask(self) -> None:
        """Begin; `is_ready` tells that it would have us, an OutputError that it would not. Then `abort`."""


class FarSide:
    def __init__(self, spec: PusherSpec, note: Note, clock: Clock) -> None:
        specs = [spec, msgspec.structs.replace(spec, url=spec.backup)] if spec.backup else [spec]
        self._ends = [destination(one, note) for one in specs]
        self._endpoints = [endpoint(one.url) for one in specs]
        self._route = Route(len(specs) > 1)
        self._clock = clock
        self._asked: Askable | None = None

    @property
    def current(self) -> Destination:
        return self._ends[self._route.index]

    @property
    def endpoint(self) -> str:
        """What may be shown of the URL in use."""
        return self._endpoints[self._route.index]

    @property
    def on_backup(self) -> bool:
        return self._route.index > 0

    def live(self) -> None:
        self._route.live(self._clock.now_ns())

    def failed(self) -> bool:
        """A try failed or a connection was lost; true when another destination is to be used now."""
        self._stop_asking()
        return self._route.failed(self._clock.now_ns())

    def first_is_back(self) -> bool:
        """Asks the first URL when it is time; true when the connection is to move there, which `current` now is."""
        now_ns = self._clock.now_ns()
        if self._asked is None:
            first = self._ends[0]
            if not self._route.is_to_ask(now_ns) or not isinstance(first, Askable):
                return False
            self._asked = first
            first.ask()
        try:
            if not self._asked.is_ready():
                return False
        except OutputError:
            self._stop_asking()
            return self._route.answered(False, now_ns)
        self._stop_asking()
        return self._route.answered(True, now_ns)

    def watched(self) -> Watched:
        """Of the question that is open."""
        return self._asked.watched() if self._asked is not None else Watched()

    def _stop_asking(self) -> None:
        if self._asked is not None:
            self._asked.abort()
            self._asked = None
