"""What the presenter knows, while its files are edited: products, FAQ, rules.

In: their paths, the time. Out: `knowledge` and `rules` as the files say; a changed file is read, and its index built,
in a thread, and taken up at once; a broken one is told of once, and what it said before goes on. Nothing ever waits for
a file.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import structlog

from broadcaster.chat.faq import Faq, FaqFiles
from broadcaster.chat.kept import Kept
from broadcaster.chat.knowledge import Knowledge
from broadcaster.chat.knowledge_replies import Replies
from broadcaster.chat.rules import Rules
from broadcaster.script.products import Catalog, Products

LOOK_S = 1.0  # between looks at the files
STEADY_LOOKS = 2  # so many show the same: whoever writes it is done

log = structlog.get_logger()

Look: TypeAlias = tuple[tuple[int, ...] | None, ...]
"""What each file looks like from outside; None where it is not there."""


class Shelf:
    """products, rules: None where there are none. currency: of prices in a products file that names none."""

    def __init__(
        self,
        products: Path | None,
        faq: Sequence[Path],
        rules: Path | None,
        *,
        currency: str = "",
        choose: Callable[[int], int] = random.randrange,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._paths = tuple(path for path in (products, *faq, rules) if path)
        self._products = Products(products) if products else None
        self._faq = FaqFiles(faq)
        self._rules = Kept(rules, Rules.load, Rules()) if rules else None
        self._replies = Replies(choose, currency)
        self._choose = choose
        self._now = now
        self._known: Look | None = None  # what the files looked like when they were read
        self._looks: list[Look] = []
        self._knowledge: Knowledge | None = None
        self.rules = Rules()

    @property
    def knowledge(self) -> Knowledge:
        """What the files say; before they are opened, nothing. An index takes a second to build, even an empty one."""
        if self._knowledge is None:
            self._knowledge = self._made({}, Faq())
        return self._knowledge

    def open(self) -> None:
        """Read the files and build the index; takes a second at most. What cannot be read is told of, and missing."""
        self._known = self._look()
        self._knowledge, self.rules = self._read()

    async def run(self) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            await self.look()

    async def look(self) -> None:
        """Take up what has changed, once it is no longer being written."""
        look = await asyncio.to_thread(self._look)
        self._looks = [*self._looks[1 - STEADY_LOOKS :], look]
        if look == self._known or self._looks != [look] * STEADY_LOOKS:
            return
        self._known = look
        knowledge, rules = await asyncio.to_thread(self._read)
        if knowledge is not self.knowledge or rules is not self.rules:
            self._knowledge, self.rules = knowledge, rules
            log.info("chat.read", products=len(knowledge.products), faq=len(knowledge.faq.entries), rules=len(rules))

    def _read(self) -> tuple[Knowledge, Rules]:
        catalog = self._products.current() if self._products else {}
        faq = self._faq.current()
        rules = self._rules.current() if self._rules else self.rules
        known = self._knowledge
        if known is not None and catalog == known.products and faq is known.faq:
            return known, rules
        return self._made(catalog, faq), rules

    def _made(self, catalog: Catalog, faq: Faq) -> Knowledge:
        return Knowledge(catalog, faq, replies=self._replies, choose=self._choose, now=self._now)

    def _look(self) -> Look:
        return tuple(map(_outside_of, self._paths))


def _outside_of(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return (stat.st_mtime_ns, stat.st_size, stat.st_ino)
