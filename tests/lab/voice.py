"""The offline voice, failing as it is told before each sentence.

Orders (tests.lab.orders, part `voice`): `dead`: a SpeechError at once. `hang`: nothing comes while the order stands.
`garbage`: loud noise in the place of speech. `silent`: silence in its place.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import numpy as np

from pipeline.errors import SpeechError
from tests.lab import orders
from tts.espeak import EspeakSynthesizer
from tts.synthesizer import Piece, Voice

LOOK_S = 0.02
LOUD = 32_767


class FaultyVoice(EspeakSynthesizer):
    async def speak(self, sentence: str, voice: Voice) -> AsyncIterator[Piece]:
        while orders.read("voice").get("hang"):
            await asyncio.sleep(LOOK_S)
        if orders.read("voice").get("dead"):
            raise SpeechError("the faulty voice is dead today")
        async for piece in super().speak(sentence, voice):
            told = orders.read("voice")
            if told.get("silent"):
                yield replace(piece, air=np.zeros_like(piece.air), drive=np.zeros_like(piece.drive))
            elif told.get("garbage"):
                random = np.random.default_rng(len(piece.air))
                noise = random.integers(-LOUD, LOUD, len(piece.drive), dtype=np.int16)
                yield replace(piece, air=np.repeat(noise, 3), drive=noise)
            else:
                yield piece
