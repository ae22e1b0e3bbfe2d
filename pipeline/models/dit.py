"""What the diffusion transformers have in common: patches in, time, grids of tokens, sound, blocks one after the other.

In: a noisy latent, a time step, a condition of the same shape, and what leads the blocks. Out: a velocity. A model says
which blocks it has and how one of them is called (`predicted`). It knows no noise, no frames and no files; a strategy
that is given to the constructor spreads its tokens over ranks.

Time steps given as numbers, and grids, are prepared once and kept; from then on a forward only launches kernels, so it
can be captured in a graph.

T, h, w: latent frames, height, width. N: tokens, T * h * w over the patch. D: width. L: blocks. d: size of a head.
"""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import torch
from torch import Tensor, nn

from pipeline.attention import Automatic, Kernel
from pipeline.errors import ConfigError
from pipeline.models import rotary
from pipeline.models.audio_adapter import AudioAdapter
from pipeline.models.blocks import Head, Note, Tokens, Trunk, runs
from pipeline.models.dit_config import DitConfig
from pipeline.models.layers import linear_as, patch_embedded, sinusoid, unpatched
from pipeline.parallel.layout import Share
from pipeline.parallel.strategy import Local, Strategy

KEPT_TIMES = 64  #: prepared time steps, 5 MB each at FlashTalk's full size
KEPT_GRIDS = 8

Trace = MutableMapping[str, Tensor]

Through = Callable[[int, Tensor, Tensor, Tokens, Note], Tensor]
"""Calls a block by its index: tokens [1, n, D], modulation [6, D], how the tokens lie, what takes the stages."""


@dataclass(frozen=True)
class Heard:
    """What the sound of a chunk is to each block: keys and values [L, T, heads, rows, d]."""

    k: Tensor
    v: Tensor

    def block(self, index: int) -> tuple[Tensor, Tensor]:
        return self.k[index], self.v[index]


@dataclass(frozen=True)
class Moment:
    """A time step, prepared: [L, 6, D] for the blocks and [2, D] for the head, 1 added to the scales.

    e [1, D], e0 [1, 6, D]: what they were made of.
    """

    blocks: Tensor
    head: Tensor
    e: Tensor
    e0: Tensor


class Dit(nn.Module):
    """strategy: spreads tokens over ranks; None: one rank. kernel: attends; None: the best there is, at first use.

    A model makes its `blocks`, calls `predicted` in its forward, and says in which type time is computed.
    """

    blocks: nn.ModuleList

    def __init__(self, config: DitConfig, strategy: Strategy | None, kernel: Kernel | None) -> None:
        super().__init__()
        self.config = config
        self._kernel = kernel or Automatic()
        self._strategy = strategy or Local(self._kernel)
        self._moments: dict[tuple[float, torch.device], Moment] = {}
        self._grids: dict[tuple[tuple[int, int, int], torch.device], Tokens] = {}
        c = config
        self.patch_embedding = nn.Conv3d(c.in_dim, c.dim, c.patch_size, c.patch_size)
        self.time_embedding = nn.Sequential(nn.Linear(c.freq_dim, c.dim), nn.SiLU(), nn.Linear(c.dim, c.dim))
        self.time_projection = nn.Sequential(nn.SiLU(), nn.Linear(c.dim, 6 * c.dim))
        self.head = Head(c)
        self.audio_proj = AudioAdapter(
            c.audio_window, c.audio_layers, c.audio_dim, c.intermediate_dim, c.output_dim, c.context_tokens, c.vae_scale
        )
        self.register_load_state_dict_post_hook(_forget)  # type: ignore[no-untyped-call, unused-ignore]

    @property
    def dtype(self) -> torch.dtype:
        return self.patch_embedding.weight.dtype

    @property
    def time_dtype(self) -> torch.dtype:
        """In which time embedding, modulation, gates and the head are computed."""
        raise NotImplementedError

    def rounded(self, t: Tensor) -> Tensor:
        """A time step as the network is told it."""
        return t.to(torch.float32)

    def fuse(self) -> Self:
        """One product for queries, keys and values of every self-attention. Names change: `self_attn.qkv.*`."""
        for block in self._trunks():
            block.self_attn.fuse()
        return self

    def forget(self) -> None:
        """Drop prepared time steps and grids; for who changes parameters in place."""
        self._moments.clear()
        self._grids.clear()

    @torch.no_grad()
    def hear(self, audio: Tensor, trace: Trace | None = None) -> Heard:
        """audio [1, F, window, audio_layers, audio_dim]: the windows of a chunk's video frames; on every rank all."""
        tokens = self.audio_proj(audio.to(self.dtype))  # [1, T, context_tokens, output_dim]
        if trace is not None:
            trace["audio_tokens"] = tokens
        return Heard(*(torch.stack(each) for each in zip(*self._sounded(tokens[0]), strict=True)))

    @torch.no_grad()
    def moment(self, t: float | Tensor) -> Moment:
        """A time step 0 … 1000, prepared for `forward`. A number is kept; a tensor on a GPU is not waited for."""
        device = self.patch_embedding.weight.device
        if isinstance(t, Tensor) and t.device.type != "cpu":
            return self._moment(self._wave(t))
        key = (float(t), device)
        if key not in self._moments:
            _make_room(self._moments, KEPT_TIMES)
            self._moments[key] = self._moment(self._wave(torch.tensor(key[0], dtype=torch.float64, device="cpu")))
        return self._moments[key]

    def predicted(
        self, z: Tensor, t: float | Tensor | Moment, y: Tensor, heard: Heard, through: Through, trace: Trace | None
    ) -> Tensor:
        """z [out_dim, T, h, w], y [1, in_dim - out_dim, T, h, w] → float32 [out_dim, T, h, w], any T, h, w.

        The raw prediction. Every rank gives the same and gets the same. trace: is given what each part made, of all
        ranks' tokens; on every rank or on none. ConfigError when the patch does not fit.
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
        for index in range(c.num_layers):
            note = self._noted(trace, f"block{index}", tokens.count)
            x = through(index, x, moment.blocks[index], tokens, note)
            note("", x)
        out = self._strategy.gather(self.head(x, moment.head), tokens.count)
        if trace is not None:
            trace["head"] = out
        return unpatched(out, grid, c.patch_size).float()

    def _sounded(self, tokens: Tensor) -> Sequence[tuple[Tensor, Tensor]]:
        """What the sound [T, context_tokens, output_dim] is to each block: keys and values [T, heads, rows, d]."""
        raise NotImplementedError

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

    def _wave(self, t: Tensor) -> Tensor:
        """[1, freq_dim] of a time step, where the weights are."""
        wave = sinusoid(self.rounded(t), self.config.freq_dim)
        return wave.to(self.patch_embedding.weight.device, self.time_dtype)

    def _moment(self, wave: Tensor) -> Moment:
        layers = (self.time_embedding[0], self.time_embedding[2], self.time_projection[1])
        first, second, third = (cast(nn.Linear, layer) for layer in layers)
        e = linear_as(second, nn.functional.silu(linear_as(first, wave)))
        e0 = linear_as(third, nn.functional.silu(e), parts=6).reshape(1, 6, -1)
        blocks = torch.cat([block.modulation.to(e.device, e.dtype) for block in self._trunks()]) + e0
        blocks[:, 1::3] += 1  # shift, scale, gate, shift, scale, gate
        head = self.head.modulation[0].to(e.dtype) + e  # of e, not of e0
        head[1] += 1
        return Moment(blocks, head, e, e0)

    def _noted(self, trace: Trace | None, block: str, count: int) -> Note:
        if trace is None:
            return _nothing

        def note(part: str, x: Tensor) -> None:
            trace[f"{block}.{part}" if part else block] = self._strategy.gather(x, count)

        return note

    def _trunks(self) -> list[Trunk]:
        return [cast(Trunk, block) for block in self.blocks]

    def _apply(self, fn: Callable[..., Any], recurse: bool = True) -> Self:
        """Parameters that move or change their type: what was made of them goes."""
        self.forget()
        return cast(Self, super()._apply(fn, recurse))  # type: ignore[no-untyped-call, unused-ignore]


def _make_room(kept: dict[Any, Any], most: int) -> None:
    while len(kept) >= most:
        del kept[next(iter(kept))]  # the oldest


def _forget(model: Dit, _keys: object) -> None:
    model.forget()


def _nothing(_part: str, _x: Tensor) -> None:
    pass
