"""RTMP messages from chunks and into chunks, for a receiver. (Adobe RTMP 1.0, 5.3.)

In: bytes as they come, in pieces of any size. Out: whole messages. Errors are ValueError. Not streams.rtmp.chunks:
what judges the product must not read it by the product's own code, or a mistake would be made twice and seen by nobody.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

SET_CHUNK_SIZE, ABORT, ACK, USER_CONTROL, WINDOW_ACK, PEER_BANDWIDTH = 1, 2, 3, 4, 5, 6
AUDIO, VIDEO, DATA, COMMAND = 8, 9, 18, 20
EXTENDED = 0xFFFFFF
FIRST_CHUNK_BYTES = 128
MESSAGE_MAX_BYTES = 16 * 1024 * 1024


@dataclass(slots=True)
class Message:
    kind: int
    ms: int  #: 32 bits
    stream: int
    data: bytes


@dataclass(slots=True)
class _Stream:
    """What a chunk stream remembers from one chunk to the next."""

    ms: int = 0
    delta: int = 0
    length: int = 0
    kind: int = 0
    stream: int = 0
    extended: bool = False
    body: bytearray | None = None


class Reader:
    def __init__(self) -> None:
        self._data = bytearray()
        self._streams: dict[int, _Stream] = {}
        self._chunk_bytes = FIRST_CHUNK_BYTES

    def feed(self, data: bytes) -> Iterator[Message]:
        self._data += data
        while (end := self._whole()) is not None:
            message = self._take(end)
            if message is None:
                continue
            if message.kind == SET_CHUNK_SIZE:
                self._chunk_bytes = int.from_bytes(message.data[:4], "big")
                if not self._chunk_bytes:
                    raise ValueError("a chunk size of 0")
            yield message

    def _header(self) -> tuple[int, int, int, bool] | None:
        """Chunk stream, format, where the message header begins, and whether it is new; None while it is torn."""
        data = self._data
        if not data:
            return None
        form, number, at = data[0] >> 6, data[0] & 0x3F, 1
        if number < 2:
            at += number + 1
            if len(data) < at:
                return None
            number = 64 + data[1] + (data[2] << 8 if number else 0)
        return number, form, at, number not in self._streams

    def _whole(self) -> int | None:
        """Where the first chunk ends, once all of it is there."""
        found = self._header()
        if found is None:
            return None
        number, form, at, is_new = found
        if is_new and form == 3:
            raise ValueError("a chunk that continues nothing")
        size = (11, 7, 3, 0)[form]
        if len(self._data) < at + size:
            return None
        stream = self._streams.get(number, _Stream())
        extended, length = stream.extended, stream.length
        if form < 3:
            extended = int.from_bytes(self._data[at : at + 3], "big") == EXTENDED
        if form < 2:
            length = int.from_bytes(self._data[at + 3 : at + 6], "big")
        if length > MESSAGE_MAX_BYTES:
            raise ValueError(f"a message of {length} bytes")
        begun = len(stream.body) if stream.body is not None and form == 3 else 0
        end = at + size + 4 * extended + min(self._chunk_bytes, length - begun)
        return end if len(self._data) >= end else None

    def _take(self, end: int) -> Message | None:
        """Consume one chunk; a message when it was the last of it."""
        found = self._header()
        assert found is not None
        number, form, at, _ = found
        data, stream = bytes(self._data[:end]), self._streams.setdefault(number, _Stream())
        del self._data[:end]
        first = stream.body is None or form < 3
        if form < 3:
            stamp = int.from_bytes(data[at : at + 3], "big")
            stream.extended = stamp == EXTENDED
            if form < 2:
                stream.length, stream.kind = int.from_bytes(data[at + 3 : at + 6], "big"), data[at + 6]
            if form == 0:
                stream.stream = int.from_bytes(data[at + 7 : at + 11], "little")
            at += (11, 7, 3)[form]
        else:
            stamp = 0 if stream.extended else stream.delta
        if stream.extended:
            if first:
                stamp = int.from_bytes(data[at : at + 4], "big")
            at += 4
        if first:
            stream.ms = stamp if form == 0 else (stream.ms + stamp) & 0xFFFFFFFF
            stream.delta = 0 if form == 0 else stamp
            stream.body = bytearray()
        assert stream.body is not None
        stream.body += data[at:]
        if len(stream.body) < stream.length:
            return None
        body, stream.body = bytes(stream.body), None
        return Message(stream.kind, stream.ms, stream.stream, body)


def chunked(kind: int, data: bytes, stream: int = 0, number: int = 3) -> bytes:
    """A message in chunks of the first size, at time 0."""
    head = bytes([number, 0, 0, 0]) + len(data).to_bytes(3, "big") + bytes([kind]) + stream.to_bytes(4, "little")
    parts = [data[at : at + FIRST_CHUNK_BYTES] for at in range(0, len(data), FIRST_CHUNK_BYTES)] or [b""]
    return head + bytes([0xC0 | number]).join(parts)
