"""Texts that say themselves differently: `{a|b|c}` alternatives, which may nest and be empty, and `{name}` variables.

In: a line of a script, what variables stand for, dice. Out: marked text (tts/markup.py), or the names of the variables
without a value; and where a template is wrong. `\\{`, `\\}`, `\\[` and `\\|` are the characters themselves. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple, TypeAlias

DEEP_MAX = 8  # groups within groups; deeper is a slip, and nobody could read it
VALUE_MAX_CHARS = 2_000  # what one variable may put into a line
TEMPLATES_KEPT = 4096

SPECIAL = re.compile(r"(\\[{}\[|]|[{}|])")
NAME = re.compile(r"[\w-]+\.\w+|[^\W\d]\w*")
HOLES = re.compile(r"[ \t]{2,}")
BEFORE_STOP = re.compile(r"[ \t]+(?=[,.;:!?](?:\s|$))")
STARS = re.compile(r"\*{2,}")


class Variable(NamedTuple):
    name: str
    at: int  #: index of its brace in the text


class Group(NamedTuple):
    choices: tuple[Nodes, ...]
    bars: tuple[int, ...]  #: indexes of its opening brace, of its bars, and of its closing brace

    @property
    def at(self) -> int:
        return self.bars[0]

    @property
    def end(self) -> int:
        return self.bars[-1] + 1

    def spans(self) -> Iterator[tuple[int, int]]:
        """Where each choice begins and ends."""
        return ((before + 1, after) for before, after in pairwise(self.bars))


Node: TypeAlias = "str | Variable | Group"
Nodes: TypeAlias = "tuple[Node, ...]"


@dataclass(frozen=True, slots=True)
class Fault:
    """at: index in the text."""

    at: int
    text: str


@dataclass(frozen=True, slots=True)
class Template:
    nodes: Nodes
    faults: tuple[Fault, ...] = ()

    def variables(self) -> list[Variable]:
        """All that it names, in order."""
        found: list[Variable] = []
        _add_variables(self.nodes, found)
        return found

    @property
    def literal(self) -> str:
        """Every word of it that is not a variable's."""
        return " ".join(_literals(self.nodes))


@dataclass(frozen=True, slots=True)
class Filled:
    """text: marked text, "" when nothing is to be said. missing: variables without which there is nothing."""

    text: str
    missing: tuple[str, ...] = ()


def fill(text: str, value_of: Callable[[str], str | None], choose: Callable[[int], int]) -> Filled:
    """Say a template. `choose(n)`: an index below n. An alternative that needs a missing value is not chosen."""
    template = parse(text)
    missing: list[str] = []
    filled = _filled(template.nodes, value_of, choose, missing)
    if filled is None:
        return Filled("", tuple(dict.fromkeys(missing)))
    if any(isinstance(node, Group) for node in template.nodes):
        filled = BEFORE_STOP.sub("", HOLES.sub(" ", filled))
    return Filled(filled.strip())


@lru_cache(TEMPLATES_KEPT)
def parse(text: str) -> Template:
    """The template with what is wrong in it; what is wrong stays literal."""
    if "{" not in text and "}" not in text and "\\" not in text:
        return Template((text,) if text else ())
    return _Parser(text).parsed()


class _Parser:
    """One pass over the special characters; the groups that are open are a stack of lists of choices."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._open: list[tuple[list[int], list[list[Node]]]] = [([-1], [[]])]  # (brace and bars, choices so far)
        self._faults: list[Fault] = []
        self._beyond = 0  # braces that are open and too deep: what is in them is no group

    def parsed(self) -> Template:
        at = 0
        for index, part in enumerate(SPECIAL.split(self._text)):
            if index % 2:
                self._meet(part, at)
            elif part:
                self._add(part)
            at += len(part)
        for bars, choices in self._open[1:]:
            self._faults.append(Fault(bars[0], r"this brace is not closed; add a }, or write \{ for a brace"))
            self._open[0][1][-1] += [node for choice in choices for node in choice]
        nodes = tuple(self._open[0][1][0])
        return Template(nodes, tuple(sorted(self._faults, key=lambda fault: fault.at)))

    def _meet(self, special: str, at: int) -> None:
        if self._beyond and special in "{|}":
            self._beyond += (special == "{") - (special == "}")
        elif special == "{" and len(self._open) > DEEP_MAX:
            self._faults.append(Fault(at, f"more than {DEEP_MAX} groups within each other; make it simpler"))
            self._beyond = 1
        elif special == "{":
            self._open.append(([at], [[]]))
        elif special == "|" and len(self._open) > 1:
            self._open[-1][0].append(at)
            self._open[-1][1].append([])
        elif special == "}" and len(self._open) > 1:
            self._close(at)
        elif special == "}":
            self._faults.append(Fault(at, r"this brace closes nothing; remove it, or write \} for a brace"))
        else:
            self._add("[[" if special == r"\[" else special[-1])

    def _close(self, at: int) -> None:
        bars, choices = self._open.pop()
        begun = bars[0]
        if len(choices) > 1:
            if all(map(_is_blank, choices)):
                self._faults.append(Fault(begun, "every alternative is empty; write words between the bars"))
            self._add(Group(tuple(map(tuple, choices)), (*bars, at)))
            return
        inside = self._text[begun + 1 : at].strip()
        if NAME.fullmatch(inside):
            self._add(Variable(inside, begun))
        elif not inside:
            self._faults.append(Fault(begun, r"there is nothing in these braces; write {name} or {a|b}, or \{ and \}"))
        else:
            shown = inside if len(inside) <= 40 else f"{inside[:39]}…"
            text = rf"{{{shown}}} is neither a variable nor alternatives; write {{name}} or {{a|b}}, or \{{ for a brace"
            self._faults.append(Fault(begun, text))

    def _add(self, node: Node) -> None:
        self._open[-1][1][-1].append(node)


def _is_blank(nodes: list[Node]) -> bool:
    return not nodes or (len(nodes) == 1 and isinstance(nodes[0], str) and not nodes[0].strip())


def _filled(
    nodes: Nodes, value_of: Callable[[str], str | None], choose: Callable[[int], int], missing: list[str]
) -> str | None:
    """None when a value is missing, whose name is then added."""
    parts: list[str] = []
    for node in nodes:
        if isinstance(node, str):
            parts.append(node)
        elif isinstance(node, Variable):
            value = value_of(node.name)
            if not value or not value.strip():
                missing.append(node.name)
                return None
            parts.append(_literal(value))
        else:
            chosen = _chosen(node, value_of, choose, missing)
            if chosen is None:
                return None
            parts.append(chosen)
    return "".join(parts)


def _chosen(
    group: Group, value_of: Callable[[str], str | None], choose: Callable[[int], int], missing: list[str]
) -> str | None:
    left = list(group.choices)
    while left:
        filled = _filled(left.pop(choose(len(left))), value_of, choose, missing)
        if filled is not None:
            return filled
    return None


def _literal(value: str) -> str:
    """A value never is a mark: it may have been written by anybody."""
    clean = "".join(char if char.isprintable() else " " for char in value[:VALUE_MAX_CHARS])
    return STARS.sub("*", clean.strip()).replace("[", "[[")


def _add_variables(nodes: Nodes, found: list[Variable]) -> None:
    for node in nodes:
        if isinstance(node, Variable):
            found.append(node)
        elif isinstance(node, Group):
            for choice in node.choices:
                _add_variables(choice, found)


def _literals(nodes: Nodes) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, Group):
            for choice in node.choices:
                yield from _literals(choice)
