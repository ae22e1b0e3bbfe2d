"""The contract of a voice, and the table of providers: a sentence in, pieces of speech out.

Pieces come as they are made, so that the first word can be on air before the last one is known.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pipeline.media import Mark

if TYPE_CHECKING:
    from pipeline.arrays import Pcm

PROVIDERS: Mapping[str, str] = {
    "edge": "tts.edge:EdgeSynthesizer",
    "espeak": "tts.espeak:EspeakSynthesizer",
}


@dataclass(frozen=True, slots=True)
class Voice:
    """name: a provider's voice (`zh-CN-XiaoxiaoNeural`) or a language (`en`, `zh`). rate: 1.0 = normal speed."""

    name: str
    rate: float = 1.0


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of speech, contiguous with the one before.

    air: int16 [N], 48 kHz. drive: int16 [N / 3], 16 kHz, the same sound. marks: WORD and PHONEME
    alone, `at` in 48 kHz samples from the first sample of the *sentence*; a mark may come with a
    later piece than its sound, never with an earlier one.
    """

    air: Pcm
    drive: Pcm
    marks: tuple[Mark, ...] = ()


class Synthesizer(Protocol):
    """A voice provider. Called on the director's event loop; it never blocks it for more than 20 ms."""

    def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        """Speak one sentence; SpeechError when it cannot, UnknownVoice when it has no such voice."""

    async def close(self) -> None:
        """Give back connections and threads."""
