"""A hop of speech as it comes to an engine: a chunk of the director's, with its sound, checked.

In: the parts of a message. Out: speech that fits the engine's hop, or WireError. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.arrays import Pcm, view_pcm
from pipeline.errors import WireError
from pipeline.media import AIR_PER_DRIVE, ENDS, Mark
from pipeline.wire import AudioChunk, decode


@dataclass(frozen=True, slots=True)
class Speech:
    """A chunk with its sound, not yet rendered."""

    chunk: AudioChunk
    air: Pcm
    drive: Pcm  # hop and ahead

    @property
    def marks_of_hop(self) -> list[Mark]:
        """The marks whose sound is in the hop; an end belongs to the last sample before it."""
        return [mark for mark in self.chunk.marks if mark.at - (mark.kind in ENDS) < self.chunk.hop_samples]


def read(parts: Sequence[memoryview], incarnation: int, hop_samples: int) -> Speech:
    """A message and its buffers as speech for this incarnation, of hops of so many samples (48 kHz)."""
    chunk = decode(parts[0], AudioChunk)
    if chunk.incarnation != incarnation:
        raise WireError("for an earlier incarnation")
    if len(parts) != 3 or chunk.hop_samples != hop_samples or chunk.ahead_samples < 0:
        raise WireError(f"{len(parts) - 1} buffers, {chunk.hop_samples} samples, {chunk.ahead_samples} ahead")
    if len(parts[1]) % 2 or len(parts[2]) % 2:
        raise WireError("half a sample")
    air, drive = view_pcm(parts[1]), view_pcm(parts[2])
    expected = (chunk.hop_samples + chunk.ahead_samples) // AIR_PER_DRIVE
    if len(air) != chunk.hop_samples or len(drive) != expected:
        raise WireError(f"{len(air)} air and {len(drive)} driving samples instead of {expected}")
    return Speech(chunk, air, drive)
