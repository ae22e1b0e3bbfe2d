"""Each attention kernel that is here, at the token counts of a chunk: time, rate, and how far from float32."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module

import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.gpu import published
from benchmarks.gpu.attempt import NotHere, attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline.workload import Dit, tokens

PART = "attention"
BACKENDS = {
    "SDPA flash": SDPBackend.FLASH_ATTENTION,
    "SDPA cuDNN": SDPBackend.CUDNN_ATTENTION,
    "SDPA memory-efficient": SDPBackend.EFFICIENT_ATTENTION,
}
PACKAGES = {
    "flash_attn 2": ("flash_attn", "flash_attn_func"),
    "flash_attn 3": ("flash_attn_interface", "flash_attn_func"),
}
CHECKED = 128  # queries of one head that are compared
NEAR = 0.02  # relative error of a kernel that computes attention

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]


def run(bench: Bench) -> Iterator[Row]:
    kernels: dict[str, Callable[[], Attend]] = {
        name: partial(partial, _backend, backend) for name, backend in BACKENDS.items()
    }
    kernels |= {name: partial(_package, *where) for name, where in PACKAGES.items()}
    kernels[f"the engine's: {bench.networks.kernel.name}"] = lambda: bench.networks.kernel
    for size in bench.sizes:
        q, k, v = _inputs(bench, size)
        for name, found in kernels.items():
            yield from attempted(PART, name, times_name(size), partial(_timed, bench, name, size, found, (q, k, v)))


def _inputs(bench: Bench, size: tuple[int, int]) -> list[Tensor]:
    config = bench.networks.configs.dit
    shape = (1, tokens(size, Dit.of(config)), config.num_heads, config.head_dim)  # as they lie in memory in the model
    return [bench.networks.normal(*shape).transpose(1, 2) for _ in range(3)]


def _timed(
    bench: Bench, name: str, size: tuple[int, int], found: Callable[[], Attend], inputs: tuple[Tensor, Tensor, Tensor]
) -> Iterator[Row]:
    attend = found()
    q, k, v = inputs
    out = attend(q, k, v)
    wrong = _error(out, q, k, v)
    del out
    taken = bench.watch.times(lambda: attend(q, k, v))
    work = 4.0 * q.shape[1] * q.shape[2] ** 2 * q.shape[3]
    yield Row(
        PART, name, taken.median, "ms", times_name(size), bench.floor_ms(work), published.ATTENTION,
        f"{work / taken.median / 1e9:.0f} TFLOP/s; error {wrong:.1e}; {taken.spread}", failed=not wrong < NEAR,
    )  # fmt: skip


def _error(out: Tensor, q: Tensor, k: Tensor, v: Tensor) -> float:
    """Of the first head's first queries, relative."""
    scores = q[0, 0, :CHECKED].float() @ k[0, 0].float().T / q.shape[3] ** 0.5
    expected = scores.softmax(-1) @ v[0, 0].float()
    return float((out[0, 0, :CHECKED].float() - expected).norm() / expected.norm())


def _backend(backend: SDPBackend, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    try:
        with sdpa_kernel(backend):
            return F.scaled_dot_product_attention(q, k, v)
    except RuntimeError as error:
        if "No available kernel" in str(error) or "No viable backend" in str(error):
            raise NotHere("torch has no such kernel for this device") from error
        raise


def _package(module: str, attribute: str) -> Attend:
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise NotHere(str(error)) from error

    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = function(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2))
        first: Tensor = out[0] if isinstance(out, tuple) else out
        return first.transpose(1, 2)

    return attend
