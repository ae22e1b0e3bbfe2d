"""The cold start, stage by stage: from the process to the first pictures. Weights are drawn, not read from a disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import nn

from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.sampler import MOTION_FRAMES

PART = "start"
TIME = 1000.0  # of the denoising; any


def run(bench: Bench) -> Iterator[Row]:
    """The networks that are made here are kept for the parts that follow."""
    networks, size = bench.networks, bench.sizes[0]
    where = times_name(size)
    yield Row(PART, "Python and torch imported", bench.import_s, "s")
    yield Row(PART, "first tensor on the device", bench.device_s, "s")
    yield _stage(bench, "attention kernel chosen", lambda: networks.kernel, note=lambda: networks.kernel.name)
    yield _stage(bench, "DiT without weights", networks.bare_dit)
    yield _stage(bench, "DiT weights drawn on the device", networks.dit, note=lambda: _bytes(networks.dit()))
    yield _stage(bench, "keys and values of text and picture", networks.context)
    dit, context = networks.dit(), networks.context()
    heard = dit.hear(networks.windows())
    z, y = networks.latent(size), networks.condition(size)
    for name in ("first step", "second step"):
        yield _stage(bench, name, lambda: dit(z, TIME, y, context, heard), where)
    yield _stage(bench, "VAE weights drawn on the device", networks.vae, note=lambda: _bytes(networks.vae()))
    vae = networks.vae()
    latent, video = z.to(networks.dtype), networks.video(size, MOTION_FRAMES).to(networks.dtype)
    for name in ("first decode", "second decode"):
        yield _stage(bench, name, lambda: vae.decode(latent), where)
    yield _stage(bench, "first encode", lambda: vae.encode(video), where)
    yield _stage(bench, "wav2vec2 weights drawn on the device", networks.ear)


def _stage(
    bench: Bench, name: str, call: Callable[[], object], size: str = "", note: Callable[[], str] | None = None
) -> Row:
    seconds = bench.watch.once(call) / 1000
    return Row(PART, name, seconds, "s", size, note=note() if note else "")


def _bytes(module: nn.Module) -> str:
    return f"{sum(tensor.numel() * tensor.element_size() for tensor in module.parameters()) / 1e9:.1f} GB"
