"""The guard against texts that somebody wrote who had not seen it: evasions it must stop, harmless lines it must pass.

The sets lie in benchmarks/sets, in halves; of each half by itself it is told how much was right, and of evasions also
by family and by way of writing. Of the second set, whose even lines were used to find mistakes, only the odd ones
count. The guard has the room's own list, its products, and what is shipped.
"""

from __future__ import annotations

import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, percentile
from broadcaster.guard.guard import Guard
from broadcaster.guard.settings import GuardSpec

SETS = Path(__file__).parent / "sets"
HALVES = {"open": "open half", "sealed": "sealed half", "2": "second set, lines not looked at"}
SEEN_EVERY = 2  # of the second set: each line with such a number was looked at
SPEC = GuardSpec(lists=[str(SETS / "guard-words.txt")], products=str(SETS / "guard-products.csv"))
RIGHT = 0.99
LINE_MS = 2.0
ROUNDS = 3  # of the timing; of each line the fastest one counts, since others use the processor too


def guard(language: str = "zh") -> Guard:
    """As it is measured."""
    return Guard(SPEC, language)


def run() -> list[Figure]:
    held = guard()
    figures: list[Figure] = []
    texts: list[str] = []
    for half, called in HALVES.items():
        lines = read(f"evasions-{half}")
        texts += [line["text"] for line in lines]
        stopped = [not held.judge(line["text"], lane="command").passed for line in lines]
        figures.append(_share(f"evasions stopped, {called}", stopped))
        for field in ("family", "how"):
            figures += _by(field, lines, stopped)
        lines = read(f"harmless-{half}")
        texts += [line["text"] for line in lines]
        passed = [held.judge(line["text"], lane="command").passed for line in lines]
        figures.append(_share(f"harmless lines passed, {called}", passed))
        figures += _by("language", lines, passed)
    return [*figures, *_timing(held, texts)]


def read(name: str) -> list[dict[str, Any]]:
    """A half of a set, as evasions-open; a sealed one is packed, so that no search comes upon it. Of a second set,
    those lines that were not looked at.
    """
    plain, packed = SETS / f"{name}.jsonl", SETS / f"{name}.jsonl.gz"
    text = gzip.decompress(packed.read_bytes()).decode() if packed.exists() else plain.read_text(encoding="utf-8")
    lines = [json.loads(line) for line in text.splitlines() if line.strip()]
    return [line for number, line in enumerate(lines, 1) if number % SEEN_EVERY] if name.endswith("-2") else lines


def wrong(name: str) -> Iterator[tuple[dict[str, Any], str]]:
    """Lines of an open half that it gets wrong, and what it found in them: for finding what is wrong in general."""
    held = guard()
    stop = name.startswith("evasions")
    for line in read(name):
        verdict = held.judge(line["text"], lane="command")
        if verdict.passed == stop:
            yield line, f"{verdict.rule} {verdict.found!r} {verdict.reason}".strip()


def _share(name: str, right: Sequence[bool]) -> Figure:
    share = sum(right) / len(right)
    return Figure(name, f"{share:.1%} ({sum(right)} of {len(right)})", f"≥ {RIGHT:.0%}", share >= RIGHT)


def _by(field: str, lines: Sequence[dict[str, Any]], right: Sequence[bool]) -> list[Figure]:
    groups: dict[str, list[bool]] = defaultdict(list)
    for line, one in zip(lines, right, strict=True):
        groups[str(line.get(field, ""))].append(one)
    return [
        Figure(f"  {field} {name}", f"{sum(found) / len(found):.1%} ({sum(found)} of {len(found)})")
        for name, found in sorted(groups.items())
    ]


def _timing(held: Guard, texts: Sequence[str]) -> list[Figure]:
    best = [float("inf")] * len(texts)
    for _ in range(ROUNDS):
        for index, text in enumerate(texts):
            began_s = time.perf_counter()
            held.judge(text, lane="command")
            best[index] = min(best[index], (time.perf_counter() - began_s) * 1000)
    p95 = percentile(best, 0.95)
    longest = f"{percentile(best, 0.5):.2f} ms (p95 {p95:.2f}, longest {max(best):.2f})"
    return [Figure(f"a line judged, p50 of {len(texts):,}", longest, f"< {LINE_MS:g} ms (p95)", p95 < LINE_MS)]
