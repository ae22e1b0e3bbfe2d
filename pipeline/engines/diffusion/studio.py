"""What a diffusion engine asks of a model: its way, where it computes, its networks, what is constant for a picture.

In: options, and the weights that a model's own studio finds. Out: `Networks` for steps, tensors for an avatar's file.
Nothing is read before it is asked for.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import structlog
import torch
from torch import Tensor

from pipeline import attention, weights
from pipeline.avatar import Avatar
from pipeline.clock import NS, Clock
from pipeline.errors import ConfigError
from pipeline.headdir import HeadDir, HeadFile
from pipeline.modeldir import Source
from pipeline.models.dit import Dit
from pipeline.models.ltx_vae import LtxVae
from pipeline.models.wan_vae import WanVae
from pipeline.models.wav2vec2 import Wav2Vec2
from pipeline.parallel.halo import Bands
from pipeline.parallel.members import Members
from pipeline.parallel.strategy import make
from pipeline.sampler import CHUNK_FRAMES, Codec, Plan

#: The draw by which a VAE is sampled in a segment; those after it: for frames on air, for the still picture. No step of
#: a chunk is so far out.
CHANCE = 1 << 32

log = structlog.get_logger()

Beat = Callable[[], None]
"""Called between pieces of work."""


@dataclass(frozen=True, slots=True)
class Options:
    """weights: where they lie. device: cpu, cuda, cuda:N, or auto. strategy: of several ranks.

    sage: may attention be quantised? offload: keep the blocks in host memory; None = as the model decides.
    """

    weights: Path
    device: str
    strategy: str
    sage: bool
    offload: bool | None


@dataclass(frozen=True, slots=True)
class Way:
    """family: what its avatars' files are called by. grain_px: sides of a picture are multiples of it.

    loud: what is heard is brought to one loudness. sampled: the VAE's latents are drawn from what it says of them.
    kept: baked avatars in memory at once; 0 = few, for each has keys and values of its own in every layer.
    """

    family: str
    grain_px: int
    plan: Plan
    loud: bool
    sampled: bool = False
    kept: int = 0

    @property
    def hop_frames(self) -> int:
        return CHUNK_FRAMES - self.plan.motion_frames


@dataclass(frozen=True)
class Networks:
    """What a step needs, on the device. attention: the kernel's name. fingerprint: of the weights."""

    model: Dit
    vae: Codec
    encoder: Wav2Vec2
    device: torch.device
    attention: str
    fingerprint: str

    def whole_vae(self) -> Codec:
        """The same VAE, which computes without the other ranks; its weights are not copied."""
        if not isinstance(self.vae, WanVae):
            return self.vae  # it never shares its work
        with torch.device("meta"):
            alone = WanVae(self.vae.config)
        alone.load_state_dict(self.vae.state_dict(), strict=True, assign=True)
        return alone


def nothing() -> None:
    """For who need not know how far it is."""


class Placed:
    """What computes where its options say."""

    def __init__(self, options: Options) -> None:
        self._options = options

    @cached_property
    def device(self) -> torch.device:
        """ConfigError when there is no such device."""
        return device_of(self._options.device)

    @property
    def dtype(self) -> torch.dtype:
        return dtype_on(self.device)


class Studio(Protocol):
    """One model, at its weights. ConfigError names a file that is missing or foreign."""

    @property
    def way(self) -> Way: ...

    @property
    def words(self) -> str:
        """What was said to it of what is to be seen; "" for a model that takes no words."""
        ...

    @property
    def device(self) -> torch.device: ...

    @property
    def dtype(self) -> torch.dtype:
        """Of the transformer and the VAE."""
        ...

    @property
    def fingerprint(self) -> str:
        """Of what a step computes with; what only bakes may be taken away afterwards."""
        ...

    def networks(self, beat: Beat) -> Networks:
        """All that a step needs. Every rank calls it, at the same point."""
        ...

    def baked(self, avatar: Avatar, picture: Tensor, load: Callable[[], Networks], beat: Beat) -> Mapping[str, Tensor]:
        """What is constant for a picture [1, 3, 1, H, W]: `pipeline.engines.diffusion.baked.NAMES`, and more.

        load: gives the networks, on every rank; encoders that only bake are read and forgotten before.
        """
        ...


def assembled(
    source: Source | HeadDir | HeadFile,
    transformer: str,
    vae: str,
    heads: int,
    options: Options,
    device: torch.device,
    home: torch.device,
    fingerprint: str,
    beat: Beat,
    clock: Clock,
    **told: Any,
) -> Networks:
    """Networks by their names in `source`. Every rank calls it, at the same point.

    heads: of the transformer. home: where its weights lie. told: what else its constructor is told.
    """
    began_ns, dtype, members = clock.now_ns(), dtype_on(device), Members()
    _settle(device, members.world)
    kernel = attention.choose(device, dtype, options.sage)
    strategy = make(options.strategy, heads, kernel)
    model = weights.load_network(source, transformer, dtype, home, strategy=strategy, kernel=kernel, **told)
    beat()
    shared = {"split": Bands(members)} if members.world > 1 and vae == "vae" else {}  # only Wan's has rows to share
    codec = weights.load_network(source, vae, dtype, device, **shared)
    encoder = weights.load_network(source, "wav2vec2", torch.float32, device)
    assert isinstance(model, Dit) and isinstance(codec, WanVae | LtxVae) and isinstance(encoder, Wav2Vec2)
    beat()
    log.info(
        "weights.loaded",
        attention=kernel.name,
        strategy=type(strategy).__name__.lower(),
        ranks=members.world,
        offload=home != device,
        device=str(device),
        took_s=round((clock.now_ns() - began_ns) / NS, 1),
    )
    return Networks(model, codec, encoder, device, kernel.name, fingerprint)


def device_of(wanted: str) -> torch.device:
    """ConfigError when there is no such device."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted == "cuda" and torch.cuda.is_available():
        return torch.device("cuda", torch.cuda.current_device())
    try:
        device = torch.device(wanted)
    except RuntimeError:
        raise ConfigError(f"device {wanted!r}: cpu, cuda, cuda:N or auto") from None
    if device.type == "cuda" and not (device.index or 0) < torch.cuda.device_count():
        raise ConfigError(f"device {wanted}: torch sees {torch.cuda.device_count()} GPUs here; cpu or auto works")
    return device


def dtype_on(device: torch.device) -> torch.dtype:
    """Of the large networks: as published on a GPU; on a CPU exact, since it is slow either way."""
    return torch.bfloat16 if device.type == "cuda" else torch.float32


def _settle(device: torch.device, ranks: int) -> None:
    """Take this process's share of the machine."""
    if device.type == "cuda":
        torch.cuda.set_device(device)
    else:  # the encoder and the other ranks need cores, too, and threads without one only spin
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // (2 * ranks)))
