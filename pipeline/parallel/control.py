"""The line of words between the ranks of one gang: rank 0 in the middle, one TCP connection to each other rank.

What goes in and comes out are small frames (kind, bytes). A follower may wait on this line for minutes, which no
collective may; a rank that dies closes its end, so the others know at once, and every other wait has a limit.
Tensors never go over it. Rendezvous is the gang's business: this file is given an address, a port and a token.
"""

from __future__ import annotations

import hmac
import select
import socket
import struct
import time
from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

from pipeline.errors import EngineError

HEAD = struct.Struct("!BI")  # kind, length of what follows
HELLO = struct.Struct("!16sII")  # token, rank, world
TOKEN_BYTES = 16
FRAME_MAX_BYTES = 256 * 1024 * 1024  # a call with audio, state and frames is a few MB; more is a torn stream
READ_BYTES = 1 << 20


class Kind(IntEnum):
    """What a frame is."""

    HELLO = 1  # follower to rank 0, first of all
    CALL = 2  # rank 0 to followers: what to do next
    ALIVE = 3  # rank 0 to followers: nothing to do yet
    RECORD = 4  # follower to rank 0: where it stands, to be compared
    VERDICT = 5  # rank 0 to followers: empty = all agree, else what is wrong
    FAREWELL = 6  # either way: empty = an orderly end, else why


@dataclass(frozen=True, slots=True)
class Frame:
    kind: Kind
    body: bytes


class Gone(Exception):
    """The other end closed its line. Translated by the gang, which knows who that was."""


class Silent(Exception):
    """Nothing (or nothing whole) came, or could be sent, in the time allowed."""


class Line:
    """One end of one connection, used by one thread. Times are seconds of the monotonic clock."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._early = bytearray()  # bytes that came after the last whole frame

    def fileno(self) -> int:
        return self._socket.fileno()

    def send(self, kind: Kind, body: bytes, wait_s: float) -> None:
        """Hand over one frame; Silent when the other end does not take it in time, Gone when it closed."""
        rest = memoryview(HEAD.pack(kind, len(body)) + body)
        until = time.monotonic() + wait_s
        while rest:
            try:
                rest = rest[self._socket.send(rest) :]
            except BlockingIOError:
                left = until - time.monotonic()
                if left <= 0 or not select.select([], [self._socket], [], left)[1]:
                    raise Silent from None
            except OSError as error:
                raise Gone(str(error)) from error

    def receive(self, wait_s: float | None) -> Frame:
        """The next frame; None waits for ever. Raises Silent after wait_s, Gone when the other end closed."""
        until = None if wait_s is None else time.monotonic() + wait_s
        while (frame := self._whole()) is None:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._socket], [], [], left)[0]:
                raise Silent
            self._read()
        return frame

    def waiting(self) -> bool:
        """True when a frame, or the news that the line is closed, is there to be received."""
        return self._length() is not None or bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._socket.close()

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            raise Gone(str(error)) from error
        if not data:
            raise Gone("closed")
        self._early += data

    def _length(self) -> int | None:
        """Bytes of the first frame with its head when it is whole."""
        if len(self._early) < HEAD.size:
            return None
        size = HEAD.size + int(HEAD.unpack_from(self._early)[1])
        if size > FRAME_MAX_BYTES:
            raise Gone(f"sent a frame of {size} bytes; at most {FRAME_MAX_BYTES} make sense")
        return size if len(self._early) >= size else None

    def _whole(self) -> Frame | None:
        if (size := self._length()) is None:
            return None
        kind = self._early[0]
        body = bytes(self._early[HEAD.size : size])
        del self._early[:size]
        if kind not in set(Kind):
            raise Gone(f"sent a frame of unknown kind {kind}")
        return Frame(Kind(kind), body)


def listen(address: str) -> socket.socket:
    """A listener on a free port of this address (rank 0)."""
    try:
        family = socket.getaddrinfo(address, 0, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((address, 0), family=family, backlog=64)
    except OSError as error:
        raise EngineError(f"rank 0 cannot listen on {address}: {error}") from error


def gather(listener: socket.socket, world: int, token: bytes, wait_s: float) -> dict[int, Line]:
    """Rank 0: the lines of ranks 1..world-1, by rank; EngineError names the ranks that did not come."""
    lines: dict[int, Line] = {}
    until = time.monotonic() + wait_s
    while len(lines) < world - 1:
        listener.settimeout(max(0.001, until - time.monotonic()))
        try:
            line = Line(listener.accept()[0])
            frame = line.receive(max(0.001, until - time.monotonic()))
        except (TimeoutError, Silent):
            missing = ranks(set(range(1, world)) - lines.keys())
            raise EngineError(f"{missing} of {world} did not join within {wait_s:g} s") from None
        except Gone:
            continue  # it will be missing
        rank = _rank_of(frame, world, token)
        if rank is None:
            line.close()  # no member of this gang
        elif rank in lines:
            raise EngineError(f"two processes joined as rank {rank} of {world}")
        else:
            lines[rank] = line
    return lines


def join(address: str, port: int, rank: int, world: int, token: bytes, wait_s: float) -> Line:
    """A follower: the line to rank 0."""
    try:
        line = Line(socket.create_connection((address, port), timeout=wait_s))
        line.send(Kind.HELLO, HELLO.pack(token, rank, world), wait_s)
    except (OSError, Gone, Silent) as error:
        raise EngineError(f"rank {rank} cannot reach rank 0 at {address}:{port}: {error}") from error
    return line


def ranks(numbers: Iterable[int]) -> str:
    """Ranks in words: "rank 3", "ranks 1, 3"."""
    found = sorted(numbers)
    return f"rank{'s' if len(found) > 1 else ''} {', '.join(map(str, found))}"


def _rank_of(frame: Frame, world: int, token: bytes) -> int | None:
    """The rank that says hello with our token; None for a stranger; EngineError for another idea of the gang."""
    if frame.kind is not Kind.HELLO or len(frame.body) != HELLO.size:
        return None
    said, rank, their_world = HELLO.unpack(frame.body)
    if not hmac.compare_digest(said, token):
        return None
    if their_world != world or not 0 < rank < world:
        raise EngineError(f"a process joined as rank {rank} of {their_world}; this gang has {world} ranks")
    return int(rank)
