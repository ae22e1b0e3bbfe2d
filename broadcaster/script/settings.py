"""What may be set for a script, a section and a line, and how each value is written. Pure.

In: keys and values as they stand in front matter, behind a heading, before a line or in a table's cell. Out: values,
and a mistake with its place for each that is unknown, given twice or out of range.
"""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

from broadcaster.script.model import DAY_MINUTES, Daypart, Mistake
from broadcaster.utterance import VOICE_MAX_CHARS

SPEED = (0.5, 2.0)  # ×, as of the room's own voice
PAUSE_S = (0.0, 600.0)  # longer silence would bring the evergreen words, or an alarm
WEIGHT = (0.0, 100.0)

LINE_KEYS = ("voice", "speed", "pause_s")
SECTION_KEYS = ("weight", "product", "dayparts", *LINE_KEYS)
SCRIPT_KEYS = ("title", "order", "loop", "products", "variables", *LINE_KEYS)
TABLE_KEYS = ("section", "text", *SECTION_KEYS)

ATTRIBUTE = re.compile(r"(?P<key>[\w.-]+)\s*=\s*(?P<value>\"[^\"]*\"|'[^']*'|[^\s\"']*)(?=\s|$)")
PRODUCT_ID = re.compile(r"[\w-]{1,64}")
DAYPART = re.compile(r"([01]?\d|2[0-4]):([0-5]\d)\s*[-–]\s*([01]?\d|2[0-4]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class Given:
    """A key as it was written. place: its line and column, worked out when it is asked for."""

    key: str
    value: str
    place: Callable[[], tuple[int, int]]


def attributes(text: str, place: Callable[[int], tuple[int, int]], mistakes: list[Mistake]) -> list[Given]:
    """`key=value key="two words"`. place: line and column of an index in the text."""
    found: list[Given] = []
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
        elif match := ATTRIBUTE.match(text, at):
            value = match["value"]
            quoted = value[:1] in ('"', "'")
            found.append(Given(match["key"], value[1:-1] if quoted else value, partial(place, at)))
            at = match.end()
        else:
            word = text[at:].split(maxsplit=1)[0]
            mistakes.append(Mistake(*place(at), f"{shown(word)} is no setting; write key=value, as weight=3"))
            at += len(word)
    return found


def read(given: Iterable[Given], known: tuple[str, ...], mistakes: list[Mistake]) -> dict[str, Any]:
    """The values of those that are right, by key."""
    values: dict[str, Any] = {}
    for one in given:
        if one.key not in known:
            mistakes.append(Mistake(*one.place(), unknown("key", one.key, known)))
        elif one.key in values:
            mistakes.append(Mistake(*one.place(), f"{one.key} is given twice; keep one of them"))
        else:
            try:
                values[one.key] = READERS[one.key](one.value.strip())
            except ValueError as error:
                mistakes.append(Mistake(*one.place(), f"{one.key}: {error}"))
    return values


@lru_cache(1024)
def unknown(what: str, name: str, known: tuple[str, ...]) -> str:
    """A slip is often made a thousand times, and likeness is costly to judge."""
    near = difflib.get_close_matches(name.lower(), known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"choose from {', '.join(known)}" if known else "there is none"
    return f"unknown {what} {shown(name)}; {hint}"


def shown(text: str) -> str:
    return repr(text if len(text) <= 40 else f"{text[:39]}…")


def _number(text: str, bounds: tuple[float, float], example: str) -> float:
    low, high = bounds
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not low <= number <= high:  # false for NaN too
        raise ValueError(f"{shown(text)} is not a number from {low:g} to {high:g}; write for example {example}")
    return number


def _choice(text: str, choices: Mapping[str, Any]) -> Any:
    if text.lower() not in choices:
        raise ValueError(f"{shown(text)} is none of {', '.join(choices)}")
    return choices[text.lower()]


def _voice(text: str) -> str:
    if not text or len(text) > VOICE_MAX_CHARS or not text.isprintable():
        raise ValueError(f"write a voice or a language, as zh, of at most {VOICE_MAX_CHARS} printable characters")
    return text


def _product(text: str) -> str:
    if not PRODUCT_ID.fullmatch(text):
        raise ValueError(f"{shown(text)} is no id; write letters, figures, - and _, as in the products file")
    return text


def _dayparts(text: str) -> tuple[Daypart, ...]:
    parts: list[Daypart] = []
    for part in text.split(","):
        match = DAYPART.fullmatch(part.strip())
        minutes = [int(match[1]) * 60 + int(match[2]), int(match[3]) * 60 + int(match[4])] if match else []
        if not minutes or max(minutes) > DAY_MINUTES:
            raise ValueError(f"{shown(part.strip())} is no part of a day; write for example 08:00-12:00,18:00-23:00")
        if minutes[0] % DAY_MINUTES == minutes[1]:
            raise ValueError(f"{shown(part.strip())} ends where it begins; write 00:00-24:00 for the whole day")
        parts.append(Daypart(minutes[0] % DAY_MINUTES, minutes[1]))
    return tuple(parts)


def _file(text: str) -> str:
    if not text:
        raise ValueError("name a file, as products.csv; it is looked for beside the script")
    return text


READERS: Mapping[str, Callable[[str], Any]] = {
    "title": str,
    "order": lambda text: _choice(text, {"listed": "listed", "shuffle": "shuffle"}),
    "loop": lambda text: _choice(text, {"true": True, "false": False, "yes": True, "no": False}),
    "products": _file,
    "voice": _voice,
    "speed": lambda text: _number(text, SPEED, "1.1"),
    "pause_s": lambda text: _number(text, PAUSE_S, "1.5"),
    "weight": lambda text: _number(text, WEIGHT, "3"),
    "product": _product,
    "dayparts": _dayparts,
}
