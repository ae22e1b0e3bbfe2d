"""Whether another version of a line may be said in its place. Pure.

In: the line as it was written, the version, what was said for it lately. Out: "" or the reason why not. The original is
never wrong, so whatever is doubtful is refused.
"""

from __future__ import annotations

from collections.abc import Sequence

from broadcaster.rewrite.facts import difference
from broadcaster.rewrite.figures import figures
from broadcaster.rewrite.similarity import content, likeness, same_language, shared
from tts.markup import plain

SHORTEST, LONGEST = 0.5, 1.8  # × the original's characters
TOO_LIKE = 0.8  # likeness to what was said lately
KEPT_LEAST = 0.3  # of what the original speaks of
OWN_LEAST = 0.2  # of what the version speaks of must be the original's

TOO_CLOSE = "too close to what was said before"


def verdict(original: str, version: str, lately: Sequence[str], locked: Sequence[str]) -> str:
    """Why not; "" when it may be said. TOO_CLOSE alone is worth another try."""
    if not version.strip():
        return "it is empty"
    if any(not char.isprintable() for char in version):
        return "it is more than one line"
    old, new = plain(original), plain(version)
    length = _length(new) / max(1, _length(old))
    if not SHORTEST <= length <= LONGEST:
        return f"it is {length:.1f} times as long"
    if not same_language(old, new):
        return "it is in another language"
    if wrong := difference(original, version, locked):
        return wrong
    told, anew = _without_figures(old), _without_figures(new)
    if not content(told):
        return "the line says too little to be put otherwise"
    if shared(told, anew) < KEPT_LEAST or shared(anew, told) < OWN_LEAST:
        return "it speaks of something else"
    if any(likeness(new, plain(one)) >= TOO_LIKE for one in lately):
        return TOO_CLOSE
    return ""


def _without_figures(text: str) -> str:
    """They are facts, and the same in a version about anything."""
    for begin, end, _ in figures(text):
        text = text[:begin] + " " * (end - begin) + text[end:]
    return text


def _length(text: str) -> int:
    return sum(1 for char in text if not char.isspace())
