"""The comments of an evening: a file of them, and what intake passes over of them whatever the room does. Pure.

In: JSON, one comment a line: the fields of a chat message (broadcaster.chat.message); `after_s`, seconds from the
beginning; `aged_s`, so long before that it was sent; `expect`: answered, not answered or either; `note`: why; `says`:
an answer must have one of these, or it answers something else; `never`: what must not be said, whoever asks for it.
Out: lines in order of time; reasons by a line's number.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

from broadcaster.chat.message import FIELDS, parse
from broadcaster.chat.model import Reason
from broadcaster.chat.pool import Pool
from broadcaster.fields import encoded
from pipeline.errors import MessageError

ANSWERED, NOT_ANSWERED, EITHER = "answered", "not answered", "either"
WITH = frozenset({"after_s", "aged_s", "expect", "note", "says", "never"})
MIXED = (Reason.MERGED, Reason.CROWDED)  # what becomes of a comment by what others write


@dataclass(frozen=True, slots=True)
class Line:
    """number: from 1, in order of time."""

    number: int
    after_s: float
    fields: dict[str, str]
    expect: str
    note: str
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    aged_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Sent:
    """A line that is in the `chat` stream. at_s: when, Unix seconds."""

    line: Line
    stream_id: str
    at_s: float
    fields: dict[str, str] = field(default_factory=dict)  #: as they were pushed

    @property
    def id(self) -> str:
        """By which the room's events call it."""
        return self.fields.get("id") or self.stream_id


def read(path: Path) -> list[Line]:
    """ValueError names the line of the file that is wrong."""
    found = []
    for row, text in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(_line(json.loads(text)))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}:{row}: {error}") from error
    found.sort(key=lambda line: line.after_s)
    return [replace(line, number=at) for at, line in enumerate(found, 1)]


def fields_of(line: Line, now_s: float) -> dict[str, str]:
    """As they are pushed at this moment."""
    return {**line.fields, **({"sent": f"{now_s - line.aged_s:.3f}"} if line.aged_s else {})}


def passed_over(sent: Iterable[Sent], pool: Pool) -> dict[int, str]:
    """By its number, why a comment goes without an answer even where there is time for all of them.

    pool: an empty one, with the room's limits and lists.
    """
    why: dict[int, str] = {}
    for one in sent:
        try:
            comment = parse(one.stream_id, encoded(one.fields))
        except MessageError as error:
            why[one.line.number] = f"{Reason.REFUSED}: {error}"
            continue
        pool.add([comment], one.at_s)
        own = [ended.reason for ended in pool.ended() if ended.comment.stream_id == one.stream_id]
        why.update((one.line.number, str(reason)) for reason in own if reason not in MIXED)
    return why


def _line(tree: dict[str, object]) -> Line:
    if unknown := sorted(set(tree) - WITH - set(FIELDS)):
        raise ValueError(f"unknown key {unknown[0]!r}")
    if (expect := str(tree["expect"])) not in (ANSWERED, NOT_ANSWERED, EITHER):
        raise ValueError(f"expect: {expect!r} is none of {ANSWERED}, {NOT_ANSWERED}, {EITHER}")
    fields = {name: str(tree[name]) for name in FIELDS if name in tree}
    after_s, aged_s = (float(str(tree.get(name, 0))) for name in ("after_s", "aged_s"))
    return Line(0, after_s, fields, expect, str(tree["note"]), _words("says", tree), _words("never", tree), aged_s)


def _words(name: str, tree: dict[str, object]) -> tuple[str, ...]:
    given = tree.get(name, [])
    if not isinstance(given, list):
        raise ValueError(f"{name}: a list of texts")
    return tuple(map(str, given))
