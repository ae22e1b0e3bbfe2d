"""Ulysses: every rank gets all tokens of its part of the heads, attends, and gives the heads back.

Two all-to-alls per attention (queries, keys and values travel in one). The heads must divide by the ranks.
(Jacobs et al. 2023, DeepSpeed-Ulysses.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.parallel.members import Members
from pipeline.parallel.strategy import Spread, padded

if TYPE_CHECKING:
    from pipeline.attention import Kernel


class Ulysses(Spread):
    """Heads over ranks. Made on every rank of the group."""

    def __init__(self, members: Members, heads: int, kernel: Kernel) -> None:
        super().__init__(members)
        if heads % members.world:
            raise ConfigError(
                f"strategy 'ulysses' spreads heads: {heads} do not divide by {members.world} ranks; use 'auto'"
            )
        self._kernel = kernel

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        q, k, v = heads_apart(self._members, q, k, v)  # [B, heads/U, U*piece, d]
        out = self._kernel(q[:, :, :tokens], k[:, :, :tokens], v[:, :, :tokens])
        return heads_together(self._members, padded(out, q.shape[2], 2))


def heads_apart(members: Members, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Three of [B, piece, heads, d] -> three of [B, heads/U, U*piece, d]: the tokens of all, of this rank's heads.

    The three lie side by side within a token, so that for one sequence what arrives is used as it lies.
    """
    batch, piece, heads, size = q.shape
    split = (batch, piece, members.world, heads // members.world, size)
    parts = [x.reshape(split).movedim(2, 0) for x in (q, k, v)]  # [U to, B, piece, heads/U, d]
    qkv = members.all_to_all(torch.stack(parts, 3))  # [U from, B, piece, 3, heads/U, d]
    qkv = qkv.movedim(0, 1).flatten(1, 2)  # [B, U*piece, 3, heads/U, d]
    q, k, v = qkv.transpose(1, 3).unbind(2)  # [B, heads/U, U*piece, d] each
    return q, k, v


def heads_together(members: Members, x: Tensor) -> Tensor:
    """[B, heads/U, U*piece, d] -> [B, piece, heads, d]: this rank's tokens, of all heads. Undoes `heads_apart`."""
    batch, heads, length, size = x.shape
    split = (batch, members.world, length // members.world, heads, size)
    x = x.transpose(1, 2).reshape(split).movedim(1, 0)  # [U to, B, piece, heads/U, d]
    x = members.all_to_all(x)  # [U from, B, piece, heads/U, d]
    return x.movedim(0, 2).flatten(2, 3)
