"""The line that carries tags: its name and how messages are cut out of its byte stream.

In: messages of pipeline.wire, or bytes as they come. Out: 4 bytes of little-endian length and the
message, or whole messages. Both ends import it, so it stays as small as the smallest of them.
"""

from __future__ import annotations

from pipeline.errors import WireError
from pipeline.wire import Message, encode

SOCKET_NAME = "tags.sock"  #: in the runtime directory; the same as pipeline.link.TAGS, which imports zmq
LENGTH_BYTES = 4
MESSAGE_MAX_BYTES = 8 * 1024 * 1024  # a key frame at 12 Mb/s is below 1 MB; more is not a tag


def framed(message: Message) -> bytes:
    data = encode(message)
    return len(data).to_bytes(LENGTH_BYTES, "little") + data


class Unframer:
    """Cuts messages out of bytes. What is left of a torn one goes with the object."""

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """Whole messages so far; WireError when a length cannot be one."""
        self._rest += data
        messages: list[bytes] = []
        at = 0
        while len(self._rest) - at >= LENGTH_BYTES:
            length = int.from_bytes(self._rest[at : at + LENGTH_BYTES], "little")
            if length > MESSAGE_MAX_BYTES:
                raise WireError(f"a message of {length} bytes on the tag line")
            end = at + LENGTH_BYTES + length
            if len(self._rest) < end:
                break
            messages.append(bytes(self._rest[at + LENGTH_BYTES : end]))
            at = end
        del self._rest[:at]
        return messages
