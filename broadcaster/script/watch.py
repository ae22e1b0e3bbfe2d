"""The script that is on air, and its files while they are edited: a good version is taken up, a broken one is told of.

In: the path of a script, the time. Out: scripts to go on with, what variables stand for now, and once for each broken
version its mistakes. What was read last goes on until something better is there. Files are read in a thread; nothing
else of it is slow.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import structlog

from broadcaster.script import load, products
from broadcaster.script.check import check
from broadcaster.script.model import TOLD_MAX, Script
from broadcaster.script.products import Catalog
from broadcaster.script.surroundings import Surroundings
from broadcaster.script.values import Values
from pipeline.errors import ScriptError

CHANGED = "script.changed"
REFUSED = "script.refused"
LOOK_S = 1.0  # between looks at the files
STEADY_LOOKS = 2  # so many show the same: whoever writes it is done

log = structlog.get_logger()

Look: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""What each file looks like from outside; None where it is not there."""


@dataclass(frozen=True, slots=True)
class Version:
    """script: None where it is broken, or the same as before. mistakes: with their places."""

    script: Script | None
    catalog: Catalog
    mistakes: tuple[str, ...] = ()


class Watch:
    """take: a new version is to be read from. tell: name of an event and its facts."""

    def __init__(
        self,
        path: Path,
        surroundings: Surroundings,
        take: Callable[[Script], None],
        tell: Callable[[str, Mapping[str, str]], None],
    ) -> None:
        self._path = path
        self._surroundings = surroundings
        self._take = take
        self._tell = tell
        self._script: Script | None = None
        self._catalog: Catalog = {}
        self._named: Path | None = None  # the products file, as the newest version names it
        self._known: Look | None = None  # what the files looked like when they were read
        self._looks: list[Look] = []
        self._mistakes: tuple[str, ...] = ()
        self._turned = False  # another file is to be read from, whatever is in it

    def open(self) -> Script | None:
        """The script to begin with, None while it is broken. Products that are broken are told of and left out."""
        self._known = self._look()
        try:
            self._script = load.load(self._path)
        except ScriptError as error:
            self._mistakes = tuple(str(error).splitlines())
            log.error("script.unusable", reason=str(error))
            return None
        self._named = self._script.products
        self._known = self._look()
        try:
            self._catalog = products.load(self._named) if self._named else {}
        except ScriptError as error:
            log.error("script.unusable", reason=str(error))
        return self._script

    def values(self) -> Values:
        """What variables stand for at this moment."""
        return self._surroundings.values(self._script, self._catalog)

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            if version := await asyncio.to_thread(self.look):
                self.judge(version)

    async def turn_to(self, path: Path) -> None:
        """Read this file from now on, at once."""
        self._path, self._known, self._looks, self._turned = path, None, [], True
        for _ in range(STEADY_LOOKS):
            if version := await asyncio.to_thread(self.look):
                self.judge(version)

    def look(self) -> Version | None:
        """A version of the files that has not been judged; None while there is none, or it is still being written."""
        look = self._look()
        self._looks = [*self._looks[1 - STEADY_LOOKS :], look]
        if look == self._known or self._looks != [look] * STEADY_LOOKS:
            return None
        checked = check(self._path)
        script = checked.script
        before, self._named = self._named, script.products if script else self._named
        self._known = look if self._named == before else (*look[:1], *self._look()[1:])
        if script is None or not checked.good:
            wrong = [mistake.told(self._path) for mistake in checked.mistakes if not mistake.warning]
            return Version(None, self._catalog, tuple(wrong[:TOLD_MAX]))
        return Version(script, products.examined(script.products)[0] if script.products else {})

    def judge(self, version: Version) -> None:
        """Take it up, or tell what is wrong with it."""
        if version.script is None:
            if version.mistakes != self._mistakes:
                log.warning("script.refused", reasons=list(version.mistakes))
                self._tell(REFUSED, {"text": "\n".join(version.mistakes)})
            self._mistakes = version.mistakes
            return
        before, self._script = self._script, version.script
        anew = version.catalog != self._catalog
        self._catalog, self._mistakes = version.catalog, ()
        if self._turned or before is None or before.digest != version.script.digest:
            self._turned = False
            self._take(version.script)
        elif not anew:
            return
        sections = len(version.script.sections)
        log.info("script.changed", file=str(self._path), sections=sections, products=len(version.catalog))
        self._tell(CHANGED, {"text": str(self._path)})

    def _look(self) -> Look:
        return tuple(_outside_of(path) for path in (self._path, self._named) if path)


def _outside_of(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
