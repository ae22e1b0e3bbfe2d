"""The Wan 2.1 video VAE: frames to latents and back, a group of frames at a time, each group going on from the last.

In: video [1, 3, F, H, W] in [-1, 1], F = 1 + 4 k. Out: normalised latents [16, 1 + k, H/8, W/8], and back. Running
group by group is part of the definition: the first frame alone, then four at a time, with the convolutions' memory
carried over. Parameters have the checkpoint's names. How rows are spread over ranks is a `Split`; the result does not
depend on it. The published tiling, which does change the result, is pipeline.models.wan_tiles.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from pipeline.errors import ConfigError
from pipeline.models.wan_blocks import Attention, CausalConv, ChannelNorm, Down, Layers, Pass, Residual, Up
from pipeline.parallel.halo import Band, Split, Whole

COLOURS = 3
MEAN = (
    *(-0.7571, -0.7089, -0.9113, 0.1075, -0.1745, 0.9653, -0.1517, 1.5508),
    *(0.4134, -0.0715, 0.5517, -0.3632, -0.1922, -0.9497, 0.2503, -0.2921),
)  #: of each latent channel
STD = (
    *(2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708, 2.6052, 2.0743),
    *(3.2687, 2.1526, 2.8652, 1.5579, 1.6382, 1.1253, 2.8251, 1.9160),
)  #: of each latent channel


@dataclass(frozen=True)
class WanVaeConfig:
    """dim: channels at full size. dim_mult: of the levels, in multiples of dim. num_res_blocks: of a level, encoding.

    temporal_downsample: of the steps between levels, all of which halve the sides, those that halve the frames, too.
    ConfigError names a field that cannot be.
    """

    dim: int = 96
    z_dim: int = 16
    dim_mult: tuple[int, ...] = (1, 2, 4, 4)
    num_res_blocks: int = 2
    temporal_downsample: tuple[bool, ...] = (False, True, True)

    def __post_init__(self) -> None:
        for name in ("dim", "num_res_blocks"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ConfigError(f"Wan VAE: {name} is {value!r}; a whole number from 1 is needed")
        if self.z_dim != len(MEAN):
            raise ConfigError(f"Wan VAE: z_dim is {self.z_dim!r}; mean and deviation are known for {len(MEAN)} latents")
        if not self.dim_mult or not all(type(times) is int and times > 0 for times in self.dim_mult):
            raise ConfigError(f"Wan VAE: dim_mult is {list(self.dim_mult)}; whole numbers from 1 are needed")
        if len(self.temporal_downsample) != len(self.dim_mult) - 1:
            raise ConfigError(
                f"Wan VAE: temperal_downsample has {len(self.temporal_downsample)} values; "
                f"{len(self.dim_mult) - 1} are needed, one between every two of {len(self.dim_mult)} levels"
            )
        if any(self.dim * times % 2 for times in self.dim_mult[1:]):
            raise ConfigError(f"Wan VAE: dim {self.dim} times {list(self.dim_mult)} is odd; up-sampling halves it")

    @classmethod
    def from_json(cls, mapping: Mapping[str, Any]) -> WanVaeConfig:
        """From a config (which spells temperal_downsample); missing keys are the released VAE's, others ignored."""
        if mapping.get("attn_scales"):
            raise ConfigError(f"Wan VAE: attn_scales is {mapping['attn_scales']}; only [], as released, is known")
        known: dict[str, Any] = {name: mapping[name] for name in cls.__dataclass_fields__ if name in mapping}
        if "temperal_downsample" in mapping:
            known["temporal_downsample"] = mapping["temperal_downsample"]
        for name in ("dim_mult", "temporal_downsample"):
            if not isinstance(known.get(name, []), list | tuple):
                raise ConfigError(f"Wan VAE: {name} is {known[name]!r}; a list is needed")
        fields: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in known.items()}
        return cls(**fields)

    @property
    def space(self) -> int:
        """Pixels a side of one latent."""
        return int(2 ** len(self.temporal_downsample))

    @property
    def time(self) -> int:
        """Frames of one latent, but for the first."""
        return int(2 ** sum(self.temporal_downsample))

    def latents(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Frames, height, width of a video in pixels → in latents. ConfigError for what cannot be."""
        empty = min(frames, height, width) < 1
        if empty or (frames - 1) % self.time or height % self.space or width % self.space:
            raise ConfigError(
                f"Wan VAE: {frames} frames of {width}x{height}; "
                f"1 + a multiple of {self.time} frames is needed, and sides that divide by {self.space}"
            )
        return 1 + (frames - 1) // self.time, height // self.space, width // self.space

    def pixels(self, frames: int, height: int, width: int) -> tuple[int, int, int]:
        """Frames, height, width of latents → of their video, in pixels."""
        return 1 + (frames - 1) * self.time, height * self.space, width * self.space


WAN_VAE = WanVaeConfig()


class WanVae(nn.Module):
    """split: how rows are spread over ranks; one rank when None.

    Inputs are the same on every rank, and so is what comes out; both are of the parameters' type. A call keeps nothing.
    """

    def __init__(self, config: WanVaeConfig = WAN_VAE, split: Split | None = None) -> None:
        super().__init__()
        self.config = config
        self._split = split or Whole()
        self.encoder = Encoder(config)
        self.conv1 = CausalConv(2 * config.z_dim, 2 * config.z_dim, (1, 1, 1))
        self.conv2 = CausalConv(config.z_dim, config.z_dim, (1, 1, 1))
        self.decoder = Decoder(config)

    def encode(self, video: Tensor) -> Tensor:
        """[1, 3, F, H, W] in [-1, 1] → [16, T, h, w]: the mean, normalised; the variance is not used.

        ConfigError for a number of frames or a size that cannot be.
        """
        mean, _ = self.encode_raw(video)
        centre, spread = _statistics(mean.device, mean.dtype)
        return ((mean - centre) / spread)[0]

    @torch.no_grad()
    def encode_raw(self, video: Tensor) -> tuple[Tensor, Tensor]:
        """[1, 3, F, H, W] in [-1, 1] → mean and log variance [1, 16, T, h, w] as they come. Errors as `encode`."""
        assert video.dim() == 5 and video.shape[:2] == (1, COLOURS), tuple(video.shape)
        frames, height, width = self.config.latents(*video.shape[2:])
        band = self._split.band(height)
        made = None if band.is_idle() else self._encoded(band.own(video), band)
        both = band.gather(made, (1, 2 * self.config.z_dim, frames, height, width), video)
        mean, log_variance = both.chunk(2, 1)
        return mean, log_variance

    @torch.no_grad()
    def decode(self, latent: Tensor) -> Tensor:
        """[16, T, h, w], normalised → [1, 3, 1 + 4 (T - 1), H, W], not clamped to [-1, 1]."""
        assert latent.dim() == 4 and latent.shape[0] == self.config.z_dim and latent.numel(), tuple(latent.shape)
        frames, height, width = latent.shape[1:]
        band = self._split.band(height)
        made = None if band.is_idle() else self._decoded(band.own(latent[None]), band)
        return band.gather(made, (1, COLOURS, *self.config.pixels(frames, height, width)), latent)

    def _encoded(self, video: Tensor, band: Band) -> Tensor:
        """The first frame by itself, then group by group."""
        call, made = Pass(band), []
        for group in (video[:, :, :1], *torch.split(video[:, :, 1:], self.config.time, 2)):
            if group.shape[2]:  # splitting nothing gives one empty piece
                made.append(self.encoder.run(group, call))
            call.first = False
        return self.conv1.run(torch.cat(made, 2), call)

    def _decoded(self, latent: Tensor, band: Band) -> Tensor:
        """One latent frame after the other."""
        centre, spread = _statistics(latent.device, latent.dtype)
        call, made = Pass(band), []
        for frame in torch.split(self.conv2.run(latent * spread + centre, call), 1, 2):
            made.append(self.decoder.run(frame, call))
            call.first = False
        return torch.cat(made, 2)


class Encoder(nn.Module):
    """Levels of residual blocks, half the size after each but the last."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = [config.dim * times for times in (1, *config.dim_mult)]
        lowest = widths[-1]
        layers: list[nn.Module] = []
        for level, (into, out) in enumerate(pairwise(widths)):
            layers += [Residual(into if block == 0 else out, out) for block in range(config.num_res_blocks)]
            if level < len(config.temporal_downsample):
                layers.append(Down(out, config.temporal_downsample[level]))
        self.conv1 = CausalConv(COLOURS, widths[0], (3, 3, 3))
        self.downsamples = Layers(*layers)
        self.middle = Layers(Residual(lowest, lowest), Attention(lowest), Residual(lowest, lowest))
        self.head = Layers(ChannelNorm(lowest, 3), nn.SiLU(), CausalConv(lowest, 2 * config.z_dim, (3, 3, 3)))

    def run(self, x: Tensor, call: Pass) -> Tensor:
        """A group of frames [1, 3, 1 or 4, H, W] → one frame of means and log variances [1, 32, 1, h, w]."""
        x = self.downsamples.run(self.conv1.run(x, call), call)
        return self.head.run(self.middle.run(x, call), call)


class Decoder(nn.Module):
    """Levels of residual blocks, one more of them than the encoder's, twice the size after each but the last."""

    def __init__(self, config: WanVaeConfig) -> None:
        super().__init__()
        widths = [config.dim * times for times in (config.dim_mult[-1], *reversed(config.dim_mult))]
        in_time = tuple(reversed(config.temporal_downsample))
        lowest = widths[0]
        layers: list[nn.Module] = []
        for level, (above, out) in enumerate(pairwise(widths)):
            into = above // 2 if level else above  # up-sampling halved them
            layers += [Residual(into if block == 0 else out, out) for block in range(config.num_res_blocks + 1)]
            if level < len(in_time):
                layers.append(Up(out, in_time[level]))
        self.conv1 = CausalConv(config.z_dim, lowest, (3, 3, 3))
        self.middle = Layers(Residual(lowest, lowest), Attention(lowest), Residual(lowest, lowest))
        self.upsamples = Layers(*layers)
        self.head = Layers(ChannelNorm(widths[-1], 3), nn.SiLU(), CausalConv(widths[-1], COLOURS, (3, 3, 3)))

    def run(self, x: Tensor, call: Pass) -> Tensor:
        """One latent frame [1, 16, 1, h, w] → its frames [1, 3, 1 or 4, H, W]."""
        x = self.middle.run(self.conv1.run(x, call), call)
        return self.head.run(self.upsamples.run(x, call), call)


@cache  # copied to a device once: a copy waits for all that the device has to do
def _statistics(device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Mean and deviation of the latent channels, [1, 16, 1, 1, 1] each."""
    mean, std = (torch.tensor(values, device=device, dtype=dtype).reshape(1, -1, 1, 1, 1) for values in (MEAN, STD))
    return mean, std
