"""The run: one part after the other within its minutes, whatever fails on the way.

In: what was asked for. Out: rows, printed and kept as they come; the exit status. The order of the parts is that of
what matters most; one for which the time is too short is dropped, and the page says so.
"""

from __future__ import annotations

import faulthandler
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from benchmarks.gpu import attending, block, chunk, kernels, quick, rates, senses, start, step, vae
from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.networks import TINY, Configs, Networks
from benchmarks.gpu.results import Report, Row, markdown
from benchmarks.gpu.setting import Bench, card_of, machine, since_start_s
from benchmarks.gpu.timing import Budget, OutOfTime, Stopwatch
from pipeline.errors import ConfigError

END_S = 15.0  # kept for the end of the page: no part may use it


@dataclass(frozen=True, slots=True)
class Part:
    run: Callable[[Bench], Iterator[Row]]
    expected_s: float  # of both sizes at least, on an H200; not begun with less left


PARTS = {
    "start": Part(start.run, 20),
    "card": Part(rates.run, 4),
    "step": Part(step.run, 25),
    "vae": Part(vae.run, 20),
    "senses": Part(senses.run, 8),
    "chunk": Part(chunk.run, 40),
    "attention": Part(attending.run, 15),
    "block": Part(block.run, 20),
    "fp8": Part(quick.fp8, 15),
    "conv": Part(quick.convolutions, 25),
    "kernels": Part(kernels.run, 15),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the command line says."""

    device: torch.device
    tiny: bool
    sizes: tuple[tuple[int, int], ...]
    parts: tuple[str, ...]
    minutes: float
    kept: Path | None
    markdown: bool
    command: str


def measure(asked: Asked) -> int:
    """0 when every figure could be taken; 1 when one failed or was dropped."""
    if unknown := [name for name in asked.parts if name not in PARTS]:
        raise ConfigError(f"--parts: unknown {', '.join(unknown)}; known: {', '.join(PARTS)}")
    until_end_s = asked.minutes * 60 - since_start_s()
    # a kernel that hangs cannot be told to stop: the process ends, with what it was doing; all rows were said before
    faulthandler.dump_traceback_later(max(END_S, until_end_s), exit=True)
    budget = Budget(time.monotonic() + until_end_s - min(END_S, asked.minutes * 6))
    bench = _bench(asked, budget)  # first of all: it times the device's start
    report = Report(machine(asked.device, asked.command), asked.kept)
    report.open()
    for name in asked.parts:
        report.heading(name)
        for row in attempted(name, name, "", partial(_begun, bench, name)):
            report.add(row)
    faulthandler.cancel_dump_traceback_later()
    return _told(report, asked)


def _bench(asked: Asked, budget: Budget) -> Bench:
    import_s = since_start_s()
    if asked.device.index is not None and asked.device.type == "cuda":
        torch.cuda.set_device(asked.device)  # events go into the queue of the current one
    watch = Stopwatch(asked.device, budget, hasty=asked.tiny)
    device_s = watch.once(lambda: torch.ones(1, device=asked.device)) / 1000
    dtype = torch.bfloat16 if asked.device.type == "cuda" else torch.float32
    networks = Networks(asked.device, dtype, TINY if asked.tiny else Configs())
    return Bench(asked.device, asked.sizes, watch, networks, card_of(asked.device), import_s, device_s)


def _begun(bench: Bench, name: str) -> Iterator[Row]:
    part = PARTS[name]
    if bench.full:
        bench.watch.budget.need(part.expected_s)
    return part.run(bench)


def _told(report: Report, asked: Asked) -> int:
    lost = [row for row in report.rows if row.failed]
    dropped = [row for row in lost if row.note.startswith(OutOfTime.WORD)]
    print(f"{len(report.rows) - len(lost)} rows, {len(lost) - len(dropped)} failed in {since_start_s():.0f} s")
    if dropped:
        names = ", ".join(f"{row.part}: {row.name} {row.size}".strip() for row in dropped)
        print(f"{OutOfTime.WORD} for want of time ({asked.minutes:g} minutes): {names}")
    if asked.markdown:
        print()
        print("\n".join(markdown(report.setting, report.rows)))
    return 1 if lost else 0
