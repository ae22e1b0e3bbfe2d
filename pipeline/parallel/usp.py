"""xfuser's long-context attention (USP), as the published program uses it. Unproven: see below.

What is known (tried on a CPU only): xfuser 0.5.0 to 0.7.0 need triton and an accelerator to be imported at all, and
import `update_npu_out` from yunchang, which no yunchang from 0.6.0 to 0.6.4 has; so with the published packages the
class could not be made. It cannot leave padding out, so the tokens must divide by the ranks. `auto` has no such limits.
"""

from __future__ import annotations

from typing import Any

import torch.distributed as dist
from torch import Tensor

from pipeline.errors import ConfigError
from pipeline.parallel.members import Members
from pipeline.parallel.strategy import Spread


class Usp(Spread):
    """Attention by xfuser over the default group. ConfigError when the package does not work here."""

    def __init__(self, members: Members, across: int, around: int) -> None:
        super().__init__(members)
        self._attention = _attention(members, across, around)

    def attend(self, q: Tensor, k: Tensor, v: Tensor, tokens: int) -> Tensor:
        if tokens % self.world:
            raise ConfigError(
                f"strategy 'usp' cannot leave padding out: {tokens} tokens do not divide by {self.world} ranks; "
                f"use 'auto', or a picture size that divides"
            )
        out: Tensor = self._attention(None, query=q, key=k, value=v)  # [B, piece, heads, d], as ours
        return out


def _attention(members: Members, across: int, around: int) -> Any:
    if not dist.is_initialized():
        raise ConfigError("strategy 'usp' works on a started group of ranks; for one rank use 'local'")
    try:
        from xfuser.core.distributed import (  # type: ignore[import-not-found, unused-ignore]
            init_distributed_environment,
            initialize_model_parallel,
        )
        from xfuser.core.long_ctx_attention import (  # type: ignore[import-not-found, unused-ignore]
            xFuserLongContextAttention,
        )

        init_distributed_environment(rank=members.rank, world_size=members.world)
        initialize_model_parallel(sequence_parallel_degree=members.world, ring_degree=around, ulysses_degree=across)
        return xFuserLongContextAttention()
    except (ImportError, NotImplementedError, AttributeError, TypeError, AssertionError, RuntimeError) as error:
        raise ConfigError(
            f"strategy 'usp' needs a working xfuser with yunchang and a GPU ({type(error).__name__}: {error}); "
            f"'auto' does the same without them"
        ) from error
