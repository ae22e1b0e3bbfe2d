"""Markdown as a script: headings open sections, each paragraph and list item is a line. Pure.

In: a text. Out: a draft. Front matter holds what is set for the whole script, braces behind a heading what is set for
its section, braces before a line what is set for it. Rules, comments and the addresses of links are not said;
`__word__` is emphasis, as `**word**` is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

import yaml

from broadcaster.script.draft import Draft, DraftSection, Row, line_of
from broadcaster.script.model import Mistake
from broadcaster.script.settings import SCRIPT_KEYS, Given, attributes, shown
from broadcaster.script.source import place
from broadcaster.script.values import CLOCK, PRODUCT

COMMENT = re.compile(r"<!--.*?(?:(-->)|\Z)", re.DOTALL)
FRONT_MATTER = re.compile(r"\A---[ \t]*\n(.*?\n)??---[ \t]*(?:\n|\Z)", re.DOTALL)
UNCLOSED = re.compile(rf"\A---[ \t]*\n(?:{'|'.join(SCRIPT_KEYS)}):")
HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.*)$")
ITEM = re.compile(r"[ \t]*(?:[-*+]|\d{1,4}[.)])[ \t]+(.*)$")
RULE = re.compile(r" {0,3}([-*_])[ \t]*+(?:\1[ \t]*+){2,}+\s*$")
ATTRIBUTES = re.compile(r"\{([^{}]*)\}\s*$")
NOT_SAID = "\x1f"  # stands for a character of a comment: white space that no text file holds
#: (what shows that there is any, what is not said as it stands, what is left of it)
BARE = (
    (NOT_SAID, re.compile(f"{NOT_SAID}+"), ""),
    ("](", re.compile(r"(?<!\\)!?\[([^\[\]]*+)\]\((?:[^()]++|\([^()]*+\))*+\)"), r"\1"),
    ("__", re.compile(r"__(?=\S)((?:[^_]|_(?!_))++)(?<=\S)__"), r"**\1**"),
    ("`", re.compile(r"`(?=\S)([^`]++)(?<=\S)`"), r"\1"),
)
VARIABLE = re.compile(r"[^\W\d]\w*")


def draft(text: str) -> Draft:
    found = Draft()
    if match := FRONT_MATTER.match(text):
        _front_matter(match[1] or "", found)
        text = "\n" * match[0].count("\n") + text[match.end() :]
    elif match := UNCLOSED.match(text):
        found.mistakes.append(Mistake(1, 1, "front matter that does not end; write --- in a line of its own behind it"))
    if "<!--" in text:
        text = COMMENT.sub(lambda match: _blanked(match, text, found.mistakes), text)
    for row, heading in _blocks(text):
        if heading:
            found.sections.append(_section(row[0], found.mistakes))
        else:
            if not found.sections:
                found.sections.append(DraftSection("", row[0].line))
            found.sections[-1].lines.append(line_of(row, _bare, _kept, found.mistakes))
    return found


def _blocks(text: str) -> Iterator[tuple[Sequence[Row], bool]]:
    """The rows of each heading, paragraph and list item; whether it is a heading."""
    rows: list[Row] = []
    for number, line in enumerate([*text.split("\n"), ""], 1):
        heading, item = HEADING.match(line), ITEM.match(line)
        rule = RULE.match(line)
        if rows and (heading or item or rule or not line.strip()):
            yield rows, False
            rows = []
        if heading:
            yield [Row(heading[1].rstrip().rstrip("#").rstrip(), number, heading.start(1) + 1)], True
        elif line.strip() and not rule:
            rows.append(Row(item[1], number, item.start(1) + 1) if item else Row(line, number))


def _section(row: Row, mistakes: list[Mistake]) -> DraftSection:
    name, settings = row.raw, list[Given]()
    if match := ATTRIBUTES.search(row.raw):
        begin = row.column + match.start(1)
        settings = attributes(match[1], lambda at: (row.line, begin + at), mistakes)
        name = row.raw[: match.start()]
    elif (at := row.raw.find("{")) >= 0:
        text = "this brace is not closed; write {key=value} at the end of the heading"
        mistakes.append(Mistake(row.line, row.column + at, text))
    return DraftSection(_bare(name).replace("**", ""), row.line, settings)


def _bare(text: str) -> str:
    for sign, pattern, left in BARE:
        if sign in text:
            text = pattern.sub(left, text)
    return text.strip()


def _kept(text: str) -> list[int]:
    """Index in the text of each character that `_bare` leaves."""
    indexes = list(range(len(text)))
    for _, pattern, left in BARE:
        kept, done = list[int](), 0
        for match in pattern.finditer(text):
            group = 0 if "*" in left else 1
            kept += indexes[done : match.start()] + (indexes[match.start(group) : match.end(group)] if left else [])
            done = match.end()
        indexes = kept + indexes[done:]
        text = pattern.sub(left, text)
    return indexes[len(text) - len(text.lstrip()) : len(text.rstrip())]


def _blanked(match: re.Match[str], text: str, mistakes: list[Mistake]) -> str:
    """A comment as white space, so that all that follows keeps its place."""
    if not match[1]:
        mistakes.append(Mistake(*place(text, match.start()), "this comment does not end; write --> where it does"))
    return re.sub(r"[^\n]", NOT_SAID, match[0])


# ── front matter ─────────────────────────────────────────────────────────────────────────────────


def _front_matter(text: str, found: Draft) -> None:
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = (mark.line + 2, mark.column + 1) if mark else (1, 1)
        found.mistakes.append(Mistake(*where, f"front matter: {error.problem or error.context}; write key: value"))
        return
    except (yaml.YAMLError, RecursionError) as error:
        found.mistakes.append(Mistake(1, 1, f"front matter: {error}"))
        return
    if node is None:
        return
    if not isinstance(node, yaml.MappingNode):
        found.mistakes.append(Mistake(2, 1, "front matter: write key: value, or an empty line before the first rule"))
        return
    for key, value in node.value:
        where = _where(key)
        if key.value == "variables":
            _variables(value, found)
        elif not isinstance(value, yaml.ScalarNode):
            found.mistakes.append(Mistake(*where, f"{key.value}: write one value"))
        else:
            found.settings.append(Given(str(key.value), value.value, partial(_where, key)))


def _variables(node: yaml.Node, found: Draft) -> None:
    if not isinstance(node, yaml.MappingNode):
        if not _is_null(node):
            text = "variables: write name: value lines under it, indented"
            found.mistakes.append(Mistake(*_where(node), text))
        return
    for key, value in node.value:
        name = str(key.value)
        where = _where(key)
        if not VARIABLE.fullmatch(name):
            text = f"{shown(name)} is no name of a variable; write letters, figures and _, a letter first"
            found.mistakes.append(Mistake(*where, text))
        elif name in (*CLOCK, PRODUCT):
            found.mistakes.append(Mistake(*where, f"the variable {name} means something already; choose another name"))
        elif name in found.variables:
            found.mistakes.append(Mistake(*where, f"the variable {name} is given twice; keep one of them"))
        elif not isinstance(value, yaml.ScalarNode):
            found.mistakes.append(Mistake(*where, f"the variable {name}: write one value"))
        else:
            found.variables[name] = None if _is_null(value) else value.value


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")


def _where(node: yaml.Node) -> tuple[int, int]:
    """The front matter begins in the file's second line."""
    return node.start_mark.line + 2, node.start_mark.column + 1
