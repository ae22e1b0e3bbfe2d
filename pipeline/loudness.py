"""Loudness of a waveform by ITU-R BS.1770-4, and a waveform brought to one loudness.

In: float waveforms, mono. Out: LUFS, waveforms. Numbers equal pyloudnorm's (filter design, block edges, gates),
with which the avatar model was trained. No torch, no scipy, no state.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

Wave = npt.NDArray[np.floating]
"""float [samples], mono."""

BLOCK_S = 0.4  #: gating block
STEP = 0.25  #: of a block: blocks overlap by three quarters
ABSOLUTE_GATE_LUFS = -70.0
RELATIVE_GATE_LU = 10.0  #: below the mean of what passed the absolute gate
OFFSET_LUFS = -0.691  #: makes a full-scale sine of 997 Hz read -3.01
RING_OUT_S = 2.0  #: the 38 Hz high-pass has died away to nothing long before


def _biquad(hz: int, corner_hz: float, q: float, gain_db: float | None) -> tuple[Wave, Wave]:
    """(b, a), each [3]: a high shelf of that gain, or a high-pass where there is none."""
    amp = 10 ** ((gain_db or 0.0) / 40)
    turn = 2 * math.pi * corner_hz / hz
    cos, alpha = math.cos(turn), math.sin(turn) / (2 * q)
    if gain_db is None:
        b = [(1 + cos) / 2, -(1 + cos), (1 + cos) / 2]
        a = [1 + alpha, -2 * cos, 1 - alpha]
    else:
        bend = 2 * math.sqrt(amp) * alpha
        b = [
            amp * ((amp + 1) + (amp - 1) * cos + bend),
            -2 * amp * ((amp - 1) + (amp + 1) * cos),
            amp * ((amp + 1) + (amp - 1) * cos - bend),
        ]
        a = [(amp + 1) - (amp - 1) * cos + bend, 2 * ((amp - 1) - (amp + 1) * cos), (amp + 1) - (amp - 1) * cos - bend]
    return np.array(b) / a[0], np.array(a) / a[0]


def _weighted(wave: Wave, hz: int) -> Wave:
    """float64, K-weighted: a shelf of 4 dB above 1.5 kHz, then a high-pass at 38 Hz.

    Both filters at once in the frequency domain; the padding keeps the tail of the response from coming round.
    """
    size = 1 << math.ceil(math.log2(len(wave) + RING_OUT_S * hz))
    z = np.exp(-2j * np.pi * np.arange(size // 2 + 1) / size)
    spectrum = np.fft.rfft(wave.astype(np.float64), size)  # numpy 2 would stay in float32
    for b, a in (_biquad(hz, 1500.0, 1 / math.sqrt(2), 4.0), _biquad(hz, 38.0, 0.5, None)):
        spectrum *= (b[0] + b[1] * z + b[2] * z * z) / (a[0] + a[1] * z + a[2] * z * z)
    return np.fft.irfft(spectrum, size)[: len(wave)]


def _lufs(power: float) -> float:
    return OFFSET_LUFS + 10 * math.log10(power) if power > 0 else -math.inf


def integrated(wave: Wave, hz: int) -> float:
    """LUFS of a waveform in [-1, 1]; -inf for silence and for less than one block of 0.4 s."""
    blocks = round((len(wave) / hz - BLOCK_S) / (BLOCK_S * STEP)) + 1
    if len(wave) < BLOCK_S * hz:
        return -math.inf
    energy = np.concatenate([[0.0], np.cumsum(np.square(_weighted(wave, hz)))])
    # truncated as pyloudnorm does; the last block may reach beyond the end
    edges = [(int(BLOCK_S * (j * STEP) * hz), int(BLOCK_S * (j * STEP + 1) * hz)) for j in range(blocks)]
    powers = [(energy[min(stop, len(wave))] - energy[start]) / (BLOCK_S * hz) for start, stop in edges]
    loud = [power for power in powers if _lufs(power) >= ABSOLUTE_GATE_LUFS]
    if not loud:
        return -math.inf
    gate = _lufs(math.fsum(loud) / len(loud)) - RELATIVE_GATE_LU
    louder = [power for power in loud if _lufs(power) > max(gate, ABSOLUTE_GATE_LUFS)]
    return _lufs(math.fsum(louder) / len(louder)) if louder else -math.inf


def gain_to(target_lufs: float, wave: Wave, hz: int) -> float:
    """The factor that brings a waveform to a loudness; 1 where there is nothing to be loud."""
    now = integrated(wave, hz)
    return 10 ** ((target_lufs - now) / 20) if abs(now) <= 100 else 1.0
