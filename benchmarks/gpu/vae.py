"""The VAE at full size: latents of a chunk to pictures, and the motion frames back to latents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor

from benchmarks.gpu import published
from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.sampler import CHUNK_FRAMES, MOTION_FRAMES
from pipeline.workload import Vae, decode_flops, encode_flops

PART = "vae"


def run(bench: Bench) -> Iterator[Row]:
    for size in bench.sizes:
        yield from attempted(PART, "decode", times_name(size), partial(_decode, bench, size))
        yield from attempted(PART, "encode", times_name(size), partial(_encode, bench, size))


def _decode(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    vae, latent = bench.networks.vae(), bench.networks.latent(size).to(bench.networks.dtype)
    work = decode_flops(size, CHUNK_FRAMES, Vae.of(vae.config))
    yield from _timed(bench, "decode, 9 latents to 33 frames", size, work, published.DECODE, lambda: vae.decode(latent))


def _encode(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    vae, video = bench.networks.vae(), bench.networks.video(size, MOTION_FRAMES).to(bench.networks.dtype)
    work = encode_flops(size, MOTION_FRAMES, Vae.of(vae.config))
    yield from _timed(bench, "encode, 5 frames to 2 latents", size, work, published.ENCODE, lambda: vae.encode(video))


def _timed(
    bench: Bench, name: str, size: tuple[int, int], work: float, known: str, call: Callable[[], Tensor]
) -> Iterator[Row]:
    bench.start_peak()
    taken = bench.watch.times(call, enough_s=3.0, most=10)
    peak = bench.peak_gb()
    finite = bool(torch.isfinite(call()).all().item())
    rate = work / taken.median / 1e9
    yield Row(
        PART, name, taken.median, "ms", times_name(size), bench.floor_ms(work), known,
        f"{rate:.0f} TFLOP/s; {taken.spread}" + ("" if finite else "; NOT FINITE"), failed=not finite,
    )  # fmt: skip
    if peak is not None:
        yield Row(PART, f"peak memory of {name.partition(',')[0]}", peak, "GB", times_name(size), note=bench.peak_note)
