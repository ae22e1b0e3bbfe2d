"""The pattern engine, failing as it is told before each step.

Orders (tests.lab.orders, part `engine`): `slow_factor`: a step takes so many times the media it makes. `hang`: it does
not return while the order stands. `oom`: out of memory. `raise`: an EngineError with this text. `exit`: the process
ends with this status. `only`: the engine's process ids for which all this holds; left out = all.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pipeline.engine import Job, Made
from pipeline.engines.pattern import HOP_FRAMES, PatternEngine
from pipeline.errors import EngineError
from pipeline.media import FPS
from tests.lab import orders

LOOK_S = 0.02


class FaultyEngine(PatternEngine):
    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        began_s = time.monotonic()
        self._obey()
        made = super().step(jobs)
        factor = orders.read("engine").get("slow_factor", 0.0)
        left_s = factor * HOP_FRAMES / FPS - (time.monotonic() - began_s)
        if left_s > 0:
            time.sleep(left_s)
        return made

    def _obey(self) -> None:
        told = orders.read("engine")
        if "only" in told and os.getpid() not in told["only"]:
            return
        while orders.read("engine").get("hang"):
            time.sleep(LOOK_S)
        if told.get("oom"):
            raise EngineError("CUDA out of memory. Tried to allocate 20.00 MiB")
        if "raise" in told:
            raise EngineError(told["raise"])
        if "exit" in told:
            os._exit(told["exit"])
