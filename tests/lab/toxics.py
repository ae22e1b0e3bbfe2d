"""A TCP proxy in front of a port, whose link is as bad as it is told to be, while it runs.

In: connections to `port`. Out: the same bytes at the target's port, late, slowly, cut, or not at all.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import deque
from dataclasses import dataclass, replace
from typing import Any

from tests.lab.port import Port

LOOK_S = 0.01
READ_BYTES = 16 * 1024
BUFFER_BYTES = 32 * 1024  # of each side's kernel buffers: more would hide what the link does
PENDING_MAX_BYTES = 64 * 1024  # beyond it the proxy stops reading, unless it delays


@dataclass(frozen=True, slots=True)
class Toxic:
    """See Toxics.set."""

    hang: bool = False
    delay_s: float = 0.0
    bytes_per_s: float | None = None
    half_open: bool = False
    cut_after_bytes: int | None = None
    refusing: bool = False


class Toxics:
    """Passes bytes from `with` on, each connection in a thread."""

    def __init__(self, target_port: int, port: int = 0, host: str = "127.0.0.1") -> None:
        self.target = (host, target_port)
        self.host = host
        self._port = Port(host, port, BUFFER_BYTES, self._accept)
        self.connections: list[float] = []  #: CLOCK_MONOTONIC seconds of every connection that came
        self.toxic = Toxic()
        self._resets = 0
        self._closing = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Toxics:
        self._port.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._port.end()
        for thread in self._threads:
            thread.join(2)

    def set(self, **toxics: Any) -> None:
        """Change some of it, at once.

        hang: passes nothing either way, and reads nothing. delay_s: each byte comes so much later, both ways.
        bytes_per_s: towards the target at most. half_open: when the target hangs up, the client is not told.
        cut_after_bytes: RST to both after so many bytes of a connection towards the target. refusing: its port is
        closed.
        """
        self.toxic = replace(self.toxic, **toxics)
        if self.toxic.refusing:
            self._port.close()
        else:
            self._port.open()

    @property
    def port(self) -> int:
        return self._port.number

    def reset(self) -> None:
        """RST on every connection, to both sides."""
        self._resets += 1

    def _accept(self, client: socket.socket) -> None:
        self.connections.append(time.monotonic())
        thread = threading.Thread(target=self._carry, args=(client,), name="toxics-link", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _carry(self, client: socket.socket) -> None:
        resets = self._resets
        server = socket.socket()
        server.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        ways: list[_Way] = []
        rude = False
        try:
            while self.toxic.hang and not self._closing.is_set():
                time.sleep(LOOK_S)
            server.connect(self.target)
            for end in (client, server):
                end.setblocking(False)
            ways = [_Way(client, server), _Way(server, client)]
            while not self._closing.is_set():
                toxic = self.toxic
                cut = toxic.cut_after_bytes
                if self._resets != resets or (cut is not None and ways[0].passed >= cut):
                    rude = True
                    return
                if toxic.hang:
                    time.sleep(LOOK_S)
                    continue
                if not self._turn(ways, toxic):
                    return
        except OSError:
            rude = True
        finally:
            for end in (client, server):
                if rude:
                    with contextlib.suppress(OSError):
                        end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                end.close()

    def _turn(self, ways: list[_Way], toxic: Toxic) -> bool:
        """Pass what there is; false when the connection is over."""
        towards, back = ways
        now_s = time.monotonic()
        readers = [way.source for way in ways if way.wants(toxic)]
        writers = [way.sink for way in ways if way.is_due(now_s, toxic)]
        if not readers and not writers:
            time.sleep(LOOK_S)
        readable, writable, _ = select.select(readers, writers, [], LOOK_S)
        for way in ways:
            if way.source in readable:
                way.read(now_s)
            if way.sink in writable:
                way.write(toxic.bytes_per_s if way is towards else None)
        if towards.is_over:
            return False
        return not back.is_over or toxic.half_open


class _Way:
    """One direction of one connection."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.passed = 0
        self._pending: deque[tuple[float, bytes]] = deque()  # when it came, what
        self._bytes = 0
        self._free_s = 0.0  # when the rate lets the next bytes pass
        self._ended = False

    @property
    def is_over(self) -> bool:
        return self._ended and not self._pending

    def wants(self, toxic: Toxic) -> bool:
        return not self._ended and (self._bytes < PENDING_MAX_BYTES or toxic.delay_s > 0)

    def is_due(self, now_s: float, toxic: Toxic) -> bool:
        return bool(self._pending) and now_s >= self._free_s and now_s - self._pending[0][0] >= toxic.delay_s

    def read(self, now_s: float) -> None:
        data = self.source.recv(READ_BYTES)
        self._ended = not data
        if data:
            self._pending.append((now_s, data))
            self._bytes += len(data)

    def write(self, bytes_per_s: float | None) -> None:
        came_s, data = self._pending.popleft()
        slice_ = data if bytes_per_s is None else data[: max(256, int(bytes_per_s * LOOK_S))]
        try:
            sent = self.sink.send(slice_)
        except BlockingIOError:
            sent = 0
        self.passed += sent
        self._bytes -= sent
        if sent < len(data):
            self._pending.appendleft((came_s, data[sent:]))
        if bytes_per_s is not None:
            self._free_s = max(self._free_s, time.monotonic() - LOOK_S) + sent / bytes_per_s
