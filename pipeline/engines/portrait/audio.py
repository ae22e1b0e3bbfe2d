"""What the portrait hears: loudness and colour of the voice around each frame of a hop.

In: 16 kHz samples (a little of the past, the hop, what is known to follow). Out: `Heard`, one row a
frame. Pure: the slowly moving reference level goes in and comes out as a number.

Windows are centred on the middle of a frame, so nothing here lags; where the future is not known the
window's known part counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm
from pipeline.media import DRIVE_HZ, DRIVE_SAMPLES

BLOCK = DRIVE_HZ // 100  #: 160 samples, 10 ms: the grain of all measurements
BLOCKS = DRIVE_SAMPLES // BLOCK  #: 4 blocks a frame
PAST_SAMPLES = 2 * DRIVE_SAMPLES  #: history that a step needs: 80 ms
AHEAD_SAMPLES = 4 * DRIVE_SAMPLES  #: future that a step can use: 160 ms
SPREAD_S = 0.018  #: standard deviation of the window around a frame's middle
LEAD_S = 0.008  #: the window looks this much ahead: it makes up for the mouth's own inertia
FULL_SCALE = 32768.0
FLOOR = 0.002  #: rms (-54 dBFS) below which everything is silence
GATE = 0.05  #: of the reference level (-26 dB): breath, room and decay move no lips
LEVEL_START = 0.16  #: rms of the loud parts of speech at the usual -20 dBFS gated loudness
LEVEL_LOWEST = 0.02  #: a whisper is not blown up without end
LEVEL_RISE, LEVEL_FALL = 0.12, 0.004  #: a frame: a louder voice is taken for granted in 0.3 s, a softer one in 10 s
FFT = 512
WINDOW = 400  #: 25 ms
BAND_EDGES_HZ = (150, 450, 950, 1700, 3200, 4200, 7600)  #: F1 of i u | of e o a | F2 back | F2 front | - | hiss

Rows = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Heard:
    """float64 [frames] each. loud: 0 silent, 1 as loud as this voice gets. openness, front, hiss: 0 … 1."""

    loud: Rows
    openness: Rows
    front: Rows
    hiss: Rows
    level: float


def listen(past: Pcm, hop: Pcm, ahead: Pcm, level: float) -> Heard:
    """past: int16 [PAST_SAMPLES]; hop: int16 [frames * 640]; ahead: any length. level: reference rms."""
    known = np.concatenate([past, hop, ahead[:AHEAD_SAMPLES]]).astype(np.float64) / FULL_SCALE
    known = known[: len(known) // BLOCK * BLOCK]
    frames = len(hop) // DRIVE_SAMPLES
    weights = _weights(frames, len(known) // BLOCK)
    power = (known.reshape(-1, BLOCK) ** 2).mean(axis=1)
    rms = np.sqrt(weights @ power)
    loud = np.empty(frames)
    for index, value in enumerate(rms):
        level = _follow(level, float(value))
        loud[index] = 0.0 if value < max(FLOOR, GATE * level) else min(1.0, value / level)
    bands = weights @ _bands(known)
    return Heard(loud, *_colour(bands), level)


def _weights(frames: int, blocks: int) -> Rows:
    """float64 [frames, blocks]: how much each 10 ms counts for each frame; rows sum to one."""
    middles = (PAST_SAMPLES + (np.arange(frames) + 0.5) * DRIVE_SAMPLES) / DRIVE_HZ + LEAD_S
    times = (np.arange(blocks) + 0.5) * BLOCK / DRIVE_HZ
    weights = np.exp(-0.5 * ((times[None, :] - middles[:, None]) / SPREAD_S) ** 2)
    normal: Rows = weights / weights.sum(axis=1, keepdims=True)
    return normal


def _follow(level: float, rms: float) -> float:
    if rms < FLOOR:
        return level
    speed = LEVEL_RISE if rms > level else LEVEL_FALL
    return max(LEVEL_LOWEST, level + speed * (rms - level))


def _bands(known: Rows) -> Rows:
    """float64 [blocks, bands]: energy of the 25 ms around each block."""
    side = (WINDOW - BLOCK) // 2
    padded = np.pad(known, (side, side + BLOCK))
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::BLOCK][: len(known) // BLOCK]
    spectrum = np.abs(np.fft.rfft(windows * np.hanning(WINDOW), FFT)) ** 2
    edges = [round(hz * FFT / DRIVE_HZ) for hz in BAND_EDGES_HZ]
    return np.stack([spectrum[:, low:high].sum(axis=1) for low, high in pairwise(edges)], axis=1)


def _colour(bands: Rows) -> tuple[Rows, Rows, Rows]:
    """openness (first formant high), front (second formant high, as in i), hiss (s), each 0 … 1."""
    close, open_, back, front, _, hiss = bands.T
    tiny = 1e-9
    openness = np.clip((open_ + back) / (close + open_ + back + tiny) * 1.6 - 0.2, 0, 1)
    fronted = np.clip(0.5 + 0.25 * np.log10((front + tiny) / (0.25 * back + 0.05 * open_ + tiny)), 0, 1)
    hissing = np.clip(hiss / (bands.sum(axis=1) + tiny) * 2.5 - 0.5, 0, 1)
    return openness, fronted, hissing
