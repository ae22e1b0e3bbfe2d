"""The pattern and the portrait engine, and whichever is `Faulty`, failing as they are told before each step.

Orders (tests.lab.orders, part `engine`): `slow_factor`: a step takes so many times the media it makes. `hang`: it does
not return while the order stands. `oom`: out of memory. `lost`: the card does not answer. `raise`: an EngineError with
this text. `exit`: the process ends with this status. `still`: all its pictures are one and the same. `black`: they are
that. `only`: process ids of engines for which all this holds; left out = all. `above_px`: only for engines that draw
more pixels.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np

from pipeline.avatar import Avatar
from pipeline.engine import Job, Made
from pipeline.engines.pattern import BLACK, GREY, NEUTRAL, PatternEngine
from pipeline.engines.portrait.engine import PortraitEngine
from pipeline.errors import EngineError
from pipeline.media import FPS, MediaFormat
from tests.lab import orders

LOOK_S = 0.02


class Faulty:
    _pixels = 0

    def format(self, avatar: Avatar) -> MediaFormat:
        self._pixels = avatar.size[0] * avatar.size[1]
        return super().format(avatar)  # type: ignore[misc]

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        began_s = time.monotonic()
        self._obey()
        made = [_spoilt(one, self._told()) for one in super().step(jobs)]  # type: ignore[misc]
        factor = self._told().get("slow_factor", 0.0)
        left_s = factor * sum(len(one.frames) for one in made) / FPS - (time.monotonic() - began_s)
        if left_s > 0:
            time.sleep(left_s)
        return made

    def _told(self) -> dict[str, Any]:
        """The orders for this process."""
        told = orders.read("engine")
        is_meant = os.getpid() in told.get("only", [os.getpid()]) and self._pixels > told.get("above_px", -1)
        return told if is_meant else {}

    def _obey(self) -> None:
        told = self._told()
        while self._told().get("hang"):
            time.sleep(LOOK_S)
        if told.get("oom"):
            raise RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")  # as torch words it
        if told.get("lost"):
            raise RuntimeError("CUDA error: uncorrectable ECC error encountered")
        if "raise" in told:
            raise EngineError(told["raise"])
        if "exit" in told:
            os._exit(told["exit"])


class FaultyEngine(Faulty, PatternEngine):
    pass


class FaultyPortrait(Faulty, PortraitEngine):
    pass


class _Following(Faulty, PatternEngine):
    """It carries pictures over, as a network does."""

    overlap_frames = 0

    def format(self, avatar: Avatar) -> MediaFormat:
        return msgspec.structs.replace(super().format(avatar), overlap_frames=self.overlap_frames)


class LikeTalk(_Following):
    hop_frames, overlap_frames = 28, 5


class LikeLite(_Following):
    hop_frames, overlap_frames = 24, 9


class LongHop(PatternEngine):
    """In time, and in hops as long as those of the 14B engine."""

    hop_frames = 28


def _spoilt(made: Made, told: dict[str, Any]) -> Made:
    if told.get("still"):
        return replace(made, frames=np.repeat(made.frames[:1] * 0 + GREY, len(made.frames), axis=0))
    if told.get("black"):
        frames = np.full_like(made.frames, NEUTRAL)
        frames[:, : frames.shape[1] * 2 // 3] = BLACK
        return replace(made, frames=frames)
    return made
