"""The sound of each slot: live or silence, joined without clicks, from mono to stereo. Pure.

In: int16 [1920] mono of a slot, or nothing. Out: int16 [1, 3840], interleaved stereo at 48 kHz. Where
one source ends the last level falls to zero in 5 ms, where one begins it rises in 5 ms; a sample is
never added or left out, so sound and picture cannot drift apart.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm, silence
from pipeline.media import AIR_HZ, AIR_SAMPLES

RAMP_SAMPLES = AIR_HZ * 5 // 1000  # 5 ms: too short to be heard as a fade, long enough not to click

_RISE = np.linspace(0.0, 1.0, RAMP_SAMPLES, dtype=np.float32)


class Mixer:
    """One thread."""

    def __init__(self) -> None:
        self._level = 0  # the last sample that went out

    def live(self, pcm: Pcm, fresh: bool) -> Pcm:
        """The slot's sound as it came; `fresh`: it does not follow what was on air."""
        if fresh:
            pcm = pcm.copy()
            pcm[:RAMP_SAMPLES] = pcm[:RAMP_SAMPLES] * _RISE + self._fall()
        self._level = int(pcm[-1])
        return pcm

    def quiet(self) -> Pcm:
        """Silence, after the rest of what was on air."""
        pcm = silence(AIR_SAMPLES)
        if self._level:
            pcm[:RAMP_SAMPLES] = self._fall()
            self._level = 0
        return pcm

    def _fall(self) -> npt.NDArray[np.float32]:
        return np.float32(self._level) * _RISE[::-1]


def stereo(pcm: Pcm) -> npt.NDArray[np.int16]:
    """int16 [N] → int16 [1, 2 N], both channels alike, interleaved."""
    return np.repeat(pcm, 2).reshape(1, -1)
