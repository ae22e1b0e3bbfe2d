"""The vocabulary of media: sizes, rates, frames, speech, marks. Integers only, no I/O.

In: nothing. Out: the types that every room of the house shares. It never reads a clock and imports
msgspec alone; arrays of this vocabulary live in pipeline.arrays.

Rates are fixed: 25 frames a second, 48 kHz on air, 16 kHz to drive an avatar, so that one frame is
exactly 1,920 air samples and 640 driving samples and no conversion ever rounds.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

FPS = 25  #: frames a second, constant
AIR_HZ = 48_000  #: sample rate of what viewers hear
DRIVE_HZ = 16_000  #: sample rate of what drives an avatar
AIR_SAMPLES = AIR_HZ // FPS  #: 1,920 samples on air per frame
DRIVE_SAMPLES = DRIVE_HZ // FPS  #: 640 driving samples per frame
AIR_PER_DRIVE = AIR_HZ // DRIVE_HZ  #: 3 air samples for each driving sample


class MediaFormat(msgspec.Struct, frozen=True, array_like=True):
    """What an engine delivers.

    width, height: pixels, both even. hop_frames: new frames of one step. overlap_frames: last frames
    of a step that condition the next one (*motion frames*), 0 where the carry-over is not pictures.
    """

    width: int
    height: int
    hop_frames: int
    overlap_frames: int = 0
    fps: int = FPS

    @property
    def frame_bytes(self) -> int:
        return self.width * self.height * 3 // 2

    @property
    def rows(self) -> int:
        """Rows of one I420 frame: H * 3 // 2."""
        return self.height * 3 // 2

    @property
    def hop_air_samples(self) -> int:
        return self.hop_frames * AIR_SAMPLES

    @property
    def hop_drive_samples(self) -> int:
        return self.hop_frames * DRIVE_SAMPLES


class Mark(msgspec.Struct, frozen=True, array_like=True):
    """An in-band event on the audio: something starts at a sample.

    at: 48 kHz sample relative to the first sample of the chunk or segment that carries it.
    span: samples it lasts (0 where it is a point). kind: one of the constants below.
    utterance: id. sentence: index within the utterance. text: the sentence, the word, the IPA
    phoneme or the cue's name; for UTTERANCE_END and SENTENCE_END it is empty.
    """

    at: int
    kind: str
    utterance: str = ""
    sentence: int = 0
    text: str = ""
    span: int = 0

    def moved(self, samples: int) -> Mark:
        """The same mark seen from an origin `samples` earlier."""
        return msgspec.structs.replace(self, at=self.at + samples)


UTTERANCE = "utterance"  #: first sample of an utterance; text = lane
UTTERANCE_END = "utterance_end"  #: the sample after its last one
SENTENCE = "sentence"  #: first sample of a sentence; text = what is shown; span = its length
SENTENCE_END = "sentence_end"  #: the sample after its last one
SECTION = "section"  #: a script section begins; text = its name
QUESTION = "question"  #: beside SENTENCE: it answers what viewers asked, which is shown meanwhile; text = the question
WORD = "word"
PHONEME = "phoneme"  #: text = IPA
CUE = "cue"  #: an instruction to the avatar; text = its name, as `smile`
PERSON = "person"  #: from here on this person is in the picture; text = the name


def is_open_after(marks: Sequence[Mark], before: bool) -> bool:
    """Whether a sentence is going on after these marks, in order. before: whether one was, before them."""
    for mark in marks:
        if mark.kind in (SENTENCE, *ENDS):
            before = mark.kind == SENTENCE
    return before


class Position(msgspec.Struct, frozen=True, array_like=True):
    """A place in what is being said: `samples` of 48 kHz audio into a sentence of an utterance."""

    utterance: str
    sentence: int
    samples: int


ENDS = (UTTERANCE_END, SENTENCE_END)
"""Kinds that lie one sample after their sound: such a mark belongs to the hop that holds the sample before it."""
