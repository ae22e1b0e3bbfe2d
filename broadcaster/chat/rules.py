"""Ready answers by keywords, one a line: `keywords | reply`.

In: a file where commas part keywords of which any will do, and `+` those that must all be there; `#` begins a comment.
Replies are templates: `{a|b}`, and variables of the product in question, as `{price}`. Out: the reply of the first line
that fits and whose variables have values, with what the comment says besides its keywords; or every mistake with line
and column. A keyword of Latin letters is found as a whole word, one of Hanzi anywhere; wide, traditional and capital
letters make no difference.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from broadcaster.chat.found import Ruled
from broadcaster.guard.fold import fold
from broadcaster.script import template
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.settings import shown
from broadcaster.script.source import read

RULES_MAX = 2_000  # each is held against every comment
KEYWORDS_MAX = 100  # in one rule
TEXT_MAX_CHARS = 500  # of a comment: more of it is not looked at

PARTED = re.compile(r"[,，、]")
BLANKS = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class Rule:
    """keywords: any of them, each with parts that must all be there. reply: a template. line: in the file, from 1."""

    keywords: tuple[tuple[re.Pattern[str], ...], ...]
    reply: str
    line: int

    def places(self, folded: str) -> list[tuple[int, int]]:
        """Where its keywords stand; none where it does not fit."""
        found = [parts for parts in self.keywords if all(part.search(folded) for part in parts)]
        return sorted(match.span() for parts in found for part in parts for match in part.finditer(folded))


class Rules:
    """In the order of the file."""

    def __init__(self, rules: Sequence[Rule] = ()) -> None:
        self._rules = tuple(rules)

    def __len__(self) -> int:
        return len(self._rules)

    @classmethod
    def load(cls, path: Path) -> Rules:
        """Read the file; ScriptError names line and column of every mistake."""
        rules, mistakes = examined(path)
        raise_for(path, mistakes)
        return rules

    def match(
        self,
        text: str,
        value_of: Callable[[str], str | None] = lambda name: None,
        choose: Callable[[int], int] = random.randrange,
    ) -> Ruled | None:
        """What to say. value_of: a variable's value, None where it has none."""
        folded = _folded(text[:TEXT_MAX_CHARS])
        for rule in self._rules:
            places = rule.places(folded)
            if places and (said := template.fill(rule.reply, value_of, choose).text):
                keywords = tuple(dict.fromkeys(folded[begin:end] for begin, end in places))
                return Ruled(said, rule.line, keywords, _without(folded, places))
        return None


def examined(path: Path) -> tuple[Rules, list[Mistake]]:
    """The rules that are right, and all that is wrong."""
    text = read(path)
    if isinstance(text, Mistake):
        return Rules(), [text]
    mistakes: list[Mistake] = []
    rules: list[Rule] = []
    seen: dict[str, int] = {}
    for number, row in enumerate(text.split("\n"), 1):
        if not row.strip() or row.lstrip().startswith("#"):
            continue
        rule = _rule(row, number, mistakes)
        if rule is None:
            continue
        key = _folded(row.partition("|")[0])
        if (first := seen.setdefault(key, number)) != number:
            told = f"line {first} has the same keywords and always answers first; keep one of them"
            mistakes.append(Mistake(number, 1, told, warning="{" in rules[_index(rules, first)].reply))
        rules.append(rule)
    if len(rules) > RULES_MAX:
        mistakes.append(Mistake(rules[RULES_MAX].line, 1, f"more than {RULES_MAX:,} rules; an FAQ file holds more"))
    return Rules(rules), mistakes


def _rule(row: str, number: int, mistakes: list[Mistake]) -> Rule | None:
    """None, and what is wrong is told."""
    keywords, bar, reply = row.partition("|")
    before = len(mistakes)
    if not bar:
        mistakes.append(Mistake(number, len(row) + 1, "no reply; write keywords | reply"))
    elif not reply.strip():
        mistakes.append(Mistake(number, len(row) + 1, "the reply is empty; write what is said behind the |"))
    found = list(_keywords(keywords, number, mistakes))
    if len(found) > KEYWORDS_MAX:
        mistakes.append(Mistake(number, 1, f"more than {KEYWORDS_MAX} keywords; part them into several rules"))
    begin = len(keywords) + 1 + len(reply) - len(reply.lstrip())
    for fault in template.parse(reply.strip()).faults:
        mistakes.append(Mistake(number, begin + fault.at + 1, fault.text))
    return Rule(tuple(found), reply.strip(), number) if len(mistakes) == before else None


def _keywords(text: str, number: int, mistakes: list[Mistake]) -> Iterator[tuple[re.Pattern[str], ...]]:
    at = 0
    for one in PARTED.split(text):
        parts = [_folded(part) for part in one.split("+")]
        if all(any(map(str.isalnum, part)) for part in parts):
            yield tuple(map(_pattern, parts))
        else:
            what = shown(one.strip()) if one.strip() else "nothing"
            told = f"{what} is no keyword; write words, a comma between any of them, + between all that must be there"
            mistakes.append(Mistake(number, at + 1, told))
        at += len(one) + 1


def _pattern(part: str) -> re.Pattern[str]:
    before = r"(?<![a-z0-9])" if part[0].isascii() else ""
    after = r"(?![a-z0-9])" if part[-1].isascii() else ""
    return re.compile(f"{before}{re.escape(part)}{after}")


def _folded(text: str) -> str:
    return BLANKS.sub(" ", fold(text).text).strip()


def _without(folded: str, places: Sequence[tuple[int, int]]) -> str:
    gone = {at for begin, end in places for at in range(begin, end)}
    return BLANKS.sub(" ", "".join(char for at, char in enumerate(folded) if at not in gone)).strip()


def _index(rules: Sequence[Rule], line: int) -> int:
    return next(index for index, rule in enumerate(rules) if rule.line == line)
