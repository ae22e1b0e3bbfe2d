"""docs/events.md names every event that the code emits, and no other."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAME = re.compile(r"[a-z]+(?:_[a-z]+)*\.[a-z_]+")
EMITTERS = {"debug", "info", "warning", "error", "exception", "note", "_note"}
TOLD = ("utterance.", "turn.", "chat.", "person.")  # constants that name events of the stream
DOCUMENTED = re.compile(r"`([a-z_]+\.[a-z_]+)`")


@cache
def emitted() -> set[str]:
    names: set[str] = set()
    for package in ("broadcaster", "pipeline", "tts", "streams"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and getattr(node.func, "attr", "") in EMITTERS:
                    names |= {
                        inner.value
                        for argument in node.args[:2]
                        for inner in ast.walk(argument)
                        if isinstance(inner, ast.Constant)
                        and isinstance(inner.value, str)
                        and NAME.fullmatch(inner.value)
                    }
                if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                    value = node.value.value
                    if isinstance(value, str) and value.startswith(TOLD) and NAME.fullmatch(value):
                        names.add(value)
    return names


def documented() -> set[str]:
    rows = [line for line in (ROOT / "docs" / "events.md").read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return {name for row in rows for name in DOCUMENTED.findall(row.split("|")[1])}


def test_every_event_is_documented() -> None:
    assert emitted() - documented() == set()


def test_no_event_is_documented_that_is_not_emitted() -> None:
    assert documented() - emitted() == set()
