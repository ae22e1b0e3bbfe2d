"""Samples that need no codec, as a server streams them: bare ones, and WAV files whose length may not be known yet.

In: bytes in any pieces. Out: mono 48 kHz samples, at once. Nothing here waits, and nothing is held back but what is not
yet a whole sample.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm, silence
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ
from tts.pcm import Resampler

RIFF, CHUNK = 12, 8  # bytes of the file's head, and of the head of a chunk
PCM, FLOAT, EXTENSIBLE = 1, 3, 0xFFFE  # formats by their tag
FORMAT_BYTES, SUBFORMAT_AT = 16, 24
HEAD_BYTES = 1 << 16  #: before the sound begins; tags with pictures in them are longer than any server sends
STREAMED = 1 << 26  #: bytes of sound, ten minutes: sizes beyond stand for one that was not known yet
RATES_HZ = range(8_000, 192_001)
FULL = 32_767


class RawDecoder:
    """Little-endian samples of one rate: 16-bit integers, or floats of 32 bits; channels are mixed to one."""

    def __init__(self, rate_hz: int, channels: int = 1, is_float: bool = False) -> None:
        self._resampler = None if rate_hz == AIR_HZ else Resampler(rate_hz)
        self._channels = channels
        self._dtype = "<f4" if is_float else "<i2"
        self._sample_bytes = channels * (4 if is_float else 2)
        self._rest = b""
        self._fed = False

    def feed(self, data: bytes) -> Pcm:
        data = self._rest + data
        whole = len(data) - len(data) % self._sample_bytes
        self._rest = data[whole:]
        samples = _mono(np.frombuffer(data[:whole], self._dtype).reshape(-1, self._channels))
        self._fed = self._fed or bool(len(samples))
        return samples if self._resampler is None else self._resampler.feed(samples)

    def end(self) -> Pcm:
        return self._resampler.end() if self._resampler and self._fed else silence(0)

    def close(self) -> None:
        """Nothing is open."""


class WavDecoder:
    """SpeechError when it is none, of a format that no voice uses, or shorter than its head says."""

    def __init__(self) -> None:
        self._head = b""
        self._sound: RawDecoder | None = None
        self._left: int | None = None  # bytes of sound to come; None: not known

    def feed(self, data: bytes) -> Pcm:
        if self._sound is None:
            data = self._read_head(data)
        if self._sound is None or not data:
            return silence(0)
        if self._left is not None:
            data = data[: self._left]  # tags may follow the sound
            self._left -= len(data)
        return self._sound.feed(data)

    def end(self) -> Pcm:
        if self._sound is None:
            if self._head:
                raise SpeechError(f"a WAV file of {len(self._head)} bytes without sound")
            return silence(0)
        if self._left:
            raise SpeechError(f"the WAV file lacks {self._left} bytes of what its head promised")
        return self._sound.end()

    def close(self) -> None:
        """Nothing is open."""

    def _read_head(self, data: bytes) -> bytes:
        """The sound behind the head, once the head is whole."""
        self._head += data
        head, at, sample = self._head, RIFF, b""
        if len(head) >= RIFF and head[8:12] != b"WAVE":
            raise SpeechError("a RIFF file that is no WAV")
        while len(head) >= at + CHUNK:
            name, size = head[at : at + 4], int.from_bytes(head[at + 4 : at + 8], "little")
            at += CHUNK
            if name == b"data":
                self._sound = _decoder(sample)
                self._left = size if 0 < size <= STREAMED else None
                self._head = b""
                return head[at:]
            if name == b"fmt ":
                sample = head[at : at + size]
            at += size + size % 2
        if len(head) > HEAD_BYTES:
            raise SpeechError(f"a WAV file without sound in its first {HEAD_BYTES} bytes")
        return b""


def _decoder(head: bytes) -> RawDecoder:
    """head: of the chunk `fmt `."""
    if len(head) < FORMAT_BYTES:
        raise SpeechError("a WAV file that does not say its format")
    tag, channels = (int.from_bytes(head[at : at + 2], "little") for at in (0, 2))
    rate_hz, bits = int.from_bytes(head[4:8], "little"), int.from_bytes(head[14:16], "little")
    if tag == EXTENSIBLE and len(head) >= SUBFORMAT_AT + 2:
        tag = int.from_bytes(head[SUBFORMAT_AT : SUBFORMAT_AT + 2], "little")
    if (tag, bits) not in ((PCM, 16), (FLOAT, 32)) or channels not in (1, 2) or rate_hz not in RATES_HZ:
        raise SpeechError(
            f"a WAV file of format {tag}, {bits} bits, {channels} channels, {rate_hz} Hz; "
            "16-bit integers or 32-bit floats are understood, mono or stereo"
        )
    return RawDecoder(rate_hz, channels, tag == FLOAT)


def _mono(samples: npt.NDArray[np.int16] | npt.NDArray[np.float32]) -> Pcm:
    """[N, channels] → int16 [N]"""
    if samples.dtype.kind == "f":
        samples = np.clip(np.nan_to_num(samples), -1.0, 1.0) * FULL
    mixed = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1)
    return np.rint(mixed).astype(np.int16)
