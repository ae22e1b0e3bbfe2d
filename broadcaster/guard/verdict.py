"""What the guard says of a text."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """reason: in words. rule: as "claims.medical". found: as it stands in the text. instead: a safe sentence, or ""."""

    passed: bool
    reason: str = ""
    rule: str = ""
    found: str = ""
    instead: str = ""


PASSED = Verdict(True)
