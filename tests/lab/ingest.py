"""A real RTMP server on this machine that behaves as it is told, and keeps what came and when.

In: publishers. Out: each publication with the arrival, time stamp, size and key flag of every message, and an FLV file
that a decoder reads. Its behaviour changes while it runs, for connections that stand and for those to come. It takes
every application and key, and plays nothing back.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import threading
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, BinaryIO

from streams import flv
from tests.lab import amf, chunks
from tests.lab.port import Port

HANDSHAKE_BYTES = 1536
READ_BYTES = 65536
SLOW_READ_BYTES = 2048
RECEIVE_BUFFER_BYTES = 64 * 1024  # else the kernel hides a reader that has stopped
LOOK_S = 0.02
WINDOW_BYTES = 2_500_000
FLV_FILE_HEADER = b"FLV\x01\x05\x00\x00\x00\x09\x00\x00\x00\x00"
STREAM = 1
STORM_BYTES = 60_000  # of ping requests at once
MALFORMED = {
    "amf": chunks.chunked(chunks.COMMAND, b"\x02\xff\xff\x00\x99" * 40, STREAM),
    "chunk_size_zero": chunks.chunked(chunks.SET_CHUNK_SIZE, b"\0\0\0\0"),
    "chunk_size_huge": chunks.chunked(chunks.SET_CHUNK_SIZE, b"\x7f\xff\xff\xff")
    + bytes([3, 0, 0, 0, 0xFF, 0xFF, 0xFF, chunks.COMMAND, 0, 0, 0, 0]),
    "unknown_type": chunks.chunked(77, b"who knows" * 20) * 50,
    "control_storm": chunks.chunked(chunks.USER_CONTROL, struct.pack(">HI", 6, 0), number=2),
    "ack_window_one": chunks.chunked(chunks.WINDOW_ACK, struct.pack(">I", 1), number=2),
}
"""What may be said after a publication was accepted, by name; the storm goes on."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """One message. at_s: CLOCK_MONOTONIC when its last byte was read. ms: its RTMP time stamp. size: bytes."""

    at_s: float
    kind: str  # meta | avc | aac | video | audio
    ms: int
    key: bool
    size: int


@dataclass(frozen=True, slots=True)
class Behaviour:
    """See Ingest.behave."""

    listening: bool = True
    silent: bool = False
    stalled: bool = False
    reject: str = ""
    exclusive: bool = False
    bytes_per_s: float | None = None
    close_after_s: float | None = None
    malformed: str = ""


@dataclass(slots=True)
class Publication:
    """One accepted `publish`. end: "" while it stands, else fin | reset | ours | protocol."""

    key: str
    began_s: float
    path: Path
    ended_s: float | None = None
    end: str = ""
    arrivals: list[Arrival] = field(default_factory=list)

    def media(self) -> list[Arrival]:
        return [one for one in list(self.arrivals) if one.kind in ("video", "audio")]


class Ingest:
    """Serves from `with` on, each connection in a thread."""

    def __init__(self, directory: Path, port: int = 0, host: str = "127.0.0.1") -> None:
        self.directory = directory
        self.host = host
        self._port = Port(host, port, RECEIVE_BUFFER_BYTES, self._accept)
        self.attempts: list[float] = []
        self.publications: list[Publication] = []
        self.behaviour = Behaviour()
        self.lock = threading.Lock()
        self._connections: set[_Connection] = set()
        self._most: Counter[str] = Counter()

    def __enter__(self) -> Ingest:
        self.directory.mkdir(parents=True, exist_ok=True)
        self._port.open()
        return self

    def __exit__(self, *_: object) -> None:
        self._port.end()
        for connection in self.connections():
            connection.end("ours")
        for connection in self.connections():
            connection.join(2)

    def widen(self, receive_buffer_bytes: int) -> None:
        """Let connections to come have so much on the way to us: a long line needs it."""
        self._port.widen(receive_buffer_bytes)

    @property
    def port(self) -> int:
        return self._port.number

    def url(self, key: str = "key", app: str = "live") -> str:
        return f"rtmp://{self.host}:{self.port}/{app}/{key}"

    # ── what it does ─────────────────────────────────────────────────────────────────────────────

    def behave(self, **changes: Any) -> None:
        """Change some of it, at once.

        listening: False closes the port, so that connections are refused; those that stand stay. silent: reads and
        answers nothing. stalled: reads nothing any more. reject: a code as NetStream.Publish.BadName for every
        `publish`, "" = none. exclusive: BadName while the same key is being published. bytes_per_s: reads no faster.
        close_after_s: hangs up so long after `publish`. malformed: one of MALFORMED, said after `publish`.
        """
        self.behaviour = replace(self.behaviour, **changes)
        if self.behaviour.malformed and self.behaviour.malformed not in MALFORMED:
            raise ValueError(f"malformed: one of {', '.join(MALFORMED)}")
        if self.behaviour.listening:
            self._port.open()
        else:
            self._port.close()

    def reset(self) -> None:
        """RST on every connection."""
        for connection in self.connections():
            connection.end("reset")

    def hang_up(self) -> None:
        """FIN on every connection."""
        for connection in self.connections():
            connection.end("ours")

    # ── what came ────────────────────────────────────────────────────────────────────────────────

    def media(self, since_s: float = 0.0) -> list[Arrival]:
        """Audio and video of all publications in the order of arrival, from this moment on."""
        found = [one for publication in list(self.publications) for one in publication.media() if one.at_s >= since_s]
        return sorted(found, key=lambda one: one.at_s)

    def longest_gap_s(self, since_s: float, until_s: float | None = None) -> float:
        """The longest time without media between two moments (until now), both ends counted."""
        until_s = time.monotonic() if until_s is None else until_s
        times = [since_s, *(one.at_s for one in self.media(since_s) if one.at_s <= until_s), until_s]
        return max((after - before for before, after in pairwise(times)), default=0.0)

    def is_live(self, within_s: float = 1.0) -> bool:
        return bool(self.media(time.monotonic() - within_s))

    def sessions_at_once(self) -> int:
        """The most publications of one key that ever stood at the same time."""
        return max(self._most.values(), default=0)

    def connections(self) -> list[_Connection]:
        with self.lock:
            return list(self._connections)

    # ── connections ──────────────────────────────────────────────────────────────────────────────

    def begin(self, key: str) -> Publication:
        with self.lock:
            path = self.directory / f"{key.partition('?')[0] or 'key'}-{len(self.publications)}.flv"
            made = Publication(key, time.monotonic(), path)
            self.publications.append(made)
            standing = sum(not one.end and one.key == key for one in self.publications)
            self._most[key] = max(self._most[key], standing)
        return made

    def is_taken(self, key: str) -> bool:
        return any(not one.end and one.key == key for one in self.publications)

    def forget(self, connection: _Connection) -> None:
        with self.lock:
            self._connections.discard(connection)

    def _accept(self, accepted: socket.socket) -> None:
        self.attempts.append(time.monotonic())
        connection = _Connection(self, accepted)
        with self.lock:
            self._connections.add(connection)
        connection.start()


class _Ended(Exception):
    """The connection is over; its text says how."""


class _Connection(threading.Thread):
    def __init__(self, ingest: Ingest, accepted: socket.socket) -> None:
        super().__init__(name="ingest-connection", daemon=True)
        self._ingest = ingest
        self._socket = accepted
        self._socket.setblocking(False)
        self._told = ""  # how it is to end
        self._publication: Publication | None = None
        self._file: BinaryIO | None = None
        self._heard = 0  # bytes
        self._acked = 0
        self._close_s: float | None = None

    def end(self, how: str) -> None:
        """Have it ended: reset | ours. Any thread."""
        self._told = self._told or how

    def run(self) -> None:
        how = "fin"
        try:
            self._handshake()
            reader = chunks.Reader()
            while True:
                for message in reader.feed(self._receive()):
                    self._hear(message)
                self._acknowledge()
        except _Ended as ended:
            how = str(ended)
        except ConnectionError:
            how = "reset"
        except (ValueError, OSError):
            how = "protocol"
        finally:
            self._close(how)

    # ── bytes ────────────────────────────────────────────────────────────────────────────────────

    def _handshake(self) -> None:
        data = b""
        while len(data) < 1 + HANDSHAKE_BYTES:
            data += self._receive(1 + HANDSHAKE_BYTES - len(data))
        hello = data[1:]
        self._send(b"\x03" + b"\0" * HANDSHAKE_BYTES + hello)
        left = HANDSHAKE_BYTES
        while left:
            left -= len(self._receive(left))

    def _receive(self, most: int = READ_BYTES) -> bytes:
        """What comes next, no faster than it is to be read."""
        while True:
            behaviour = self._ingest.behaviour
            self._see_to_end()
            if behaviour.malformed == "control_storm" and self._publication is not None:
                self._storm()
            if behaviour.stalled:
                time.sleep(LOOK_S)
                continue
            if not select.select([self._socket], [], [], LOOK_S)[0]:
                continue
            rate = behaviour.bytes_per_s
            try:
                data = self._socket.recv(min(most, SLOW_READ_BYTES) if rate else most)
            except BlockingIOError:
                continue
            if not data:
                raise _Ended("fin")
            if rate:
                time.sleep(len(data) / rate)
            if behaviour.silent:
                continue
            self._heard += len(data)
            return data

    def _see_to_end(self) -> None:
        if self._told:
            raise _Ended(self._told)
        if self._close_s is not None and time.monotonic() >= self._close_s:
            raise _Ended("ours")

    def _send(self, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            self._see_to_end()
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                select.select([], [self._socket], [], LOOK_S)

    def _storm(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._socket.send(MALFORMED["control_storm"] * (STORM_BYTES // len(MALFORMED["control_storm"])))

    def _acknowledge(self) -> None:
        if self._heard - self._acked > WINDOW_BYTES // 2:
            self._acked = self._heard
            self._send(chunks.chunked(chunks.ACK, struct.pack(">I", self._heard & 0xFFFFFFFF), number=2))

    def _close(self, how: str) -> None:
        if how == "reset":
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._socket.close()
        if self._publication is not None:
            self._publication.ended_s, self._publication.end = time.monotonic(), how
        if self._file is not None:
            self._file.close()
        self._ingest.forget(self)

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    def _hear(self, message: chunks.Message) -> None:
        if message.kind == chunks.COMMAND:
            self._obey(amf.decode(message.data))
        elif message.kind in (chunks.AUDIO, chunks.VIDEO, chunks.DATA):
            self._take(message)
        elif message.kind == chunks.USER_CONTROL and message.data[:2] == b"\0\x06":  # a ping
            self._send(chunks.chunked(chunks.USER_CONTROL, b"\0\x07" + message.data[2:6], number=2))

    def _obey(self, command: list[Any]) -> None:
        name, number = command[0], command[1]
        if name == "connect":
            self._send(
                chunks.chunked(chunks.WINDOW_ACK, struct.pack(">I", WINDOW_BYTES), number=2)
                + chunks.chunked(chunks.PEER_BANDWIDTH, struct.pack(">IB", WINDOW_BYTES, 2), number=2)
                + _command("_result", number, {"capabilities": 31}, _status("Connect.Success"))
            )
        elif name == "createStream":
            self._send(_command("_result", number, None, STREAM))
        elif name == "publish":
            self._publish(str(command[3]))
        elif name in ("deleteStream", "FCUnpublish"):
            pass  # the end of the connection says it

    def _publish(self, key: str) -> None:
        behaviour = self._ingest.behaviour
        code = behaviour.reject
        if behaviour.exclusive and self._ingest.is_taken(key):
            code = "NetStream.Publish.BadName"
        if code:
            self._send(_command("onStatus", 0, None, {"level": "error", "code": code, "description": "not now"}))
            raise _Ended("ours")
        self._publication = self._ingest.begin(key)
        self._file = self._publication.path.open("wb", buffering=0)
        self._file.write(FLV_FILE_HEADER)
        self._send(_command("onStatus", 0, None, _status("Publish.Start", "NetStream")))
        if behaviour.close_after_s is not None:
            self._close_s = time.monotonic() + behaviour.close_after_s
        if behaviour.malformed and behaviour.malformed != "control_storm":
            self._send(MALFORMED[behaviour.malformed])

    def _take(self, message: chunks.Message) -> None:
        """One tag of a publication."""
        publication, data = self._publication, message.data
        if publication is None or self._file is None or not data:
            return
        if message.kind == chunks.DATA:
            data = data.removeprefix(amf.encode("@setDataFrame"))
        head = bytes([message.kind]) + len(data).to_bytes(3, "big") + bytes(7)
        tag = flv.retimed(head + data, message.ms)
        configures = flv.is_sequence_header(tag)
        if message.kind == chunks.DATA:
            kind = "meta"
        elif message.kind == chunks.VIDEO:
            kind = "avc" if configures else "video"
        else:
            kind = "aac" if configures else "audio"
        publication.arrivals.append(
            Arrival(time.monotonic(), kind, message.ms, message.kind == chunks.VIDEO and flv.is_key(tag), len(data))
        )
        self._file.write(tag)


def _command(name: str, number: float, *values: Any) -> bytes:
    return chunks.chunked(chunks.COMMAND, amf.encode(name, number, *values), STREAM if name == "onStatus" else 0)


def _status(what: str, who: str = "NetConnection") -> dict[str, str]:
    return {"level": "status", "code": f"{who}.{what}", "description": what}
