"""A program that sends comments as JSON over a WebSocket, on this machine, with every fault that such programs have.

`WsService` runs on the loop of the test. `fault` names what it does to whoever connects from then on; "" is health.
"""

from __future__ import annotations

import asyncio
import http
import json
from collections.abc import AsyncIterator
from typing import Any

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

FAULTS = (
    "401",
    "503",
    "302",
    "no_pong",  # it reads nothing any more
    "mute",  # a port that accepts and stays silent: `deaf` makes one
)
BREATH_S = 0.002


class WsService:
    """heard: what clients sent. asked: paths and headers of their requests."""

    def __init__(self, subprotocols: list[str] | None = None) -> None:
        self._subprotocols = [Subprotocol(name) for name in subprotocols or []]
        self._server: Server | None = None
        self._clients: set[ServerConnection] = set()
        self._changed = asyncio.Event()
        self.port = 0
        self.fault = ""
        self.elsewhere = ""  #: where 302 leads to
        self.heard: list[str | bytes] = []
        self.asked: list[tuple[str, Headers]] = []

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self.port}/feed"

    async def start(self) -> None:
        self._server = await serve(
            self._serve,
            "127.0.0.1",
            self.port,
            process_request=self._judge,
            subprotocols=self._subprotocols or None,
            ping_interval=None,
        )
        self.port = next(iter(self._server.sockets)).getsockname()[1]

    async def stop(self) -> None:
        """Gone, with all connections."""
        if self._server is not None:
            self.cut()
            self._server.close(close_connections=False)
            await self._server.wait_closed()
            self._server = None

    async def visited(self, count: int = 1) -> None:
        """Until so many are connected."""
        while len(self._clients) < count:
            self._changed.clear()
            await self._changed.wait()

    async def send(self, *messages: Any) -> None:
        """Each as JSON to all."""
        for message in messages:
            await self.send_raw(message if isinstance(message, str | bytes) else json.dumps(message))

    async def send_raw(self, frame: str | bytes) -> None:
        for client in list(self._clients):
            await client.send(frame)

    async def send_slowly(self, text: str) -> None:
        """In many small pieces of one message."""

        async def pieces() -> AsyncIterator[str]:
            for index in range(0, len(text), 3):
                yield text[index : index + 3]
                await asyncio.sleep(BREATH_S)

        for client in list(self._clients):
            await client.send(pieces())

    async def close(self, code: int, reason: str) -> None:
        for client in list(self._clients):
            await client.close(code, reason)

    def cut(self, after: bytes = b"") -> None:
        """Break every connection, in the middle of these bytes."""
        for client in list(self._clients):
            if after:
                client.transport.write(after)
            client.transport.close() if after else client.transport.abort()

    async def _serve(self, client: ServerConnection) -> None:
        self._clients.add(client)
        self._changed.set()
        try:
            if self.fault == "no_pong":
                client.transport.pause_reading()
                await client.wait_closed()
            async for message in client:
                self.heard.append(message)
        except ConnectionClosed:
            pass
        finally:
            self._clients.discard(client)

    def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append((request.path, request.headers))
        if self.fault == "302":
            response = connection.respond(http.HTTPStatus.FOUND, "")
            response.headers["Location"] = self.elsewhere
            return response
        if self.fault.isdigit():
            return connection.respond(http.HTTPStatus(int(self.fault)), "no")
        return None
