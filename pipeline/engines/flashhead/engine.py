"""`flashhead-pro`, `flashhead-lite`, `flashhead-pretrained`: the 1.3B model as an engine, for one GPU or several.

In: an avatar's picture, speech hop by hop with what follows it. Out: 28 frames a step (lite: 24), drawn from noise, the
speech and the last 5 (lite: 9) frames before them. How they play is pipeline.engines.diffusion.engine.

`pretrained` is the teacher that pro was distilled from: 20 steps, each of them guided, so ten times the work.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pipeline.clock import Clock, RealClock
from pipeline.engines.diffusion.engine import DiffusionEngine
from pipeline.engines.diffusion.studio import Options, nothing
from pipeline.engines.flashhead.loading import LITE, PRETRAINED, PRO, FlashHeadStudio, Kind

if TYPE_CHECKING:
    from pipeline.parallel.gang import Gang


class FlashHeadEngine(DiffusionEngine):
    """See `DiffusionEngine`.

    weights: the model directory, or a run-time file (`broadcaster models convert`). cache: where baked avatars lie.
    device: cpu, cuda, cuda:N, or auto. strategy: how the sequence is spread over the ranks of the gang. steps: None for
    as many as the model was made for. strength: of the colour match, 0 … 1. sage: may attention be quantised? offload:
    no GPU is too small for these weights, so True is a ConfigError. beat: called while weights are read and avatars
    baked, between pieces of work. avatars: so many stay at hand, at least.
    """

    KIND: ClassVar[Kind] = PRO

    def __init__(
        self,
        weights: Path | str,
        cache: Path | str,
        device: str = "auto",
        strategy: str = "auto",
        steps: int | None = None,
        strength: float = 1.0,
        sage: bool = False,
        offload: bool | None = None,
        gang: Gang | None = None,
        beat: Callable[[], None] = nothing,
        clock: Clock | None = None,
        avatars: int = 0,
    ) -> None:
        clock = clock or RealClock()
        studio = FlashHeadStudio(self.KIND, Options(Path(weights), device, strategy, sage, offload), clock)
        steps = self.KIND.steps if steps is None else steps
        super().__init__(studio, Path(cache), steps, strength, gang, beat, clock, avatars)


class ProEngine(FlashHeadEngine):
    """28 frames a step, by the Wan VAE."""


class LiteEngine(FlashHeadEngine):
    """24 frames a step, by the LTX VAE: fewer tokens, a tenth of the work."""

    KIND = LITE


class PretrainedEngine(FlashHeadEngine):
    """The guided teacher."""

    KIND = PRETRAINED
