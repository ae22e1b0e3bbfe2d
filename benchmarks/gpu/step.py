"""One step of the DiT at full size, what is made once for it, and the memory that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from benchmarks.gpu import published
from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.workload import Dit, step_flops, tokens

PART = "step"
TIME = 750.0  # of the denoising; any


def run(bench: Bench) -> Iterator[Row]:
    networks = bench.networks
    dit, windows = networks.dit(), networks.windows()
    taken = bench.watch.times(lambda: networks.context_of(dit), most=5)
    yield Row(PART, "text and picture K/V, once per prompt", taken.median, note=taken.spread)
    taken = bench.watch.times(lambda: dit.hear(windows), most=20)
    yield Row(PART, "audio K/V, once per chunk", taken.median, note=taken.spread)
    for size in bench.sizes:
        yield from attempted(PART, "step", times_name(size), partial(_step, bench, size))


def _step(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    networks = bench.networks
    dit, context = networks.dit(), networks.context()
    heard, z, y = dit.hear(networks.windows()), networks.latent(size), networks.condition(size)
    bench.start_peak()
    taken = bench.watch.times(lambda: dit(z, TIME, y, context, heard), enough_s=5.0, most=10)
    peak = bench.peak_gb()
    out = dit(z, TIME, y, context, heard)
    sizes = Dit.of(dit.config)
    work = step_flops(sizes, tokens(size, sizes))
    rate = work.hot / taken.median / 1e9
    finite = bool(torch.isfinite(out).all().item())
    where, floor = times_name(size), bench.floor_ms(work.hot)
    yield Row(
        PART, f"step, {networks.kernel.name}", taken.median, "ms", where, floor, published.STEP,
        f"{rate:.0f} TFLOP/s; {taken.spread}" + ("" if finite else "; NOT FINITE"), failed=not finite,
    )  # fmt: skip
    if peak is not None:
        yield Row(PART, "peak memory of a step", peak, "GB", where, note=bench.peak_note)
