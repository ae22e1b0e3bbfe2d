"""RTMP's chunk stream: messages as bytes, and bytes as messages. Pure.

In and out: whole messages, and bytes in pieces of any size. What is sent begins each message with a full header, so
no receiver needs to remember the one before; beyond 2^24 ms the extended time stamp stands in every chunk. What comes
is bounded: a publisher is sent commands and controls, so a message of a megabyte is no RTMP. (Adobe RTMP 1.0, 5.3.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.errors import WireError

SET_CHUNK_SIZE, ABORT, ACK, USER_CONTROL, WINDOW_ACK, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
CONTROL_LINE, COMMAND_LINE, AUDIO_LINE, VIDEO_LINE = 2, 3, 4, 6  # chunk streams that we send on
LINES = {AUDIO: AUDIO_LINE, VIDEO: VIDEO_LINE, DATA: AUDIO_LINE, COMMAND: COMMAND_LINE}
EXTENDED = 0xFFFFFF  # in the place of a time stamp: it follows in four bytes
FIRST_CHUNK_BYTES = 128
CHUNK_BYTES = 4096  # ours; what OBS announces, so every platform has met it
MESSAGE_MAX_BYTES = 1 << 20
LINES_MAX = 64  # chunk streams that a server may use at once
WAITING_MAX_BYTES = 4 << 20  # of messages begun on all of them


class Message(NamedTuple):
    kind: int
    ms: int  #: 32 bits
    stream: int
    data: bytes


def chunked(kind: int, data: bytes, ms: int = 0, stream: int = 0, chunk_bytes: int = FIRST_CHUNK_BYTES) -> bytes:
    """A message as chunks; `ms` is kept to 32 bits."""
    line, ms = LINES.get(kind, CONTROL_LINE), ms & 0xFFFFFFFF
    stamp = min(ms, EXTENDED)
    extended = ms.to_bytes(4, "big") if stamp == EXTENDED else b""
    head = bytes([line]) + stamp.to_bytes(3, "big") + len(data).to_bytes(3, "big") + bytes([kind])
    again = bytes([0xC0 | line]) + extended
    parts = [data[at : at + chunk_bytes] for at in range(0, len(data), chunk_bytes)] or [b""]
    return head + stream.to_bytes(4, "little") + extended + again.join(parts)


@dataclass(slots=True)
class _Line:
    """What one chunk stream remembers from chunk to chunk."""

    ms: int = 0
    delta: int = 0
    length: int = 0
    kind: int = 0
    stream: int = 0
    extended: bool = False
    body: bytearray | None = None  # of the message that was begun


class Reader:
    def __init__(self) -> None:
        self._data = bytearray()
        self._lines: dict[int, _Line] = {}
        self._chunk_bytes = FIRST_CHUNK_BYTES

    def feed(self, data: bytes) -> Iterator[Message]:
        """What is whole now; WireError when it is no RTMP, after which nothing more can be read."""
        self._data += data
        while True:
            taken = self._chunk()
            if taken is None:
                return
            end, message = taken
            del self._data[:end]
            if message is not None and not self._obey(message):
                yield message

    def _obey(self, message: Message) -> bool:
        """What rules the chunks themselves."""
        value = int.from_bytes(message.data[:4], "big")
        if message.kind == SET_CHUNK_SIZE:
            if len(message.data) < 4 or not 1 <= value <= 0x7FFFFFFF:
                raise WireError(f"a chunk size of {value} bytes")
            self._chunk_bytes = value
            return True
        if message.kind == ABORT:
            if value in self._lines:
                self._lines[value].body = None
            return True
        return False

    def _chunk(self) -> tuple[int, Message | None] | None:
        """The end of the first chunk and the message it completes; None while it is torn."""
        data = self._data
        if not data:
            return None
        form, number, at = data[0] >> 6, data[0] & 0x3F, 1
        if number < 2:
            at += number + 1
            if len(data) < at:
                return None
            number = 64 + data[1] + (data[2] << 8 if number else 0)
        size = (11, 7, 3, 0)[form]
        if len(data) < at + size:
            return None
        line = self._lines.get(number)
        if line is None:
            if form == 3:
                raise WireError("a chunk that continues nothing")
            if len(self._lines) >= LINES_MAX:
                raise WireError(f"more than {LINES_MAX} chunk streams")
            line = _Line()
        return self._rest(number, line, form, at, at + size)

    def _rest(self, number: int, line: _Line, form: int, at: int, end: int) -> tuple[int, Message | None] | None:
        data = self._data
        stamp = int.from_bytes(data[at : at + 3], "big")
        extended = stamp == EXTENDED if form < 3 else line.extended
        length = int.from_bytes(data[at + 3 : at + 6], "big") if form < 2 else line.length
        if length > MESSAGE_MAX_BYTES:
            raise WireError(f"a message of {length} bytes")
        first = form < 3 or line.body is None
        begun = 0 if first or line.body is None else len(line.body)
        here = min(self._chunk_bytes, length - begun)
        if extended:
            if len(data) < end + 4:
                return None
            stamp, end = int.from_bytes(data[end : end + 4], "big"), end + 4
        if len(data) < end + here:
            return None
        self._lines[number] = line
        if first:
            self._begin(line, form, at, stamp, length, extended)
        assert line.body is not None
        line.body += data[end : end + here]
        if len(line.body) < line.length:
            if sum(len(other.body or b"") for other in self._lines.values()) > WAITING_MAX_BYTES:
                raise WireError("too many messages begun and not ended")
            return end + here, None
        body, line.body = bytes(line.body), None
        return end + here, Message(line.kind, line.ms, line.stream, body)

    def _begin(self, line: _Line, form: int, at: int, stamp: int, length: int, extended: bool) -> None:
        """A message begins with this chunk."""
        if form < 2:
            line.kind = self._data[at + 6]
        if form == 0:
            line.stream = int.from_bytes(self._data[at + 7 : at + 11], "little")
        if form < 3:
            line.delta = 0 if form == 0 else stamp
        line.ms = stamp if form == 0 else (line.ms + line.delta) & 0xFFFFFFFF
        line.length, line.extended, line.body = length, extended, bytearray()
