"""A chat server that speaks as Twitch does, on this machine: IRC over TLS, with tags, and the faults such servers have.

`IrcService` runs on the loop of the test. `fault` names what it does to whoever connects from then on; "" is health.
`certificate` makes a throwaway one for localhost, which a test trusts by SSL_CERT_FILE.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import subprocess
from pathlib import Path

from tests.conftest import need

FAULTS = (
    "silent",  # not even a welcome
    "no_join",  # a channel that nobody has
    "no_pong",  # nothing comes back any more
    "no_caps",
    "wrong_token",
    "suspended",
    "garbage",
    "slow",  # byte after byte
    "asks",  # without reading the answers
)
NUMERICS = ("001 {nick} :Welcome, GLHF!", "002 {nick} :Your host is tmi.twitch.tv", "376 {nick} :>")
BREATH_S = 0.002
RECEIVED_BYTES = 8_192  # what waits unread: who does not read is noticed soon


def certificate(directory: Path) -> Path:
    """Make a certificate for localhost and its key; the path of the certificate, which is its own authority."""
    options = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    names = ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    paths = ["-keyout", "irc.key", "-out", "irc.pem"]
    subprocess.run([need("openssl"), *options.split(), *names, *paths], cwd=directory, check=True, capture_output=True)
    return directory / "irc.pem"


class IrcService:
    """heard: lines that clients sent. password: what PASS must bring, "" = anything."""

    def __init__(self, pem: Path, password: str = "") -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(pem, pem.with_suffix(".key"))
        self._password = password
        self._server: asyncio.Server | None = None
        self._clients: dict[asyncio.StreamWriter, str] = {}
        self._joined: set[asyncio.StreamWriter] = set()
        self._changed = asyncio.Event()
        self.port = 0
        self.fault = ""
        self.heard: list[str] = []

    @property
    def url(self) -> str:
        return f"ircs://localhost:{self.port}"

    async def start(self) -> None:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVED_BYTES)
        listener.bind(("127.0.0.1", self.port))
        self._server = await asyncio.start_server(self._serve, sock=listener, ssl=self._context)
        self.port = listener.getsockname()[1]

    async def stop(self) -> None:
        """Gone, with all connections."""
        if self._server is not None:
            self._server.close()
            self.cut()
            self._server = None
            while self._clients:
                await asyncio.sleep(BREATH_S)

    def cut(self, after: bytes = b"") -> None:
        """Break every connection, in the middle of these bytes."""
        for writer in list(self._clients):
            if after:
                writer.write(after)
            writer.close() if after else writer.transport.abort()

    async def joined(self, count: int = 1) -> None:
        """Until so many have joined a channel."""
        while len(self._joined) < count:
            self._changed.clear()
            await self._changed.wait()

    def say(self, *lines: str) -> None:
        """To all that have joined, as they are."""
        for writer in self._joined:
            writer.write("".join(f"{line}\r\n" for line in lines).encode())

    def send(self, data: bytes) -> None:
        for writer in self._joined:
            writer.write(data)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._clients[writer] = ""
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._talk(reader, writer)
        finally:
            self._clients.pop(writer, None)
            self._joined.discard(writer)
            writer.transport.abort()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.fault == "garbage":
            writer.write(b"\x00\xff\xfe{]@;;; :\r\n" * 2000 + b"\xc3(" * 30_000 + b"\r\n")
        while line := await reader.readline():
            text = line.decode().strip()
            self.heard.append(text)
            command, _, rest = text.partition(" ")
            if self.fault != "silent":
                await self._answer(writer, command, rest)

    async def _answer(self, writer: asyncio.StreamWriter, command: str, rest: str) -> None:
        nick = self._clients[writer]
        if command == "CAP":
            await self._write(writer, f":tmi.twitch.tv CAP * {'NAK' if self.fault == 'no_caps' else 'ACK'} {rest[4:]}")
        elif command == "PASS" and (self.fault == "wrong_token" or rest not in (self._password, rest)):
            await self._write(writer, f":tmi.twitch.tv NOTICE * :Login authentication failed ({rest})")
        elif command == "NICK" and self.fault != "garbage":
            self._clients[writer] = rest
            for numeric in NUMERICS:
                await self._write(writer, f":tmi.twitch.tv {numeric.format(nick=rest)}")
        elif command == "JOIN":
            await self._join(writer, nick, rest)
        elif command == "PING" and self.fault != "no_pong":
            await self._write(writer, f":tmi.twitch.tv PONG tmi.twitch.tv {rest}")

    async def _join(self, writer: asyncio.StreamWriter, nick: str, channel: str) -> None:
        if self.fault == "no_join":
            return
        if self.fault == "suspended":
            await self._write(
                writer, f"@msg-id=msg_channel_suspended :tmi.twitch.tv NOTICE {channel} :This channel is suspended."
            )
            return
        await self._write(writer, f":{nick}!{nick}@{nick}.tmi.twitch.tv JOIN {channel}")
        await self._write(writer, f"@emote-only=0;room-id=1 :tmi.twitch.tv ROOMSTATE {channel}")
        self._joined.add(writer)
        self._changed.set()
        while self.fault == "asks":
            writer.write(b"PING :" + b"x" * 2000 + b"\r\n")
            await writer.drain()

    async def _write(self, writer: asyncio.StreamWriter, line: str) -> None:
        data = f"{line}\r\n".encode()
        if self.fault != "slow":
            writer.write(data)
            return
        for index in range(len(data)):
            writer.write(data[index : index + 1])
            await asyncio.sleep(BREATH_S)
