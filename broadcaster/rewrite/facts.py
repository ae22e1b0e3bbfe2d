"""What may not change when a line is put into other words: figures, names, addresses, quotations, marks. Pure.

In: a line as it was written and another version of it. Out: what is gone, new or out of order, in words, or "". Facts
are compared as they are written: a price that is spelt otherwise is another price here. When in doubt it is a fact.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from broadcaster.rewrite.figures import figures, unit_of
from broadcaster.rewrite.openers import LITTLE, OPENERS
from broadcaster.script import template
from tts import markup

TOLD_CHARS = 40
BEFORE_CHARS = 20  # in which the end of the sentence before is looked for

MARK = re.compile(r"\\[{}\[|\]]|\[\[|\[[^\[\]]{1,60}\]|\*\*")
ADDRESS = re.compile(
    r"(?:https?://|www\.)[^\s，。！？、“”（）]+|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"
    r"|\b[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|cn|io|shop|store|co|de|fr|uk|jp|eu|app|dev|tv|live)\b(?:/[^\s，。！？]*)?",
    re.IGNORECASE,
)
QUOTED = re.compile(r"“([^”]+)”|\"([^\"]+)\"|«([^»]+)»|「([^」]+)」|『([^』]+)』|《([^》]+)》|„([^“”]+)[“”]")
SIGNS = "#*_`<>|~^="  # what a chat writes around words
HAN = re.compile(r"[\u3400-\u9fff\uf900-\ufaff]")
WORD = re.compile(r"[^\W_](?:[^\W_]|[-'’&.](?=[^\W_]))*")
BEGINS = re.compile(r"[.!?…:;。！？：；\n\0][\s\"'“”‘’«»„(\[*—–-]*\Z")
OWNER = re.compile(r"['’]s$")
PRONOUN = re.compile(r"I(?:['’](?:m|ve|d|ll))?$")
COMMON = OPENERS.union(*LITTLE.values())
SHORTENED = re.compile(r"['’](?:s|re|ll|ve|d|t|m)$")


@dataclass(frozen=True, slots=True)
class _Read:
    """A line taken apart. fixed: marks, templates, addresses and quotations, first to last. left: the rest of the text,
    of the same length. figures: where, and which."""

    fixed: list[tuple[int, str, str]]
    left: str
    figures: list[tuple[int, str]]


def difference(original: str, version: str, locked: Iterable[str] = ()) -> str:
    """What a version gets wrong of the facts; "" when nothing. locked: names that are facts in any spelling."""
    old, new = _read(original), _read(version)
    for kind in ("template", "address", "quotation"):
        if wrong := _counted(kind, _of(old, kind), _of(new, kind)):
            return wrong
    if _of(old, "mark") != _of(new, "mark"):
        return _counted("mark", _of(old, "mark"), _of(new, "mark")) or "the marks are in another order"
    if wrong := _counted("mark", _signs(old), _signs(new)):
        return wrong
    if (template.parse(version).faults and not template.parse(original).faults) or (
        markup.faults(version) and not markup.faults(original)
    ):
        return "its marks do not close"
    if wrong := _counted("figure", [form for _, form in old.figures], [form for _, form in new.figures]):
        return wrong
    both = f"{original}\n{version}".casefold()
    return _names_differ(old, new, [name for name in dict.fromkeys(locked) if name.strip() and name.casefold() in both])


def _names_differ(old: _Read, new: _Read, locked: list[str]) -> str:
    names = names_in(old.left) | names_in(new.left)
    before, after = _placed(old.left, names, locked), _placed(new.left, names, locked)
    if wrong := _counted("name", [name for _, name in before], [name for _, name in after]):
        return wrong
    for text, other, what in ((new.left, old.left, "new"), (old.left, new.left, "gone")):
        known = {word.casefold() for word in _words(other)}
        for word in _openers(text):
            if word not in names and word.casefold() not in known and not is_common(word):
                return f"the name {word[:TOLD_CHARS]!r} may be {what}"
    return _mixed_up(old, new, before, after)


def _mixed_up(old: _Read, new: _Read, before: list[tuple[int, str]], after: list[tuple[int, str]]) -> str:
    """Figures of a kind that change places say something else; so do names among them."""
    kinds = {unit_of(form) for _, form in old.figures}
    series = [[[one for _, one in of.figures if unit_of(one) == unit] for of in (old, new)] for unit in kinds]
    if any(before != after for before, after in series):
        return "the figures are in another order"
    if not any(len(set(before)) > 1 for before, _ in series):
        return ""
    if len({name for _, name in before}) > 1:
        orders = [[one for _, one in sorted([*names, *of.figures])] for names, of in ((before, old), (after, new))]
        if orders[0] != orders[1]:
            return "names and figures are in another order"
    return ""


# ── what a line holds ────────────────────────────────────────────────────────────────────────────


def _read(text: str) -> _Read:
    fixed: list[tuple[int, str, str]] = []
    for begin, end in _braces(text):
        fixed.append((begin, "template", text[begin:end]))
        text = _without(text, begin, end)
    for kind, pattern in (("mark", MARK), ("address", ADDRESS), ("quotation", QUOTED)):
        for match in pattern.finditer(text):
            found = next(filter(None, match.groups()), match[0]) if match.re is QUOTED else match[0]
            fixed.append((match.start(), kind, found.rstrip(".,;:!?") if kind == "address" else found))
        text = pattern.sub(lambda match: "\0" * len(match[0]), text)
    found_figures = [(begin, end, form) for begin, end, form in figures(text)]
    for begin, end, _ in found_figures:
        text = text[:begin] + "\1" * (end - begin) + text[end:]
    return _Read(sorted(fixed), text, [(begin, form) for begin, _, form in found_figures])


def _braces(text: str) -> Iterator[tuple[int, int]]:
    """Where `{…}` stand, the outermost."""
    depth = begin = 0
    for match in template.SPECIAL.finditer(text):
        if match[0] == "{":
            begin = match.start() if not depth else begin
            depth += 1
        elif match[0] == "}" and depth:
            depth -= 1
            if not depth:
                yield begin, match.end()


def names_in(text: str) -> set[str]:
    """Words that are names for certain: capitals within a sentence, or within a word; Latin ones among Hanzi."""
    chinese = len(HAN.findall(text)) * 2 > sum(char.isascii() and char.isalpha() for char in text)
    found: set[str] = set()
    text = HAN.sub(" ", text)
    for match in WORD.finditer(text):
        word = OWNER.sub("", match[0])
        if PRONOUN.match(word):
            continue
        inner = any(char.isupper() for char in word[1:]) or (
            any(map(str.isdigit, word)) and any(map(str.isalpha, word))
        )
        capital = word[:1].isupper() and not _begins(text, match.start())
        if inner or capital or (chinese and word[0].isascii()):
            found.add(word)
    return found


def _placed(text: str, names: Iterable[str], locked: Iterable[str]) -> list[tuple[int, str]]:
    """Where these names stand. What is locked is found in any spelling with capitals, the longest first."""
    found: list[tuple[int, str]] = []
    for name, flags in [
        *((one, re.IGNORECASE) for one in sorted(filter(str.strip, locked), key=len, reverse=True)),
        *((one, 0) for one in sorted(names, key=len, reverse=True)),
    ]:
        latin = name[0].isascii() or name[-1].isascii()
        pattern = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])" if latin else re.escape(name), flags)
        found += [(match.start(), name.casefold() if flags else name) for match in pattern.finditer(text)]
        text = pattern.sub(lambda match: "\0" * len(match[0]), text)
    return sorted(found)


def _openers(text: str) -> Iterator[str]:
    """Words with a capital that begin a sentence: names, or not."""
    for match in WORD.finditer(text):
        if match[0][0].isupper() and not PRONOUN.match(match[0]) and _begins(text, match.start()):
            yield OWNER.sub("", match[0])


def _begins(text: str, at: int) -> bool:
    """Whether a sentence begins there."""
    before = text[max(0, at - BEFORE_CHARS) : at]
    return BEGINS.search(before if at > BEFORE_CHARS else f"\n{before}") is not None


def is_common(word: str) -> bool:
    bare = SHORTENED.sub("", word).casefold()
    return bare in COMMON or bare.endswith(("ing", "ly", "ed")) or bare.rstrip("s") in COMMON


def _words(text: str) -> Iterator[str]:
    return (OWNER.sub("", match[0]) for match in WORD.finditer(text))


def _signs(read: _Read) -> list[str]:
    return [char for char in read.left if char in SIGNS]


def _of(read: _Read, kind: str) -> list[str]:
    return [text for _, one, text in read.fixed if one == kind]


def _without(text: str, begin: int, end: int) -> str:
    return text[:begin] + "\0" * (end - begin) + text[end:]


def _counted(kind: str, before: list[str], after: list[str]) -> str:
    """The first one that is gone or new, told; "" when both have the same, as often."""
    gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
    if gone:
        return f"the {kind} {next(iter(gone))[:TOLD_CHARS]!r} is gone"
    return f"the {kind} {next(iter(new))[:TOLD_CHARS]!r} is new" if new else ""
