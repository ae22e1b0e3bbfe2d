"""FLV tags as bytes: what is in one, and the same tag at another time.

In and out: whole tags, that is 11 bytes of header, the payload, and 4 bytes that repeat the length.
Pure; it knows neither sockets nor codecs. (Adobe Flash Video File Format Specification 10.1, annex E.)
"""

from __future__ import annotations

from pipeline.errors import WireError

AUDIO = 8
VIDEO = 9
SCRIPT = 18

FILE_HEADER_BYTES = 13  # with the length of the tag before the first, which is 0
HEADER_BYTES = 11
TRAILER_BYTES = 4
AAC_HEADER_BYTES = 2  # sound format, packet type
AVC_HEADER_BYTES = 5  # frame type and codec, packet type, composition time
SEQUENCE_HEADER = 0  # packet type of a decoder configuration, audio and video alike


def whole(tag: bytes) -> bytes:
    """The tag and its trailer, whatever follows cut off and a missing trailer added; WireError when it is torn."""
    end = HEADER_BYTES + int.from_bytes(tag[1:4], "big")
    if len(tag) < end:
        raise WireError(f"a tag of {end} bytes has {len(tag)}")
    return tag[:end] + end.to_bytes(TRAILER_BYTES, "big")


def time_ms(tag: bytes) -> int:
    """Its 32-bit time stamp."""
    return tag[7] << 24 | int.from_bytes(tag[4:7], "big")


def retimed(tag: bytes, ms: int) -> bytes:
    """The same tag, whole, at another time (milliseconds, kept to 32 bits)."""
    stamp = (ms & 0xFFFFFF).to_bytes(3, "big") + bytes([ms >> 24 & 0xFF])
    return whole(tag[:4] + stamp + tag[8:])


def payload(tag: bytes) -> bytes:
    """What the tag carries, its codec's own header bytes included."""
    return tag[HEADER_BYTES : HEADER_BYTES + int.from_bytes(tag[1:4], "big")]


def is_sequence_header(tag: bytes) -> bool:
    """Whether the tag configures a decoder instead of carrying media."""
    return tag[0] in (AUDIO, VIDEO) and len(tag) > HEADER_BYTES + 1 and tag[HEADER_BYTES + 1] == SEQUENCE_HEADER


def is_key(tag: bytes) -> bool:
    """Whether the tag carries a key frame."""
    return tag[0] == VIDEO and tag[HEADER_BYTES] >> 4 == 1 and not is_sequence_header(tag)


def composition_ms(tag: bytes) -> int:
    """How much later than its time stamp the picture of a video tag is shown."""
    value = int.from_bytes(tag[HEADER_BYTES + 2 : HEADER_BYTES + 5], "big")
    return value - (1 << 24) if value & 0x800000 else value
