"""Silence at the ends of a sentence goes, and what is left begins and ends without a click.

In: pieces of one sentence. Out: the same without silence at either end, faded in and out. What is silent depends on how
loud the voice is; only silence that may turn out to be the last is held back. It never changes loudness except in the
fades.
"""

from __future__ import annotations

import math
import warnings

import numpy as np

from pipeline.arrays import Pcm, silence
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, DRIVE_HZ, Mark
from tts.pcm import before, samples_of, segment
from tts.synthesizer import Piece

with warnings.catch_warnings():
    # pydub looks for an ffmpeg command on import and warns without one
    warnings.simplefilter("ignore")
    from pydub.silence import detect_leading_silence

FULL_SCALE_DB = 20 * math.log10(32_768)
MS = AIR_HZ // 1000  #: 48 air samples are one millisecond, a whole number of driving samples too
LEAD_MS = 10  #: kept before the first sound; with TAIL_MS less than a planned pause may be off, 40 ms
TAIL_MS = 20  #: kept after the last sound: a voice dies away, it does not stop
FADE_MS = 8  #: in and out: long enough not to click, too short to hear
SILENCE_LU = 38.0  #: under a voice's loudness, RMS over STEP_MS: a soft consonant is 28 under it, mp3 noise 50
SILENCE_DB = (-75.0, -45.0)  #: dBFS, whatever the voice
STEP_MS = 5  #: grain of the search for silence
FAINT_DB = -50.0  #: dBFS, RMS over LOUD_MS: more is a voice, and not the hiss before one that is not known yet
LOUD_MS = 50
LOUD_LU = 3.0  #: that the loudest LOUD_MS of a voice is over its loudness
HEARD_MS = 200  #: of a voice that is not known, before its silence is


class Trimmer:
    """Pieces of one sentence in, the same without silence at either end, faded in and out; marks moved.

    lufs: how loud the voice is; None while nobody knows: then HEARD_MS of it are waited for. `end` gives the last
    piece; a sentence that was silent all through gives no piece at all.
    """

    def __init__(self, lufs: float | None = None) -> None:
        self._loudness = _Loudness() if lufs is None else None
        self._silence_db = _silence_db(lufs or 0.0)
        self._air, self._drive = silence(0), silence(0)
        self._marks: list[Mark] = []
        self._cut = 0  # air samples taken off the front
        self._made = 0
        self._started = False

    def feed(self, piece: Piece) -> Piece | None:
        self._air = np.concatenate([self._air, piece.air])
        self._drive = np.concatenate([self._drive, piece.drive])
        self._marks += piece.marks
        if self._loudness is not None:
            self._loudness.take(piece.air)
            self._silence_db = _silence_db(self._loudness.lufs)
            if not self._started and self._loudness.heard_ms < HEARD_MS:
                return None
        if not self._started and not self._start():
            return None
        held = max(_trailing_silence_ms(self._air, self._silence_db), FADE_MS) * MS
        return self._emit((len(self._air) - held) // MS * MS)

    def end(self) -> Piece | None:
        if not self._started and not self._start():
            return None
        silent = _trailing_silence_ms(self._air, self._silence_db)
        keep = len(self._air) - max(0, silent - TAIL_MS) * MS
        keep -= keep % AIR_PER_DRIVE
        self._air, self._drive = self._air[:keep], self._drive[: keep // AIR_PER_DRIVE]
        self._air, self._drive = _faded_out(self._air, AIR_HZ), _faded_out(self._drive, DRIVE_HZ)
        self._marks = [mark for mark in self._marks if mark.at - self._cut < self._made + keep]
        return self._emit(keep)

    def _start(self) -> bool:
        """Whether a sound was heard; then the front is trimmed and faded in."""
        silent = _leading_silence_ms(self._air, self._silence_db)
        heard = silent + FADE_MS <= len(self._air) // MS
        cut = max(0, (silent if heard else len(self._air) // MS) - LEAD_MS) * MS
        self._air, self._drive = self._air[cut:], self._drive[cut // AIR_PER_DRIVE :]
        self._cut += cut
        if heard:
            self._air, self._drive = _faded_in(self._air, AIR_HZ), _faded_in(self._drive, DRIVE_HZ)
            self._started = True
        return heard

    def _emit(self, samples: int) -> Piece | None:
        if samples <= 0:
            return None
        air, self._air = self._air[:samples], self._air[samples:]
        drive = self._drive[: samples // AIR_PER_DRIVE]
        self._drive = self._drive[samples // AIR_PER_DRIVE :]
        self._made += samples
        ready, self._marks = before(self._cut + self._made, self._marks)
        return Piece(air, drive, tuple(mark.moved(-min(self._cut, mark.at)) for mark in ready))


class _Loudness:
    """What a voice's loudness seems to be, from the loudest of what was heard."""

    def __init__(self) -> None:
        self._rest = silence(0)
        self._loudest_db = SILENCE_DB[0]
        self.heard_ms = 0

    @property
    def lufs(self) -> float:
        return self._loudest_db - LOUD_LU

    def take(self, air: Pcm) -> None:
        window = LOUD_MS * MS
        self._rest = np.concatenate([self._rest, air])
        whole = len(self._rest) // window
        windows = self._rest[: whole * window].reshape(whole, window).astype(np.float64)
        self._rest = self._rest[whole * window :]
        for power in (windows**2).mean(axis=1):
            level_db = 10 * math.log10(max(float(power), 1e-9)) - FULL_SCALE_DB
            self.heard_ms += LOUD_MS if level_db > FAINT_DB else 0
            self._loudest_db = max(self._loudest_db, level_db)


def _silence_db(lufs: float) -> float:
    """Below this, a voice of that loudness is silent."""
    return min(max(lufs - SILENCE_LU, SILENCE_DB[0]), SILENCE_DB[1])


def _leading_silence_ms(air: Pcm, silence_db: float) -> int:
    whole = segment(air[: len(air) // MS * MS], AIR_HZ)
    return int(detect_leading_silence(whole, silence_threshold=silence_db, chunk_size=STEP_MS))


def _trailing_silence_ms(air: Pcm, silence_db: float) -> int:
    """Whole milliseconds of silence at the end; samples beyond the last whole one count with it."""
    return _leading_silence_ms(air[len(air) % MS :][::-1], silence_db)


def _faded_in(samples: Pcm, rate_hz: int) -> Pcm:
    edge = FADE_MS * rate_hz // 1000
    return np.concatenate([samples_of(segment(samples[:edge], rate_hz).fade_in(FADE_MS)), samples[edge:]])


def _faded_out(samples: Pcm, rate_hz: int) -> Pcm:
    edge = len(samples) - FADE_MS * rate_hz // 1000
    return np.concatenate([samples[:edge], samples_of(segment(samples[edge:], rate_hz).fade_out(FADE_MS))])
