"""Rules that are written as patterns, each with its harmless neighbours: the files in rules/.

    let NAME = PATTERN          for {NAME} below; several lines of one name are alternatives, here as everywhere
    rule NAME: why              the lines below it are of this rule
    zh PATTERN                  forbidden, in a text with Hanzi
    any PATTERN                 forbidden in any text
    ok PATTERN                  harmless: what lies within a match of it is not told
    some NAME = PATTERN         an idea, in all its wordings; several lines of one name are alternatives
    both NAME + NAME - NAME     forbidden: the first two ideas in one sentence, in any order, without the third
    know WORD | WORD            words by which rules know what they look for, found in any writing (guard/view.py)
    as NAME = PATTERN           for a module, by its name

A line that begins with a space goes on with the one before. Ideas of rules/ideas.rules count in all files. In: such a
file; a reading of a text. Out: what is found.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import NamedTuple

from broadcaster.guard.beginnings import SIZE, alternatives, beginnings
from broadcaster.guard.fold import IS_HAN, Folded
from broadcaster.guard.lexicon import reach
from broadcaster.guard.together import Brought, Span, Together, parsed
from broadcaster.guard.view import Finding

RULES = Path(__file__).parent / "rules"
NAME = re.compile(r"\{([A-Z][A-Z_]*)\}")
KEYS = ("zh", "any", "ok", "both")
IDEAS = "ideas"  # the file of those that all others may name
WORD_BEGINS = (r"\b", "(?<![a-z])")
PLAIN = re.compile(r"(?:[^\\()\[\]{}?*+|.^$](?![?*+{]))*")  # letters that stand for themselves, once each
SHORT = 4  # Hanzi that may stand together by chance
AROUND = 6  # Hanzi on each side that are weighed with them
REACHES = 4.0  # how much cheaper the clause is with words that reach into them


@dataclass
class Pattern:
    """One alternative of a rule; compiled when it is first tried, since there are thousands. literal: what each match
    begins with."""

    source: str
    rule: Rule | None  # None: of an idea
    chinese: bool = False
    idea: str = ""
    literal: str = ""

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        return re.compile(self.source)

    @cached_property
    def begins(self) -> frozenset[str]:
        """With which characters a match begins; "" alone: any."""
        return frozenset({self.literal[:SIZE]}) if len(self.literal) >= SIZE else beginnings(self.source)


@dataclass
class Rule:
    """name: as it is told. why: in words. harmless: what it may stand in."""

    name: str
    why: str
    harmless: list[str] = field(default_factory=list)

    @cached_property
    def spares(self) -> re.Pattern[str] | None:
        return re.compile("|".join(self.harmless)) if self.harmless else None


class Filed(NamedTuple):
    """Patterns by what a match of them begins with. at_word: those that no Latin letter may stand before."""

    at: dict[str, list[Pattern]]
    at_word: dict[str, list[Pattern]]
    anywhere: list[Pattern]


class RuleBook:
    """words: folded, by which its rules know what they look for."""

    def __init__(self, words: list[str], patterns: list[Pattern], together: list[Together[Rule]]) -> None:
        self.words = words
        self.patterns = patterns
        self.together = together
        self._brought = Brought(together)
        self._filed: Filed | None = None

    def open(self) -> None:
        """File its patterns, so that no text waits for it; most books are only read as parts of another one."""
        self._filed = _filed(self.patterns)

    def rules(self) -> Iterator[Rule]:
        """Those that its patterns and what is brought together belong to."""
        yield from (pattern.rule for pattern in self.patterns if pattern.rule is not None)
        yield from (one.rule for one in self.together)

    def find(self, reading: Folded) -> Iterator[Finding]:
        """What is forbidden in a text and not harmless where it stands."""
        text = reading.text
        chinese = IS_HAN.search(text) is not None
        spared: dict[str, list[Span]] = {}
        ideas: dict[str, list[Span]] = defaultdict(list)
        for pattern, begin, end in self._matches(text):
            rule = pattern.rule
            if rule is None:
                ideas[pattern.idea].append((begin, end))
            elif not (pattern.chinese and not chinese) and not _is_spared(text, begin, end, rule, spared):
                yield Finding(begin, end, rule.name, rule.why)
        for one, (begin, end) in self._brought.find(text, ideas):
            if not _is_spared(text, begin, end, one.rule, spared):
                yield Finding(begin, end, one.rule.name, one.rule.why)

    def _matches(self, text: str) -> Iterator[tuple[Pattern, int, int]]:
        filed = self._filed = self._filed or _filed(self.patterns)
        before = " "
        for at, char in enumerate(text):
            tables = (filed.at,) if before.isascii() and before.isalpha() else (filed.at, filed.at_word)
            before = char
            for here in tables:
                for beginning in (char, text[at : at + SIZE]):
                    for pattern in here.get(beginning, ()):
                        if text.startswith(pattern.literal, at) and (match := pattern.compiled.match(text, at)):
                            yield pattern, at, match.end()
        for pattern in filed.anywhere:
            for match in pattern.compiled.finditer(text):
                yield pattern, match.start(), match.end()


def named(name: str, **given: str) -> dict[str, re.Pattern[str]]:
    """The patterns of a file that a module uses by their names. given: what {NAME} stands for besides."""
    names: dict[str, list[str]] = defaultdict(list, {called: [pattern] for called, pattern in given.items()})
    found: dict[str, list[str]] = defaultdict(list)
    for number, line in _lines((RULES / f"{name}.rules").read_text(encoding="utf-8")):
        key, _, rest = line.partition(" ")
        called, _, pattern = rest.partition(" = ")
        if key not in ("let", "as"):
            raise ValueError(f"{name}.rules:{number}: {key!r} is none of let, as")
        (names if key == "let" else found)[called].append(_filled(pattern, names))
    return {called: re.compile("|".join(patterns)) for called, patterns in found.items()}


def joined(books: Iterable[RuleBook]) -> RuleBook:
    """Several as one, so that a text is gone through once."""
    several = list(books)
    harmless: dict[str, dict[str, None]] = defaultdict(dict)
    rules = {id(rule): rule for book in several for rule in book.rules()}.values()
    for rule in rules:
        harmless[rule.name].update(dict.fromkeys(rule.harmless))
    for rule in rules:  # what one file calls harmless is so by the same rule of another
        rule.harmless = list(harmless[rule.name])
    patterns = {id(pattern): pattern for book in several for pattern in book.patterns}  # ideas are shared
    return RuleBook(
        [word for book in several for word in book.words],
        list(patterns.values()),
        [one for book in several for one in book.together],
    )


def _filed(patterns: Iterable[Pattern]) -> Filed:
    filed = Filed(defaultdict(list), defaultdict(list), [])
    for pattern in patterns:
        table = filed.at_word if pattern.source.startswith(WORD_BEGINS) else filed.at
        for beginning in pattern.begins:
            (table[beginning] if beginning else filed.anywhere).append(pattern)
    return filed


def _is_spared(text: str, begin: int, end: int, rule: Rule, spared: dict[str, list[Span]]) -> bool:
    """Whether it lies in what is harmless by the rule, or stands there by chance."""
    if rule.name not in spared:
        spared[rule.name] = [one.span() for one in rule.spares.finditer(text)] if rule.spares else []
    return any(first <= begin and end <= last for first, last in spared[rule.name]) or _by_chance(text, begin, end)


def _by_chance(text: str, begin: int, end: int) -> bool:
    """Few Hanzi that stand there by chance: words reach into them, as 以下 and 注意 into 下注."""
    if end - begin > SHORT or not all(map(IS_HAN.match, text[begin:end])):
        return False
    first, last = begin, end
    while first > max(0, begin - AROUND) and IS_HAN.match(text[first - 1]):
        first -= 1
    while last < min(len(text), end + AROUND) and IS_HAN.match(text[last]):
        last += 1
    return reach(text[first:last], begin - first, end - first) >= REACHES


def load(name: str) -> RuleBook:
    """The file of this name. ValueError names the line of a mistake."""
    names: dict[str, list[str]] = defaultdict(list)
    rules: dict[str, Rule] = {}
    patterns: list[Pattern] = [] if name == IDEAS else list(_ideas().patterns)
    together: list[Together[Rule]] = []
    words: list[str] = []
    rule: Rule | None = None
    for number, line in _lines((RULES / f"{name}.rules").read_text(encoding="utf-8")):
        key, _, rest = line.partition(" ")
        called, _, pattern = rest.partition(" = ")
        if key == "let":
            names[called].append(_filled(pattern, names))
        elif key == "some":
            for one in alternatives(_filled(pattern, names)):
                patterns.append(Pattern(_bounded(one), None, idea=called, literal=_literal(one)))
        elif key == "rule":
            called, _, why = rest.partition(": ")
            rule = rules.setdefault(called, Rule(called, why))
        elif key == "know":
            words += [word.strip() for word in rest.split("|")]
        elif key == "both" and rule is not None:
            together.append(Together(rule, *parsed(rest)))
        elif key in KEYS and rule is not None:
            filled = _filled(rest, names)
            if key == "ok":
                rule.harmless.append(filled)
            else:
                found = filter(None, alternatives(filled))
                patterns += [Pattern(one, rule, key == "zh", literal=_literal(one)) for one in found]
        else:
            raise ValueError(f"{name}.rules:{number}: {key!r} is none of let, some, rule, zh, any, ok, both, know")
    known = {pattern.idea for pattern in patterns}
    if strange := [idea for one in together for idea in (*one.ideas, *one.without) if idea not in known]:
        raise ValueError(f"{name}.rules: there is no idea {strange[0]!r}")
    if not together and name != IDEAS:  # where nothing is brought together, ideas say nothing
        patterns = [one for one in patterns if one.rule is not None]
    return RuleBook(words, patterns, together)


@cache
def _ideas() -> RuleBook:
    return load(IDEAS)


def _bounded(wording: str) -> str:
    """Latin words whole."""
    if not (wording[:1].isascii() and (wording[:1].isalnum() or wording[:1] == "(")):
        return wording
    return rf"(?<![a-z])(?:{wording})(?![a-z])"


def _literal(wording: str) -> str:
    """The letters that it begins with, as they are."""
    for before in WORD_BEGINS:
        wording = wording.removeprefix(before)
    found = PLAIN.match(wording)
    return found[0] if found else ""


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered, continued lines joined."""
    whole, begun = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith(" "):
            whole += line.strip()
            continue
        if whole:
            yield begun, whole
        whole, begun = "" if line.startswith("#") else line, number
    if whole:
        yield begun, whole


def _filled(pattern: str, names: dict[str, list[str]]) -> str:
    return NAME.sub(lambda match: "|".join(names[match[1]]), pattern)
