"""Whether what a voice delivers can be speech of that text: in time, of a plausible length, neither noise nor clipped.

In: the pieces of one sentence as they come, and how long they took. Out: nothing, or SpeechError with the reason.
Cheap enough for the event loop. It cannot tell a wrong word, and does not try.
"""

from __future__ import annotations

import numpy as np

from pipeline.arrays import Pcm
from pipeline.errors import SpeechError
from pipeline.media import AIR_HZ, DRIVE_HZ
from tts.synthesizer import Piece

LONGEST_S_PER_CHAR, LONGEST_S = 1.0, 10.0  #: a sentence may last their sum at rate 1: beyond, a provider babbles
SHORTEST_S_PER_CHAR = 0.02  #: at rate 1, a third of the fastest speech: below, a provider broke off
JUDGED_SAMPLES = AIR_HZ // 2  #: less is too little to tell speech from noise: it may begin with a long hiss
CLIPPED_LEVEL = 32_700
CLIPPED_SHARE = 0.02  #: of all samples; a loud voice clips a thousandth of them
NOISE_CROSSINGS = 0.45  #: sign changes a sample at 16 kHz: noise 0.5, six saucissons 0.4, a sentence 0.1
SMALL = 100  #: below, the sign means nothing


class Soundness:
    """Judges one sentence. timeout_s: what a provider may take beyond the time in which its sound is heard."""

    def __init__(self, text: str, rate: float, timeout_s: float) -> None:
        self._chars = len(text)
        self._longest, self._shortest = plausible_samples(text, rate)
        self._timeout_s = timeout_s
        self._clipped = 0
        self._crossings, self._signed = 0, 0
        self.samples = 0  #: of 48 kHz, so far

    @property
    def judged(self) -> bool:
        """Whether enough was heard to tell that it is no noise."""
        return self.samples >= JUDGED_SAMPLES

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
        if self.judged:
            self._judge()

    def end(self) -> None:
        if self.samples < self._shortest:
            raise SpeechError(f"{self.samples / AIR_HZ:.2f} s for {self._chars} characters: too short or silent")
        self._judge()

    def _judge(self) -> None:
        if self._clipped > CLIPPED_SHARE * self.samples:
            raise SpeechError(f"{100 * self._clipped // self.samples} % of the samples are clipped")
        if self._signed > DRIVE_HZ // 20 and self._crossings > NOISE_CROSSINGS * self._signed:
            raise SpeechError("it is noise, not speech")

    def _count_crossings(self, drive: Pcm) -> None:
        signs = np.signbit(drive[np.abs(drive.astype(np.int32)) >= SMALL])
        self._signed += len(signs)
        self._crossings += int((signs[1:] != signs[:-1]).sum())


def plausible_samples(text: str, rate: float) -> tuple[int, int]:
    """(longest, shortest) that speech of a text can be, in 48 kHz samples."""
    said = sum(char.isalnum() for char in text)
    longest = (LONGEST_S + LONGEST_S_PER_CHAR * len(text)) / rate
    return int(longest * AIR_HZ), max(1, int(SHORTEST_S_PER_CHAR * said / rate * AIR_HZ))
