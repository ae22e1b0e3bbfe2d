"""What this card reaches: a large product and a large copy. The floors of all that follows are made of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import torch

from benchmarks.gpu import published
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench

PART = "card"


def run(bench: Bench) -> Iterator[Row]:
    yield from _product(bench)
    yield from _copy(bench)


def _product(bench: Bench) -> Iterator[Row]:
    side = bench.networks.configs.matrix
    a, b = bench.networks.normal(side, side), bench.networks.normal(side, side)
    taken = bench.watch.times(lambda: a @ b, enough_s=1.0)
    rate = 2 * side**3 / taken.median / 1e9  # TFLOP/s
    kind = str(bench.networks.dtype).removeprefix("torch.")
    note = f"{_table(bench.card.bf16_tflops)}{taken.spread}"
    yield Row(PART, f"{kind} product {side}^3", rate, "TFLOP/s", published=published.MATMUL, note=note)
    bench.card = replace(bench.card, bf16_tflops=rate)


def _copy(bench: Bench) -> Iterator[Row]:
    count = bench.networks.configs.copied_bytes
    source = torch.randint(0, 255, (count,), dtype=torch.uint8, device=bench.device)
    target = torch.empty_like(source)
    taken = bench.watch.times(lambda: target.copy_(source), enough_s=0.3)
    rate = 2 * count / taken.median / 1e6  # GB/s, read and written
    note = f"{_table(bench.card.bandwidth_gbs)}{taken.spread}"
    yield Row(PART, f"copy of {count / 2**30:.3g} GiB", rate, "GB/s", published=published.COPY, note=note)
    bench.card = replace(bench.card, bandwidth_gbs=rate)


def _table(rate: float) -> str:
    """What pipeline.cards has for this card."""
    return f"in the table {rate:g}; " if rate else ""
