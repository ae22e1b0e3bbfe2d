"""Rotary positions of a token in time, row and column.

In: a grid of tokens and the size of a head. Out: cosines and sines of the angles by which neighbouring pairs of a
head's numbers are turned. The angles are made in float64; what is turned is turned in float32.

After RoFormer, Su et al. 2021, https://arxiv.org/abs/2104.09864.
"""

from __future__ import annotations

import torch
from torch import Tensor

BASE = 10_000.0


def axes(head_dim: int) -> tuple[int, int, int]:
    """Numbers of a head that go with time, row and column: twice a sixth for row and column, the rest for time."""
    side = 2 * (head_dim // 6)
    return head_dim - 2 * side, side, side


def table(grid: tuple[int, int, int], head_dim: int, device: torch.device) -> Tensor:
    """float32 [2, N, d / 2]: cosines and sines for the tokens of a grid (frames, rows, columns), in that order."""
    angles = []
    for axis, (length, width) in enumerate(zip(grid, axes(head_dim), strict=True)):
        rates = BASE ** (-torch.arange(0, width, 2, dtype=torch.float64) / max(width, 1))
        turns = torch.arange(length, dtype=torch.float64)[:, None] * rates
        shape = [1, 1, 1, len(rates)]
        shape[axis] = length
        angles.append(turns.reshape(shape).expand(*grid, -1))
    whole = torch.cat(angles, -1).flatten(0, 2)  # [N, d / 2]
    return torch.stack([whole.cos(), whole.sin()]).to(device, torch.float32)


def rotated(x: Tensor, turns: Tensor) -> Tensor:
    """x [B, n, heads, d] turned by turns [2, n, d / 2], in x's type."""
    cos, sin = turns[0, :, None], turns[1, :, None]  # [n, 1, d / 2]
    first, second = x.float().reshape(*x.shape[:-1], -1, 2).unbind(-1)
    turned = torch.stack([first * cos - second * sin, first * sin + second * cos], -1)
    return turned.flatten(-2).to(x.dtype)
