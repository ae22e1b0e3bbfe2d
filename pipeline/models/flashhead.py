"""FlashHead's network: a diffusion transformer over video latents, led by a reference picture and sound.

In: a noisy latent, a time step, the latent of the still picture, and what the sound is to each block. Out: a velocity.
Parameters have the names of the published checkpoint; its `text_embedding.*` and `audio_emb.*` are never computed with
and have no place here. What it shares with the other transformers is pipeline.models.dit.

With parameters in half precision, time, modulation, gates and the head are in half precision, too: the released weights
were trained and are run so. **A time step is rounded to bfloat16 before anything else**, which moves the output by 14
to 20 %, ten times more than all other rounding: 1000, 936, 832, 624 in the place of 1000, 937.5, 833.3, 625.

T: latent frames. D: width. d: size of a head.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.attention import Kernel
from pipeline.models.blocks import Note, Tokens, Trunk, by_frame, split
from pipeline.models.dit import Dit, Heard, Moment, Trace
from pipeline.models.flashhead_config import FLASHHEAD_LITE, FLASHHEAD_PRO, FlashHeadConfig
from pipeline.models.layers import RmsNorm
from pipeline.parallel.strategy import Strategy

__all__ = [
    "FLASHHEAD_LITE",
    "FLASHHEAD_PRO",
    "RELEASED_TIMES",
    "FlashHead",
    "FlashHeadConfig",
    "checkpoint_name",
]

IDLE = ("text_embedding.", "audio_emb.")  #: what the names of tensors begin with that nothing is computed with
RELEASED_TIMES = torch.bfloat16  #: in which the released weights are told a time step


class SoundAttention(nn.Module):
    """Every token to the sound of its own latent frame, and of no other; queries and keys are normed."""

    def __init__(self, config: FlashHeadConfig, kernel: Kernel) -> None:
        super().__init__()
        dim = config.dim
        self._heads = config.num_heads
        self._kernel = kernel
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.norm_q, self.norm_k = RmsNorm(dim, config.eps), RmsNorm(dim, config.eps)

    def keys_values(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """[T, tokens, D] → keys and values [T, heads, tokens, d]."""
        k, v = self.norm_k(self.k(sound)), self.v(sound)
        return split(k, self._heads).transpose(1, 2), split(v, self._heads).transpose(1, 2)

    def forward(self, x: Tensor, heard: tuple[Tensor, Tensor], tokens: Tokens) -> Tensor:
        q = split(self.norm_q(self.q(x)), self._heads)
        out: Tensor = self.o(by_frame(self._kernel, q, *heard, tokens.runs).flatten(2))
        return out


class Block(Trunk):
    """Self-attention, attention to sound, feed-forward."""

    def __init__(self, config: FlashHeadConfig, strategy: Strategy, kernel: Kernel) -> None:
        super().__init__(config, strategy)
        self.cross_attn = SoundAttention(config, kernel)

    def forward(
        self, x: Tensor, modulation: Tensor, tokens: Tokens, heard: tuple[Tensor, Tensor], note: Note
    ) -> Tensor:
        """x [1, n, D] → same. modulation [6, D], see `Trunk.attended`; heard: keys and values [T, heads, rows, d]."""
        x = self.attended(x, modulation, tokens, note)
        y = self.cross_attn(self.norm3(x), heard, tokens)
        note("cross_attn", y)
        return self.fed(x + y, modulation, note)


class FlashHead(Dit):
    """See `Dit`. times: the type that time steps are rounded to; None: that of the parameters."""

    config: FlashHeadConfig

    def __init__(
        self,
        config: FlashHeadConfig,
        strategy: Strategy | None = None,
        kernel: Kernel | None = None,
        times: torch.dtype | None = None,
    ) -> None:
        super().__init__(config, strategy, kernel)
        self._times = times
        self.blocks = nn.ModuleList(Block(config, self._strategy, self._kernel) for _ in range(config.num_layers))

    @property
    def time_dtype(self) -> torch.dtype:
        return self.dtype

    def rounded(self, t: Tensor) -> Tensor:
        return t.to(self._times or self.dtype)

    @torch.no_grad()
    def forward(
        self,
        z: Tensor,
        t: float | Tensor | Moment,
        y: Tensor,
        context: None,
        heard: Heard,
        trace: Trace | None = None,
    ) -> Tensor:
        """See `Dit.predicted`. context: there are no words and no picture tokens; models are called alike."""
        blocks = self._blocks()

        def through(index: int, x: Tensor, modulation: Tensor, tokens: Tokens, note: Note) -> Tensor:
            out: Tensor = blocks[index](x, modulation, tokens, heard.block(index), note)
            return out

        return self.predicted(z, t, y, heard, through, trace)

    def _sounded(self, tokens: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        return [block.cross_attn.keys_values(tokens) for block in self._blocks()]

    def _blocks(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]


def checkpoint_name(key: str) -> str | None:
    """The parameter that a released tensor is; None for one that nothing is computed with."""
    return None if key.startswith(IDLE) else key
