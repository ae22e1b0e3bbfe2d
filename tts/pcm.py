"""Everything sample-wise: whatever a voice delivers becomes aligned speech.

In: PCM of any rate or an mp3 byte stream, as it arrives. Out: `Piece`s whose 16 kHz drive lies exactly
on every third 48 kHz sample. Nothing waits for the end of a sentence: a resampler holds back
milliseconds. It never reads a clock and never changes loudness.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Sequence
from functools import reduce
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
from av.audio.codeccontext import AudioCodecContext
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from pipeline.arrays import Pcm, silence
from pipeline.errors import BadInput, SpeechError
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, DRIVE_HZ, Mark
from tts.synthesizer import Piece

with warnings.catch_warnings():
    # pydub looks for an ffmpeg command on import and warns without one; PCM and WAV need none
    warnings.simplefilter("ignore")
    from pydub import AudioSegment
    from pydub.exceptions import PydubException

PCM_BYTES = 2  #: bytes of one sample
PASS_HZ, STOP_HZ = 7_000, 8_000  #: above STOP_HZ a 16 kHz signal would alias
HALF = 90  #: taps on each side: 60 dB over that transition; 1.9 ms held back
KAISER_BETA = 5.65  #: 60 dB (Kaiser 1974)


class Resampler:
    """Mono 16-bit samples of one rate in, the same sound at 48 kHz out; length and phase are exact after `end`."""

    def __init__(self, rate_hz: int) -> None:
        self._rate_hz = rate_hz
        self._swr = AudioResampler(format="s16", layout="mono", rate=AIR_HZ)

    def feed(self, samples: Pcm) -> Pcm:
        if not len(samples):
            return silence(0)
        frame = AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = self._rate_hz
        return _pcm(self._swr.resample(frame))

    def end(self) -> Pcm:
        return _pcm(self._swr.resample(None))


class Mp3Decoder:
    """An mp3 byte stream in, mono 48 kHz samples out. Frames that cannot be read are skipped."""

    def __init__(self) -> None:
        self._codec = AudioCodecContext.create("mp3", "r")
        self._swr = AudioResampler(format="s16", layout="mono", rate=AIR_HZ)
        self._decoded = False

    def feed(self, data: bytes) -> Pcm:
        """SpeechError when the stream changes its format midway."""
        return self._decode(data)

    def end(self) -> Pcm:
        tail = self._decode(None)
        # flushing a resampler that saw nothing is an error of libav
        return np.concatenate([tail, _pcm(self._swr.resample(None))]) if self._decoded else tail

    def _decode(self, data: bytes | None) -> Pcm:
        frames: list[AudioFrame] = []
        for packet in self._codec.parse(data):
            try:
                frames += self._codec.decode(packet)
            except av.error.InvalidDataError:
                continue  # Xing and ID3 frames carry no sound
        self._decoded = self._decoded or bool(frames)
        try:
            return np.concatenate([silence(0), *(_pcm(self._swr.resample(frame)) for frame in frames)])
        except (ValueError, av.error.FFmpegError) as error:
            raise SpeechError(f"mp3 cannot be decoded: {error}") from error


class Speech:
    """Samples of one rate and marks in, aligned pieces out. A mark waits for its sound.

    Marks are given in 48 kHz samples from the start of the sentence.
    """

    def __init__(self, rate_hz: int) -> None:
        self._resampler = None if rate_hz == AIR_HZ else Resampler(rate_hz)
        self._halver = _Thirds()
        self._marks: list[Mark] = []
        self._made = 0

    def feed(self, samples: Pcm, marks: Iterable[Mark] = ()) -> Piece | None:
        """The speech that is certain by now; None where it is nothing yet."""
        air = samples if self._resampler is None else self._resampler.feed(samples)
        return self._piece(self._halver.feed(air), marks)

    def end(self, marks: Iterable[Mark] = ()) -> Piece | None:
        rest = silence(0) if self._resampler is None or not self._halver.fed else self._resampler.end()
        return self._piece(self._halver.end(rest), marks)

    def _piece(self, pair: tuple[Pcm, Pcm], marks: Iterable[Mark]) -> Piece | None:
        air, drive = pair
        self._made += len(air)
        ready, self._marks = before(self._made, [*self._marks, *marks])
        return Piece(air, drive, ready) if len(air) else None


def joined(pieces: Sequence[Piece]) -> Piece:
    """One piece of several that follow one another; their marks count from the sentence already."""
    if not pieces:
        return Piece(silence(0), silence(0))
    air = reduce(lambda one, two: one.append(two, crossfade=0), (segment(piece.air, AIR_HZ) for piece in pieces))
    drive = reduce(lambda one, two: one.append(two, crossfade=0), (segment(piece.drive, DRIVE_HZ) for piece in pieces))
    return Piece(samples_of(air), samples_of(drive), tuple(mark for piece in pieces for mark in piece.marks))


def read_wav(path: Path) -> Piece:
    """A PCM WAV file of any rate, width and channels as one piece; BadInput naming the file."""
    try:
        segment = AudioSegment.from_wav(str(path)).set_channels(1).set_sample_width(PCM_BYTES)
    except (OSError, EOFError, ValueError, PydubException) as error:
        raise BadInput(f"{path}: not a PCM WAV file ({error})") from error
    speech = Speech(segment.frame_rate)
    pieces = [speech.feed(samples_of(segment)), speech.end()]
    return joined([piece for piece in pieces if piece])


def before(sample: int, marks: list[Mark]) -> tuple[tuple[Mark, ...], list[Mark]]:
    """(marks before a sample, the others), each in order of time."""
    marks = sorted(marks, key=lambda mark: mark.at)
    ready = tuple(mark for mark in marks if mark.at < sample)
    return ready, marks[len(ready) :]


class _Thirds:
    """48 kHz in, the same and its 16 kHz drive out: a symmetric low-pass looked up at every third sample."""

    def __init__(self) -> None:
        self._held = np.zeros(HALF, np.int16)  # HALF samples of the past, then what has no drive yet
        self.fed = False

    def feed(self, air: Pcm) -> tuple[Pcm, Pcm]:
        self.fed = self.fed or bool(len(air))
        self._held = np.concatenate([self._held, air])
        count = max(0, (len(self._held) - 2 * HALF + AIR_PER_DRIVE - 1) // AIR_PER_DRIVE)
        if not count:
            return silence(0), silence(0)
        drive = _low_passed(self._held, count)
        ready = self._held[HALF : HALF + count * AIR_PER_DRIVE]
        self._held = self._held[count * AIR_PER_DRIVE :]
        return ready, drive

    def end(self, air: Pcm) -> tuple[Pcm, Pcm]:
        left = len(self._held) - HALF + len(air)
        padded = -(-left // AIR_PER_DRIVE) * AIR_PER_DRIVE
        rest = np.zeros(padded - left + HALF, np.int16)
        ready, drive = self.feed(np.concatenate([air, rest]))
        return ready[:padded], drive[: padded // AIR_PER_DRIVE]


def _low_pass() -> npt.NDArray[np.float64]:
    """float64 [2 * HALF + 1], unity at 0 Hz: a sinc under a Kaiser window."""
    cut = (PASS_HZ + STOP_HZ) / 2 / AIR_HZ
    taps = np.sinc(2 * cut * np.arange(-HALF, HALF + 1)) * np.kaiser(2 * HALF + 1, KAISER_BETA)
    return np.asarray(taps / taps.sum(), np.float64)


LOW_PASS = _low_pass()


def _low_passed(air: Pcm, count: int) -> Pcm:
    """The filter centred on samples HALF, HALF + 3, …: `count` of them, one polyphase branch at a time."""
    total = np.zeros(count)
    for phase in range(AIR_PER_DRIVE):
        total += np.correlate(air[phase::AIR_PER_DRIVE].astype(np.float64), LOW_PASS[phase::AIR_PER_DRIVE])[:count]
    return np.clip(np.rint(total), -32768, 32767).astype(np.int16)


def segment(samples: Pcm, rate_hz: int) -> AudioSegment:
    return AudioSegment(samples.tobytes(), sample_width=PCM_BYTES, frame_rate=rate_hz, channels=1)


def samples_of(segment: AudioSegment) -> Pcm:
    return np.frombuffer(segment.raw_data, np.int16)


def _pcm(frames: Iterable[AudioFrame]) -> Pcm:
    return np.concatenate([silence(0), *(frame.to_ndarray()[0] for frame in frames)])
