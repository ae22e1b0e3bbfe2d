"""Attention kernels: the fastest one that works here, chosen once.

In: queries, keys and values. Out: what the queries find, and for ring attention the log-sum-exp of their scores. Each
foreign kernel is tried with a small call and compared with the definition before it is taken, so a package that does
not import, raises, or gives wrong numbers is passed over. It never spreads work over ranks: `pipeline.parallel` does.

Order: FlashAttention 3, FlashAttention 2, SageAttention (8-bit, only when asked for), cuDNN through torch, torch's own.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

HALF = (torch.float16, torch.bfloat16)  #: what the foreign kernels take
HEAD_DIM = 128  #: of the networks this is for, and the largest that all foreign kernels take
PLAIN_SCORES = 1 << 28  #: scores that `plain` holds at a time: 1 GiB in float32
TRIAL = (2, 3, 70, 50)  # batch, heads, queries, keys: no round numbers, so that padding inside a kernel shows
NEAR = 0.02  # rel L2 to the definition, in half precision; also the error of the log-sum-exp
NEAR_8_BIT = 0.1


class Kernel(Protocol):
    """q [B, heads, n, d], k and v [B, heads, m, d] → [B, heads, n, d], in q's type; the scale is 1/sqrt(d).

    mask: bool [n, m] or what broadcasts to [B, heads, n, m], True = may look; every query may look somewhere.
    """

    name: str

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor: ...

    def with_lse(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Also the log-sum-exp of the scaled scores: float32 [B, heads, n], natural logarithm."""
        ...


class Sdpa:
    """torch's scaled_dot_product_attention: any device, type, head size and mask."""

    name = "sdpa"

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    def with_lse(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        ops = torch.ops.aten
        if q.device.type == "cpu":
            bias = None
            if mask is not None:  # this call wants it added, and in four axes
                bias = torch.zeros(mask.shape, dtype=q.dtype).masked_fill_(~mask, -math.inf)
                bias = bias.expand(q.shape[0], q.shape[1], q.shape[2], k.shape[2])
            out, lse = ops._scaled_dot_product_flash_attention_for_cpu(q, k, v, attn_mask=bias)
            return out, lse.float()
        if q.device.type == "cuda" and q.dtype in HALF and mask is None and q.shape[-1] % 8 == 0:
            out, lse = ops._scaled_dot_product_flash_attention(q, k, v)[:2]
            return out, lse
        return plain(q, k, v, mask)


class _Foreign:
    """A kernel from elsewhere; what it does not take goes to torch's own."""

    name = ""

    def __init__(self) -> None:
        self._other = Sdpa()

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        if not _takes(q, mask):
            return self._other(q, k, v, mask)
        return self._attend(q, k, v, False)[0]

    def with_lse(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if not _takes(q, mask):
            return self._other.with_lse(q, k, v, mask)
        out, lse = self._attend(q, k, v, True)
        return out, lse.float()

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, lse: bool) -> tuple[Tensor, Tensor]:
        """The second one is looked at only when `lse` is set."""
        raise NotImplementedError


class CudnnSdpa(_Foreign):
    """cuDNN's fused attention, which torch carries but does not prefer everywhere."""

    name = "cudnn-sdpa"

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, lse: bool) -> tuple[Tensor, Tensor]:
        out, sums = torch.ops.aten._scaled_dot_product_cudnn_attention(q, k, v, None, lse)[:2]
        return out, sums.reshape(q.shape[:3]) if lse else sums  # it has a last axis of 1


class Flash(_Foreign):
    """The package's `flash_attn_func`, version 2 or 3, which wants [B, n, heads, d]."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        super().__init__()
        self.name = name
        self._function = function
        # the first releases of version 3 always give the log-sum-exp and cannot be asked for it
        self._asked = "return_attn_probs" in inspect.signature(function).parameters

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, lse: bool) -> tuple[Tensor, Tensor]:
        asked = {"return_attn_probs": True} if lse and self._asked else {}
        found = self._function(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), **asked)
        out, sums = (found[0], found[1]) if isinstance(found, tuple) else (found, found)
        return out.transpose(1, 2), sums


class Sage(_Foreign):
    """SageAttention: scores in 8 bits. Fast, not exact, so never taken unasked."""

    name = "sageattention"

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self._function = function

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, lse: bool) -> tuple[Tensor, Tensor]:
        if lse:
            out, sums = self._function(q, k, v, tensor_layout="HND", is_causal=False, return_lse=True)
            return out, sums
        out = self._function(q, k, v, tensor_layout="HND", is_causal=False)
        return out, out


class Automatic:
    """Chooses at its first call with a device, type and head size, and keeps to it. For who does not know them yet."""

    name = "automatic"

    def __init__(self, allow_sage: bool = False) -> None:
        self._allow_sage = allow_sage
        self._chosen: dict[tuple[torch.device, torch.dtype, int], Kernel] = {}

    def __call__(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        return self._kernel(q)(q, k, v, mask)

    def with_lse(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return self._kernel(q).with_lse(q, k, v, mask)

    def _kernel(self, q: Tensor) -> Kernel:
        key = (q.device, q.dtype, q.shape[-1])
        if key not in self._chosen:
            self._chosen[key] = choose(q.device, q.dtype, self._allow_sage, q.shape[-1])
        return self._chosen[key]


def choose(device: torch.device, dtype: torch.dtype, allow_sage: bool = False, head_dim: int = HEAD_DIM) -> Kernel:
    """The first kernel that works on this device, in this type and head size. Waits for the device; call it once."""
    if dtype not in HALF:
        return Sdpa()
    return next((kernel for kernel in candidates(allow_sage) if works(kernel, device, dtype, head_dim)), Sdpa())


def available() -> list[str]:
    """Names of all kernels that work here, best first: on the first GPU, or on the CPU where there is none."""
    device = torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    return [kernel.name for kernel in candidates(allow_sage=True) if works(kernel, device, torch.bfloat16, HEAD_DIM)]


def candidates(allow_sage: bool) -> Iterator[Kernel]:
    """All whose package can be imported, best first; whether they work is not known yet."""
    for function in _imported("flash_attn_interface", "flash_attn_func"):
        yield Flash("flash-attention-3", function)
    for function in _imported("flash_attn", "flash_attn_func"):
        yield Flash("flash-attention-2", function)
    if allow_sage:
        for function in _imported("sageattention", "sageattn"):
            yield Sage(function)
    yield CudnnSdpa()
    yield Sdpa()


def works(kernel: Kernel, device: torch.device, dtype: torch.dtype, head_dim: int) -> bool:
    """Whether a small call comes back with the right numbers. Whatever a foreign kernel raises means no."""
    batch, heads, queries, keys = TRIAL
    q = _waves((batch, queries, heads, head_dim), 37, device, dtype)
    k = _waves((batch, keys, heads, head_dim), 53, device, dtype)
    v = _waves((batch, keys, heads, head_dim), 71, device, dtype)
    near = NEAR_8_BIT if isinstance(kernel, Sage) else NEAR
    try:
        expected, sums = plain(q.float(), k.float(), v.float())
        alone = kernel(q, k, v)
        out, lse = kernel.with_lse(q, k, v)
        misses = [(made.float() - expected).norm() / expected.norm() for made in (alone, out)]
        misses.append((lse - sums).abs().max())
        # a NaN compares as a miss; the shapes count too, since a wrong one may broadcast
        return (alone.shape, out.shape, lse.shape) == (q.shape, q.shape, q.shape[:3]) and all(
            bool(miss < near) for miss in misses
        )
    except Exception:  # noqa: BLE001 - packages built for another torch or card fail in any way; the next one is tried
        return False


def plain(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The definition, in float32 or wider, some queries at a time: the result in q's type, and the log-sum-exp."""
    wide = torch.promote_types(q.dtype, torch.float32)
    keys, values = k.to(wide).transpose(-1, -2), v.to(wide)
    rows = max(1, PLAIN_SCORES // (q.shape[0] * q.shape[1] * k.shape[2]))
    seen = None if mask is None else mask.expand(*mask.shape[:-2], q.shape[2], k.shape[2])
    outs, sums = [], []
    for start in range(0, q.shape[2], rows):
        scores = (q[:, :, start : start + rows].to(wide) / math.sqrt(q.shape[-1])) @ keys
        if seen is not None:
            scores = scores.masked_fill(~seen[..., start : start + rows, :], -math.inf)
        sums.append(scores.logsumexp(-1))
        outs.append((scores.softmax(-1) @ values).to(q.dtype))
    return torch.cat(outs, 2), torch.cat(sums, 2).float()


def _takes(q: Tensor, mask: Tensor | None) -> bool:
    """What every foreign kernel can do: no mask, half precision, heads of a multiple of 8 up to 128."""
    return mask is None and q.dtype in HALF and q.shape[-1] % 8 == 0 and q.shape[-1] <= HEAD_DIM


def _imported(module: str, name: str) -> Iterable[Callable[..., Any]]:
    """The function, or nothing."""
    try:
        return [getattr(import_module(module), name)]
    except Exception:  # noqa: BLE001 - see `works`: a package for another torch may raise anything on import
        return []


def _waves(shape: tuple[int, ...], turn: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """Numbers in [-2, 2] that are the same everywhere, laid out as a network does: [B, n, heads, d] transposed."""
    count = torch.arange(math.prod(shape), dtype=torch.float64)
    return (2 * torch.sin(count * turn + (count % 7))).reshape(shape).to(device, dtype).transpose(1, 2)
