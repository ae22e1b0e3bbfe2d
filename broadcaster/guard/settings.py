"""What the guard is told by the configuration, as it goes down the lifeline: plain values."""

from __future__ import annotations

import msgspec

GUARD = "broadcaster.guard.guard"  # its module: reading its patterns takes two seconds, so only they do it who have one

#: what it looks for, in this order; each can be left out
RULES = ("words", "claims", "facts", "personal", "diversion", "injection", "abuse", "illegal")


class GuardSpec(msgspec.Struct, frozen=True):
    """lists: files of a room's own, beside configs/guard/common.txt and the platform's. platform: "" = none. products:
    a file, "" = nothing is checked against one. allow: what passes all rules. without: rules that are left out. safe:
    language → sentences said in the place of a reply that is stopped; none = the project's own.
    """

    lists: list[str] = []
    platform: str = ""
    products: str = ""
    allow: list[str] = []
    without: list[str] = []
    safe: dict[str, list[str]] = {}
