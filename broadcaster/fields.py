"""The fields of one message of a stream, as text. Pure.

In: names and values as any program may have pushed them, and which names are known. Out: text by name, or MessageError
with the words that its sender will read.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence

from pipeline.errors import MessageError

NAME_SHOWN_CHARS = 40


def decoded(raw: Mapping[bytes, bytes], known: Sequence[str]) -> dict[str, str]:
    """Every field as text; MessageError for one that is not known, or not UTF-8."""
    fields: dict[str, str] = {}
    for key, value in raw.items():
        name = key.decode("utf-8", "replace")[:NAME_SHOWN_CHARS]
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"choose from {', '.join(known)}"
            raise MessageError(f"unknown field {name!r}; {hint}")
        try:
            fields[name] = value.decode("utf-8")
        except UnicodeDecodeError as error:
            raise MessageError(f"{name}: not UTF-8 (byte {error.start})") from error
    return fields


def encoded(fields: Mapping[str, str]) -> dict[bytes, bytes]:
    """The same backwards, for a message that is looked at before it is pushed; what is no text is found out later."""
    return {name.encode(errors="replace"): value.encode(errors="surrogatepass") for name, value in fields.items()}


def pushed_s(stream_id: str) -> float:
    """When a stream entry was added, Unix seconds: its id begins with milliseconds."""
    return int(stream_id.partition("-")[0]) / 1000
