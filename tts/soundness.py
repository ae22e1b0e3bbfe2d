"""Whether what a voice delivers can be speech of that text: in time, of a plausible length, neither noise nor clipped.

In: the pieces of one sentence as they come, and how long they took. Out: nothing, or SpeechError with the reason.
Cheap enough for the event loop. It cannot tell a wrong word, and does not try. Speech rises and falls with each
syllable; noise of nearly any colour, hum and tones do not.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm, silence
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ, DRIVE_HZ
from tts.synthesizer import Piece
from tts.tempo import TELLING_S, expected_s, is_varied, least_s, most_s

LONGEST, LONGEST_S = 3.5, 4.0  #: times what is expected, and seconds more: beyond, a provider babbles
SHORTEST = 0.35  #: of what is expected: espeak's shortest is 0.5, of "d'eaux"; below, a provider broke off
LONG_OF_USUAL, LONG_OF_USUAL_S = 1.8, 1.5  #: the same for a voice that is known: its longest is 1.2 times its usual
HALF_OF_USUAL = 0.62  #: its shortest is 0.7
UNVARIED_S = 0.1  #: the least of a text of few letters, which may run into one
JUDGED_SAMPLES = AIR_HZ // 2  #: less is too little to tell speech from noise: it may begin with a long hiss
CLIPPED_LEVEL = 32_700
CLIPPED_SHARE = 0.02  #: of all samples; a loud voice clips a thousandth of them
NOISE_CROSSINGS = 0.45  #: sign changes a sample at 16 kHz: noise 0.5, six saucissons 0.4, a sentence 0.1
SMALL = 100  #: below, the sign means nothing
STEP = DRIVE_HZ // 50  #: samples of which the loudness is taken
STEADY = 0.2  #: its deviation by its mean: speech of half a second 0.38 and more, noise 0.14 at most, hum 0
STEADY_STEPS = 100  #: the last two seconds are looked at by themselves: speech 0.47 and more


class Soundness:
    """Judges one sentence.

    timeout_s: what a provider may take beyond the time in which its sound is heard. usual: tts.tempo.Tempos.usual of
    this voice. latin: it writes with Latin letters, and may spell all others.
    """

    def __init__(
        self, text: str, rate: float, timeout_s: float, usual: float | None = None, *, latin: bool = False
    ) -> None:
        self._chars, self._rate = len(text), rate
        self._longest, self._shortest = plausible_samples(text, rate, usual, latin=latin)
        self._varied = is_varied(text)
        self._timeout_s = timeout_s
        self._clipped = 0
        self._crossings, self._signed = 0, 0
        self._rest = silence(0)  # of the driving sound, less than a step
        self._levels: npt.NDArray[np.float64] = np.zeros(0)  # float64 [N], of each step; bounded by _longest
        self.samples = 0  #: of 48 kHz, so far

    @property
    def judged(self) -> bool:
        """Whether enough was heard to tell that it is no noise."""
        return self.samples >= JUDGED_SAMPLES

    @property
    def normal_s(self) -> float:
        """What was heard so far, as it would last at normal speed."""
        return self.samples / AIR_HZ * self._rate

    def take(self, piece: Piece, elapsed_s: float) -> None:
        """`elapsed_s`: since the sentence was asked for."""
        self.samples += len(piece.air)
        seconds = self.samples / AIR_HZ
        if self.samples > self._longest:
            raise SpeechError(f"{seconds:.1f} s for {self._chars} characters: too long")
        if elapsed_s > self._timeout_s + seconds:
            raise SpeechError(f"{seconds:.1f} s of sound in {elapsed_s:.1f} s: slower than it is spoken")
        self._clipped += int((np.abs(piece.air.astype(np.int32)) >= CLIPPED_LEVEL).sum())
        self._count_crossings(piece.drive)
        self._measure(piece.drive)
        if self.judged:
            self._judge()

    def end(self) -> None:
        if self.samples < self._shortest:
            raise SpeechError(f"{self.samples / AIR_HZ:.2f} s for {self._chars} characters: too short or silent")
        self._judge()

    def _judge(self) -> None:
        if self._clipped > CLIPPED_SHARE * self.samples:
            raise SpeechError(f"{100 * self._clipped // self.samples} % of the samples are clipped")
        if not self._varied:
            return  # psst and hmm are a hiss and a hum
        if self._signed > DRIVE_HZ // 20 and self._crossings > NOISE_CROSSINGS * self._signed:
            raise SpeechError("it is noise, not speech")
        if self.judged and self._crossings and self._is_steady():
            raise SpeechError("it is noise or a tone, not speech: it neither rises nor falls")

    def _count_crossings(self, drive: Pcm) -> None:
        signs = np.signbit(drive[np.abs(drive.astype(np.int32)) >= SMALL])
        self._signed += len(signs)
        self._crossings += int((signs[1:] != signs[:-1]).sum())

    def _measure(self, drive: Pcm) -> None:
        sound = np.concatenate([self._rest, drive])
        whole = len(sound) - len(sound) % STEP
        self._rest = sound[whole:]
        steps = sound[:whole].reshape(-1, STEP).astype(np.float64)
        self._levels = np.concatenate([self._levels, np.sqrt((steps**2).mean(axis=1))])

    def _is_steady(self) -> bool:
        return any(part.std() < STEADY * part.mean() for part in (self._levels, self._levels[-STEADY_STEPS:]))


def plausible_samples(text: str, rate: float, usual: float | None = None, *, latin: bool = False) -> tuple[int, int]:
    """(longest, shortest) that speech of a text can be, in 48 kHz samples. usual and latin: as for Soundness."""
    least, most = least_s(text), most_s(text, latin=latin)
    longest, shortest = LONGEST * most + LONGEST_S, SHORTEST * least
    if usual is not None and expected_s(text) >= TELLING_S:
        longest = min(longest, LONG_OF_USUAL * usual * most + LONG_OF_USUAL_S)
        shortest = HALF_OF_USUAL * usual * least
    if not is_varied(text):
        shortest = min(shortest, UNVARIED_S)
    return int(longest / rate * AIR_HZ), max(1, int(shortest / rate * AIR_HZ))
