"""From FlashHead's model directory, or the file made of it, to networks on a device, each when it is needed.

In: where the weights lie, which of the models is meant, and on what it is to compute. Out: `Networks` for steps, and
the latents of an avatar's picture. ConfigError names a file that is missing or foreign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import structlog
from torch import Tensor

from pipeline import noise, sampler, weights
from pipeline.avatar import Avatar
from pipeline.clock import Clock
from pipeline.engines.diffusion.studio import CHANCE, Beat, Networks, Options, Placed, Way, assembled
from pipeline.errors import ConfigError
from pipeline.headdir import HeadDir, HeadFile
from pipeline.models.flashhead import RELEASED_TIMES
from pipeline.sampler import CHUNK_FRAMES, Plan

#: seed, segment, draw by which the latents of an avatar's picture are drawn: the same in every room and process
REFERENCE_DRAW = (0, 0, CHANCE + 2)

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Kind:
    """transformer, vae: names of networks in pipeline.headdir. steps: as it was made for."""

    transformer: str
    vae: str
    steps: int
    way: Way


LIGHT = 32  #: avatars of a few MB in memory: the persons of a room, or of several that share a process

PRO = Kind("pro", "vae", 4, Way("flashhead", 16, Plan(), loud=False, kept=LIGHT))
LITE = Kind(
    "lite", "ltx", 4, Way("flashhead", 32, Plan(motion_frames=9, clamps=False), loud=False, sampled=True, kept=LIGHT)
)
PRETRAINED = Kind("teacher", "vae", 20, Way("flashhead", 16, Plan(guidance=3.0), loud=False, kept=LIGHT))


class FlashHeadStudio(Placed):
    """See `Studio`. Nothing is read until it is asked for; `beat` is called between pieces."""

    words = ""

    def __init__(self, kind: Kind, options: Options, clock: Clock) -> None:
        if options.offload:
            raise ConfigError("offload: a FlashHead has 3 GB of weights, which stay on the GPU; leave it out")
        super().__init__(options)
        self._kind, self._clock = kind, clock

    @property
    def way(self) -> Way:
        return self._kind.way

    @cached_property
    def fingerprint(self) -> str:
        return self._source.fingerprint((self._kind.transformer, self._kind.vae, "wav2vec2"))

    def baked(self, avatar: Avatar, picture: Tensor, load: Callable[[], Networks], beat: Beat) -> Mapping[str, Tensor]:
        """The latents of the still picture."""
        log.info("avatar.baking", device=str(self.device))
        beat()
        networks = load()
        vae, here = networks.whole_vae(), picture.to(networks.device)
        chance = None
        if self.way.sampled:
            latents = vae.config.latents(CHUNK_FRAMES, *picture.shape[3:])
            chance = noise.draw(*REFERENCE_DRAW, (networks.model.config.out_dim, *latents), networks.device)
        y, motion0 = sampler.reference(vae, here, CHUNK_FRAMES, chance)
        beat()
        still = sampler.encode(vae, here.expand(-1, -1, self.way.plan.motion_frames, -1, -1))
        beat()
        return {"picture": here, "y": y, "motion0": motion0, "still": still}

    def networks(self, beat: Beat) -> Networks:
        source, name = self._source, self._kind.transformer
        heads = weights.head_config(name, source.config(name)).num_heads
        return assembled(
            source,
            name,
            self._kind.vae,
            heads,
            self._options,
            self.device,
            self.device,
            self.fingerprint,
            beat,
            self._clock,
            times=RELEASED_TIMES,
        )

    @cached_property
    def _source(self) -> HeadDir | HeadFile:
        path = self._options.weights
        if path.is_dir():
            return HeadDir(path)
        if path.exists():
            return HeadFile.at(path)
        raise ConfigError(f"{path}: no such directory or file; `broadcaster models pull flashhead` fetches the weights")
