"""Which kernels a step runs, how often and how long: where the time goes, by torch's profiler."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from torch.profiler import ProfilerActivity, profile

from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name

PART = "kernels"
SHOWN = 14
NAME_MOST = 64
TIME = 750.0


def run(bench: Bench) -> Iterator[Row]:
    size = bench.sizes[0]
    yield from attempted(PART, "kernels of a step", times_name(size), partial(_step, bench, size))
    yield from attempted(PART, "kernels of a decode", times_name(size), partial(_decode, bench, size))


def _step(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    networks = bench.networks
    dit, context = networks.dit(), networks.context()
    heard, z, y = dit.hear(networks.windows()), networks.latent(size), networks.condition(size)
    yield from _profiled(bench, "step", size, lambda: dit(z, TIME, y, context, heard))


def _decode(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    vae, latent = bench.networks.vae(), bench.networks.latent(size).to(bench.networks.dtype)
    yield from _profiled(bench, "decode", size, lambda: vae.decode(latent))


def _profiled(bench: Bench, what: str, size: tuple[int, int], call: object) -> Iterator[Row]:
    assert callable(call)
    call()  # made once, and not to be counted
    bench.watch.wait()
    activity = ProfilerActivity.CUDA if bench.on_gpu else ProfilerActivity.CPU
    with profile(activities=[activity]) as seen:
        call()
        bench.watch.wait()
    found = [(event.key, _own_us(bench, event), event.count) for event in seen.key_averages()]
    found = sorted((entry for entry in found if entry[1] > 0), key=lambda entry: -entry[1])
    total = sum(micros for _, micros, _ in found)
    count = sum(times for _, _, times in found)
    name = f"{what}: {count} kernels, their time summed"
    yield Row(PART, name, total / 1e3, "ms", times_name(size))
    for name, micros, times in found[:SHOWN]:
        share = 100 * micros / total
        yield Row(PART, f"· {times} x {_short(name)}", micros / 1e3, "ms", note=f"{share:.1f} %")


def _own_us(bench: Bench, event: object) -> float:
    name = "self_device_time_total" if bench.on_gpu else "self_cpu_time_total"
    return float(getattr(event, name))


def _short(name: str) -> str:
    name = name.removeprefix("void ")
    return name if len(name) <= NAME_MOST else f"{name[:NAME_MOST]}..."
