"""What the guard would stop of a script, before it is on air.

In: a script, its products, a guard. Out: a warning for each line of which some wording would be stopped, with its
place. Each alternative of a line is looked at once at least; what needs a variable that has no value yet is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from broadcaster.guard.guard import Guard
from broadcaster.guard.verdict import Verdict
from broadcaster.script.model import Line, Mistake, Script, Section
from broadcaster.script.products import Catalog
from broadcaster.script.values import Values, worded

WORDINGS_MAX = 12  # of one line
MOMENT = datetime(2026, 1, 1, 12, 0)  # a line may tell the time


def warnings(script: Script, catalog: Catalog, guard: Guard) -> Iterator[Mistake]:
    """In the order of the file, one a line."""
    values = Values(now=MOMENT, own=script.variables, products=catalog, language=script.voice or "en")
    for section, line in script.lines():
        verdicts = (_judged(text, section, guard) for text in _wordings(line, section, values))
        if stopped := next((verdict for verdict in verdicts if not verdict.passed), None):
            yield Mistake(line.line, line.column, f"the guard would stop it: {told(stopped)}", warning=True)


def told(verdict: Verdict) -> str:
    """A verdict for a person."""
    return (
        f"{verdict.rule}: {verdict.found!r}: {verdict.reason}" if verdict.found else f"{verdict.rule}: {verdict.reason}"
    )


def _judged(text: str, section: Section, guard: Guard) -> Verdict:
    return guard.judge(text, lane="script", product=section.product)


def _wordings(line: Line, section: Section, values: Values) -> Iterator[str]:
    seen: set[str] = set()
    for turn in range(WORDINGS_MAX):
        filled = worded(line, section, values, lambda count, turn=turn: turn % count)  # type: ignore[misc]
        if filled.text in seen:
            continue
        seen.add(filled.text)
        if not filled.missing:
            yield filled.text
