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
from pipeline.errors import BrokeOff, MessageError, SpeechError
from pipeline.media import AIR_HZ
from tts.synthesizer import Piece, Voice, Voices

AT_WORK = 2  # sentences synthesised at once; the first in order may be a third
AHEAD_SAMPLES = 30 * AIR_HZ  # sound kept ready beyond which nothing is begun
KEPT = 24  # sentences with sound; about 10 s and 1.3 MB each
AGAIN = 4  # voices that may break off in one sentence before anything of it was given away
TIMINGS = 50

Trouble: TypeAlias = SpeechError | MessageError
"""A voice failed; or the sentence is such that none could say it."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Wanted:
    """`alone`: no other sentence is synthesised beside it, for it may take the process with it."""

    key: Key
    text: str
    voice: Voice
    alone: bool = False


class Studio:
    """Makes the sound of sentences. All on one event loop.

    spawn: starts a task that somebody awaits. wait_s: the longest silence of a voice in the middle of its work.
    on_sound: something was added. on_try: a sentence is begun (true) or done with (false). on_made: it is whole, after
    so many ms. on_failed: no voice could say it.
    """

    def __init__(
        self,
        voice: Voices,
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
        self._alone: set[Key] = set()  #: of those at work
        self._first_ms: deque[int] = deque(maxlen=TIMINGS)

    def get(self, key: Key) -> Speech | None:
        """What there is of it; None when it is not begun or broke off."""
        return self._speeches.get(key)

    def want(self, wanted: Sequence[Wanted], needed: Collection[Key]) -> None:
        """These come next, first to last; `needed` may come again. The oldest of the rest is forgotten."""
        ready = 0
        for place, one in enumerate(wanted):
            speech = self._speeches.get(one.key)
            if speech is None and self._may_begin(one, place, ready):
                self._begin(one)
            ready += speech.samples if speech else 0
        keep = {one.key for one in wanted} | set(needed) | self._tasks.keys()
        for key in [key for key in self._speeches if key not in keep][: max(0, len(self._speeches) - KEPT)]:
            del self._speeches[key]

    def _may_begin(self, one: Wanted, place: int, ready_samples: int) -> bool:
        """The first one may at once, unless it must be alone; nothing begins beside one that must."""
        if one.alone:
            return not self._tasks
        if place == 0:
            return True
        return len(self._tasks) < AT_WORK and ready_samples < AHEAD_SAMPLES and not self._alone & self._tasks.keys()

    def forget(self, identity: str) -> None:
        """This utterance is done with."""
        for key in [key for key in self._speeches if key[0] == identity]:
            del self._speeches[key]
        for key in [key for key in self._tasks if key[0] == identity]:
            self._tasks[key].cancel()

    @property
    def idle(self) -> bool:
        """No voice is at work for what comes next."""
        return not self._tasks

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
        if one.alone:
            self._alone.add(one.key)
        self._on_try(one.key, True)
        self._tasks[one.key] = self._spawn(self._make(one, speech))

    async def _make(self, one: Wanted, speech: Speech) -> None:
        began_ns = self._clock.now_ns()
        failure: Trouble | None = None
        try:
            for _ in range(AGAIN):
                failure = await self._try(one, speech, began_ns)
                if not isinstance(failure, BrokeOff) or speech.taken or self._speeches.get(one.key) is not speech:
                    break
                speech = self._speeches[one.key] = Speech()  # nobody heard of it: another voice begins anew
        finally:
            self._tasks.pop(one.key, None)
            self._alone.discard(one.key)
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

    async def _try(self, one: Wanted, speech: Speech, began_ns: int) -> Trouble | None:
        try:
            await self._speak(one, speech, began_ns)
        except (SpeechError, MessageError) as error:
            return error
        return None

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
