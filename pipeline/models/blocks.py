"""The blocks of the transformers: this rank's tokens in, the same tokens one layer further on out.

A block attends to all tokens of all ranks through its strategy; text, picture and sound come in as keys and values
that were made before. It keeps nothing between calls and never waits for the device. `Trunk`, `SelfAttention` and
`Head` are every model's, the rest is FlashTalk's; what FlashHead has instead is in pipeline.models.flashhead.

B = 1. n: this rank's tokens, padding at the end included. D: width, heads x d. T: latent frames.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from pipeline.attention import Kernel
from pipeline.models.dit_config import DitConfig
from pipeline.models.flashtalk_config import FlashTalkConfig
from pipeline.models.layers import FeedForward, RmsNorm, gated, linear_as, modulated
from pipeline.models.rotary import rotated
from pipeline.parallel.layout import Share
from pipeline.parallel.strategy import Strategy, padded

Note = Callable[[str, Tensor], None]  # takes what a named part gave, on this rank


@dataclass(frozen=True)
class Run:
    """Tokens start … stop of this rank: `frames` latent frames from `frame` on, equally many tokens of each."""

    frame: int
    frames: int
    start: int
    stop: int


@dataclass(frozen=True)
class Tokens:
    """How a grid's tokens lie: how many there are on all ranks, this rank's by latent frame, and their angles.

    turns: float32 [2, n, d / 2], cosines and sines.
    """

    count: int
    runs: Sequence[Run]
    turns: Tensor


def runs(share: Share, per_frame: int) -> list[Run]:
    """A rank's real tokens, latent frames with equally many side by side, so that one attention does them all."""
    found: list[Run] = []
    for frame, start, stop in share.spans(per_frame):
        last = found[-1] if found else None
        if last is not None and (last.stop - last.start) == last.frames * (stop - start):
            found[-1] = Run(last.frame, last.frames + 1, last.start, stop)
        else:
            found.append(Run(frame, 1, start, stop))
    assert all(one.stop == other.start for one, other in pairwise(found))
    return found


class SelfAttention(nn.Module):
    """Every token to every token of all ranks, with rotary positions; parameters as published, or fused."""

    def __init__(self, dim: int, heads: int, eps: float, strategy: Strategy) -> None:
        super().__init__()
        self._heads = heads
        self._strategy = strategy
        self.q, self.k, self.v, self.o = (nn.Linear(dim, dim) for _ in range(4))
        self.norm_q, self.norm_k = RmsNorm(dim, eps), RmsNorm(dim, eps)
        self.qkv: nn.Linear | None = None

    def fuse(self) -> None:
        """One product `qkv` instead of q, k and v, its rows in that order; their parameters go. Call it once."""
        three = (self.q, self.k, self.v)
        weight = torch.cat([each.weight.detach() for each in three])
        fused = nn.Linear(weight.shape[1], weight.shape[0], device="meta")
        fused.weight = nn.Parameter(weight, requires_grad=False)
        fused.bias = nn.Parameter(torch.cat([each.bias.detach() for each in three]), requires_grad=False)
        self.qkv = fused
        del self.q, self.k, self.v

    def forward(self, x: Tensor, tokens: Tokens) -> Tensor:
        q, k, v = (self.q(x), self.k(x), self.v(x)) if self.qkv is None else self.qkv(x).chunk(3, -1)
        q = rotated(split(self.norm_q(q), self._heads), tokens.turns)
        k = rotated(split(self.norm_k(k), self._heads), tokens.turns)
        out: Tensor = self.o(self._strategy.attend(q, k, split(v, self._heads), tokens.count).flatten(2))
        return out


class CrossAttention(nn.Module):
    """Every token to the words and to the picture: two attentions with the same queries, summed."""

    def __init__(self, config: FlashTalkConfig, kernel: Kernel) -> None:
        super().__init__()
        dim, eps = config.dim, config.eps
        self._heads = config.num_heads
        self._kernel = kernel
        self.q, self.k, self.v, self.o, self.k_img, self.v_img = (nn.Linear(dim, dim) for _ in range(6))
        self.norm_q, self.norm_k, self.norm_k_img = (RmsNorm(dim, eps) for _ in range(3))

    def keys_values(self, words: Tensor, picture: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """[1, rows, D] each → keys and values of the words, then of the picture: [1, heads, rows, d]."""
        made = self.norm_k(self.k(words)), self.v(words), self.norm_k_img(self.k_img(picture)), self.v_img(picture)
        text_k, text_v, picture_k, picture_v = (split(x, self._heads).transpose(1, 2) for x in made)
        return text_k, text_v, picture_k, picture_v

    def forward(self, x: Tensor, text: tuple[Tensor, Tensor], picture: tuple[Tensor, Tensor]) -> Tensor:
        q = split(self.norm_q(self.q(x)), self._heads).transpose(1, 2)
        both = self._kernel(q, *text) + self._kernel(q, *picture)  # [1, heads, n, d]
        out: Tensor = self.o(both.transpose(1, 2).flatten(2))
        return out


class AudioAttention(nn.Module):
    """Every token to the sound of its own latent frame, and of no other."""

    def __init__(self, config: FlashTalkConfig, kernel: Kernel) -> None:
        super().__init__()
        dim = config.dim
        self._heads = config.num_heads
        self._kernel = kernel
        self.q_linear = nn.Linear(dim, dim)
        self.kv_linear = nn.Linear(config.output_dim, 2 * dim)
        self.proj = nn.Linear(dim, dim)

    def keys_values(self, sound: Tensor) -> tuple[Tensor, Tensor]:
        """[T, tokens, output_dim] → keys and values [T, heads, tokens, d]."""
        k, v = self.kv_linear(sound).chunk(2, -1)
        return split(k, self._heads).transpose(1, 2), split(v, self._heads).transpose(1, 2)

    def forward(self, x: Tensor, heard: tuple[Tensor, Tensor], tokens: Tokens) -> Tensor:
        attended = by_frame(self._kernel, split(self.q_linear(x), self._heads), *heard, tokens.runs)
        out: Tensor = self.proj(attended.flatten(2))
        return out


def by_frame(kernel: Kernel, q: Tensor, k: Tensor, v: Tensor, mine: Sequence[Run]) -> Tensor:
    """q [1, n, heads, d] of this rank; k, v [T, heads, rows, d] by latent frame → [1, n, heads, d], padding zero."""
    parts = [q.new_zeros(1, 0, *q.shape[2:])] if not mine else []
    for run in mine:
        queries = q[0, run.start : run.stop].reshape(run.frames, -1, *q.shape[2:]).transpose(1, 2)
        here = slice(run.frame, run.frame + run.frames)
        found = kernel(queries, k[here], v[here])  # [frames, heads, tokens of each, d]
        parts.append(found.transpose(1, 2).flatten(0, 1)[None])
    return padded(parts[0] if len(parts) == 1 else torch.cat(parts, 1), q.shape[1], 1)


class Trunk(nn.Module):
    """What every block begins and ends with: self-attention and feed-forward, both modulated and under a gate."""

    def __init__(self, config: DitConfig, strategy: Strategy) -> None:
        super().__init__()
        self.eps = config.eps
        self.modulation = nn.Parameter(torch.zeros(1, 6, config.dim))
        self.self_attn = SelfAttention(config.dim, config.num_heads, config.eps, strategy)
        self.norm3 = nn.LayerNorm(config.dim, config.eps)
        self.ffn = FeedForward(config.dim, config.ffn_dim)

    def attended(self, x: Tensor, modulation: Tensor, tokens: Tokens, note: Note) -> Tensor:
        """x [1, n, D] → same. modulation [6, D]: `modulation` plus the time's, 1 added to the scales."""
        shift, scale, gate = modulation[:3].unbind()
        y = self.self_attn(modulated(x, shift, scale, self.eps).to(x.dtype), tokens)
        note("self_attn", y)
        return gated(x, y, gate)

    def fed(self, x: Tensor, modulation: Tensor, note: Note) -> Tensor:
        """As `attended`."""
        shift, scale, gate = modulation[3:].unbind()
        y = self.ffn(modulated(x, shift, scale, self.eps).to(x.dtype))
        note("ffn", y)
        return gated(x, y, gate)


class Block(Trunk):
    """Self-attention, attention to text and picture, attention to sound, feed-forward."""

    def __init__(self, config: FlashTalkConfig, strategy: Strategy, kernel: Kernel) -> None:
        super().__init__(config, strategy)
        self.cross_attn = CrossAttention(config, kernel)
        self.norm_x = nn.LayerNorm(config.dim, config.eps)
        self.audio_cross_attn = AudioAttention(config, kernel)

    def forward(
        self,
        x: Tensor,
        modulation: Tensor,
        tokens: Tokens,
        text: tuple[Tensor, Tensor],
        picture: tuple[Tensor, Tensor],
        heard: tuple[Tensor, Tensor],
        note: Note,
    ) -> Tensor:
        """x [1, n, D] → same. modulation: float32 [6, D], see `Trunk.attended`.

        text, picture: keys and values [1, heads, rows, d]; heard: [T, heads, rows, d].
        """
        x = self.attended(x, modulation, tokens, note)
        y = self.cross_attn(self.norm3(x), text, picture)
        note("cross_attn", y)
        x = x + y
        y = self.audio_cross_attn(self.norm_x(x), heard, tokens)
        note("audio_cross_attn", y)
        return self.fed(x + y, modulation, note)


class Head(nn.Module):
    """Tokens to the numbers of their patches, in the type that the modulation comes in."""

    def __init__(self, config: DitConfig) -> None:
        super().__init__()
        _, height, width = config.patch_size
        self.eps = config.eps
        self.head = nn.Linear(config.dim, height * width * config.out_dim)
        self.modulation = nn.Parameter(torch.zeros(1, 2, config.dim))

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """x [1, n, D]; modulation [2, D], as of a block → [1, n, patch * out_dim]."""
        shift, scale = modulation.unbind()
        return linear_as(self.head, modulated(x, shift, scale, self.eps))


def split(x: Tensor, heads: int) -> Tensor:
    """[B, n, D] → [B, n, heads, d]."""
    return x.reshape(*x.shape[:-1], heads, -1)
