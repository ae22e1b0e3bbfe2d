"""Whether an engine keeps up: how long its steps take, against the media that they make. Pure.

In: nanoseconds of each step. Out: what the next one may take, the real-time factor, how many in a row were too slow.
"""

from __future__ import annotations

from pipeline.clock import SLOT_NS

FIRST_NS = 100_000_000  # a guess until the first step was timed


class Tempo:
    """hop_frames: of one step. rtf_max: a step of this real-time factor or a higher one is too slow."""

    def __init__(self, hop_frames: int, rtf_max: float) -> None:
        self.media_ns = hop_frames * SLOT_NS  #: of one step
        self._rtf_max = rtf_max
        self.render_ns = FIRST_NS  #: what the next step may take: quick to rise, slow to fall
        self.usual_ns = FIRST_NS  #: what a step takes: one hiccup is not seen in it
        self.slow = 0  #: steps in a row that were too slow

    def took(self, step_ns: int) -> None:
        self.render_ns = max(step_ns, (self.render_ns * 15 + step_ns) // 16)
        self.usual_ns = (self.usual_ns * 15 + step_ns) // 16
        self.slow = self.slow + 1 if self.rtf_of(step_ns) >= self._rtf_max else 0

    def warmed(self, steps_ns: list[int]) -> None:
        """The last of these steps stands for those to come; all of them count as slow, or none."""
        self.render_ns = steps_ns[-1]
        self.usual_ns = sorted(steps_ns)[len(steps_ns) // 2]
        self.slow = len(steps_ns) if self.rtf_of(min(steps_ns)) >= self._rtf_max else 0

    @property
    def rtf(self) -> float:
        return self.rtf_of(self.render_ns)

    @property
    def load(self) -> float:
        """The share of real time that this takes, by and large."""
        return self.rtf_of(self.usual_ns)

    def rtf_of(self, step_ns: int) -> float:
        return step_ns / self.media_ns
