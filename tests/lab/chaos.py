"""`python -m tests.lab chaos [NAME …]`: breaks a real room in every way of the table, and prints what was reached.

In: names of rows (all). Out: a line a figure, fault | bar | reached | met, a file of JSON and one of Markdown, and the
exit status: 0 when every bar was met. A row that fails, or spoils its room, costs the others nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field
from pathlib import Path

import pytest
import structlog

from benchmarks.figures import Figure, machine
from tests.lab import page
from tests.lab.stage import Stage

Measure = Callable[["Lab"], list[Figure]]

SLACK = 3.0  # of a bar in the short version: order, loss and content are what it is for
#: name → where its function is; in the order in which they are run
ROWS = {
    "words": "tests.lab.word_faults:words",
    "blackout": "tests.lab.faults:blackout",
    "reset": "tests.lab.faults:reset",
    "hung": "tests.lab.faults:hung",
    "silent": "tests.lab.faults:silent",
    "slow": "tests.lab.faults:slow",
    "hangs_up": "tests.lab.faults:hangs_up",
    "malformed": "tests.lab.faults:malformed",
    "stopped": "tests.lab.process_faults:stopped",
    "garbled": "tests.lab.loads:garbled",
    "black_hole": "tests.lab.faults:black_hole",
    "refused": "tests.lab.faults:refused",
    "backup": "tests.lab.planned_faults:backup",
    "session": "tests.lab.planned_faults:session",
    "borders": "tests.lab.planned_faults:borders",
    "engine": "tests.lab.engine_faults:engine",
    "rank": "tests.lab.engine_faults:rank",
    "card": "tests.lab.engine_faults:card",
    "ladder": "tests.lab.engine_faults:ladder",
    "director": "tests.lab.process_faults:director",
    "director_stopped": "tests.lab.process_faults:director_stopped",
    "playout": "tests.lab.process_faults:playout",
    "redis": "tests.lab.word_faults:redis_outages",
    "voices": "tests.lab.word_faults:voices",
    "answers": "tests.lab.answer_faults:answers",
    "hot_changes": "tests.lab.hot_changes:hot_changes",
    "upgrade": "tests.lab.hot_changes:upgrade",
    "far_end": "tests.lab.alarm_faults:far_end",
    "seen": "tests.lab.alarm_faults:seen",
    "encoder": "tests.lab.host_faults:encoder",
    "log_blocked": "tests.lab.host_faults:log_blocked",
    "wall_clock": "tests.lab.host_faults:wall_clock",
    "names_dead": "tests.lab.host_faults:names_dead",
    "disk_full": "tests.lab.host_faults:disk_full",
    "asleep": "tests.lab.host_faults:asleep",
    "starved": "tests.lab.loads:starved",
    "load4": "tests.lab.loads:load4",
    "load16": "tests.lab.loads:load16",
}
SHARING = frozenset({"reset", "hung", "silent", "slow", "hangs_up", "malformed", "stopped", "garbled"})  # one room
ASIDE = ("blackout",)  # it mostly waits: it has a room of its own beside the row before it


@dataclass
class Lab:
    """What a row is given. `short`: for the suite, with three times the bars and a part of the repetitions."""

    short: bool = False
    _stage: Stage | None = None
    notes: list[str] = field(default_factory=list)  #: what went wrong, whole
    took_s: dict[str, int] = field(default_factory=dict)  #: by row

    def bar(self, true: float) -> float:
        return true * SLACK if self.short else true

    def times(self, true: int, short: int) -> int:
        return short if self.short else true

    def seconds(self, true: float, short: float) -> float:
        return short if self.short else true

    def stage(self) -> Stage:
        """The shared room, well and with pushers that have no failures behind them; a new one if it was spoilt."""
        if self._stage is not None:
            try:
                self._stage.renew_third()
                self._stage.wait_well()
                return self._stage
            except Exception:  # noqa: BLE001  whatever ails it, the next row gets another
                self.clear()
        stage = Stage()
        stage.__enter__()
        self._stage = stage
        stage.wait_well()
        return stage

    def clear(self) -> None:
        """End the shared room."""
        stage, self._stage = self._stage, None
        if stage is not None:
            with contextlib.suppress(Exception):
                stage.__exit__()

    def most(self, name: str, reached: float, bar: float, unit: str = "s", digits: int = 2) -> Figure:
        """A figure that must not exceed its bar."""
        bar = self.bar(bar)
        return Figure(name, f"{reached:.{digits}f} {unit}", f"≤ {bar:g} {unit}", reached <= bar)

    def exactly(self, name: str, reached: object, bar: object) -> Figure:
        """A figure that is right or wrong, also in the short version."""
        return Figure(name, str(reached), str(bar), reached == bar)


def run(names: Sequence[str], lab: Lab, told: Callable[[str, Sequence[Figure]], None]) -> dict[str, list[Figure]]:
    """All rows; `told` hears of each as it is done."""
    done: dict[str, list[Figure]] = {}
    beside: list[tuple[str, Future[list[Figure]]]] = []
    try:
        for name in sorted(names, key=lambda one: one not in ASIDE):  # those first that run beside the others
            if name in ASIDE and len(names) > 1:
                beside.append((name, _aside(name, Lab(lab.short, None, lab.notes, lab.took_s))))
                continue
            if name not in SHARING:
                lab.clear()  # nothing runs beside a row that has a room of its own
            done[name] = measured(name, lab)
            told(name, done[name])
            while beside:  # beside one row, and beside no other
                name, future = beside.pop()
                done[name] = future.result()
                told(name, done[name])
    finally:
        lab.clear()
    return done


def measured(name: str, lab: Lab) -> list[Figure]:
    """A row that raises is a row that is missed. How long it took is kept."""
    began_s = time.monotonic()
    try:
        return _measured(name, lab)
    finally:
        lab.took_s[name] = round(time.monotonic() - began_s)


def _measured(name: str, lab: Lab) -> list[Figure]:
    module, _, function = ROWS[name].partition(":")
    try:
        measure: Measure = getattr(importlib.import_module(module), function)
        return measure(lab)
    except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001  the next row has its chance
        lab.notes.append(f"{name}: {traceback.format_exc()}")
        text = str(error).partition("; log:")[0].splitlines()
        lab.clear()
        return [Figure(name, f"{type(error).__name__}: {text[0][:160] if text else ''}", "runs to its end", False)]


def _aside(name: str, lab: Lab) -> Future[list[Figure]]:
    future: Future[list[Figure]] = Future()

    def work() -> None:
        future.set_result(measured(name, lab))

    threading.Thread(target=work, name=f"row {name}", daemon=True).start()
    return future


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab chaos", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(ROWS)}")
    parser.add_argument("--short", action="store_true", help="three times the bars, few repetitions")
    parser.add_argument("--out", type=Path, default=Path("out"), help="directory of the files")
    parser.add_argument("--doc", type=Path, help="a page whose cells get the figures: docs/reliability.md")
    given = parser.parse_args(arguments)
    if unknown := [name for name in given.names if name not in ROWS]:
        parser.error(f"unknown: {', '.join(unknown)}; choose from {', '.join(ROWS)}")
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # figures alone
    head = f"{machine()}, {time.strftime('%Y-%m-%d')}"
    print(head)
    lab, began_s = Lab(given.short), time.monotonic()
    done = run(given.names or list(ROWS), lab, show)
    missed = sum(figure.met is False for figures in done.values() for figure in figures)
    minutes = (time.monotonic() - began_s) / 60
    print("\n".join(lab.notes))
    print("seconds: " + ", ".join(f"{name} {took_s}" for name, took_s in lab.took_s.items()))
    print(f"{f'{missed} missed' if missed else 'all met'}, in {minutes:.0f} min")
    keep(given.out, head, done)
    if given.doc is not None and not given.short:
        page.fill(given.doc, done)
    return 1 if missed else 0


def show(name: str, figures: Sequence[Figure]) -> None:
    print(f"{name}:", flush=True)
    for figure in figures:
        verdict = {True: "met", False: "MISSED", None: ""}[figure.met]
        print(f"  {figure.name:<72} {figure.bar:<22} {figure.reached:<34} {verdict}", flush=True)


def keep(out: Path, head: str, done: dict[str, list[Figure]]) -> None:
    """The table as JSON and as Markdown, by the time of its making."""
    out.mkdir(parents=True, exist_ok=True)
    stem = out / f"chaos-{time.strftime('%Y%m%d-%H%M%S')}"
    rows = {name: [asdict(figure) for figure in figures] for name, figures in done.items()}
    stem.with_suffix(".json").write_text(json.dumps({"head": head, "rows": rows}, indent=1, ensure_ascii=False))
    stem.with_suffix(".md").write_text("\n".join(_markdown(head, done)) + "\n")
    print(f"{stem}.json, {stem}.md")


def _markdown(head: str, done: dict[str, list[Figure]]) -> Iterator[str]:
    yield f"{head}\n"
    yield "| row | fault | bar | reached | |"
    yield "|---|---|---|---|---|"
    for name, figures in done.items():
        for figure in figures:
            verdict = {True: "met", False: "**missed**", None: ""}[figure.met]
            yield f"| {name} | {figure.name.replace('  ', '· ')} | {figure.bar} | {figure.reached} | {verdict} |"
