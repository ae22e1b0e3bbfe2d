"""Speech made long before it is due: evergreen lines, and what the script says in the next minutes, kept on disk.

In: sentences that will be wanted. Out: nothing; the voice keeps what it speaks. One at a time, and only while nothing
is being made that comes next, so that it costs no sentence its time. A room whose online voice fails goes on with that
voice for as long as its larder lasts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence

import structlog

from pipeline.clock import NS, Clock
from pipeline.errors import MessageError, SpeechError
from tts.synthesizer import Voice, Voices

LOOK_S = 1.0  # between looks whether there is something to do
AGAIN_NS = 600 * NS  # until a sentence is tried again that was not kept, as on a full disk
TRIED_KEPT = 10_000  # sentences of which that is known

log = structlog.get_logger()


class Larder:
    """voice: of the evergreen lines, which are pinned once they are kept. coming: asked again and again, each sentence
    with its voice. idle: voices have nothing else to do.
    """

    def __init__(
        self,
        voices: Voices,
        voice: Voice,
        clock: Clock,
        evergreen: Sequence[str],
        coming: Callable[[], Sequence[tuple[str, Voice]]],
        idle: Callable[[], bool],
    ) -> None:
        self._voices = voices
        self._voice = voice
        self._clock = clock
        self._evergreen = list(evergreen)  # what is not pinned yet
        self._coming = coming
        self._idle = idle
        self._tried: dict[tuple[str, Voice], int] = {}  # sentence → when, ns
        self._too_many_told = False

    async def run(self) -> None:
        while True:
            if not self._idle() or not await self.step():
                await asyncio.sleep(LOOK_S)

    async def step(self) -> bool:
        """Make one sentence; false when there is none to make now."""
        self._pin()
        if not self._voices.works:
            return False
        for wanted in [*((sentence, self._voice) for sentence in self._evergreen), *self._coming()]:
            if not self._voices.keeps(*wanted) and self._may_try(wanted):
                await self._make(*wanted)
                return True
            await asyncio.sleep(0)
        return False

    def _pin(self) -> None:
        waiting = []
        for sentence in self._evergreen:
            if not self._voices.keeps(sentence, self._voice):
                waiting.append(sentence)
            elif not self._voices.pin(sentence, self._voice):
                self._tell_too_many(sentence)
        self._evergreen = waiting

    def _may_try(self, wanted: tuple[str, Voice]) -> bool:
        now_ns = self._clock.now_ns()
        if now_ns < self._tried.get(wanted, now_ns):
            return False
        self._tried.pop(wanted, None)
        self._tried[wanted] = now_ns + AGAIN_NS
        if len(self._tried) > TRIED_KEPT:
            del self._tried[next(iter(self._tried))]
        return True

    async def _make(self, sentence: str, voice: Voice) -> None:
        pieces = self._voices.speak(sentence, voice)
        try:
            async for _ in pieces:
                pass
        except (SpeechError, MessageError):
            pass  # the chain told why; the sentence is tried again when it is due
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()

    def _tell_too_many(self, sentence: str) -> None:
        """The rest is said as well, but may be forgotten."""
        if not self._too_many_told:
            log.warning("evergreen.too_long", first_unpinned=sentence)
        self._too_many_told = True
