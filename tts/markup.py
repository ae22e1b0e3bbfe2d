"""Marked text: directions for the voice and the avatar between the words. Pure; alone in knowing the grammar.

In: a text as it was written. Out: what is shown, how each stretch of it is spoken, the cues, and what is wrong. It
never refuses a text: what is no mark is said as it stands, and only `faults` complains of it.

    [pause 0.8]  silence, seconds        [slow]…[/slow]  [fast]…[/fast]  [speed 1.2]…[/speed]  × the room's
    **word**     emphasis                [high]…[/high]  [low]…[/low]    [pitch +2]…[/pitch]   semitones
    [smile] …    a cue, see CUES         [lang fr]bonjour[/lang]         another language
    [person anna]  who is in the picture from here on, of the room's persons
    [[           a bracket that is said

Marks nest: speeds multiply, pitches add, the innermost language counts. One that is not closed lasts to the end.
"""

from __future__ import annotations

import difflib
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import NamedTuple

from pipeline.personfiles import NAME as PERSON

CUES = ("smile", "surprised", "nod", "point left", "point right", "look at card")
SPEEDS = {"slow": 0.8, "fast": 1.25}
PITCHES = {"high": 3.0, "low": -3.0}
PAUSE_S = (0.0, 30.0)  #: longer ones are a script's pauses, between its lines
SPEED = (0.5, 2.0)  #: of a stretch, all its marks together
PITCH = (-12.0, 12.0)  #: semitones, all marks together
DEEPEST = 8  #: marks around one another; one that is opened beyond is no mark

ARGUMENTS = {"pause": "0.8", "speed": "1.2", "pitch": "+2", "lang": "fr", "person": "anna"}  #: and an example of each
NAMES = (*SPEEDS, *PITCHES, *ARGUMENTS, *CUES)
PAIRED = frozenset({*SPEEDS, *PITCHES, "speed", "pitch", "lang", "**"})
BOUNDS = {"pause": PAUSE_S, "speed": SPEED, "pitch": PITCH}
TOKENS = re.compile(r"(?P<literal>\[\[)|(?P<star>\*\*)|\[(?P<closing>/?)(?P<inner>[^\[\]]{1,60})\]|(?P<lone>\[)")
NUMBER = re.compile(r"[+-]?\d{1,3}(\.\d{1,3})?")
LANGUAGE = re.compile(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*")
CLOSERS = frozenset(".,!?;:…)]}»”’。，、！？；：」』）】》")  #: no space is left before them where a mark was


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch said in one manner. speed: × the voice's. pitch: semitones. lang: "" = the text's own.

    pause_s: silence after it. The first span may have no text, and a pause.
    """

    text: str
    speed: float = 1.0
    pitch: float = 0.0
    emphasis: bool = False
    lang: str = ""
    pause_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Cue:
    """at: index into the shown text of the character it stands before. name: one of CUES, or "person NAME"."""

    name: str
    at: int


@dataclass(frozen=True, slots=True)
class Marked:
    """plain: what is shown and counted; the spans' texts are it, in order."""

    plain: str
    spans: tuple[Span, ...]
    cues: tuple[Cue, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether it is said in one manner, and nothing but said."""
        return not self.cues and all(span == Span(span.text) for span in self.spans)


@dataclass(frozen=True, slots=True)
class Fault:
    """column: from 1, in the text. text: what is wrong; what would be right."""

    column: int
    text: str


class _Token(NamedTuple):
    """kind: text | literal | unknown | open | close | pause | cue. source: as it was written, at a column from 1.

    asked: what was written; value: what is done.
    """

    kind: str
    source: str
    column: int
    name: str = ""
    value: float = 0.0
    asked: float = 0.0
    lang: str = ""

    @property
    def closing(self) -> str:
        return self.name if self.name == "**" else f"[/{self.name}]"


@dataclass(slots=True)
class _Text:
    """A text that was read. placed: what is not said, each before a place of the shown text. literals: brackets."""

    shown: str = ""
    placed: list[tuple[int, _Token]] = field(default_factory=list)
    literals: set[int] = field(default_factory=set)


@lru_cache(maxsize=2048)  # of each sentence it is asked again and again
def parse(text: str) -> Marked:
    """The shown text, and how each stretch of it is said."""
    if "[" not in text and "**" not in text:
        return Marked(text, (Span(text),))
    read = _read(text)
    spans: list[Span] = []
    opened: list[_Token] = []
    begin = 0
    for at, token in read.placed:
        if at > begin:
            spans.append(_span(read.shown[begin:at], opened))
            begin = at
        if token.kind == "open":
            opened.append(token)
        elif token.kind == "close":
            _close(token, opened)
        elif token.kind == "pause":
            last = spans.pop() if spans else Span("")
            spans.append(replace(last, pause_s=min(last.pause_s + token.value, PAUSE_S[1])))
    if begin < len(read.shown) or not spans:
        spans.append(_span(read.shown[begin:], opened))
    cues = tuple(Cue(token.name, at) for at, token in read.placed if token.kind == "cue")
    return Marked(read.shown, tuple(_merged(spans)), cues)


def plain(text: str) -> str:
    """What is shown. Of a marked text, once: a bracket that is said could be a mark the second time."""
    return parse(text).plain


def persons(text: str) -> list[tuple[int, str]]:
    """Who is called into the picture, and at which column of the text, from 1."""
    return [(token.column, name) for token in _marks(text) if (name := person_of(token.name)) and token.kind == "cue"]


def person_of(cue: str) -> str:
    """The person that a cue of this name calls; "" for any other cue."""
    kind, _, name = cue.partition(" ")
    return name if kind == "person" else ""


def faults(text: str) -> list[Fault]:
    """What a writer would want to know, in order of columns; nothing of it keeps a text from being said."""
    found: list[Fault] = []
    opened: list[_Token] = []
    for token in _marks(text):
        if token.kind == "unknown":
            found.append(Fault(token.column, _why_unknown(token.source)))
        elif token.asked != token.value:
            low, high = BOUNDS[token.name]
            found.append(Fault(token.column, f"{token.source} is out of range; write {low:g} to {high:g}"))
        if token.kind == "open":
            opened.append(token)
            if len(opened) == DEEPEST + 1:
                found.append(Fault(token.column, f"marks lie more than {DEEPEST} deep; close one first"))
        elif token.kind == "close":
            if not any(one.name == token.name for one in opened):
                found.append(Fault(token.column, f"{token.source} closes nothing; take it out"))
                continue
            if (inner := opened[-1]).name != token.name:
                found.append(Fault(token.column, f"{inner.source} is still open here; write {inner.closing} before"))
            _close(token, opened)
    found += [Fault(one.column, f"{one.source} is not closed; write {one.closing} after it") for one in opened]
    return sorted(found, key=lambda fault: fault.column)


def cut(text: str, parts: Callable[[str], Sequence[str]]) -> list[str]:
    """The marked text in parts, each a marked text of its own.

    parts: cuts the shown text; its parts are the text again, white space apart. A mark that spans a cut is closed
    before it and opened again behind it; a pause goes with what is before it, a cue with what follows.
    """
    read = _read(text)
    if not read.placed and not read.literals:
        return list(parts(text))
    writer = _Writer(read)
    shown = parts(read.shown)
    return [writer.part(part, last=index == len(shown)) for index, part in enumerate(shown, 1)]


# ── reading ──────────────────────────────────────────────────────────────────────────────────────


def _read(text: str) -> _Text:
    """A mark leaves one space where it stood between two, and none at the ends or before a closing sign."""
    read, opened = _Text(), list[_Token]()
    mended = True  # no mark since the last text
    for token in _tokens(text):
        if token.kind in ("text", "literal", "unknown") or (token.kind == "open" and len(opened) >= DEEPEST):
            said = "[" if token.kind == "literal" else token.source
            if not mended and (not read.shown or read.shown[-1].isspace()):
                said = said.lstrip()
                if said and said[0] in CLOSERS:
                    _shorten(read)
            if token.kind == "literal":
                read.literals.add(len(read.shown))
            read.shown += said
            mended = mended or bool(said)
            continue
        mended = False
        if token.kind == "close" and not _close(token, opened):
            continue
        if token.kind == "open":
            opened.append(token)
        read.placed.append((len(read.shown), token))
    if not mended:
        _shorten(read)
    return read


def _shorten(read: _Text) -> None:
    """Take the white space off the end."""
    read.shown = read.shown.rstrip()
    moved = []
    while read.placed and read.placed[-1][0] > len(read.shown):
        moved.append((len(read.shown), read.placed.pop()[1]))
    read.placed += reversed(moved)


def _tokens(text: str) -> Iterator[_Token]:
    """All of the text, in order; a stretch without brackets and stars is one token."""
    done = 0
    for token in _marks(text):
        if (at := token.column - 1) > done:
            yield _Token("text", text[done:at], done + 1)
        yield token
        done = at + len(token.source)
    if done < len(text):
        yield _Token("text", text[done:], done + 1)


def _marks(text: str) -> Iterator[_Token]:
    """Its brackets and stars, in order."""
    matches = list(TOKENS.finditer(text))
    stars = _stars(text, [match.start() for match in matches if match["star"]])
    for match in matches:
        if match["star"]:
            yield _Token(stars[match.start()], "**", match.start() + 1, "**")
        else:
            yield _bracket(match)


def _stars(text: str, places: Sequence[int]) -> dict[int, str]:
    """`**` opens before a letter where another one closes behind a letter; else it is unknown."""
    kinds = dict.fromkeys(places, "unknown")
    opened: int | None = None
    for at in places:
        if opened is not None and at > opened + 2 and not text[at - 1].isspace():
            kinds[opened], kinds[at] = "open", "close"
            opened = None
        elif opened is None and not text[at + 2 : at + 3].isspace() and at + 2 < len(text):
            opened = at
    return kinds


def _bracket(match: re.Match[str]) -> _Token:
    source, column = match[0], match.start() + 1
    if match["literal"] or match["lone"]:
        return _Token("literal" if match["literal"] else "unknown", source, column)
    words = " ".join(match["inner"].lower().split())
    name, _, argument = words.partition(" ")
    if match["closing"]:
        return _Token("close" if words in PAIRED else "unknown", source, column, words)
    if words in CUES:
        return _Token("cue", source, column, words)
    if name == "person" and PERSON.fullmatch(argument):
        return _Token("cue", source, column, words)
    if fixed := SPEEDS.get(words) or PITCHES.get(words):
        return _Token("open", source, column, words, fixed, fixed)
    if name == "lang" and LANGUAGE.fullmatch(argument):
        return _Token("open", source, column, name, lang=argument.replace("_", "-"))
    if name in BOUNDS and NUMBER.fullmatch(argument):
        low, high = BOUNDS[name]
        asked = float(argument)
        return _Token("pause" if name == "pause" else "open", source, column, name, min(max(asked, low), high), asked)
    return _Token("unknown", source, column)


def _close(token: _Token, opened: list[_Token]) -> bool:
    """Take what a mark closes out of those that are open; false when it closes nothing."""
    for at in reversed(range(len(opened))):
        if opened[at].name == token.name:
            del opened[at]
            return True
    return False


def _span(text: str, opened: Sequence[_Token]) -> Span:
    speed, pitch, lang, emphasis = 1.0, 0.0, "", False
    for token in opened:
        speed *= token.value if token.name in SPEEDS or token.name == "speed" else 1.0
        pitch += token.value if token.name in PITCHES or token.name == "pitch" else 0.0
        lang = token.lang or lang
        emphasis = emphasis or token.name == "**"
    speed, pitch = min(max(speed, SPEED[0]), SPEED[1]), min(max(pitch, PITCH[0]), PITCH[1])
    return Span(text, round(speed, 3), round(pitch, 3), emphasis, lang)


def _merged(spans: Sequence[Span]) -> list[Span]:
    """Neighbours that are said in one manner, without a pause between them, are one."""
    merged: list[Span] = []
    for span in spans:
        if merged and replace(span, text=merged[-1].text, pause_s=0.0) == merged[-1]:
            span = replace(span, text=merged.pop().text + span.text)
        merged.append(span)
    return merged


def _why_unknown(source: str) -> str:
    if source == "**":
        return "** has no other one; write **word**, or take it out"
    if source == "[":
        return "a bracket that does not end; write [[ for one that is said"
    words = " ".join(source.strip("[]/").lower().split())
    name = words.partition(" ")[0]
    if source[1] != "/" and name in ARGUMENTS:
        return f"{source} cannot be read; write [{name} {ARGUMENTS[name]}]"
    near = difflib.get_close_matches(words, NAMES, n=1, cutoff=0.6)
    hint = f"did you mean [{near[0]}]?" if near else f"choose from {', '.join(NAMES)},"
    return f"{source} is no mark; {hint} or write [[ for a bracket that is said"


# ── writing ──────────────────────────────────────────────────────────────────────────────────────


class _Writer:
    """Puts the marks back into parts of the shown text, part by part."""

    def __init__(self, read: _Text) -> None:
        self._read = read
        self._left = deque(read.placed)
        self._opened: list[_Token] = []
        self._at = self._following(0)

    def part(self, part: str, *, last: bool) -> str:
        out = [token.source for token in self._opened]
        for char in part:
            if char.isspace():
                out.append(char)
                continue
            out += self._marks(("open", "close", "pause", "cue"))
            out.append("[[" if self._at in self._read.literals else char)
            self._at = self._following(self._at + 1)
            out += self._marks(("close", "pause"))
        if last:
            out += [token.source for _, token in self._left if token.kind in ("pause", "cue")]
        return "".join(out) + "".join(token.closing for token in reversed(self._opened))

    def _marks(self, kinds: Sequence[str]) -> Iterator[str]:
        """Those that are due before the next character, as far as they are of these kinds."""
        while self._left and self._left[0][0] <= self._at and self._left[0][1].kind in kinds:
            _, token = self._left.popleft()
            if token.kind == "open":
                self._opened.append(token)
            elif token.kind == "close":
                _close(token, self._opened)
            yield token.source

    def _following(self, at: int) -> int:
        """The next character that is no white space."""
        shown = self._read.shown
        while at < len(shown) and shown[at].isspace():
            at += 1
        return at
