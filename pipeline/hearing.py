"""What an avatar hears: the last 8 s of speech as windows of wav2vec2 rows, one window per video frame.

In: hops of int16 at 16 kHz, and what is known to follow them. Out: float32 [1, frames, 5, layers, hidden], the audio
input of the models. The encoder is a function (standardised waveform, frames) → rows. No sampling, no pictures.

`Ear` is a value: what was heard in the last 8 s; silence before the first word. The models hear it anew in every
chunk. Published, the last two frames of a chunk see nothing of what comes next, because the windows end with the ring;
here the ring is moved on over what is known (`ahead`), so that they do. With nothing ahead the rows are the published.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from pipeline.arrays import Pcm, silence
from pipeline.errors import EngineError
from pipeline.loudness import gain_to
from pipeline.models.wav2vec2 import standardised

HZ = 16_000
FRAME_SAMPLES = 640  #: of one video frame, 25 a second
RING_FRAMES = 200
RING_SAMPLES = RING_FRAMES * FRAME_SAMPLES  #: 8 s: what the models were trained to hear at once
REACH = 2  #: rows that a frame's window reaches to either side
TARGET_LUFS = -23.0  #: the whole ring is brought to this loudness
#: Of what follows, no more is used: so far a row sees by the positional convolution, and 4 s before the chunk stay.
AHEAD_MOST_FRAMES = 64

Wave = npt.NDArray[np.float32]
"""float32 [samples] in [-1, 1], mono."""


class Encoder(Protocol):
    """`Wav2Vec2`: a standardised waveform [samples] → rows [frames, layers, hidden], where its weights are."""

    def __call__(self, wave: Tensor, frames: int) -> Tensor: ...


@dataclass(frozen=True, slots=True)
class Ear:
    """The last 8 s that were heard. `ring`: int16 [128000] as bytes, oldest sample first; also how it is saved."""

    ring: bytes

    def __post_init__(self) -> None:
        if len(self.ring) != 2 * RING_SAMPLES:
            raise EngineError(f"audio ring: {len(self.ring)} bytes; {2 * RING_SAMPLES} are 8 s of int16 at 16 kHz")

    @classmethod
    def empty(cls) -> Ear:
        return cls(bytes(2 * RING_SAMPLES))

    @property
    def pcm(self) -> Pcm:
        """int16 [128000], read-only."""
        return np.frombuffer(self.ring, np.int16)

    def heard(self, hop: Pcm) -> Ear:
        """After `hop`, int16 [samples]; hops may be of any length."""
        return Ear((self.ring + np.ascontiguousarray(hop, np.int16).tobytes())[-2 * RING_SAMPLES :])


def as_wave(pcm: Pcm) -> Wave:
    """int16 [samples] → float32 in [-1, 1)."""
    return pcm.astype(np.float32) / np.float32(32768)


def loudness_normalised(wave: Wave, hz: int) -> Wave:
    """The waveform at -23 LUFS; as it is where that cannot be measured, as in silence."""
    return (gain_to(TARGET_LUFS, wave, hz) * wave.astype(np.float64)).astype(np.float32)


@torch.no_grad()
def rows(encoder: Encoder, wave: Wave, loud: bool) -> Tensor:
    """float32 [samples] → [samples // 640, layers, hidden]; `loud`: brought to one loudness before."""
    heard = torch.from_numpy(loudness_normalised(wave, HZ) if loud else wave.astype(np.float32))
    return encoder(standardised(heard), len(wave) // FRAME_SAMPLES)


def window(first: int, frames: int, end: int) -> Tensor:
    """int64 [frames, 5]: the rows each frame sees, two to either side, none before 0 or from `end` on."""
    centre = torch.arange(first, first + frames)[:, None]
    return (centre + torch.arange(-REACH, REACH + 1)).clamp(0, end - 1)


def features(encoder: Encoder, ear: Ear, ahead: Pcm | None = None, frames: int = 33, loud: bool = True) -> Tensor:
    """[1, frames, 5, layers, hidden] for the last `frames` frames that the ear has heard.

    ahead: int16 [n ≥ 0], what follows them; used by whole frames. loud: FlashTalk brings the ring to one loudness,
    FlashHead does not.
    """
    follows = silence(0) if ahead is None else ahead
    beyond = min(len(follows) // FRAME_SAMPLES, AHEAD_MOST_FRAMES)
    ear = ear.heard(follows[: beyond * FRAME_SAMPLES])
    seen = rows(encoder, as_wave(ear.pcm), loud)
    picked = window(RING_FRAMES - frames - beyond, frames, RING_FRAMES)
    return seen[picked.to(seen.device)][None]


def windows(encoder: Encoder, wave: Wave, loud: bool = True) -> Tensor:
    """Whole-file mode: [1, samples // 640, 5, layers, hidden] of a waveform heard at once, float32 [samples]."""
    seen = rows(encoder, wave, loud)
    return seen[window(0, len(seen), len(seen)).to(seen.device)][None]
