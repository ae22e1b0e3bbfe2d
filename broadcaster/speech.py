"""Words become sound ahead of time: the coming sentences are synthesised before they are due.

In: which sentences come next. Out: their Speech, growing as the voice delivers. It decides nothing about order. Bounded
in sentences, in seconds of sound and in voices at work; one sentence is always allowed, so that `now` never queues
behind a slow one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any, TypeAlias

import structlog

from broadcaster.timeline import Speech
from broadcaster.utterance import Key
from pipeline.clock import NS, Clock
from pipeline.errors import MessageError, SpeechError
from pipeline.media import AIR_HZ
from tts.synthesizer import Piece, Synthesizer, Voice

AT_WORK = 2  # sentences synthesised at once; the first in order may be a third
AHEAD_SAMPLES = 30 * AIR_HZ  # sound kept ready beyond which nothing is begun
KEPT = 24  # sentences with sound; about 10 s and 1.3 MB each
TIMINGS = 50

Trouble: TypeAlias = SpeechError | MessageError
"""A voice failed; or the sentence is such that none could say it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    key: Key
    text: str
    voice: Voice


class Studio:
    """Makes the sound of sentences. All on one event loop.

    spawn: starts a task that somebody awaits. wait_s: the longest silence of a voice in the middle of its work.
    on_sound: something was added. on_try: a sentence is begun (true) or done with (false). on_made: it is whole, after
    so many ms. on_failed: no voice could say it.
    """

    def __init__(
        self,
        voice: Synthesizer,
        spawn: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
        clock: Clock,
        wait_s: float,
        on_sound: Callable[[], None],
        on_try: Callable[[Key, bool], None],
        on_made: Callable[[Key, int], None],
        on_failed: Callable[[Key, Trouble], None],
    ) -> None:
        self._voice = voice
        self._spawn = spawn
        self._clock = clock
        self._wait_s = wait_s
        self._on_sound = on_sound
        self._on_try = on_try
        self._on_made = on_made
        self._on_failed = on_failed
        self._speeches: dict[Key, Speech] = {}
        self._tasks: dict[Key, asyncio.Task[None]] = {}
        self._first_ms: deque[int] = deque(maxlen=TIMINGS)

    def get(self, key: Key) -> Speech | None:
        """What there is of it; None when it is not begun or broke off."""
        return self._speeches.get(key)

    def want(self, wanted: Sequence[Wanted], needed: Collection[Key]) -> None:
        """These come next, first to last; `needed` may come again. The oldest of the rest is forgotten."""
        ready = 0
        for place, one in enumerate(wanted):
            speech = self._speeches.get(one.key)
            if speech is None and (place == 0 or (len(self._tasks) < AT_WORK and ready < AHEAD_SAMPLES)):
                self._begin(one)
            ready += speech.samples if speech else 0
        keep = {one.key for one in wanted} | set(needed) | self._tasks.keys()
        for key in [key for key in self._speeches if key not in keep][: max(0, len(self._speeches) - KEPT)]:
            del self._speeches[key]

    def forget(self, identity: str) -> None:
        """This utterance is done with."""
        for key in [key for key in self._speeches if key[0] == identity]:
            del self._speeches[key]
        for key in [key for key in self._tasks if key[0] == identity]:
            self._tasks[key].cancel()

    def first_piece_ms(self) -> int | None:
        """Median time from asking a voice to its first sound."""
        return round(median(self._first_ms)) if self._first_ms else None

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._voice.close()

    # ── one sentence ─────────────────────────────────────────────────────────────────────────────

    def _begin(self, one: Wanted) -> None:
        speech = self._speeches[one.key] = Speech()
        self._on_try(one.key, True)
        self._tasks[one.key] = self._spawn(self._make(one, speech))

    async def _make(self, one: Wanted, speech: Speech) -> None:
        began_ns = self._clock.now_ns()
        failure: Trouble | None = None
        try:
            await self._speak(one, speech, began_ns)
        except (SpeechError, MessageError) as error:
            failure = error
        finally:
            self._tasks.pop(one.key, None)
            self._on_try(one.key, False)
        speech.complete = True
        if failure is None:
            self._on_made(one.key, (self._clock.now_ns() - began_ns) * 1000 // NS)
            self._on_sound()
            return
        speech.failed = True
        if self._speeches.get(one.key) is speech:
            del self._speeches[one.key]
        self._on_failed(one.key, failure)

    async def _speak(self, one: Wanted, speech: Speech, began_ns: int) -> None:
        pieces = self._voice.speak(one.text, one.voice)
        try:
            while (piece := await self._next(pieces)) is not None:
                if piece.air.size and not speech.samples:
                    self._first_ms.append((self._clock.now_ns() - began_ns) * 1000 // NS)
                speech.add(piece)
                self._on_sound()
        finally:
            if isinstance(pieces, AsyncGenerator):
                await pieces.aclose()
        if not speech.samples:
            raise SpeechError("it gave no sound")

    async def _next(self, pieces: AsyncIterator[Piece]) -> Piece | None:
        try:
            async with asyncio.timeout(self._wait_s):
                return await anext(pieces, None)
        except TimeoutError as error:
            raise SpeechError(f"no sound for {self._wait_s:g} s") from error
