"""Ring attention: queries stay, keys and values go round, and partial results are merged by their log-sum-exp.

While one block is attended the next one is under way. Any number of heads on any number of ranks; what is
accumulated is float32, whatever the inputs are. (Liu et al. 2023, arXiv:2310.01889.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from pipeline.parallel.layout import real_in
from pipeline.parallel.members import Members
from pipeline.parallel.strategy import Spread, padded

if TYPE_CHECKING:
    from pipeline.attention import Kernel


class Ring(Spread):
    """Tokens over ranks, keys and values passed round. Made on every rank of the group."""

    def __init__(self, members: Members, kernel: Kernel) -> None:
        super().__init__(members)
        self._kernel = kernel

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        q, k, v = q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)  # [B, heads, piece, d]
        return ring_attention(self._members, self._kernel, q, k, v, tokens).transpose(1, 2)


def ring_attention(members: Members, kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
    """[B, heads, length, d] each, block `rank` of a sequence of `tokens` -> [B, heads, length, d] in q's type.

    A rank whose block is all padding computes nothing but passes the others' on.
    """
    length = q.shape[2]
    queries = q[:, :, : real_in(tokens, length, members.rank)]
    here = torch.stack([k, v])  # [2, B, heads, length, d]
    coming = torch.empty_like(here)
    total = Merged(queries)
    for step in range(members.world):
        last = step == members.world - 1
        works = [] if last else members.pass_on(here, coming)
        real = real_in(tokens, length, (members.rank - step) % members.world)
        if real and queries.shape[2]:
            total.add(*kernel.with_lse(queries, here[0, :, :, :real], here[1, :, :, :real]))
        if not last:
            members.arrive(works)
            here, coming = coming, here
    return padded(total.out.to(q.dtype), length, 2)


class Merged:
    """The attention over the blocks added so far. out: float32 [B, heads, n, d]; lse: float32 [B, heads, n]."""

    def __init__(self, queries: Tensor) -> None:
        self.out = torch.zeros_like(queries, dtype=torch.float32)
        self.lse: Tensor | None = None  # nothing was seen

    def add(self, out: Tensor, lse: Tensor) -> None:
        """One more block's attention and its log-sum-exp, natural logarithm, scale included."""
        if self.lse is None:
            self.out, self.lse = out.float(), lse.float()
            return
        weight = torch.sigmoid(lse.float() - self.lse)  # the new block's part of the whole
        self.out = torch.lerp(self.out, out.float(), weight[..., None])
        self.lse = torch.logaddexp(self.lse, lse.float())
