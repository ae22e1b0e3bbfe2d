"""The live picture as the preview pusher gives it, for one browser.

In: the pusher's socket. Out: FLV, as it comes. It parses nothing and queues nothing: a browser that reads slowly makes
the pusher's own bounded queue fill, and the pusher decides.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

SOCKET_NAME = "preview.sock"
REQUEST = b"GET /live.flv HTTP/1.1\r\nHost: preview\r\nConnection: close\r\n\r\n"
OPEN_S = 3.0  # to connect and to be answered; it is a process of this machine
READ_BYTES = 32 * 1024  # asyncio holds at most twice this; about 0.2 s of picture
OK = b"200"


class NoPicture(Exception):
    """The preview pusher is not there, or has nothing yet."""


class Picture:
    """One viewer's connection to the preview pusher."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def flv(self) -> AsyncGenerator[bytes, None]:
        """Until the pusher ends it."""
        try:
            while part := await self._reader.read(READ_BYTES):
                yield part
        except ConnectionError:
            pass  # its process was killed: the same to a viewer

    def close(self) -> None:
        self._writer.transport.abort()


async def open_picture(runtime_dir: Path) -> Picture:
    """Ask the preview pusher for the stream; NoPicture when it cannot give it."""
    try:
        async with asyncio.timeout(OPEN_S):
            reader, writer = await asyncio.open_unix_connection(runtime_dir / SOCKET_NAME, limit=READ_BYTES)
            try:
                writer.write(REQUEST)
                head = await reader.readuntil(b"\r\n\r\n")
            except BaseException:
                writer.transport.abort()
                raise
    except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
        raise NoPicture(str(error) or type(error).__name__) from error
    picture = Picture(reader, writer)
    if head.split(None, 2)[1:2] != [OK]:
        picture.close()
        raise NoPicture(head.partition(b"\r\n")[0].decode("latin-1"))
    return picture
