"""`flashtalk`: the 14B model as an engine, on one rank or several.

In: an avatar's picture, a prompt, speech hop by hop with what follows it. Out: 28 frames a step, drawn from noise, the
speech and the last five frames before them. How it plays is pipeline.engines.diffusion.engine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.clock import Clock, RealClock
from pipeline.engines.diffusion.engine import DiffusionEngine
from pipeline.engines.diffusion.studio import Options, nothing
from pipeline.engines.flashtalk.loading import PROMPT, FlashTalkStudio

if TYPE_CHECKING:
    from pipeline.parallel.gang import Gang


class FlashTalkEngine(DiffusionEngine):
    """See `DiffusionEngine`.

    weights: the model directory, or a run-time file (`broadcaster models convert`). cache: where baked avatars lie.
    device: cpu, cuda, cuda:N, or auto. strategy: how the sequence is spread over the ranks of the gang. steps: 4 as
    published, 2 for half the work, any other number. strength: of the colour match, 0 … 1. sage: may attention be
    quantised? offload: keep the blocks in host memory; None = where the GPU is below 64 GB.
    beat: called while weights are read and avatars baked, between pieces of work. avatars: so many stay at hand, at
    least.
    """

    def __init__(
        self,
        weights: Path | str,
        cache: Path | str,
        prompt: str = PROMPT,
        device: str = "auto",
        strategy: str = "auto",
        steps: int = 4,
        strength: float = 1.0,
        sage: bool = False,
        offload: bool | None = None,
        gang: Gang | None = None,
        beat: Callable[[], None] = nothing,
        clock: Clock | None = None,
        avatars: int = 0,
    ) -> None:
        clock = clock or RealClock()
        studio = FlashTalkStudio(Options(Path(weights), device, strategy, sage, offload), prompt, clock)
        super().__init__(studio, Path(cache), steps, strength, gang, beat, clock, avatars)
