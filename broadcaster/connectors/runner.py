"""All sources of comments of a room, none of which can hurt another.

In: their settings. Out: messages of the `chat` stream, and for the status how each source is. A task that ends by what
nobody foresaw is told with its traceback and begun anew; the others never notice.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, NoReturn

from broadcaster.connectors.caller import Caller, source_of
from broadcaster.connectors.outbox import KEPT, Outbox
from broadcaster.connectors.settings import ConnectorSpec, Note, Source
from pipeline.clock import Clock
from pipeline.errors import RedisDown

CRASHED_S = 5.0
TRACE_FRAMES = 8  # the innermost ones


class Connectors:
    """kept: entries that the stream may hold, about. make: a source from its settings."""

    def __init__(
        self,
        specs: Sequence[ConnectorSpec],
        room: str,
        redis_url: str,
        clock: Clock,
        note: Note,
        kept: int = KEPT,
        make: Callable[[ConnectorSpec], Source] = source_of,
    ) -> None:
        self._outbox = Outbox(room, redis_url, clock, note, kept)
        self._callers = {spec.name: Caller(spec, self._outbox.put, clock, note, make) for spec in specs}
        self._note = note

    async def run(self) -> NoReturn:
        """A task of the chat process, ended by its cancellation."""
        works: dict[str, Callable[[], Coroutine[Any, Any, NoReturn]]] = {"outbox": self._outbox.run}
        works |= {f"connector {name}": caller.run for name, caller in self._callers.items()}
        try:
            async with asyncio.TaskGroup() as group:
                for name, work in works.items():
                    group.create_task(self._kept_up(name, work))
        finally:
            with contextlib.suppress(RedisDown):
                await self._outbox.close()
        raise AssertionError("none of them ends by itself")

    async def _kept_up(self, name: str, work: Callable[[], Coroutine[Any, Any, NoReturn]]) -> NoReturn:
        while True:
            task = asyncio.ensure_future(work())
            try:
                await asyncio.wait([task])
            finally:
                task.cancel()
                await asyncio.wait([task])
            trace = "".join(traceback.format_exception(task.exception(), limit=-TRACE_FRAMES))
            self._note("error", "connector.crashed", name=name, reason=trace)
            await asyncio.sleep(CRASHED_S)

    def facts(self) -> dict[str, Any]:
        """For the status: each source by its name; what waits for Redis, and what was dropped while it was away."""
        return {
            "waiting": self._outbox.waiting,
            "dropped": self._outbox.dropped,
            "sources": {name: caller.facts() for name, caller in self._callers.items()},
        }
