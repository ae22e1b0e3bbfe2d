"""What the diffusion transformers share: norms, modulation, time steps, patches.

In: tokens [B, n, D] and what turns them. Out: the same in the tokens' type; statistics are taken in float32. Modulation
and gates decide the arithmetic: given in float32 they are applied in float32 and the result is rounded once, given in
the tokens' type they are applied in it. It knows no network, no ranks and no attention.

After the Wan 2.1 video transformer, whose checkpoints must fit: https://arxiv.org/abs/2503.20314.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TIME_BASE = 10_000.0


class RmsNorm(nn.Module):
    """Over the last axis: mean square in float32, rounded to the type of x, then times the weight."""

    def __init__(self, width: int, eps: float) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], None, self.eps) * self.weight


class FeedForward(nn.Sequential):
    """Linear, GELU by tanh, Linear; parameters are named 0.* and 2.*."""

    def __init__(self, width: int, inner: int) -> None:
        super().__init__(nn.Linear(width, inner), nn.GELU(approximate="tanh"), nn.Linear(inner, width))


def modulated(x: Tensor, shift: Tensor, scale: Tensor, eps: float) -> Tensor:
    """LayerNorm without weights, times `scale` (its 1 is in it already), plus `shift`; in the wider of the types.

    x [B, n, D]; shift and scale broadcast to it.
    """
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=eps), scale)


def gated(x: Tensor, y: Tensor, gate: Tensor) -> Tensor:
    """x + gate * y, summed in the widest of the types, in x's type."""
    return torch.addcmul(x, y, gate).to(x.dtype)


def linear_float32(linear: nn.Linear, x: Tensor, parts: int = 1) -> Tensor:
    """The layer in float32, whatever its parameters are in; in `parts`, for less memory in large layers."""
    if linear.weight.dtype == torch.float32:
        return cast(Tensor, linear(x.float()))
    weights, biases = linear.weight.chunk(parts), linear.bias.chunk(parts)
    rows = [F.linear(x.float(), w.float(), b.float()) for w, b in zip(weights, biases, strict=True)]
    return torch.cat(rows, -1)


def linear_as(linear: nn.Linear, x: Tensor, parts: int = 1) -> Tensor:
    """The layer in the type of x: float32, or that of its parameters."""
    return linear_float32(linear, x, parts) if x.dtype == torch.float32 else cast(Tensor, linear(x))


def sinusoid(t: Tensor, width: int) -> Tensor:
    """float64 [1, width] of a time step [1]: cosines first, then sines."""
    half = width // 2
    rates = TIME_BASE ** (-torch.arange(half, dtype=torch.float64, device=t.device) / half)
    angles = t.to(torch.float64) * rates
    return torch.cat([angles.cos(), angles.sin()])[None]


def patches(x: Tensor, patch: tuple[int, int, int]) -> Tensor:
    """[C, T, h, w] → [1, N, C * pt * ph * pw], in the order (frame, row, column): what a patch convolution sees."""
    (pt, ph, pw), (channels, frames, height, width) = patch, x.shape
    x = x.reshape(channels, frames // pt, pt, height // ph, ph, width // pw, pw)
    x = x.permute(1, 3, 5, 0, 2, 4, 6)  # [T', h', w', C, pt, ph, pw]
    return x.reshape(1, -1, channels * pt * ph * pw)


def patch_embedded(x: Tensor, convolution: nn.Conv3d, patch: tuple[int, int, int]) -> Tensor:
    """The convolution with kernel = stride = patch, as one matrix product: [C, T, h, w] → [1, N, D]."""
    return F.linear(patches(x, patch), convolution.weight.flatten(1), convolution.bias)


def unpatched(x: Tensor, grid: tuple[int, int, int], patch: tuple[int, int, int]) -> Tensor:
    """[1, N, pt * ph * pw * C], the channel fastest → [C, T, h, w]; grid: patches along frames, rows, columns."""
    (pt, ph, pw), (frames, height, width) = patch, grid
    x = x.reshape(frames, height, width, pt, ph, pw, -1)
    x = x.permute(6, 0, 3, 1, 4, 2, 5)  # [C, T', pt, h', ph, w', pw]
    return x.reshape(x.shape[0], frames * pt, height * ph, width * pw)
