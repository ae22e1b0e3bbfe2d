"""Fraud, gambling, and goods that may not be sold, in other words than a list has.

In: a view of a text. Out: where it offers such a thing. What is forbidden: rules/illegal.rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.guard.patterns import joined, load
from broadcaster.guard.view import Finding, View

BOOK = joined([load("illegal"), load("fraud")])


def find(view: View) -> Iterator[Finding]:
    """In the reading that `view.undone` is."""
    return BOOK.find(view.undone)
