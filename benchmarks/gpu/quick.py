"""What a faster tier would rest on: row-wise FP8 products at a chunk's token counts, convolutions in both layouts."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.gpu import published
from benchmarks.gpu.attempt import NotHere, attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.workload import Dit, tokens

FP8_MOST = 448.0  # the largest number of float8_e4m3fn
NEAR = 0.06  # relative error of an FP8 product of normal numbers is about 0.037
FP8_SINCE = (8, 9)  # the first compute capability with FP8 units


def fp8(bench: Bench) -> Iterator[Row]:
    """Products of the DiT's linears: q, k and v in one, an output, both of the feed-forward."""
    config = bench.networks.configs.dit
    shapes = {
        "qkv": (config.dim, 3 * config.dim),
        "output": (config.dim, config.dim),
        "ffn up": (config.dim, config.ffn_dim),
        "ffn down": (config.ffn_dim, config.dim),
    }
    for size in bench.sizes:
        for name, (into, out) in shapes.items():
            yield from attempted("fp8", name, times_name(size), partial(_product, bench, size, name, into, out))


def _product(bench: Bench, size: tuple[int, int], name: str, into: int, out: int) -> Iterator[Row]:
    if bench.on_gpu and torch.cuda.get_device_capability(bench.device) < FP8_SINCE:
        raise NotHere("no FP8 units")
    where, rows = times_name(size), tokens(size, Dit.of(bench.networks.configs.dit))
    x, weight = bench.networks.normal(rows, into), bench.networks.normal(out, into)
    work = 2.0 * rows * into * out
    plain = bench.watch.times(lambda: F.linear(x, weight))
    yield Row(
        "fp8", f"{name} {into}-{out}, as it is", plain.median, "ms", where, bench.floor_ms(work),
        note=f"{work / plain.median / 1e9:.0f} TFLOP/s; {plain.spread}",
    )  # fmt: skip
    x8, x_scale = quantised(x)
    w8, w_scale = quantised(weight)

    def scaled() -> Tensor:
        return torch._scaled_mm(
            x8, w8.t(), scale_a=x_scale, scale_b=w_scale.t(), out_dtype=torch.bfloat16, use_fast_accum=True
        )

    expected = F.linear(x, weight).float()
    wrong = float((scaled().float() - expected).norm() / expected.norm())
    del expected
    taken = bench.watch.times(scaled)
    yield Row(
        "fp8", f"{name} {into}-{out}, FP8 by rows", taken.median, "ms", where, published=published.FP8,
        note=f"{work / taken.median / 1e9:.0f} TFLOP/s; error {wrong:.1e}; {taken.spread}", failed=not wrong < NEAR,
    )  # fmt: skip
    if name in ("qkv", "ffn down"):
        taken = bench.watch.times(lambda: quantised(x))
        moved = bench.moving_ms(rows * into * 3)
        yield Row(
            "fp8", f"quantising {into} wide, torch's kernels", taken.median, "ms", where, moved, note=taken.spread
        )


def quantised(x: Tensor) -> tuple[Tensor, Tensor]:
    """[rows, width] → float8_e4m3fn of it and its scales, float32 [rows, 1]: x ≈ quantised * scale."""
    scale = x.abs().amax(1, keepdim=True).float().clamp_min(1e-12) / FP8_MOST
    return (x.float() / scale).clamp(-FP8_MOST, FP8_MOST).to(torch.float8_e4m3fn), scale


def convolutions(bench: Bench) -> Iterator[Row]:
    """3x3x3 on what the decoder sees of one latent frame at its three levels, with two frames kept before them."""
    width, height = bench.sizes[0]
    for level, channels in enumerate(bench.networks.configs.conv_channels):
        shrink, frames = 2**level, max(1, 4 // 2 ** max(0, level - 1))
        area = (height // shrink, width // shrink)
        for layout in ("NCDHW", "NDHWC"):
            for searched in (False, True):
                how = "searched" if searched else "default"
                name = f"conv3d {channels} wide, {frames} of {area[1]}x{area[0]}, {layout}, {how}"
                yield from attempted("conv", name, "", partial(_conv, bench, name, channels, frames, area, searched))


def _conv(bench: Bench, name: str, channels: int, frames: int, area: tuple[int, int], searched: bool) -> Iterator[Row]:
    layout = torch.channels_last_3d if "NDHWC" in name else torch.contiguous_format
    x = bench.networks.normal(1, channels, frames + 2, *area).contiguous(memory_format=layout)
    weight = bench.networks.normal(channels, channels, 3, 3, 3).contiguous(memory_format=layout)
    work = 2.0 * 27 * channels**2 * frames * area[0] * area[1]
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = searched
    try:
        taken = bench.watch.times(lambda: F.conv3d(x, weight, padding=(0, 1, 1)), enough_s=0.2)
    finally:
        torch.backends.cudnn.benchmark = before
    yield Row(
        "conv", name, taken.median, "ms", "", bench.floor_ms(work),
        note=f"{work / taken.median / 1e9:.0f} TFLOP/s; first {taken.first:.0f} ms; {taken.spread}",
    )  # fmt: skip
