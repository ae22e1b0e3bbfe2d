"""What the fields of a program's JSON mean: which message is a comment, a gift …, and where its words are. Pure.

In: a frame, as it came over the line. Out: messages of the `chat` stream, newest last; of a list that is longer than
anybody speaks, the newest. What no rule is meant for is passed over. Nothing that a frame can hold raises.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from broadcaster.connectors.json_path import (
    Path,
    at,
    comparable,
    decoded,
    is_set,
    number_of,
    packed,
    plain,
    text_of,
)
from broadcaster.connectors.settings import Fields

FRAME_MESSAGES = 500
TOKEN = "{token}"
UNITS = {"s": 1.0, "ms": 1e3, "us": 1e6}
NUMBERS = ("value",)
FLAGS = ("buyer", "mention")
TIMES = ("sent",)
SECONDS = re.compile(r"\d{1,17}(?:\.\d{1,9})?")


@dataclass(frozen=True, slots=True)
class Getter:
    """Where one field comes from: the first of its paths at which there is something, or a constant.

    product: the numbers at all paths, multiplied. html: what is there is HTML. one_of: 1 if what is there is one of
    these, or a list that has one of them. per_s: how many of its units are a second.
    """

    paths: tuple[Path, ...] = ()
    constant: str = ""
    product: bool = False
    html: bool = False
    one_of: frozenset[str] = frozenset()
    per_s: float = 1.0

    def get(self, name: str, message: Any) -> str:
        """The field's value as the stream has it, "" when it is not there."""
        if self.constant:
            return self.constant
        found = [at(message, path) for path in self.paths]
        if name in NUMBERS:
            return self._number(found)
        if name in FLAGS:
            return "1" if any(map(self._flagged, found)) else ""
        text = next(filter(None, map(text_of, found)), "")
        if name in TIMES and SECONDS.fullmatch(text):
            return f"{float(text) / self.per_s:.3f}"
        if name == "platform":
            return text.lower()
        return plain(text) if self.html else text

    def _number(self, found: list[Any]) -> str:
        numbers = [number for value in found if (number := number_of(value)) is not None]
        if not numbers or (self.product and len(numbers) < len(found)):
            return ""
        total = numbers[0]
        for number in numbers[1:] if self.product else ():
            total *= number
        return f"{total:.15g}" if total < 1e15 else ""

    def _flagged(self, value: Any) -> bool:
        if not self.one_of:
            return is_set(value)
        return any(comparable(one) in self.one_of for one in (value if isinstance(value, list) else [value]))


@dataclass(frozen=True, slots=True)
class Condition:
    """there: whether something must be at the path; None: it must be one of the values, or, if `unless`, none."""

    path: Path
    values: frozenset[str] = frozenset()
    unless: bool = False
    there: bool | None = None

    def holds(self, message: Any) -> bool:
        value = at(message, self.path)
        if self.there is not None:
            return is_set(value) == self.there
        return (comparable(value) in self.values) != self.unless


@dataclass(frozen=True, slots=True)
class Rule:
    """Messages for which all conditions hold are of this kind. fields: those of every message as well."""

    kind: str
    when: tuple[Condition, ...]
    fields: Mapping[str, Getter]

    def read(self, message: Any) -> Fields:
        read = {name: text for name, getter in self.fields.items() if (text := getter.get(name, message))}
        return read if self.kind == "comment" else {**read, "kind": self.kind}


@dataclass(frozen=True, slots=True)
class Manners:
    """How one talks to this program: what is sent first, and then every so often. `{token}` stands for the token."""

    hello: tuple[str, ...] = ()
    subprotocols: tuple[str, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    ping: str = ""
    ping_every_s: float = 0.0

    @property
    def needs_token(self) -> bool:
        return any(TOKEN in text for text in (*self.hello, *self.subprotocols, *self.headers.values(), self.ping))


@dataclass(frozen=True, slots=True)
class FieldMap:
    """when: which frames have messages. messages: where in it they are, one or a list. rules: the first that holds
    counts.
    """

    rules: tuple[Rule, ...]
    messages: Path = ()
    when: tuple[Condition, ...] = ()
    manners: Manners = Manners()

    def read(self, frame: str | bytes) -> list[Fields]:
        """The messages of a frame; ValueError when it is not JSON."""
        return [rule.read(message) for message, rule in self.matched(decoded(frame)) if rule]

    def matched(self, frame: Any) -> Iterator[tuple[Any, Rule | None]]:
        """Each message, and the rule that is meant for it."""
        for message in self._messages(frame):
            yield message, next((rule for rule in self.rules if all(one.holds(message) for one in rule.when)), None)

    def _messages(self, frame: Any) -> list[Any]:
        found: list[Any] = []
        for part in frame if isinstance(frame, list) else [frame]:
            if not all(condition.holds(part) for condition in self.when):
                continue
            inner = at(part, self.messages)
            inner = packed(inner) or inner if isinstance(inner, str) else inner
            found += inner if isinstance(inner, list) else [inner]
        return [message for message in found[-FRAME_MESSAGES:] if isinstance(message, dict)]
