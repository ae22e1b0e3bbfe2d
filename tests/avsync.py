"""The offset between sound and picture of a recording that the pattern engine made.

Its pictures flash where their own 40 ms of sound are loud. The offset is the shift of the sound at which
flash and loudness agree best, found to 5 ms.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np

from pipeline.engines.pattern import BEEP_RMS, is_flash, read_counter
from pipeline.media import FPS

REACH_MS, STEP_MS = 400, 5
HOLE_S = 0.01  # time stamps are rounded to ms; more is sound that is missing


def av_offset_ms(path: Path, limit_s: float = 120.0, begin_s: float = 0.0) -> float:
    """By how much the sound is late (+) or early, of the part from `begin_s` to `limit_s`.

    ValueError where nothing flashed.
    """
    times: list[float] = []
    flashes: list[bool] = []
    sound: list[np.ndarray[Any, np.dtype[np.float64]]] = []
    rate, sound_s = 48_000, None
    with av.open(str(path)) as container:
        if begin_s:
            container.seek(round(begin_s * 1_000_000))
        for frame in container.decode(video=0, audio=0):
            if not isinstance(frame, av.VideoFrame | av.AudioFrame) or frame.time is None:
                continue
            if frame.time < begin_s:
                continue
            if frame.time > limit_s:
                break
            if isinstance(frame, av.VideoFrame):
                picture = frame.to_ndarray(format="yuv420p").astype(np.uint8, copy=False)
                if read_counter(picture) is not None:
                    times.append(frame.time)
                    flashes.append(is_flash(picture))
            else:
                sound_s = frame.time if sound_s is None else sound_s
                rate = frame.sample_rate
                hole = round((frame.time - sound_s) * rate) - sum(len(part) for part in sound)
                if hole > HOLE_S * rate:
                    sound.append(np.zeros(hole))
                sound.append(frame.to_ndarray().mean(axis=0))
    flash = np.array(flashes, bool)
    if not flash.any() or flash.all() or sound_s is None:
        raise ValueError(f"{path}: {flash.sum()} of {len(flash)} pictures flash; nothing to compare")
    energy = np.concatenate([[0.0], np.cumsum(np.concatenate(sound).astype(np.float64) ** 2)])
    first = ((np.array(times) - sound_s) * rate).astype(np.int64)
    span = rate // FPS
    agreement = {}
    for shift_ms in range(-REACH_MS, REACH_MS + 1, STEP_MS):
        at = first + shift_ms * rate // 1000
        inside = (at >= 0) & (at + span < len(energy))
        rms = np.sqrt((energy[at[inside] + span] - energy[at[inside]]) / span) * 32768
        agreement[shift_ms] = float(((rms > BEEP_RMS) == flash[inside]).mean())
    best = max(agreement.values())
    return float(np.mean([shift for shift, value in agreement.items() if value == best]))
