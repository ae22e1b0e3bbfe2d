"""Lines of IRC with the tags of IRCv3: cut out of what a network delivers, and taken apart. Pure.

In: bytes in pieces of any size. Out: lines of text, and their parts; what is no line of IRC is None. A line that is too
long is dropped whole, however it ends. (RFC 1459; ircv3.net/specs/extensions/message-tags.)
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

LINE_MAX_BYTES = 16 << 10  # twice what the two documents allow: 8,191 bytes of tags and 512 of message
PARAMS_MAX = 15
ESCAPES = {":": ";", "s": " ", "r": "\r", "n": "\n", "\\": "\\"}


@dataclass(frozen=True, slots=True)
class Line:
    """prefix: who it comes from. params: the last one may have spaces in it."""

    command: str
    params: tuple[str, ...] = ()
    prefix: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def nick(self) -> str:
        return self.prefix.partition("!")[0]

    @property
    def target(self) -> str:
        """The channel or name it is for."""
        return self.params[0] if self.params else ""

    @property
    def text(self) -> str:
        return self.params[-1] if self.params else ""


class LineCutter:
    """What came of a line is kept until its end comes."""

    def __init__(self) -> None:
        self._rest = bytearray()
        self._dropping = False  # the rest of a line that was too long
        self.dropped = 0

    def feed(self, data: bytes) -> Iterator[str]:
        """The lines that this completes, without their ends; empty ones are left out."""
        *ends, rest = data.split(b"\n")
        for end in ends:
            line = bytes(self._rest + end)
            self._rest.clear()
            if self._dropping or len(line) > LINE_MAX_BYTES:
                self.dropped += 1
                self._dropping = False
            elif text := line.decode("utf-8", "replace").rstrip("\r"):
                yield text
        if self._dropping:
            return
        self._rest += rest
        if len(self._rest) > LINE_MAX_BYTES:
            self._rest.clear()
            self._dropping = True


def parsed(text: str) -> Line | None:
    """The parts of a line, or None when it is none."""
    tags, prefix = "", ""
    if text.startswith("@"):
        tags, _, text = text[1:].partition(" ")
    text = text.lstrip(" ")
    if text.startswith(":"):
        prefix, _, text = text[1:].partition(" ")
    head, has_trailing, trailing = text.lstrip(" ").partition(" :")
    command, *params = head.split(" ")
    params = [param for param in params if param][:PARAMS_MAX]
    if not (command.isalpha() or (command.isdigit() and len(command) == 3)) or not command.isascii():
        return None
    return Line(command.upper(), (*params, trailing) if has_trailing else tuple(params), prefix, _tags(tags))


def _tags(text: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for tag in filter(None, text.split(";")):
        name, _, value = tag.partition("=")
        found[name] = _unescaped(value) if "\\" in value else value
    return found


def _unescaped(value: str) -> str:
    pieces: list[str] = []
    chars = iter(value)
    for char in chars:
        if char == "\\":
            after = next(chars, "")
            char = ESCAPES.get(after, after)
        pieces.append(char)
    return "".join(pieces)
