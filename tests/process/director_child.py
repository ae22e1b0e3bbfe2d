"""A director with a voice that needs no library: a tone as long as its sentence, or trouble on request."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec
import numpy as np

from broadcaster.director import direct
from broadcaster.director_spec import DirectorSpec
from broadcaster.log import configure
from pipeline.clock import RealClock
from pipeline.errors import SpeechError, UnknownVoice
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.media import WORD, Mark
from tts.synthesizer import Piece, Voice

PIECE = 4_800
SAMPLES_PER_CHAR = 1_440  # 30 ms


class ToneVoice:
    """tts.synthesizer.Voices; it keeps nothing."""

    works, remote = True, False

    def tick(self) -> None:
        pass

    def states(self) -> dict[str, str]:
        return {}

    def can_say(self, sentence: str, voice: Voice) -> bool:
        return True

    def keeps(self, sentence: str, voice: Voice) -> bool:
        return False

    def pin(self, sentence: str, voice: Voice) -> bool:
        return False

    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        if "unspeakable" in sentence:
            raise SpeechError("it cannot be said")
        if voice.name == "klingon":
            raise UnknownVoice("nobody speaks klingon")
        samples = max(PIECE, SAMPLES_PER_CHAR * len(sentence))
        samples -= samples % 3
        for start in range(0, samples, PIECE):
            await asyncio.sleep(0.2 if "slow" in sentence else 0)
            air = np.full(min(PIECE, samples - start), 1 + sum(sentence.encode()) % 30_000, np.int16)
            marks = (Mark(0, WORD, text=sentence.split()[0]),) if start == 0 else ()
            yield Piece(air, air[::3].copy(), marks)

    async def close(self) -> None:
        pass


def main() -> int:
    lifeline = Lifeline.of_child()
    spec = msgspec.convert(lifeline.spec().spec, DirectorSpec)
    configure("director")
    try:
        asyncio.run(direct(spec, lifeline, ToneVoice(), RealClock()))
    except LineClosed:
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
