"""A mapping tried on what a program really sends: what would become of each message, and why of some nothing.

In: a mapping's file, and a sample: JSON, or lines of JSON. Out: lines for a person to read. Nothing is sent anywhere.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from broadcaster.chat.message import check
from broadcaster.connectors.field_map import FieldMap, Rule
from broadcaster.connectors.json_path import at, decoded
from broadcaster.connectors.mapping import load
from pipeline.errors import BadInput, MessageError

SHOWN_MAX_CHARS = 120
TAKEN = "it would be taken"


def tried(path: Path, sample: str) -> Iterator[str]:
    """Lines about each message; ConfigError when the mapping cannot be used, BadInput when the sample is not JSON."""
    field_map = load(path)
    number = taken = 0
    for frame in _frames(sample):
        told = list(field_map.matched(frame))
        if not told:
            yield f"nothing in it; messages are looked for at: {'.'.join(field_map.messages) or 'the whole'}"
        for message, rule in told:
            number += 1
            lines = _read(rule, message) if rule else _passed_over(field_map, message)
            taken += lines[-1] == TAKEN
            place = f"{rule.kind}, by kinds.{field_map.rules.index(rule)}" if rule else "passed over"
            yield f"message {number}: {place}"
            yield from (f"  {line}" for line in lines)
    yield f"{taken} of {number} messages would be taken"


def _read(rule: Rule, message: Any) -> list[str]:
    fields = rule.read(message)
    lines = [f"{name}: {_shown(value)}" for name, value in fields.items()]
    if missing := [name for name in rule.fields if name not in fields]:
        lines.append(f"not there: {', '.join(missing)}")
    try:
        check(fields)
    except MessageError as error:
        return [*lines, f"it would be refused: {error}"]
    return [*lines, TAKEN]


def _passed_over(field_map: FieldMap, message: Any) -> list[str]:
    """What stands where the rules look."""
    paths = dict.fromkeys(condition.path for rule in field_map.rules for condition in rule.when)
    return [f"{'.'.join(path)} is {_shown(at(message, path))}" for path in paths] or ["no rule is meant for it"]


def _frames(sample: str) -> Iterator[Any]:
    try:
        yield decoded(sample)
        return
    except ValueError as error:
        whole = str(error)
    lines = [(number, line) for number, line in enumerate(sample.splitlines(), 1) if line.strip()]
    if len(lines) < 2:
        raise BadInput(f"the sample: {whole}")
    for number, line in lines:
        try:
            yield decoded(line)
        except ValueError as error:
            raise BadInput(f"the sample, line {number}: {error}; as a whole it is {whole}") from None


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_MAX_CHARS else f"{text[:SHOWN_MAX_CHARS]}…"
