"""Claims that advertising law and platforms forbid, in Chinese and English, and what only looks like them.

In: a view of a text. Out: what claims to be the best, to heal, to be sure, and where. 最后, 最近, 第一次, "best before"
and "number one thing" are none; nor is what says that something does not heal. What is forbidden: rules/claims.rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.guard.patterns import load
from broadcaster.guard.view import Finding, View

BOOK = load("claims")


def find(view: View) -> Iterator[Finding]:
    """In the reading that `view.undone` is."""
    return BOOK.find(view.undone)
