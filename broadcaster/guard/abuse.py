"""Insults in other words than a list has: somebody's mind, looks, parents, and where they may go.

In: a view of a text. Out: where it insults. What is forbidden: rules/abuse.rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.guard.patterns import joined, load
from broadcaster.guard.view import Finding, View

BOOK = joined([load("abuse"), load("contempt")])


def find(view: View) -> Iterator[Finding]:
    """In the reading that `view.undone` is."""
    return BOOK.find(view.undone)
