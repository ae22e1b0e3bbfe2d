"""From FlashTalk's model directory to networks on a device, each when it is needed.

In: where the weights lie, and on what they are to compute. Out: `Networks` for steps; what text, picture and their
encoders give for an avatar, by encoders that are read for it and forgotten again. ConfigError names a file that is
missing or foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

import structlog
import torch
from torch import Tensor

from pipeline import sampler, weights
from pipeline.avatar import Avatar
from pipeline.clock import Clock
from pipeline.engines.diffusion.baked import CONTEXT
from pipeline.engines.diffusion.studio import Beat, Networks, Options, Placed, Way, assembled
from pipeline.engines.flashtalk import offload
from pipeline.modeldir import Source
from pipeline.models.clip import PictureEncoder
from pipeline.models.flashtalk import FlashTalk, FlashTalkConfig
from pipeline.models.prompt import Tokenizer
from pipeline.models.umt5 import TEXT_LEN, TextEncoder
from pipeline.models.wan_vae import WanVae

PROMPT = "A person is talking. Only the foreground characters are moving, the background remains static."
WAY = Way("flashtalk", 16, sampler.FLASHTALK, loud=True)  # 8 pixels are one latent, which are taken two by two

log = structlog.get_logger()


class FlashTalkStudio(Placed):
    """See `Studio`. Nothing is read until it is asked for; `beat` is called between pieces."""

    way = WAY

    def __init__(self, options: Options, prompt: str, clock: Clock) -> None:
        super().__init__(options)
        self._clock = clock
        self.words = prompt

    @property
    def offloads(self) -> bool:
        wanted = self._options.offload
        return offload.is_wanted(self.device) if wanted is None else wanted

    @cached_property
    def fingerprint(self) -> str:
        return self._source.fingerprint

    def baked(self, avatar: Avatar, picture: Tensor, load: Callable[[], Networks], beat: Beat) -> Mapping[str, Tensor]:
        """Keys and values of text and picture, and the picture's latents."""
        text, shown = self._features(picture, beat)
        networks = load()
        model, vae, device = networks.model, networks.whole_vae(), networks.device
        assert isinstance(model, FlashTalk) and isinstance(vae, WanVae)
        with torch.no_grad():
            context = model.context(text.to(device), shown.to(device))
        beat()
        here = picture.to(device)
        y, motion0 = sampler.prepare(vae, here)
        beat()
        still = sampler.encode(vae, here.expand(-1, -1, WAY.plan.motion_frames, -1, -1))
        made = {"text": text, "clip": shown, "picture": here, "y": y, "motion0": motion0, "still": still}
        return made | {CONTEXT + name: tensor for name, tensor in context.tensors().items()}

    def networks(self, beat: Beat) -> Networks:
        source, device = self._source, self.device
        heads = FlashTalkConfig.from_json(source.config("dit")).num_heads
        home = torch.device("cpu") if self.offloads else device
        found = assembled(source, "dit", "vae", heads, self._options, device, home, self.fingerprint, beat, self._clock)
        assert isinstance(found.model, FlashTalk)
        if self.offloads:
            offload.stream(found.model, device)
        return found

    def _features(self, picture: Tensor, beat: Beat) -> tuple[Tensor, Tensor]:
        """text [L, 4096] without padding, picture [1, 257, 1280]. Both encoders are read for it and forgotten."""
        log.info("avatar.baking", device=str(self.device))
        source, device = self._source, torch.device("cpu") if self.offloads else self.device
        length = FlashTalkConfig.from_json(source.config("dit")).text_len
        beat()
        text_encoder = weights.load_network(source, "umt5", None, device)
        assert isinstance(text_encoder, TextEncoder)
        text = text_encoder.encode(self.words, Tokenizer(source.tokenizer_dir), min(length, TEXT_LEN)).cpu()
        del text_encoder
        beat()
        picture_encoder = weights.load_network(source, "clip", torch.float32, device)
        assert isinstance(picture_encoder, PictureEncoder)
        shown = picture_encoder.encode(picture.to(device)).cpu()
        beat()
        return text, shown

    @cached_property
    def _source(self) -> Source:
        return weights.opened(self._options.weights)
