"""Server-sent events: the overview of the room, whenever something in it changed.

In: a way to look. Out: one event for each change, at most four a second, and a comment now and then, so that a
connection that broke is noticed. The looks are shared by all who listen; with nobody there, nobody looks.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from typing import Any

import msgspec

from broadcaster.web.overview import steady
from pipeline.clock import NS, Clock

LOOK_S = 0.25
SHARED_NS = NS // 5  # a look that young serves all who listen
QUIET_S = 10.0  # without a change
RETRY_MS = 500  # a browser comes back after this
HELLO = f"retry: {RETRY_MS}\n\n".encode()
STILL_THERE = b": still here\n\n"


class News:
    """`look`: the overview as it stands."""

    def __init__(self, look: Callable[[], Mapping[str, Any]], clock: Clock) -> None:
        self._look = look
        self._clock = clock
        self._looked_ns: int | None = None
        self._view: Mapping[str, Any] = {}
        self._steady: Mapping[str, Any] = {}
        self._edition = 0  #: rises with each change

    async def events(self) -> AsyncGenerator[bytes, None]:
        """For one listener; begins with how it stands."""
        yield HELLO
        had, quiet_s = -1, 0.0
        while True:
            self._refresh()
            if self._edition != had:
                had, quiet_s = self._edition, 0.0
                yield b"data: " + msgspec.json.encode(self._view) + b"\n\n"
            elif quiet_s >= QUIET_S:
                quiet_s = 0.0
                yield STILL_THERE
            await asyncio.sleep(LOOK_S)
            quiet_s += LOOK_S

    def _refresh(self) -> None:
        """Look again, unless another listener made us do so just now."""
        now_ns = self._clock.now_ns()
        if self._looked_ns is not None and now_ns - self._looked_ns < SHARED_NS:
            return
        self._looked_ns, self._view = now_ns, self._look()
        if (kept := steady(self._view)) != self._steady:
            self._steady = kept
            self._edition += 1
