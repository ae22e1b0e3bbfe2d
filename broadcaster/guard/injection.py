"""Texts that a presenter would say who obeyed a viewer: instructions, prompts, roles, code, and a person who is none.

In: a view of a text. Out: where it stops being the presenter's. That a machine speaks may be said, and has to be; that
it is a language model with instructions, that it is a human, or what it was told may not: rules/injection.rules.
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.guard.patterns import load
from broadcaster.guard.view import Finding, View

BOOK = load("injection")
CODE = load("code")  # closing up takes its signs away


def find(view: View) -> Iterator[Finding]:
    """In the reading that `view.undone` is."""
    yield from BOOK.find(view.undone)
    yield from code(view)


def code(view: View) -> Iterator[Finding]:
    """No speech but a text for machines: then none of it is one."""
    for one in CODE.find(view.folded):
        yield Finding(0, len(view.undone.text), one.rule, one.why)
        return
