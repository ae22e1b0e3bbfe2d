"""A person's voice as it comes from a microphone: 48 kHz samples as loud as the voices of the room.

In: messages of PCM (s16le, mono) or of one Opus packet each. Out: samples. The gain glides towards what the gated
loudness so far asks for, so that a quiet microphone is as loud as the rest within a second and nothing jumps. It adds
a few milliseconds and reads no clock.
"""

from __future__ import annotations

import av
import numpy as np
from av.audio.codeccontext import AudioCodecContext
from av.audio.resampler import AudioResampler

from pipeline.arrays import Pcm, silence
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ
from tts.loudness import TARGET_LUFS, Limiter, Meter
from tts.pcm import Resampler

RATES_HZ = (16_000, 24_000, 48_000)  # of PCM
FORMATS = (*(f"pcm{rate}" for rate in RATES_HZ), "opus")
MESSAGE_MAX_BYTES = 96_000  # a second of PCM at 48 kHz; Opus packets have 120 ms at most
OPUS_MAX_SAMPLES = 5_760  # 120 ms, the longest packet there is (RFC 6716)
HEARD_LUFS = -50.0  # quieter is a room, not a voice: its gain is left alone
GAIN_DB = (-20.0, 24.0)  # more would bring up the noise of a microphone
GLIDE_DB_S = 20.0


class VoiceIn:
    """One talk. `format_name`: of FORMATS. `gain_db`: to begin with, as the last talk ended."""

    def __init__(self, format_name: str, gain_db: float = 0.0) -> None:
        self._decoder = _Opus() if format_name == "opus" else _Pcm(int(format_name.removeprefix("pcm")))
        self._meter = Meter()
        self._limiter = Limiter()
        self.gain_db = gain_db

    def feed(self, message: bytes) -> Pcm:
        """int16 [N]; SpeechError when the message is not what was announced."""
        if len(message) > MESSAGE_MAX_BYTES:
            raise SpeechError(f"{len(message)} bytes in a message; send at most {MESSAGE_MAX_BYTES}")
        samples = self._decoder.feed(message)
        if not len(samples):
            return silence(0)
        self._meter.feed(samples)
        return self._limiter.feed(self._amplified(samples))

    def _amplified(self, samples: Pcm) -> Pcm:
        before, lufs = self.gain_db, self._meter.lufs
        if lufs > HEARD_LUFS:
            wanted = min(max(TARGET_LUFS - lufs, GAIN_DB[0]), GAIN_DB[1])
            most = GLIDE_DB_S * len(samples) / AIR_HZ
            self.gain_db += min(max(wanted - before, -most), most)
        gain = 10 ** (np.linspace(before, self.gain_db, len(samples)) / 20)
        return np.clip(np.rint(samples * gain), -32768, 32767).astype(np.int16)


class _Pcm:
    def __init__(self, rate_hz: int) -> None:
        self._resampler = None if rate_hz == AIR_HZ else Resampler(rate_hz)

    def feed(self, message: bytes) -> Pcm:
        if len(message) % 2:
            raise SpeechError(f"{len(message)} bytes are not whole samples of 16 bits")
        samples = np.frombuffer(message, "<i2").astype(np.int16)
        return samples if self._resampler is None else self._resampler.feed(samples)


class _Opus:
    def __init__(self) -> None:
        self._codec = AudioCodecContext.create("libopus" if "libopus" in av.codecs_available else "opus", "r")
        self._codec.sample_rate = AIR_HZ
        self._codec.layout = "mono"
        self._swr = AudioResampler(format="s16", layout="mono", rate=AIR_HZ)

    def feed(self, message: bytes) -> Pcm:
        try:
            frames = self._codec.decode(av.Packet(message)) if message else []
            parts = [out.to_ndarray()[0] for frame in frames for out in self._swr.resample(frame)]
        except (av.error.FFmpegError, ValueError) as error:
            raise SpeechError(f"not an Opus packet ({error})") from error
        samples = np.concatenate([silence(0), *parts])
        if len(samples) > OPUS_MAX_SAMPLES + AIR_HZ // 50:
            raise SpeechError(f"{len(samples)} samples in a packet")
        return samples
