"""A file that a person edits while it is in use: what it says is used from the next look on.

In: a path and what reads it, which raises ScriptError for a file that cannot be used. Out: what the file says now; what
it said before while it is broken or gone, which is told once for each version. Looking costs one stat.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

from pipeline.errors import ScriptError

Held = TypeVar("Held")

log = structlog.get_logger()


class Kept(Generic[Held]):
    """nothing: what there is before the file could be read."""

    def __init__(self, path: Path, load: Callable[[Path], Held], nothing: Held) -> None:
        self.path = path
        self._load = load
        self._known = nothing
        self._seen: tuple[int, ...] | None = ()  # what the file looked like when it was read; None: it was not there

    def current(self) -> Held:
        """The same object while the file does not change."""
        try:
            stat = self.path.stat()
            looks = (stat.st_mtime_ns, stat.st_size, stat.st_ino)
        except OSError:
            looks = None
        if looks != self._seen:
            self._seen = looks
            try:
                self._known = self._load(self.path)
            except ScriptError as error:
                log.error("chat.unusable", file=str(self.path), reason=str(error))
        return self._known
