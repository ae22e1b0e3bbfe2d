"""docs/runbook.md says what to do about every warning and error that the code logs, and about nothing else."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z]+(?:_[a-z]+)*\.[a-z_]+")
LOUD = ("warning", "error", "exception")


@cache
def loud() -> set[str]:
    """Events of calls like log.warning("noun.verb") and note("error", "noun.verb")."""
    names: set[str] = set()
    for package in ("broadcaster", "pipeline", "tts", "streams"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    names |= _events(node)
    return names


def _events(call: ast.Call) -> set[str]:
    function = getattr(call.func, "attr", getattr(call.func, "id", ""))
    texts = [
        inner.value
        for argument in call.args[:2]
        for inner in ast.walk(argument)
        if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
    ]
    if function in LOUD or (function.endswith("note") and set(texts) & set(LOUD)):
        return {text for text in texts if NAME.fullmatch(text)}
    return set()


def in_runbook() -> set[str]:
    text = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`([a-z_]+\.[a-z_]+)`", row)}


def test_every_warning_and_error_has_its_row_in_the_runbook() -> None:
    assert loud() - in_runbook() == set()


def test_the_runbook_tells_of_no_event_that_is_not_logged() -> None:
    assert in_runbook() - loud() == set()
