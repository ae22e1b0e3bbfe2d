"""Words that lead viewers off the platform: to messengers, other shops, private payment, addresses on the net.

In: a view of a text. Out: where they stand. That a messenger or a way to pay exists may be said (微信支付); that
somebody is to be added, written to or paid there may not: rules/diversion.rules. What a single platform forbids
besides stands in its list (configs/guard).
"""

from __future__ import annotations

from collections.abc import Iterator

from broadcaster.guard.patterns import load
from broadcaster.guard.view import Finding, View

BOOK = load("diversion")


def find(view: View) -> Iterator[Finding]:
    """In the reading that `view.undone` is."""
    return BOOK.find(view.undone)
