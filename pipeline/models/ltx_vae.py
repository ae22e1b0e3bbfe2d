"""The LTX video VAE: frames to latents and back, 32 pixels a side and 8 frames to one latent.

In: video [1, 3, F, H, W] in [-1, 1], F = 1 + 8 k. Out: normalised latents [128, 1 + k, H/32, W/32], and back, not
clamped. Encoding gives a distribution; a latent is its mean, or a sample by noise that is given: there is no generator
here. The encoder looks back only, the decoder ahead as well, so latents are decoded all at once. Parameters have the
names of the released file (diffusers' layout); `renamed` maps those of the first publication.

After LTX-Video, https://arxiv.org/abs/2501.00103, version 0.9.0: no noise and no time step goes into the decoder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.convolution import convolved

COLOURS = 3
PIXEL_NORM_EPS = 1e-8
NARROW_NORM_EPS = 1e-6  #: of the norm before a 1x1x1 convolution where the channels change
LOG_VARIANCE = (-30.0, 20.0)  #: it is held between these
HALVED = 2  #: by a compression, in time, height and width
#: names of the first publication → of the released file
STATISTICS = {
    "per_channel_statistics.mean-of-means": "latents_mean",
    "per_channel_statistics.std-of-means": "latents_std",
}
#: what the published code can be built without, or with, and this network is not
BUILT_WITH: dict[str, object] = {
    "use_quant_conv": False,
    "causal_decoder": False,
    "decoder_causal": False,
    "timestep_conditioning": False,
    "dims": 3,
}
SCALING = "spatio_temporal_scaling"
BLOCK = ("res_x", "compress_all", "res_x_y")  #: what the first publication's `blocks` are made of


@dataclass(frozen=True)
class LtxVaeConfig:
    """channels: of the levels, from full size to the smallest. blocks: residual blocks of each, and of the middle.

    patch: pixels a side that become channels before anything else. Between two levels all three sides are halved; where
    `channels` does not change from one level to the next, no block is needed to widen it. ConfigError names a field
    that cannot be.
    """

    channels: tuple[int, ...] = (128, 256, 512, 512)
    blocks: tuple[int, ...] = (4, 3, 3, 3, 4)
    latent_channels: int = 128
    patch: int = 4

    def __post_init__(self) -> None:
        for name in ("channels", "blocks", "latent_channels", "patch"):
            value = getattr(self, name)
            numbers = value if isinstance(value, tuple) else (value,)
            if not numbers or not all(type(number) is int and number > 0 for number in numbers):
                raise ConfigError(f"LTX VAE: {name} is {value!r}; whole numbers from 1 are needed")
        if len(self.channels) < 2 or len(self.blocks) != len(self.channels) + 1:
            raise ConfigError(
                f"LTX VAE: {len(self.blocks)} numbers of blocks for {len(self.channels)} levels; "
                "one for each of two or more, and one for the middle"
            )

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> LtxVaeConfig:
        """From a config.json of either layout; missing keys are the released VAE's, others are ignored."""
        for key, value in BUILT_WITH.items():
            if mapping.get(key, value) != value:
                raise ConfigError(f"LTX VAE: {key} is {mapping[key]!r}; only {value!r}, as released, is known")
        found = LTX_VAE
        if "blocks" in mapping:
            found = _of_blocks(mapping["blocks"], mapping.get("encoder_base_channels", LTX_VAE.channels[0]))
        changed: dict[str, Any] = {}
        for key, field in (("block_out_channels", "channels"), ("layers_per_block", "blocks")):
            if not isinstance(mapping.get(key, []), list | tuple):
                raise ConfigError(f"LTX VAE: {key} is {mapping[key]!r}; a list is needed")
            if key in mapping:
                changed[field] = tuple(mapping[key])
        for key, field in (("latent_channels", "latent_channels"), ("patch_size", "patch")):
            if key in mapping:
                changed[field] = mapping[key]
        found = replace(found, **changed)
        scaling = [True] * (len(found.channels) - 1) + [False]
        if list(mapping.get(SCALING, scaling)) != scaling:
            raise ConfigError(f"LTX VAE: {SCALING} is {mapping[SCALING]}; {scaling} is needed")
        return found

    @property
    def space(self) -> int:
        """Pixels a side of one latent."""
        return int(self.patch * HALVED ** (len(self.channels) - 1))

    @property
    def time(self) -> int:
        """Frames of one latent, but for the first."""
        return int(HALVED ** (len(self.channels) - 1))

    def latents(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Frames, height, width of a video in pixels → in latents. ConfigError for what cannot be."""
        empty = min(frames, height, width) < 1
        if empty or (frames - 1) % self.time or height % self.space or width % self.space:
            raise ConfigError(
                f"LTX VAE: {frames} frames of {width}x{height}; "
                f"1 + a multiple of {self.time} frames is needed, and sides that divide by {self.space}"
            )
        return 1 + (frames - 1) // self.time, height // self.space, width // self.space


LTX_VAE = LtxVaeConfig()


class LtxVae(nn.Module):
    """Inputs and what comes out are of the parameters' type. A call keeps nothing."""

    latents_mean: Tensor
    latents_std: Tensor

    def __init__(self, config: LtxVaeConfig = LTX_VAE) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        self.register_buffer("latents_mean", torch.zeros(config.latent_channels))
        self.register_buffer("latents_std", torch.ones(config.latent_channels))

    def encode(self, video: Tensor, noise: Tensor | None = None) -> Tensor:
        """[1, 3, F, H, W] in [-1, 1] → [128, T, h, w], normalised: a sample by standard normal `noise` of that shape.

        noise: None for the mean. ConfigError for a number of frames or a size that cannot be.
        """
        mean, deviation = self.encode_raw(video)
        sample = mean if noise is None else mean + deviation * noise.to(mean)[None]
        centre, spread = self._statistics()
        return ((sample - centre) / spread)[0]

    @torch.no_grad()
    def encode_raw(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """[1, 3, F, H, W] in [-1, 1] → mean and deviation [1, 128, T, h, w] as they come. Errors as `encode`."""
        mean, log_variance = self.moments(video)
        return mean, torch.exp(0.5 * log_variance.clamp(*LOG_VARIANCE)).expand_as(mean)

    @torch.no_grad()
    def moments(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """[1, 3, F, H, W] in [-1, 1] → mean [1, 128, T, h, w], log variance [1, 1, T, h, w], shared by all channels."""
        assert video.dim() == 5 and video.shape[:2] == (1, COLOURS), tuple(video.shape)
        self.config.latents(*video.shape[2:])
        both = cast(Tensor, self.encoder(video))
        return both[:, :-1], both[:, -1:]

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """[128, T, h, w], normalised → [1, 3, 1 + 8 (T - 1), H, W], not clamped to [-1, 1]."""
        assert latent.dim() == 4 and latent.shape[0] == self.config.latent_channels and latent.numel(), latent.shape
        centre, spread = self._statistics()
        return cast(Tensor, self.decoder(latent[None] * spread + centre))

    def _statistics(self) -> tuple[Tensor, Tensor]:
        """Mean and deviation of the latent channels, [1, 128, 1, 1, 1] each."""
        return self.latents_mean.reshape(1, -1, 1, 1, 1), self.latents_std.reshape(1, -1, 1, 1, 1)


class Convolution(nn.Module):
    """Keeps the size, or halves it with a stride of 2. ahead: it sees as many later frames as earlier ones.

    Where the video ends in time its first and last frame go on; beyond the picture lie zeros.
    """

    def __init__(self, into: int, out: int, size: int = 3, stride: int = 1, *, ahead: bool) -> None:
        super().__init__()
        self.conv = nn.Conv3d(into, out, size, stride)
        later = (size - 1) // 2 if ahead else 0
        self._around = size - 1 - later, later
        self._beside = (0, size // 2, size // 2)

    def forward(self, x: Tensor) -> Tensor:
        before, after = self._around
        parts = [x[:, :, :1].expand(-1, -1, before, -1, -1), x, x[:, :, -1:].expand(-1, -1, after, -1, -1)]
        return convolved(torch.cat(parts, 2) if before or after else x, self.conv, self._beside)


class Residual(nn.Module):
    """Twice norm, SiLU, convolution; beside it the identity, or norm and a 1x1x1 one where the channels change."""

    def __init__(self, into: int, out: int, *, ahead: bool) -> None:
        super().__init__()
        self.conv1 = Convolution(into, out, ahead=ahead)
        self.conv2 = Convolution(out, out, ahead=ahead)
        self._changes = into != out
        if self._changes:
            self.norm3 = nn.LayerNorm(into, NARROW_NORM_EPS)
            self.conv_shortcut = Convolution(into, out, 1, ahead=ahead)

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(F.silu(_normed(self.conv1(F.silu(_normed(x))))))
        if self._changes:
            x = self.conv_shortcut(self.norm3(x.movedim(1, -1)).movedim(-1, 1))
        return x + cast(Tensor, y)


class Doubling(nn.Module):
    """Twice the size in time, height and width by depth to space; the first frame, which would be double, goes."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = Convolution(channels, HALVED**3 * channels, ahead=True)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x).unflatten(1, (-1, HALVED, HALVED, HALVED))  # [1, C, t, row, column, T, H, W]
        x = x.permute(0, 1, 5, 2, 6, 3, 7, 4)
        return x.flatten(6, 7).flatten(4, 5).flatten(2, 3)[:, :, 1:]


class DownBlock(nn.Module):
    """A level of the encoder: residual blocks, half the size, and more channels where the next level has more."""

    def __init__(self, into: int, out: int, blocks: int) -> None:
        super().__init__()
        self.resnets = _residuals(into, blocks, ahead=False)
        self.downsamplers = nn.ModuleList([Convolution(into, into, stride=HALVED, ahead=False)])
        self.conv_out = Residual(into, out, ahead=False) if into != out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv_out(self.downsamplers[0](self.resnets(x))))


class UpBlock(nn.Module):
    """A level of the decoder: fewer channels where it has fewer, twice the size, residual blocks."""

    def __init__(self, into: int, out: int, blocks: int) -> None:
        super().__init__()
        self.conv_in = Residual(into, out, ahead=True) if into != out else nn.Identity()
        self.upsamplers = nn.ModuleList([Doubling(out)])
        self.resnets = _residuals(out, blocks, ahead=True)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.resnets(self.upsamplers[0](self.conv_in(x))))


class Level(nn.Module):
    """Residual blocks alone."""

    def __init__(self, channels: int, blocks: int, *, ahead: bool) -> None:
        super().__init__()
        self.resnets = _residuals(channels, blocks, ahead=ahead)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.resnets(x))


class Encoder(nn.Module):
    """Video → means and one log variance."""

    def __init__(self, config: LtxVaeConfig) -> None:
        super().__init__()
        widths, lowest = config.channels, config.channels[-1]
        self._patch = config.patch
        self.conv_in = Convolution(COLOURS * config.patch**2, widths[0], ahead=False)
        down: list[nn.Module] = [
            DownBlock(into, out, blocks)
            for (into, out), blocks in zip(pairwise(widths), config.blocks[:-2], strict=True)
        ]
        self.down_blocks = nn.Sequential(*down, Level(lowest, config.blocks[-2], ahead=False))
        self.mid_block = Level(lowest, config.blocks[-1], ahead=False)
        self.conv_out = Convolution(lowest, config.latent_channels + 1, ahead=False)

    def forward(self, video: Tensor) -> Tensor:
        p = self._patch
        x = video.unflatten(4, (-1, p)).unflatten(3, (-1, p))  # [1, 3, F, H', row, W', column]
        x = x.permute(0, 1, 6, 4, 2, 3, 5).flatten(1, 3)  # channels: colour, column, row
        x = self.mid_block(self.down_blocks(self.conv_in(x)))
        return cast(Tensor, self.conv_out(F.silu(_normed(x))))


class Decoder(nn.Module):
    """Latents → video."""

    def __init__(self, config: LtxVaeConfig) -> None:
        super().__init__()
        widths, blocks = config.channels[::-1], config.blocks[::-1]
        self._patch = config.patch
        self.conv_in = Convolution(config.latent_channels, widths[0], ahead=True)
        self.mid_block = Level(widths[0], blocks[0], ahead=True)
        up: list[nn.Module] = [
            UpBlock(into, out, count) for (into, out), count in zip(pairwise(widths), blocks[2:], strict=True)
        ]
        self.up_blocks = nn.Sequential(Level(widths[0], blocks[1], ahead=True), *up)
        self.conv_out = Convolution(widths[-1], COLOURS * config.patch**2, ahead=True)

    def forward(self, latent: Tensor) -> Tensor:
        p = self._patch
        x = self.up_blocks(self.mid_block(self.conv_in(latent)))
        x = self.conv_out(F.silu(_normed(x))).unflatten(1, (COLOURS, p, p))  # [1, 3, column, row, F, H', W']
        return cast(Tensor, x.permute(0, 1, 4, 5, 3, 6, 2).flatten(5, 6).flatten(3, 4))


def _normed(x: Tensor) -> Tensor:
    """Every place of the map by its own size."""
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + PIXEL_NORM_EPS)


def _residuals(channels: int, blocks: int, *, ahead: bool) -> nn.Sequential:
    return nn.Sequential(*(Residual(channels, channels, ahead=ahead) for _ in range(blocks)))


def _of_blocks(blocks: object, base: int) -> LtxVaeConfig:
    """From the list of the first publication, the encoder's order: [["res_x", 4], ["compress_all", 1], …]."""
    if not isinstance(blocks, Sequence) or not all(
        isinstance(one, Sequence) and len(one) == 2 and one[0] in BLOCK for one in blocks
    ):
        raise ConfigError(f"LTX VAE: blocks is {blocks!r}; pairs of {', '.join(BLOCK)} and a number are needed")
    channels, counts = [base], []
    for kind, count in blocks:
        if kind == "res_x":
            counts.append(count)
        elif kind == "compress_all":
            channels.append(channels[-1])
        else:
            channels[-1] *= 2
    return LtxVaeConfig(tuple(channels), tuple(counts))


def renamed(key: str, config: LtxVaeConfig) -> str:
    """A tensor's name in the first publication → in the released file."""
    if key in STATISTICS:
        return STATISTICS[key]
    key = key.replace(".norm3.norm.", ".norm3.").replace(".conv_shortcut.", ".conv_shortcut.conv.")
    found = re.fullmatch(r"(encoder|decoder)\.(?:down|up)_blocks\.(\d+)\.(.*)", key)
    if found is None:
        return key
    places = _down_places(config.channels) if found[1] == "encoder" else _up_places(config.channels[::-1])
    return f"{found[1]}.{places[int(found[2])]}.{found[3].replace('res_blocks.', 'resnets.')}"


def _down_places(channels: Sequence[int]) -> list[str]:
    """What the encoder's blocks of the first publication, which are all in one row, are called."""
    places = []
    for level, (into, out) in enumerate(pairwise(channels)):
        block = f"down_blocks.{level}"
        places += [block, f"{block}.downsamplers.0"] + [f"{block}.conv_out"] * (into != out)
    return [*places, f"down_blocks.{len(channels) - 1}", "mid_block"]


def _up_places(channels: Sequence[int]) -> list[str]:
    """As `_down_places`, of the decoder; its channels from the smallest picture to the largest."""
    places = ["mid_block", "up_blocks.0"]
    for level, (into, out) in enumerate(pairwise(channels), 1):
        block = f"up_blocks.{level}"
        places += [f"{block}.conv_in"] * (into != out) + [f"{block}.upsamplers.0", block]
    return places
