"""FlashTalk's network: a diffusion transformer over video latents, led by text, a picture and sound.

In: a noisy latent, a time step, the picture's condition, and what text, picture (`Context`) and sound (`Heard`) are to
each block. Out: a velocity. Parameters have the names of the published checkpoint. What it shares with the other
transformers is pipeline.models.dit.

Text and picture are constant for a prompt, sound for a chunk: their keys and values are made once, not in every step.
With parameters in half precision, the time embedding, modulation, residual sums under a gate, norms, rotation and the
head are float32, as published.

T, h, w: latent frames, height, width. D: width. L: blocks. d: size of a head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import cast

import torch
from torch import Tensor, nn

from pipeline.attention import Kernel
from pipeline.errors import ConfigError
from pipeline.models.blocks import Block, Note, Tokens
from pipeline.models.dit import Dit, Heard, Moment, Trace
from pipeline.models.flashtalk_config import FLASHTALK_14B, FlashTalkConfig
from pipeline.parallel.strategy import Strategy

__all__ = ["FLASHTALK_14B", "Context", "FlashTalk", "FlashTalkConfig", "Heard", "Moment", "Trace"]

PICTURE_NORM_EPS = 1e-5


@dataclass(frozen=True)
class Context:
    """What text and picture are to each block: keys and values [L, 1, heads, rows, d]."""

    text_k: Tensor
    text_v: Tensor
    picture_k: Tensor
    picture_v: Tensor

    def to(self, device: torch.device | str, dtype: torch.dtype | None = None) -> Context:
        return Context.of({name: tensor.to(device, dtype) for name, tensor in self.tensors().items()})

    def block(self, index: int) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Keys and values of text, then of the picture, for one block: [1, heads, rows, d]."""
        text = self.text_k[index], self.text_v[index]
        return text, (self.picture_k[index], self.picture_v[index])

    def tensors(self) -> dict[str, Tensor]:
        """By name; `of` undoes it."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    @classmethod
    def of(cls, tensors: Mapping[str, Tensor]) -> Context:
        """KeyError when one is missing; others are ignored."""
        return cls(**{field.name: tensors[field.name] for field in fields(cls)})


class FlashTalk(Dit):
    """See `Dit`."""

    config: FlashTalkConfig

    def __init__(self, config: FlashTalkConfig, strategy: Strategy | None = None, kernel: Kernel | None = None) -> None:
        super().__init__(config, strategy, kernel)
        c = config
        self.text_embedding = nn.Sequential(
            nn.Linear(c.text_dim, c.dim), nn.GELU(approximate="tanh"), nn.Linear(c.dim, c.dim)
        )
        self.img_emb = PictureEmbedding(c)
        self.blocks = nn.ModuleList(Block(c, self._strategy, self._kernel) for _ in range(c.num_layers))

    @property
    def time_dtype(self) -> torch.dtype:
        return torch.float32

    @torch.no_grad()
    def context(self, text: Tensor, picture: Tensor, trace: Trace | None = None) -> Context:
        """text [tokens, text_dim], not padded; picture [1, rows, picture_dim].

        The padding up to text_len is attended to: the network was trained so. ConfigError for a longer prompt.
        """
        c = self.config
        assert text.shape[1:] == (c.text_dim,) and picture.shape[::2] == (1, c.picture_dim), (text.shape, picture.shape)
        if text.shape[0] > c.text_len:
            raise ConfigError(f"prompt: {text.shape[0]} tokens; {c.text_len} at most")
        rows = torch.cat([text, text.new_zeros(c.text_len - text.shape[0], c.text_dim)])[None]
        words, seen = self.text_embedding(rows.to(self.dtype)), self.img_emb(picture.to(self.dtype))
        if trace is not None:
            trace["text_ctx"], trace["clip_ctx"] = words, seen
        made = [block.cross_attn.keys_values(words, seen) for block in self._blocks()]
        return Context(*(torch.stack(each) for each in zip(*made, strict=True)))

    @torch.no_grad()
    def forward(
        self,
        z: Tensor,
        t: float | Tensor | Moment,
        y: Tensor,
        context: Context,
        heard: Heard,
        trace: Trace | None = None,
    ) -> Tensor:
        """See `Dit.predicted`. The sampler turns the sign of what comes out."""
        blocks = self._blocks()

        def through(index: int, x: Tensor, modulation: Tensor, tokens: Tokens, note: Note) -> Tensor:
            out: Tensor = blocks[index](x, modulation, tokens, *context.block(index), heard.block(index), note)
            return out

        return self.predicted(z, t, y, heard, through, trace)

    def _sounded(self, tokens: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        return [block.audio_cross_attn.keys_values(tokens) for block in self._blocks()]

    def _blocks(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]


class PictureEmbedding(nn.Module):
    """Picture features [1, rows, picture_dim] → [1, rows, D]."""

    def __init__(self, config: FlashTalkConfig) -> None:
        super().__init__()
        seen, dim = config.picture_dim, config.dim
        self.proj = nn.Sequential(
            nn.LayerNorm(seen, PICTURE_NORM_EPS),
            nn.Linear(seen, seen),
            nn.GELU(),
            nn.Linear(seen, dim),
            nn.LayerNorm(dim, PICTURE_NORM_EPS),
        )

    def forward(self, picture: Tensor) -> Tensor:
        return cast(Tensor, self.proj(picture))
