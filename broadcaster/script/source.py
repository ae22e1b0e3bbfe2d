"""A text file that a person wrote, as text, or what keeps it from being one.

In: a path. Out: text with plain line ends, of a bounded size, without a byte order mark; or a Mistake with its place.
"""

from __future__ import annotations

import re
from pathlib import Path

from broadcaster.script.model import Mistake

FILE_MAX_BYTES = 5 * 1024 * 1024  # a hundred hours of talk; more is no script
BINARY = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
UTF16 = (b"\xff\xfe", b"\xfe\xff")


def read(path: Path) -> str | Mistake:
    try:
        with path.open("rb") as file:
            data = file.read(FILE_MAX_BYTES + 1)
    except OSError as error:
        return Mistake(0, 0, str(error.strerror))
    if len(data) > FILE_MAX_BYTES:
        return Mistake(0, 0, f"more than {FILE_MAX_BYTES >> 20} MB; a script is text, cut it into several files")
    return decoded(data)


def decoded(data: bytes) -> str | Mistake:
    if data.startswith(UTF16):
        return Mistake(1, 1, "UTF-16 text; save it as UTF-8")
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        before = data[data.rfind(b"\n", 0, error.start) + 1 : error.start].decode("utf-8", "replace")
        what = "binary" if b"\0" in data[: error.start + 1024] else "not UTF-8 text"
        return Mistake(line, len(before) + 1, f"{what} (byte 0x{data[error.start]:02x}); save it as UTF-8 text")
    if found := BINARY.search(text):
        line, column = place(text, found.start())
        return Mistake(line, column, f"binary (byte 0x{ord(found[0]):02x}); save it as UTF-8 text")
    return text


def place(text: str, at: int) -> tuple[int, int]:
    """Line and column, from 1, of an index."""
    return text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
