"""Questions of viewers against products and FAQ: which share finds the right entry, how many remarks are answered, how
long one takes. The sets are those of benchmarks/sets, whose sealed halves nobody read who wrote the tables, nor the odd
lines of the second set.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, percentile
from broadcaster.chat import faq as faq_files
from broadcaster.chat.faq import Faq
from broadcaster.chat.knowledge import Knowledge
from broadcaster.config_chat import KnowledgeSection
from broadcaster.script import products

SETS = Path(__file__).parent / "sets"
HALVES = {"open": "open half", "sealed": "sealed half", "2": "second set, lines not looked at"}  # file → what is shown
SECOND = "2"  # of which the odd lines are measured
RIGHT_LEAST, FALSE_MOST, P95_MS = 0.95, 0.05, 5.0
SURE = KnowledgeSection().sure


def run() -> list[Figure]:
    """Right: the entry is the surest one, and sure enough to be the answer; processor time of one core."""
    entries = [faq_files.load(SETS / f"faq-{language}.md").entries for language in ("en", "zh")]
    began_s = time.process_time()
    knowledge = Knowledge(products.load(SETS / "products.csv"), Faq(tuple(one for some in entries for one in some)))
    built_s = time.process_time() - began_s
    figures: list[Figure] = []
    took_ms: list[float] = []
    for half, shown in HALVES.items():
        asked, remarks = list(_rows("questions", half)), list(_rows("unanswerable", half))
        right, silent = _right(knowledge, asked, took_ms)
        wrong = sum(_entry(knowledge, row, took_ms)[1] >= SURE for row in remarks)
        share, false = right / len(asked), wrong / len(remarks)
        figures += [
            Figure(
                f"questions over {len(knowledge.products)} products, {shown}: right entry",
                f"{share:.1%} of {len(asked)}, {silent} not sure",
                f"≥ {RIGHT_LEAST:.0%}",
                share >= RIGHT_LEAST,
            ),
            Figure(
                f"  remarks that nothing answers, {shown}: answered",
                f"{wrong} of {len(remarks)}",
                f"≤ {FALSE_MOST:.0%}",
                false <= FALSE_MOST,
            ),
        ]
    p95_ms = percentile(took_ms, 0.95)
    figures += [
        Figure(
            "  a question takes, p95",
            f"{p95_ms:.1f} ms (p50 {percentile(took_ms, 0.5):.1f} ms)",
            f"< {P95_MS:.0f} ms",
            p95_ms < P95_MS,
        ),
        Figure("  the index of a changed products file, in a thread", f"{built_s:.2f} s"),
    ]
    return figures


def _right(knowledge: Knowledge, asked: Sequence[dict[str, Any]], took_ms: list[float]) -> tuple[int, int]:
    """How many found their entry, and how many found it without being sure."""
    right = silent = 0
    for row in asked:
        entry, sure = _entry(knowledge, row, took_ms)
        if entry == row["entry"].partition(".")[0]:
            right += sure >= SURE
            silent += sure < SURE
    return right, silent


def _entry(knowledge: Knowledge, row: dict[str, Any], took_ms: list[float]) -> tuple[str, float]:
    """The surest entry, whatever of it was asked for."""
    began_s = time.process_time()
    found = knowledge.ask(row["text"], row["language"], row.get("product", ""))
    took_ms.append((time.process_time() - began_s) * 1000)
    return (found[0].entry.partition(".")[0], found[0].sure) if found else ("", 0.0)


def _rows(name: str, half: str) -> Iterator[dict[str, Any]]:
    plain, packed = SETS / f"{name}-{half}.jsonl", SETS / f"{name}-{half}.jsonl.gz"
    text = gzip.decompress(packed.read_bytes()).decode() if packed.exists() else plain.read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip()]
    yield from (json.loads(line) for line in (lines[::2] if half == SECOND else lines))
