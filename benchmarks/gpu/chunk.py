"""One whole chunk as the engine makes it: sound in, 28 frames on the host; stage by stage, and in one piece."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from time import perf_counter

import torch
from torch import Tensor

from benchmarks.gpu import published
from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.senses import sound, to_host
from benchmarks.gpu.setting import Bench, times_name
from pipeline import hearing, noise, pictures, sampler
from pipeline.roofline import memory
from pipeline.workload import Dit, Vae, decode_flops, encode_flops, step_flops, tokens

PART = "chunk"
SEED = 9999
NEW_FRAMES = sampler.CHUNK_FRAMES - sampler.MOTION_FRAMES


@dataclass
class Marks:
    """Where a chunk's stages end, in the device's queue; a `sampler.Trace` that keeps no tensor."""

    device: torch.device
    _marks: list[tuple[str, torch.cuda.Event | float]] = field(default_factory=list)

    def __setitem__(self, name: str, value: Tensor, /) -> None:
        self.mark(name)

    def mark(self, name: str) -> None:
        at: torch.cuda.Event | float = perf_counter()
        if self.device.type == "cuda":
            at = torch.cuda.Event(enable_timing=True)
            at.record()
        self._marks.append((name, at))

    def stages_ms(self) -> dict[str, float]:
        """By the name of what ends a stage. The device must have come to the end."""
        return {name: _between_ms(before, after) for (_, before), (name, after) in pairwise(self._marks)}


def run(bench: Bench) -> Iterator[Row]:
    for size in bench.sizes:
        yield from attempted(PART, "chunk", times_name(size), partial(_chunk, bench, size))


def _chunk(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    networks, where = bench.networks, times_name(size)
    dit, vae, encoder = networks.dit(), networks.vae(), networks.ear()
    conditions = sampler.Conditions(
        networks.condition(size), networks.context(), networks.video(size, 1), networks.latent(size, 1)
    )
    motion, ear = networks.latent(size, 2), hearing.Ear.empty().heard(sound())
    shape = networks.latent(size).shape
    seen: list[Marks] = []

    def made() -> Tensor:
        marks = Marks(bench.device)
        marks.mark("begun")
        with torch.no_grad():
            windows = hearing.features(encoder, ear)
            marks.mark("windows")
            video, _ = sampler.chunk(
                dit, vae, conditions, windows, motion,
                lambda draw: noise.draw(SEED, 1, draw, shape, bench.device), trace=marks,
            )  # fmt: skip
            frames = to_host(pictures.to_i420(video[:, :, sampler.MOTION_FRAMES :]))
            marks.mark("host")
        seen.append(marks)
        return frames

    bench.start_peak()
    taken = bench.watch.times(made, enough_s=6.0, most=8)
    peak = bench.peak_gb()
    yield Row(
        PART, "chunk: 8 s of sound to 28 frames on the host", taken.median, "ms", where, _floor(bench, size),
        published.CHUNK, f"{NEW_FRAMES * 1000 / taken.median:.1f} fps; {taken.spread}",
    )  # fmt: skip
    yield Row(PART, "· slowest of them", taken.most, "ms", where)
    for name, milliseconds in _stages(seen[-1].stages_ms()).items():
        yield Row(PART, f"· {name}", milliseconds, "ms", where)
    if peak is not None:
        counted = memory(size, kept_context=False).total if bench.full else 0.0
        note = f"{bench.peak_note}; counted {counted:.1f} GB"
        yield Row(PART, "peak memory of a chunk", peak, "GB", where, note=note)


def _floor(bench: Bench, size: tuple[int, int]) -> float | None:
    dit, vae = Dit.of(bench.networks.configs.dit), Vae.of(bench.networks.configs.vae)
    steps = sampler.STEPS * step_flops(dit, tokens(size, dit)).hot
    return bench.floor_ms(steps + decode_flops(size, vae=vae) + encode_flops(size, vae=vae))


def _stages(taken: dict[str, float]) -> dict[str, float]:
    """What `sampler.chunk` traces, in the words of the page: {stage: ms}."""
    steps = [name for name in taken if name.startswith("pred")]
    beside = sum(taken[name] for name in taken if name.startswith("latent_"))
    stages = {"sound to windows": taken["windows"], "audio K/V": taken["heard"]}
    stages |= {f"step {number}": taken[name] for number, name in enumerate(steps, 1)}
    stages |= {
        "noise and the steps' sums": beside,
        "decode": taken["decoded"],
        "colour match": taken["corrected"],
        "encode": taken["motion_next"],
        "I420, to the host": taken["host"],
    }
    return stages


def _between_ms(before: torch.cuda.Event | float, after: torch.cuda.Event | float) -> float:
    if isinstance(before, float) or isinstance(after, float):
        assert isinstance(before, float) and isinstance(after, float)
        return (after - before) * 1000
    return float(before.elapsed_time(after))
