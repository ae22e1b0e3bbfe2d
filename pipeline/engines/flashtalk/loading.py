"""From a model directory to networks on a device, each when it is needed.

In: where the weights lie, and on what they are to compute. Out: `Networks` for steps; text and picture features, by
encoders that are read for them and forgotten again. ConfigError names a file that is missing or foreign.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import structlog
import torch
from torch import Tensor

from pipeline import attention, weights
from pipeline.clock import NS, Clock
from pipeline.engines.flashtalk import offload
from pipeline.engines.flashtalk.baked import Features
from pipeline.errors import ConfigError
from pipeline.modeldir import Source
from pipeline.models.clip import PictureEncoder
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.models.prompt import Tokenizer
from pipeline.models.umt5 import TEXT_LEN, TextEncoder
from pipeline.models.wan_vae import WanVae
from pipeline.models.wav2vec2 import Wav2Vec2
from pipeline.parallel.halo import Bands
from pipeline.parallel.members import Members
from pipeline.parallel.strategy import make

PROMPT = "A person is talking. Only the foreground characters are moving, the background remains static."

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Options:
    """See FlashTalkEngine."""

    weights: Path
    device: str
    strategy: str
    sage: bool
    offload: bool | None


@dataclass(frozen=True)
class Networks:
    """What a step needs, on the device. attention: the kernel's name. fingerprint: of the weights."""

    model: FlashTalk
    vae: WanVae
    encoder: Wav2Vec2
    device: torch.device
    attention: str
    fingerprint: str

    def whole_vae(self) -> WanVae:
        """The same VAE, which computes without the other ranks; its weights are not copied."""
        with torch.device("meta"):
            alone = WanVae(self.vae.config)
        alone.load_state_dict(self.vae.state_dict(), strict=True, assign=True)
        return alone


class Studio:
    """What lies at `weights`. Nothing is read until it is asked for; `beat` is called between pieces."""

    def __init__(self, options: Options, clock: Clock) -> None:
        self._options, self._clock = options, clock

    @cached_property
    def device(self) -> torch.device:
        wanted = self._options.device
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

    @property
    def dtype(self) -> torch.dtype:
        """Of the transformer and the VAE: as published on a GPU; on a CPU exact, since it is slow either way."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32

    @property
    def offloads(self) -> bool:
        wanted = self._options.offload
        return offload.is_wanted(self.device) if wanted is None else wanted

    @cached_property
    def fingerprint(self) -> str:
        """Of what a step computes with; what only bakes may be taken away afterwards."""
        return self._source.fingerprint

    def features(self, prompt: str, picture: Tensor, beat: Callable[[], None]) -> Features:
        """Of a prompt and a picture [1, 3, 1, H, W]. Both encoders are read for it and forgotten."""
        log.info("avatar.baking", device=str(self.device))
        source, device = self._source, torch.device("cpu") if self.offloads else self.device
        length = FlashTalkConfig.from_json(source.config("dit")).text_len
        beat()
        text_encoder = weights.load_network(source, "umt5", None, device)
        assert isinstance(text_encoder, TextEncoder)
        text = text_encoder.encode(prompt, Tokenizer(source.tokenizer_dir), min(length, TEXT_LEN)).cpu()
        del text_encoder
        beat()
        picture_encoder = weights.load_network(source, "clip", torch.float32, device)
        assert isinstance(picture_encoder, PictureEncoder)
        shown = picture_encoder.encode(picture.to(device)).cpu()
        beat()
        return Features(text, shown)

    def networks(self, beat: Callable[[], None]) -> Networks:
        """All that a step needs. Every rank calls it, at the same point."""
        source, device, began_ns = self._source, self.device, self._clock.now_ns()
        members = Members()
        self._settle(members.world)
        kernel = attention.choose(device, self.dtype, self._options.sage)
        heads = FlashTalkConfig.from_json(source.config("dit")).num_heads
        strategy = make(self._options.strategy, heads, kernel)
        home = torch.device("cpu") if self.offloads else device
        model = weights.load_network(source, "dit", self.dtype, home, strategy=strategy, kernel=kernel)
        assert isinstance(model, FlashTalk)
        if self.offloads:
            offload.stream(model, device)
        beat()
        split = Bands(members) if members.world > 1 else None
        vae = weights.load_network(source, "vae", self.dtype, device, split=split)
        encoder = weights.load_network(source, "wav2vec2", torch.float32, device)
        assert isinstance(vae, WanVae) and isinstance(encoder, Wav2Vec2)
        beat()
        log.info(
            "weights.loaded",
            attention=kernel.name,
            strategy=type(strategy).__name__.lower(),
            ranks=members.world,
            offload=self.offloads,
            device=str(device),
            took_s=round((self._clock.now_ns() - began_ns) / NS, 1),
        )
        return Networks(model, vae, encoder, device, kernel.name, self.fingerprint)

    def _settle(self, ranks: int) -> None:
        """Take this process's share of the machine."""
        if self.device.type == "cuda":
            torch.cuda.set_device(self.device)
        else:  # the encoder and the other ranks need cores, too, and threads without one only spin
            torch.set_num_threads(max(1, (os.cpu_count() or 1) // (2 * ranks)))

    @cached_property
    def _source(self) -> Source:
        return weights.opened(self._options.weights)
