"""Server-sent events, as bytes bring them: the data of each, whole. Pure.

In: pieces of a body, cut anywhere, within a character too. Out: the `data` of each event that is complete; comments and
other fields are passed over. Lines end as the standard allows. A ValueError tells a line or an event without an end.
"""

from __future__ import annotations

from collections.abc import Iterator

EVENT_MAX_BYTES = 1 << 20
BOM = b"\xef\xbb\xbf"


class EventStream:
    def __init__(self) -> None:
        self._rest = bytearray()  # a line that has no end yet
        self._data: list[bytes] = []
        self._size = 0  # of the event
        self._is_first = True
        self._after_cr = False

    def feed(self, piece: bytes) -> Iterator[str]:
        """The events that this piece completes. It must be read to its end before the next piece."""
        if self._after_cr and piece:
            piece = piece.removeprefix(b"\n")
            self._after_cr = False
        self._rest += piece
        while (end := self._line_end()) >= 0:
            line = bytes(self._rest[:end])
            crlf = self._rest[end : end + 2] == b"\r\n"
            self._after_cr = self._rest[end] == 0x0D and end + 1 == len(self._rest)
            del self._rest[: end + 1 + crlf]
            if (event := self._take(line)) is not None:
                yield event
        if len(self._rest) + self._size > EVENT_MAX_BYTES:
            raise ValueError(f"an event of more than {EVENT_MAX_BYTES >> 10} kB")

    def end(self) -> Iterator[str]:
        """When nothing more comes: an event that lacks only the empty line after it, which some servers do not send."""
        if self._rest:
            self._take(bytes(self._rest))
            self._rest.clear()
        if (event := self._take(b"")) is not None:
            yield event

    def _line_end(self) -> int:
        ends = [at for mark in (b"\n", b"\r") if (at := self._rest.find(mark)) >= 0]
        return min(ends, default=-1)

    def _take(self, line: bytes) -> str | None:
        """The event that this line ends, or None."""
        if self._is_first:
            line, self._is_first = line.removeprefix(BOM), False
        if not line:
            data, self._data, self._size = self._data, [], 0
            return b"\n".join(data).decode("utf-8", "replace") if data else None
        name, _, value = line.partition(b":")
        if name == b"data":
            self._data.append(value.removeprefix(b" "))
            self._size += len(line)
        return None
