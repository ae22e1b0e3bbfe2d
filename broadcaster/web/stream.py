"""An answer that goes on until either side ends it: the live picture, the news.

In: a source of bytes. Out: its bytes to one client, at the pace that client reads. Whoever leaves, or reads nothing
for too long, is let go at once, and the source is closed in every case. It keeps no bytes of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping

from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

STUCK_S = 10.0  # a client that takes nothing for so long is gone, or asleep; it comes back by itself


class Seats:
    """So many may stream at once; the rest of the house needs connections, too."""

    def __init__(self, count: int) -> None:
        self._free = count

    def take(self) -> bool:
        """False when none is left."""
        if self._free == 0:
            return False
        self._free -= 1
        return True

    def leave(self) -> None:
        self._free += 1


class Stream(Response):
    """`source`: of this one client alone. `close` is called once, whether or not anything was sent."""

    def __init__(
        self,
        source: AsyncGenerator[bytes, None],
        media_type: str,
        close: Callable[[], None],
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.media_type = media_type
        self.background = None
        self.init_headers({"cache-control": "no-store", **(headers or {})})
        self._source = source
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        pump = asyncio.create_task(self._pump(send))
        gone = asyncio.create_task(_gone(receive))
        try:
            await asyncio.wait((pump, gone), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (pump, gone):
                task.cancel()
            await asyncio.gather(pump, gone, return_exceptions=True)
            await self._source.aclose()
            self._close()

    async def _pump(self, send: Send) -> None:
        await _sent(send, {"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async for part in self._source:
            await _sent(send, {"type": "http.response.body", "body": part, "more_body": True})
        await _sent(send, {"type": "http.response.body", "body": b""})


async def _sent(send: Send, message: Message) -> None:
    async with asyncio.timeout(STUCK_S):
        await send(message)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
