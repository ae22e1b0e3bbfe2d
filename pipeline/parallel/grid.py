"""U x R: heads spread within groups of U neighbours, keys and values passed round R such groups.

For rank counts that do not divide the heads: 6 ranks and 40 heads are 2 x 3. Neighbours share heads, since the
all-to-all wants the faster links. (Fang and Zhao 2024, arXiv:2405.07719.)
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.parallel.members import TIMEOUT_S, Members, partition
from pipeline.parallel.ring import ring_attention
from pipeline.parallel.strategy import Spread
from pipeline.parallel.ulysses import heads_apart, heads_together

if TYPE_CHECKING:
    from pipeline.attention import Kernel


class Grid(Spread):
    """Heads over `across` neighbours, `around` groups in a ring. Made on every rank of the default group."""

    def __init__(
        self, members: Members, across: int, around: int, kernel: Kernel, timeout_s: float = TIMEOUT_S
    ) -> None:
        super().__init__(members)
        if across * around != members.world:
            raise ConfigError(f"{across} x {around} ranks are not the {members.world} that are there")
        self._across = partition(across, 1, timeout_s)
        self._around = partition(around, across, timeout_s)
        self._kernel = kernel

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        q, k, v = heads_apart(self._across, q, k, v)  # [B, heads/U, U*piece, d]: one contiguous block per group
        return heads_together(self._across, ring_attention(self._around, self._kernel, q, k, v, tokens))
