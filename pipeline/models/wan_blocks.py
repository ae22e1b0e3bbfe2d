"""What the Wan VAE is built of: causal convolutions with a memory, norms, residual blocks, up- and down-sampling.

In: feature maps [1, C, T, rows, W] of a group of frames, and the call they belong to: the rank's band of rows and what
was seen of earlier frames. Out: the same for the next layer. The memory is the call's, so the modules hold nothing but
weights, and calls may overlap. Parameters have the checkpoint's names.

Everything a convolution sees beyond its input, earlier frames and neighbouring rows, comes from `Pass.window`: the one
place to change for buffers that stay.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.models.convolution import convolved
from pipeline.parallel.halo import Band, with_rows

EPSILON = 1e-12  # of a norm: what stands in for a length of 0


@dataclass
class Pass:
    """One call of encode or decode. `first`: this group of frames is the call's first."""

    band: Band
    first: bool = True
    memory: dict[nn.Module, Tensor] = field(default_factory=dict)

    def window(self, layer: nn.Module, x: Tensor, frames: int, rows: int = 0) -> Tensor:
        """[1, C, T, R, W] → [1, C, frames + T, R + 2 rows, W]: with what came before and what lies around.

        Zeros before the beginning and beyond the picture. The last `frames` are remembered for the layer's next call,
        neighbours' rows included, so that each row crosses between ranks once.
        """
        if not frames and not rows:
            return x
        past = self.memory.get(layer)
        group, tall = x.shape[2], x.shape[3]
        seen = x.new_empty((*x.shape[:2], frames + group, tall + 2 * rows, x.shape[4]))
        if past is None:
            seen[:, :, :frames].zero_()
        else:
            seen[:, :, :frames] = past
        now = seen[:, :, frames:]
        now[..., rows : rows + tall, :] = x
        if rows:
            now[..., :rows, :], now[..., rows + tall :, :] = self.band.edges(x, rows, rows)
        if frames:
            self.memory[layer] = seen[:, :, group:].clone()  # a view would keep the whole window
        return seen

    def remember(self, layer: nn.Module, x: Tensor, frames: int) -> None:
        """As if `window` had been called, where the layer itself is left out."""
        self.memory[layer] = x[:, :, x.shape[2] - frames :].clone()


@runtime_checkable
class Looking(Protocol):
    """A layer that looks beyond its input."""

    def run(self, x: Tensor, call: Pass) -> Tensor: ...


class CausalConv(nn.Conv3d):
    """A convolution that sees `kernel - 1` earlier frames and no later one; in space it keeps the size."""

    def __init__(self, into: int, out: int, kernel: tuple[int, int, int]) -> None:
        super().__init__(into, out, kernel)
        self._beside = (0, 0, kernel[2] // 2)  # columns: the only zeros that the convolution adds

    def run(self, x: Tensor, call: Pass) -> Tensor:
        out: Tensor = self(call.window(self, x, self.kernel_size[0] - 1, self.kernel_size[1] // 2))
        return out

    def forward(self, x: Tensor) -> Tensor:
        return convolved(x, self, self._beside)


class ChannelNorm(nn.Module):
    """Over channels: to length sqrt(C), times gamma. `axes`: how many follow the channels'."""

    def __init__(self, channels: int, axes: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, *(1,) * axes))

    def forward(self, x: Tensor) -> Tensor:
        length = math.sqrt(x.shape[1])
        if x.device.type == "cpu":  # normalize reduces an outer axis twelve times more slowly there
            size = x.square().sum(1, keepdim=True).sqrt_().clamp_min_(EPSILON)
            return x.div(size).mul_(length) * self.gamma
        return F.normalize(x, dim=1, eps=EPSILON) * length * self.gamma


class Layers(nn.Sequential):
    """One after the other; those that look beyond their input get the call."""

    def run(self, x: Tensor, call: Pass) -> Tensor:
        for layer in self:
            x = layer.run(x, call) if isinstance(layer, Looking) else layer(x)
        return x


class Residual(nn.Module):
    """Twice norm, SiLU, convolution; beside it the identity, or a 1x1x1 convolution where the channels change."""

    def __init__(self, into: int, out: int) -> None:
        super().__init__()
        self.residual = Layers(
            ChannelNorm(into, 3),
            nn.SiLU(),
            CausalConv(into, out, (3, 3, 3)),
            ChannelNorm(out, 3),
            nn.SiLU(),
            nn.Identity(),  # dropout in training; it keeps the numbering
            CausalConv(out, out, (3, 3, 3)),
        )
        self.shortcut = CausalConv(into, out, (1, 1, 1)) if into != out else nn.Identity()

    def run(self, x: Tensor, call: Pass) -> Tensor:
        beside: Tensor = self.shortcut(x)
        return beside + self.residual.run(x, call)


class Attention(nn.Module):
    """Every place of a frame to all of the same frame, one head. The one layer that needs the whole picture."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = ChannelNorm(channels, 2)
        self.to_qkv = nn.Conv2d(channels, 3 * channels, 1)
        self.proj = nn.Conv2d(channels, channels, 1)

    def run(self, x: Tensor, call: Pass) -> Tensor:
        frames = by_frame(x)
        q, kv = self.to_qkv(self.norm(frames)).tensor_split([x.shape[1]], 1)
        k, v = call.band.whole(kv).chunk(2, 1)  # queries stay: each rank asks for its own places only
        q, k, v = (each.flatten(2).transpose(1, 2)[:, None] for each in (q, k, v))  # [T, 1, places, C]
        out = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2).reshape(frames.shape)
        return x + by_time(self.proj(out))


class Down(nn.Module):
    """Half the size in space; with `in_time` half the frames, too, of every group but the first.

    A group of frames is even there, and goes on from the last frame of the group before it.
    """

    def __init__(self, channels: int, in_time: bool) -> None:
        super().__init__()
        # in the checkpoint's place 0 is padding, right and below only: here the band's, and `run`'s
        self.resample = nn.Sequential(nn.Identity(), nn.Conv2d(channels, channels, 3, stride=2))
        if in_time:
            self.time_conv = nn.Conv3d(channels, channels, (3, 1, 1), stride=(2, 1, 1))
        self._in_time = in_time

    def run(self, x: Tensor, call: Pass) -> Tensor:
        frames = F.pad(with_rows(call.band, by_frame(x), 0, 1), (0, 1))
        x = by_time(self.resample(frames))
        if self._in_time and call.first:
            call.remember(self.time_conv, x, 1)
        elif self._in_time:
            x = self.time_conv(call.window(self.time_conv, x, 1))
        return x


class Up(nn.Module):
    """Twice the size in space, half the channels; with `in_time` twice the frames, too, of every group but the first.

    The first latent frame never enters the history of the convolution in time: it begins with zeros at the second.
    """

    def __init__(self, channels: int, in_time: bool) -> None:
        super().__init__()
        # in the checkpoint's place 0 is the doubling; rows come from the band
        self.resample = nn.Sequential(nn.Identity(), nn.Conv2d(channels, channels // 2, 3, padding=(0, 1)))
        if in_time:
            self.time_conv = nn.Conv3d(channels, 2 * channels, (3, 1, 1))
        self._in_time = in_time

    def run(self, x: Tensor, call: Pass) -> Tensor:
        if self._in_time and not call.first:
            pairs = self.time_conv(call.window(self.time_conv, x, 2))  # channels: those of the earlier frame, the later
            x = pairs.unflatten(1, (2, -1)).permute(0, 2, 3, 1, 4, 5).flatten(2, 3)
        frames = F.interpolate(by_frame(x), scale_factor=2.0, mode="nearest-exact")
        return by_time(self.resample(with_rows(call.band, frames, 1, 1)))


def by_frame(x: Tensor) -> Tensor:
    """[1, C, T, rows, W] → [T, C, rows, W]."""
    assert x.shape[0] == 1, x.shape
    return x[0].transpose(0, 1)


def by_time(x: Tensor) -> Tensor:
    """[T, C, rows, W] → [1, C, T, rows, W]."""
    return x.transpose(0, 1)[None]
