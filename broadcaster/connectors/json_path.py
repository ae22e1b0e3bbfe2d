"""Where something lies in a JSON value, and what it is as text. Pure.

In: values as the json module makes them, and paths as `data.user.nick` or `badges.0.name`. Out: what lies there, or
None; as text, as a number, as yes or no. A path that goes on into a text opens it, if that is JSON of its own.
"""

from __future__ import annotations

import html
import json
import re
from typing import Any, TypeAlias

Path: TypeAlias = tuple[str, ...]

PARTS_MAX = 12
PATH = re.compile(r"[^.\s]+(?:\.[^.\s]+)*")
INDEX = re.compile(r"\d{1,6}")
TAG = re.compile(r"<[^<>]*>")
NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d{1,15}(?:\.\d{1,15})?")
NO = ("", "0", "false", "no", "none", "null")


def path_of(text: str) -> Path | None:
    """None when it is no path."""
    parts = tuple(text.split("."))
    return parts if PATH.fullmatch(text) and len(parts) <= PARTS_MAX else None


def decoded(data: str | bytes) -> Any:
    """The value of this JSON; ValueError says what is wrong."""
    try:
        return json.loads(data)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON ({error.msg}, character {error.pos + 1})") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 (byte {error.start})") from None
    except RecursionError:
        raise ValueError("not JSON that anybody could read: too deep") from None


def at(value: Any, path: Path) -> Any:
    """What lies there, or None."""
    holder: Any = None
    place: Any = None
    for part in path:
        if isinstance(value, str) and (inner := packed(value)) is not None:
            value = inner
            if holder is not None:
                holder[place] = inner  # opened once, for all paths
        if isinstance(value, dict) and part in value:
            holder, place = value, part
        elif isinstance(value, list) and INDEX.fullmatch(part) and int(part) < len(value):
            holder, place = value, int(part)
        else:
            return None
        value = holder[place]
    return value


def packed(text: str) -> Any:
    """What a text holds that is itself JSON of keys or a list, else None."""
    if text.lstrip()[:1] not in ("{", "["):
        return None
    try:
        return decoded(text)
    except ValueError:
        return None


def text_of(value: Any) -> str:
    """A text or number as it is read; "" for anything else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, float):
        return f"{value:.15g}"
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else ""


def plain(text: str) -> str:
    """HTML as a reader sees it: without pictures and tags."""
    return " ".join(html.unescape(TAG.sub(" ", text)).split())


def number_of(value: Any) -> float | None:
    """A number, or the first one in a text, as 5 in "$5.00"; None when there is none, or none that counts."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return float(value) if 0 <= value < 1e15 else None  # false for NaN too
    match = NUMBER.search(value) if isinstance(value, str) else None
    return float(match[0].replace(",", "")) if match else None


def is_set(value: Any) -> bool:
    """Whether there is something that is not empty, no and zero."""
    if isinstance(value, dict | list):
        return bool(value)
    return text_of(value).lower() not in NO if not isinstance(value, bool) else value


def comparable(value: Any) -> str:
    """What a mapping's values are compared by: 1, "1" and 1.0 are the same, and so are true and "true"."""
    return str(value).lower() if isinstance(value, bool) else text_of(value)
