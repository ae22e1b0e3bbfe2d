"""FlashTalk's network: a diffusion transformer over video latents, led by text, a picture and sound.

In: a noisy latent, a time step, the picture's condition, and what text, picture (`Context`) and sound (`Heard`) are to
each block. Out: a velocity. Parameters have the names of the published checkpoint. It knows no noise, no frames and no
files; a strategy that is given to the constructor spreads its tokens over ranks.

Text and picture are constant for a prompt, sound for a chunk: their keys and values are made once, not in every step.
With parameters in half precision, the time embedding, modulation, residual sums under a gate, norms, rotation and the
head are float32, as published. Time steps given as numbers, and grids, are prepared once and kept; from then on a
forward only launches kernels, so it can be captured in a graph.

T, h, w: latent frames, height, width. N: tokens, T * h/2 * w/2. D: width. L: blocks. d: size of a head.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass, fields
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from pipeline.attention import Automatic, Kernel
from pipeline.errors import ConfigError
from pipeline.models import rotary
from pipeline.models.audio_adapter import AudioAdapter
from pipeline.models.blocks import Block, Head, Tokens, runs
from pipeline.models.flashtalk_config import FLASHTALK_14B, FlashTalkConfig
from pipeline.models.layers import linear_float32, patch_embedded, sinusoid, unpatched
from pipeline.parallel.layout import Share
from pipeline.parallel.strategy import Local, Strategy

__all__ = ["FLASHTALK_14B", "Context", "FlashTalk", "FlashTalkConfig", "Heard", "Moment", "Trace"]

PICTURE_NORM_EPS = 1e-5
KEPT_TIMES = 64  #: prepared time steps, 5 MB each at full size
KEPT_GRIDS = 8

Trace = MutableMapping[str, Tensor]


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


@dataclass(frozen=True)
class Heard:
    """What the sound of a chunk is to each block: keys and values [L, T, heads, rows, d]."""

    k: Tensor
    v: Tensor


@dataclass(frozen=True)
class Moment:
    """A time step, prepared: float32 [L, 6, D] for the blocks and [2, D] for the head, 1 added to the scales.

    e [1, D], e0 [1, 6, D]: what they were made of.
    """

    blocks: Tensor
    head: Tensor
    e: Tensor
    e0: Tensor


class FlashTalk(nn.Module):
    """strategy: spreads tokens over ranks; None: one rank. kernel: attends; None: the best there is, at first use."""

    def __init__(self, config: FlashTalkConfig, strategy: Strategy | None = None, kernel: Kernel | None = None) -> None:
        super().__init__()
        self.config = config
        kernel = kernel or Automatic()
        self._strategy = strategy or Local(kernel)
        self._moments: dict[tuple[float, torch.device], Moment] = {}
        self._grids: dict[tuple[tuple[int, int, int], torch.device], Tokens] = {}
        c = config
        self.patch_embedding = nn.Conv3d(c.in_dim, c.dim, c.patch_size, c.patch_size)
        self.text_embedding = nn.Sequential(
            nn.Linear(c.text_dim, c.dim), nn.GELU(approximate="tanh"), nn.Linear(c.dim, c.dim)
        )
        self.time_embedding = nn.Sequential(nn.Linear(c.freq_dim, c.dim), nn.SiLU(), nn.Linear(c.dim, c.dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(c.dim, 6 * c.dim))
        self.blocks = nn.ModuleList(Block(c, self._strategy, kernel) for _ in range(c.num_layers))
        self.head = Head(c)
        self.img_emb = PictureEmbedding(c)
        self.audio_proj = AudioAdapter(
            c.audio_window, c.audio_layers, c.audio_dim, c.intermediate_dim, c.output_dim, c.context_tokens, c.vae_scale
        )
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call, unused-ignore]

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embedding.weight.dtype

    def fuse(self) -> Self:
        """One product for queries, keys and values of every self-attention. Names change: `self_attn.qkv.*`."""
        for block in self._blocks():
            block.self_attn.fuse()
        return self

    def forget(self) -> None:
        """Drop prepared time steps and grids; for who changes parameters in place."""
        self._moments.clear()
        self._grids.clear()

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
    def hear(self, audio: Tensor, trace: Trace | None = None) -> Heard:
        """audio [1, F, window, audio_layers, audio_dim]: the windows of a chunk's video frames; on every rank all."""
        tokens = self.audio_proj(audio.to(self.dtype))  # [1, T, context_tokens, output_dim]
        if trace is not None:
            trace["audio_tokens"] = tokens
        made = [block.audio_cross_attn.keys_values(tokens[0]) for block in self._blocks()]
        return Heard(*(torch.stack(each) for each in zip(*made, strict=True)))

    @torch.no_grad()
    def moment(self, t: float | Tensor) -> Moment:
        """A time step 0 … 1000, prepared for `forward`. A number is kept; a tensor on a GPU is not waited for."""
        device = self.patch_embedding.weight.device
        if isinstance(t, Tensor) and t.device.type != "cpu":
            return self._moment(sinusoid(t, self.config.freq_dim).to(device, torch.float32))
        key = (float(t), device)
        if key not in self._moments:
            _make_room(self._moments, KEPT_TIMES)
            wave = sinusoid(torch.tensor(key[0], dtype=torch.float64, device="cpu"), self.config.freq_dim)
            self._moments[key] = self._moment(wave.to(device, torch.float32))
        return self._moments[key]

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
        """z [out_dim, T, h, w], y [1, in_dim - out_dim, T, h, w] → float32 [out_dim, T, h, w], any T, h, w.

        The raw prediction: the sampler turns its sign. Every rank gives the same and gets the same. trace: is given
        what each part made, of all ranks' tokens; on every rank or on none. ConfigError when the patch does not fit.
        """
        c = self.config
        assert y.shape == (1, c.in_dim - c.out_dim, *z.shape[1:]) and z.shape[0] == c.out_dim, (z.shape, y.shape)
        assert heard.k.shape[:2] == (c.num_layers, z.shape[1]), (heard.k.shape, z.shape)
        moment = t if isinstance(t, Moment) else self.moment(t)
        grid = self._grid(z)
        tokens = self._tokens(grid, z.device)
        x = patch_embedded(torch.cat([z.to(self.dtype), y[0].to(self.dtype)]), self.patch_embedding, c.patch_size)
        if trace is not None:
            turns = rotary.table(grid, c.head_dim, z.device)
            trace.update(patch_embed=x, time_e=moment.e, time_e0=moment.e0, rope_cos=turns[0], rope_sin=turns[1])
        x = self._strategy.share(x)  # [1, n, D]
        for index, block in enumerate(self.blocks):
            note = self._noted(trace, f"block{index}", tokens.count)
            x = block(x, moment.blocks[index], tokens, *context.block(index), (heard.k[index], heard.v[index]), note)
            note("", x)
        out = self._strategy.gather(self.head(x, moment.head), tokens.count)
        if trace is not None:
            trace["head"] = out
        return unpatched(out, grid, c.patch_size)

    def _grid(self, z: Tensor) -> tuple[int, int, int]:
        """Patches along frames, rows and columns."""
        frames, height, width = z.shape[1:]
        _, rows, columns = self.config.patch_size
        if height % rows or width % columns:
            raise ConfigError(f"latents of {width}x{height}: each side must divide by the patch, {columns}x{rows}")
        return frames, height // rows, width // columns

    def _tokens(self, grid: tuple[int, int, int], device: torch.device) -> Tokens:
        key = (grid, device)
        if key not in self._grids:
            _make_room(self._grids, KEPT_GRIDS)
            frames, height, width = grid
            share = Share(frames * height * width, self._strategy.world, self._strategy.rank)
            turns = self._strategy.share(rotary.table(grid, self.config.head_dim, device))
            self._grids[key] = Tokens(share.tokens, runs(share, height * width), turns)
        return self._grids[key]

    def _moment(self, wave: Tensor) -> Moment:
        """wave: float32 [1, freq_dim]."""
        layers = (self.time_embedding[0], self.time_embedding[2], self.time_projection[1])
        first, second, third = (cast(nn.Linear, layer) for layer in layers)
        e = linear_float32(second, nn.functional.silu(linear_float32(first, wave)))
        e0 = linear_float32(third, nn.functional.silu(e), parts=6).reshape(1, 6, -1)
        blocks = torch.cat([block.modulation.to(e.device, torch.float32) for block in self._blocks()]) + e0
        blocks[:, 1::3] += 1  # shift, scale, gate, shift, scale, gate
        head = self.head.modulation[0].float() + e  # of e, not of e0
        head[1] += 1
        return Moment(blocks, head, e, e0)

    def _noted(self, trace: Trace | None, block: str, count: int) -> Callable[[str, Tensor], None]:
        if trace is None:
            return _nothing

        def note(part: str, x: Tensor) -> None:
            trace[f"{block}.{part}" if part else block] = self._strategy.gather(x, count)

        return note

    def _blocks(self) -> list[Block]:
        return [cast(Block, block) for block in self.blocks]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """Parameters that move or change their type: what was made of them goes."""
        self.forget()
        return cast(Self, super()._apply(fn, recurse))  # type: ignore[no-untyped-call, unused-ignore]


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


def _make_room(kept: dict[Any, Any], most: int) -> None:
    while len(kept) >= most:
        del kept[next(iter(kept))]  # the oldest


def _forget(model: FlashTalk, _keys: object) -> None:
    model.forget()


def _nothing(_part: str, _x: Tensor) -> None:
    pass
