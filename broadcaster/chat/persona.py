"""Who the presenter is, as a text file says it, also while it is edited.

In: the path of a text or Markdown file. Out: its text, of a bounded length. What it said before goes on while the file
is broken, which is told once for each version.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broadcaster.chat.kept import Kept
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.source import read

PERSONA_MAX_CHARS = 6_000  # it is sent with every question
DEFAULT = "You are the friendly assistant of a small shop: warm, brief, honest, and never pushy."


def persona(path: Path | None) -> Callable[[], str]:
    """What it says now. path: None = our own."""
    if path is None:
        return lambda: DEFAULT
    return Kept(path, load, DEFAULT).current


def load(path: Path) -> str:
    """ScriptError where it cannot be used."""
    text = read(path)
    if isinstance(text, Mistake):
        raise_for(path, [text])
        return ""
    if not text.strip():
        raise_for(path, [Mistake(1, 1, "it is empty; write who the presenter is, and how they talk")])
    if len(text) > PERSONA_MAX_CHARS:
        long = f"{len(text):,} characters; at most {PERSONA_MAX_CHARS:,} are sent with a question"
        raise_for(path, [Mistake(1, 1, long)])
    return text.strip()
