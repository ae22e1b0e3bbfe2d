"""Viewers that are not answered, and words whose comments are not: two files that are edited while they are in use.

In: text files, one entry a line, `#` begins a comment. Out: a value that is asked of each comment. `Lists` reads a file
again when it has changed, and goes on with what it knew while it cannot be read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from broadcaster.chat.model import Comment
from broadcaster.chat.normalise import key_of, visible
from pipeline.errors import ConfigError

FILE_MAX_BYTES = 4 << 20
ENTRIES_MAX = 50_000
SPELT_MAX_CHARS = 40
REPEATED = re.compile(r"([^\W\d_])\1+")

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Blocked:
    """users: names, ids or `platform:id`, in small letters. words: of Latin letters, found as whole words, and when
    they are spelt in single letters. parts: all others, found anywhere, by their first character.
    """

    users: frozenset[str] = frozenset()
    words: frozenset[str] = frozenset()
    parts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def has_user(self, comment: Comment) -> bool:
        if not self.users:
            return False
        user, identity = comment.user.casefold(), comment.user_id.casefold()
        platform = comment.platform.casefold()
        return not self.users.isdisjoint((user, identity, f"{platform}:{identity}", f"{platform}:{user}"))

    def has_word_in(self, key: str) -> bool:
        """key: as broadcaster.chat.normalise makes it."""
        if self.words:
            written = key.split()
            stretched = REPEATED.sub(r"\1", key).split()
            if not self.words.isdisjoint((*written, *stretched)) or self._is_spelt(written):
                return True
        if self.parts:
            squeezed = key.replace(" ", "")
            for at, char in enumerate(squeezed):
                if char in self.parts and any(squeezed.startswith(part, at) for part in self.parts[char]):
                    return True
        return False

    def _is_spelt(self, written: list[str]) -> bool:
        """Single letters in a row are read as one word."""
        row = "".join(word if len(word) == 1 else " " for word in written)[:SPELT_MAX_CHARS]
        spelt = (row[start:end] for start in range(len(row) - 2) for end in range(start + 3, len(row) + 1))
        return len(row) - row.count(" ") > 2 and not self.words.isdisjoint(spelt)


def blocked(users: Iterable[str] = (), words: Iterable[str] = ()) -> Blocked:
    """From entries as a person wrote them."""
    plain: set[str] = set()
    parts: dict[str, list[str]] = {}
    for word in words:
        key = key_of(visible(word))
        squeezed = key.replace(" ", "")
        if key.isascii() and " " not in key:
            plain.add(key)
        elif squeezed and squeezed not in parts.setdefault(squeezed[0], []):
            parts[squeezed[0]].append(squeezed)
    users = frozenset(name for user in users if (name := " ".join(user.split()).casefold()))
    return Blocked(users, frozenset(plain - {""}), {first: tuple(found) for first, found in parts.items()})


def read(path: Path) -> list[str]:
    """The entries of one file; ConfigError says what is wrong with it."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise ConfigError(f"{path}: more than {FILE_MAX_BYTES >> 20} MB")
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from error
    entries = [entry for line in text.splitlines() if (entry := line.partition("#")[0].strip())]
    if len(entries) > ENTRIES_MAX:
        raise ConfigError(f"{path}: {len(entries):,} entries; at most {ENTRIES_MAX:,}")
    return entries


class Lists:
    """Both files, as they are now. changed: takes the value whenever there is another one."""

    def __init__(self, users: Path | None, words: Path | None, changed: Callable[[Blocked], None]) -> None:
        self._paths = (users, words)
        self._changed = changed
        self._entries: list[list[str]] = [[], []]
        self._looks: list[tuple[int, ...] | None] = [(), ()]  # () = not looked yet, None = it is not there

    def refresh(self) -> None:
        """Look whether they have changed; what cannot be read is told once, and stays as it was."""
        fresh = False
        for index, path in enumerate(self._paths):
            if path is not None and (looks := _looks(path)) != self._looks[index]:
                self._looks[index] = looks
                try:
                    self._entries[index], fresh = read(path), True
                except ConfigError as error:
                    log.error("blocklist.unusable", reason=str(error), known=len(self._entries[index]))
        if fresh:
            self._changed(blocked(*self._entries))


def _looks(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
