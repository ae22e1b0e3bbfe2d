"""What the presenter knows, while its files are edited: products, FAQ, rules.

In: their paths, the time. Out: `knowledge` and `rules` as the files say; a changed file is read, and its index built,
in a thread, and taken up at once; a broken one is told of once, and what it said before goes on. `changed` is called
for each change, so that answers which are kept can be forgotten. Nothing ever waits for a file.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import NamedTuple, TypeAlias

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


class Change(NamedTuple):
    """products: ids of those that say something else now, are new or gone. faq, rules: whether they do."""

    products: frozenset[str]
    faq: bool
    rules: bool


class Shelf:
    """products, rules: None where there are none. currency: of prices in a products file that names none."""

    def __init__(
        self,
        products: Path | None,
        faq: Sequence[Path],
        rules: Path | None,
        *,
        changed: Callable[[Change], None] = lambda change: None,
        currency: str = "",
        choose: Callable[[int], int] = random.randrange,
        now: Callable[[], datetime] = datetime.now,
    ) -> None:
        self._paths = tuple(path for path in (products, *faq, rules) if path)
        self._products = Products(products) if products else None
        self._faq = FaqFiles(faq)
        self._rules = Kept(rules, Rules.load, Rules()) if rules else None
        self._changed = changed
        self._replies = Replies(choose, currency)
        self._choose = choose
        self._now = now
        self._known: Look | None = None  # what the files looked like when they were read
        self._looks: list[Look] = []
        self.knowledge = self._made({}, Faq())
        self.rules = Rules()

    def open(self) -> None:
        """Read the files and build the index; takes a second at most. What cannot be read is told of, and missing."""
        self._known = self._look()
        self.knowledge, self.rules = self._read()

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
        before, self.knowledge = self.knowledge, knowledge
        ruled, self.rules = self.rules, rules
        change = Change(
            _differing(before.products, knowledge.products), before.faq is not knowledge.faq, ruled is not rules
        )
        if any(change):
            log.info("chat.read", products=len(knowledge.products), faq=len(knowledge.faq.entries), rules=len(rules))
            self._changed(change)

    def _read(self) -> tuple[Knowledge, Rules]:
        catalog = self._products.current() if self._products else {}
        faq = self._faq.current()
        rules = self._rules.current() if self._rules else self.rules
        if catalog == self.knowledge.products and faq is self.knowledge.faq:
            return self.knowledge, rules
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


def _differing(before: Catalog, now: Catalog) -> frozenset[str]:
    return frozenset(product for product in {*before, *now} if before.get(product) != now.get(product))
