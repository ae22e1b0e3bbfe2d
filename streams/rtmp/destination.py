"""RTMP and RTMPS: one connection to a platform, which never waits for it.

In: headers and FLV tags with their time stamps. Out: RTMP messages on a TCP connection; errors as OutputError
with a kind and without the key. What the server says is heard while it lasts: pings are answered, its goodbye is
believed.
"""

from __future__ import annotations

import select
import socket
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING

from pipeline.clock import NS, Clock, RealClock
from pipeline.errors import OutputError
from pipeline.wire import Headers, Tag
from streams import flv
from streams.destination import Note, PusherSpec, Watched
from streams.rtmp.connection import Connection, trust
from streams.rtmp.dialler import Dialler
from streams.rtmp.opening import SAID_MAX_BYTES, Opening
from streams.rtmp.publish import Publisher, target
from streams.rtmp.tcpwatch import TcpWatch

if TYPE_CHECKING:
    import ssl

BUSY_S = 0.01  # where the line has no room, the kernel tells nobody when there is some
READS_MAX = 16  # of a server that goes on talking when we have left
FLUSH_S = 0.5  # for what is on its way when we leave …
FAREWELL_S = 0.5  # … and for the server to hang up as well


class RtmpDestination:
    def __init__(self, spec: PusherSpec, note: Note, clock: Clock | None = None) -> None:
        self._to = target(spec.url)
        self._name = spec.name
        self._note = note
        self._clock = clock or RealClock()
        self._dialler = Dialler(self._to.host, self._to.port, self._clock)
        self._context: ssl.SSLContext | None = None
        self._opening: Opening | None = None
        self._connection: Connection | None = None
        self._publisher: Publisher
        self._watch: TcpWatch
        self._headers: Headers | None = None
        self._rest = memoryview(b"")  # of what we say, not yet taken
        self._written = 0  # bytes since the connection stands
        self._on_way: deque[tuple[int, int]] = deque()  # of each tag that was not acknowledged: its last byte, its ms
        self._said = 0  # bytes from the server within the second that began at
        self._said_ns = 0

    # ── connecting ───────────────────────────────────────────────────────────────────────────────

    def open(self, headers: Headers) -> None:
        self._headers = headers
        self._begin(asks_only=False)

    def ask(self) -> None:
        """Find out whether the server would have us, without publishing: `is_ready` tells, and then `abort`."""
        self._headers = None
        self._begin(asks_only=True)

    def is_ready(self) -> bool:
        opening = self._opening
        if opening is None:
            return self._connection is not None
        if not opening.poll():
            return False
        assert opening.connection is not None and opening.watch is not None
        self._connection, self._watch, self._publisher = opening.connection, opening.watch, opening.publisher
        self._opening, self._rest, self._written = None, opening.rest, len(opening.rest)
        self._on_way.clear()
        self._said, self._said_ns = 0, self._clock.now_ns()
        if self._headers is not None:
            self._begin_media(self._headers)
        return True

    def _begin(self, asks_only: bool) -> None:
        if self._to.scheme == "rtmps" and self._context is None:
            self._context, verified = trust()
            if not verified:
                self._note("warning", "output.unverified", output=self._name)
        self._opening = Opening(self._to, self._context, self._clock, self._dialler, asks_only)
        self._opening.begin()

    def _begin_media(self, headers: Headers) -> None:
        tags = (headers.metadata, headers.video, headers.audio)
        self._say(b"".join(self._publisher.media(tag[0], flv.payload(tag), 0) for tag in tags))

    # ── live ─────────────────────────────────────────────────────────────────────────────────────

    def write(self, tag: Tag, ms: int) -> bool:
        self._flush()
        if self._rest:
            return False
        self._say(self._publisher.media(tag.kind, flv.payload(tag.data), ms))
        self._on_way.append((self._written, ms))
        return True

    def check(self) -> None:
        if self._connection is None:
            return
        now_ns = self._clock.now_ns()
        while (data := self._connection.read()) is not None:
            self._hear(data, now_ns)
        self._flush()
        self._watch.look(now_ns)
        if self._watch.fault is not None:
            raise OutputError(self._watch.fault, "the other side takes nothing any more")

    def watched(self) -> Watched:
        if self._opening is not None:
            return Watched(*self._opening.watched())
        if self._connection is None:
            return Watched()
        number = self._connection.socket.fileno()
        if self._rest and self._watch.room_bytes == 0:
            return Watched([number], [], BUSY_S)
        return Watched([number], [number] if self._rest else [])

    def facts(self) -> dict[str, int]:
        """queue_ms: how much media was taken and is not acknowledged."""
        if self._connection is None:
            return {"queued_bytes": 0, "queue_ms": 0}
        queued = len(self._rest) + self._watch.queued_bytes
        while self._on_way and self._on_way[0][0] <= self._written - queued:
            self._on_way.popleft()
        media_ms = self._on_way[-1][1] - self._on_way[0][1] if self._on_way else 0
        return {"queued_bytes": queued, "queue_ms": media_ms}

    # ── the end ──────────────────────────────────────────────────────────────────────────────────

    def close(self) -> None:
        """Hand over what waits, say goodbye, and wait a moment for the server to hang up: then the key is free."""
        with suppress(OutputError, OSError):
            if self._connection is not None:
                self._rest = memoryview(bytes(self._rest) + self._publisher.goodbye())
                self._flush_within(FLUSH_S)
                self._connection.socket.shutdown(socket.SHUT_WR)
                self._await_end(FAREWELL_S)
        self.abort()

    def abort(self) -> None:
        if self._opening is not None:
            self._opening.drop()
        if self._connection is not None:
            self._let_go(self._connection.socket)
        self._opening = self._connection = None
        self._rest = memoryview(b"")

    def _let_go(self, sock: socket.socket) -> None:
        """A FIN behind what is queued, which the kernel repeats for us: a reset is said once, and may be lost."""
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 0)
            sock.shutdown(socket.SHUT_WR)
            for _ in range(READS_MAX):  # what is unread would make it a reset
                socket.socket.recv(sock, 65536, socket.MSG_DONTWAIT)
        sock.close()

    def _flush_within(self, limit_s: float) -> None:
        assert self._connection is not None
        ends_ns = self._clock.now_ns() + int(limit_s * NS)
        while self._rest and self._clock.now_ns() < ends_ns:
            select.select([], [self._connection.socket], [], BUSY_S)
            self._flush()

    def _await_end(self, limit_s: float) -> None:
        """Until the server hangs up."""
        assert self._connection is not None
        ends_ns = self._clock.now_ns() + int(limit_s * NS)
        while (left_ns := ends_ns - self._clock.now_ns()) > 0:
            select.select([self._connection.socket], [], [], left_ns / NS)
            if self._connection.read() == b"":
                return

    # ── bytes ────────────────────────────────────────────────────────────────────────────────────

    def _hear(self, data: bytes, now_ns: int) -> None:
        if not data:
            raise OutputError("reset", "the other side ended the connection")
        if now_ns - self._said_ns >= NS:
            self._said, self._said_ns = 0, now_ns
        self._said += len(data)
        if self._said > SAID_MAX_BYTES:
            raise OutputError("protocol", "the server talks without end")
        self._say(self._publisher.feed(data))

    def _say(self, data: bytes) -> None:
        self._written += len(data)
        self._rest = memoryview(bytes(self._rest) + data) if self._rest else memoryview(data)
        self._flush()

    def _flush(self) -> None:
        """As much as the line has room for."""
        assert self._connection is not None
        while self._rest and (room := self._watch.room_bytes):
            sent = self._connection.send(self._rest, room)
            if not sent:
                return
            self._rest = self._rest[sent:]
