"""What the room tells of its words: the event stream, followed from now on.

In: entries of `events`. Out: each, to who wants to know what became of an answer. It only reads, and begins anew where
the stream did; while Redis is away it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from broadcaster.queue import BLOCK_MS, Keys, connect, text_of, translated
from pipeline.errors import RedisDown

RETRY_S = 0.5
COUNT = 200

Told: TypeAlias = Mapping[str, str]
"""An event's fields."""


class Outcomes:
    """One task runs `run`. hear: takes each event, in order."""

    def __init__(self, room: str, url: str, hear: Callable[[Told], None]) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._hear = hear
        self._after = ""
        self.following = asyncio.Event()  #: what is told from now on is heard

    async def run(self) -> None:
        while True:
            try:
                if not self._after:
                    self._after = await self._newest()
                self.following.set()
                await self._follow()
            except RedisDown:  # the reader tells of it
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    async def _newest(self) -> str:
        with translated():
            found: Any = await self._client.xrevrange(self._keys.events, count=1)
        return text_of(found[0][0]) if found else "0-0"

    async def _follow(self) -> None:
        with translated():
            found: Any = await self._client.xread({self._keys.events: self._after}, count=COUNT, block=BLOCK_MS)
        for entry, fields in found[0][1] if found else ():
            self._after = text_of(entry)
            self._hear({text_of(name): text_of(value) for name, value in fields.items()})
