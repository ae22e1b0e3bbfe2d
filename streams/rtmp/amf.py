"""AMF0, as far as RTMP commands need it: numbers, booleans, text, objects, arrays, null. Pure.

In and out: Python values and bytes. What a server sends is bounded by its message, nested no deeper
than sixteen, and refused as WireError when it is torn. (Adobe AMF 0 specification, 2007.)
"""

from __future__ import annotations

import struct
from typing import Any

from pipeline.errors import WireError

NUMBER, BOOLEAN, TEXT, OBJECT, NULL, UNDEFINED, ECMA_ARRAY, END = 0, 1, 2, 3, 5, 6, 8, 9
STRICT_ARRAY, DATE, LONG_TEXT = 10, 11, 12
NESTED_MAX = 16
TEXT_MAX_BYTES = 0xFFFF


def encode(*values: Any) -> bytes:
    return b"".join(map(_encoded, values))


def decode(data: bytes) -> list[Any]:
    """All values that stand one after the other; WireError when the bytes are no AMF0."""
    values, at = [], 0
    try:
        while at < len(data):
            value, at = _value(data, at, 0)
            values.append(value)
    except (struct.error, IndexError) as error:
        raise WireError(f"AMF0 ends in the middle of a value, at byte {at}") from error
    return values


def _encoded(value: Any) -> bytes:
    if value is None:
        return bytes([NULL])
    if isinstance(value, bool):
        return bytes([BOOLEAN, value])
    if isinstance(value, int | float):
        return bytes([NUMBER]) + struct.pack(">d", value)
    if isinstance(value, str):
        data = value.encode()
        if len(data) > TEXT_MAX_BYTES:
            return bytes([LONG_TEXT]) + struct.pack(">I", len(data)) + data
        return bytes([TEXT]) + _name(value)
    return (
        bytes([OBJECT])
        + b"".join(_name(key) + _encoded(item) for key, item in value.items())
        + _name("")
        + bytes([END])
    )


def _name(value: str) -> bytes:
    data = value.encode()
    return struct.pack(">H", len(data)) + data


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The value at this byte, and where the next one begins."""
    if depth > NESTED_MAX:
        raise WireError(f"AMF0 nested deeper than {NESTED_MAX}")
    kind, at = data[at], at + 1
    if kind == NUMBER:
        return struct.unpack_from(">d", data, at)[0], at + 8
    if kind == BOOLEAN:
        return bool(data[at]), at + 1
    if kind in (TEXT, LONG_TEXT):
        return _text(data, at, 2 if kind == TEXT else 4)
    if kind in (NULL, UNDEFINED):
        return None, at
    if kind == DATE:
        return struct.unpack_from(">d", data, at)[0], at + 10
    if kind == STRICT_ARRAY:
        (count,) = struct.unpack_from(">I", data, at)
        values, at = [], at + 4
        for _ in range(count):  # each takes a byte at least, so the end of the data ends it
            value, at = _value(data, at, depth + 1)
            values.append(value)
        return values, at
    if kind in (OBJECT, ECMA_ARRAY):
        return _object(data, at + (4 if kind == ECMA_ARRAY else 0), depth)
    raise WireError(f"AMF0 has no type {kind} here")


def _text(data: bytes, at: int, size: int) -> tuple[str, int]:
    length = int.from_bytes(data[at : at + size], "big")
    end = at + size + length
    if end > len(data):
        raise WireError("AMF0 text is longer than its message")
    return data[at + size : end].decode(errors="replace"), end


def _object(data: bytes, at: int, depth: int) -> tuple[dict[str, Any], int]:
    found: dict[str, Any] = {}
    while True:
        key, at = _text(data, at, 2)
        if not key and data[at] == END:
            return found, at + 1
        found[key], at = _value(data, at, depth + 1)
