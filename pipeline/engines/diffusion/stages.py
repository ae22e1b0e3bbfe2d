"""How long each stage of a chunk took, without waiting for the device while it runs.

In: what `sampler.chunk` traces. Out: seconds a stage, and the last frames before colour matching. On a GPU the times
are those of events in its queue; on a CPU, those of the clock.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import torch
from torch import Tensor

from pipeline.clock import NS, Clock

STAGE_ENDED_BY = {
    "heard": "cond_s",
    "latent_final": "dit_s",
    "decoded": "decode_s",
    "corrected": "match_s",
    "motion_next": "encode_s",
}
"""The trace's name, and the note that its stage gets: from the one before to this one."""


@dataclass
class Stages:
    """One chunk; a `sampler.Trace`. Made when its first stage begins."""

    device: torch.device
    clock: Clock
    motion_frames: int  #: how many of the last ones are kept
    last_frames: Tensor = field(init=False)  #: [1, 3, motion_frames, H, W], decoded and not yet matched
    _marks: list[tuple[str, torch.cuda.Event | int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._mark("")

    def __setitem__(self, name: str, value: Tensor, /) -> None:
        if name == "decoded":
            self.last_frames = value[:, :, -self.motion_frames :]
        if name in STAGE_ENDED_BY:
            self._mark(STAGE_ENDED_BY[name])

    def seconds(self) -> dict[str, float]:
        """By note; call it when the device has come to the end of the chunk."""
        return {note: _between(before, after) for (_, before), (note, after) in pairwise(self._marks)}

    def _mark(self, note: str) -> None:
        if self.device.type != "cuda":
            self._marks.append((note, self.clock.now_ns()))
            return
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self.device))
        self._marks.append((note, event))


def _between(before: torch.cuda.Event | int, after: torch.cuda.Event | int) -> float:
    if isinstance(before, int) or isinstance(after, int):
        assert isinstance(before, int) and isinstance(after, int)
        return (after - before) / NS
    return float(before.elapsed_time(after)) / 1000
