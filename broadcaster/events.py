"""What happened, told through Redis: events, acknowledgements, dead letters and the status.

In: events, one by one, from the director's loop. Out: one MULTI for each batch, so that an utterance is marked done
and acknowledged in the same moment as its event. While Redis is away they wait here, in order; it never blocks
the show and never speaks twice of the same thing unless an answer of Redis was lost.

When full: events are dropped, newest first, from EVENTS_MAX on; acknowledgements only from SETTLING_MAX on (such a
message comes again and is recognised by the journal).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from broadcaster.queue import Keys, connect, error_in, text_of, translated
from broadcaster.utterance import Utterance
from pipeline.errors import RedisDown

GROUP = "director"
EVENTS_MAX = 2_000
SETTLING_MAX = 12_000
BATCH = 100
EVENTS_KEPT = 10_000  # in the stream, about
DEAD_KEPT = 1_000
DONE_TTL_S = 7 * 86_400  # an id may be used again after a week
RETRY_S = 0.5
STATUS_TTL_S = 10
DEAD_FIELDS = 16  # of the original message, each cut to
DEAD_VALUE_BYTES = 2_000

ACCEPTED = "utterance.accepted"
SYNTHESISED = "utterance.synthesised"
STARTED = "utterance.started"
INTERRUPTED = "utterance.interrupted"
AIRED = "utterance.aired"
EXPIRED = "utterance.expired"
DEAD_LETTERED = "utterance.dead_lettered"
DUPLICATE = "utterance.duplicate"

SETTLING = (AIRED, EXPIRED, DEAD_LETTERED, DUPLICATE)
"""The last word on a stream entry: it is acknowledged with it."""

log = structlog.get_logger()


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to an utterance. `original`: the message of a dead letter, as it came."""

    name: str
    id: str
    lane: str = ""
    stream_id: str = ""
    facts: dict[str, str | int] = {}
    original: dict[bytes, bytes] = {}

    @property
    def settles(self) -> bool:
        return bool(self.stream_id) and self.name in SETTLING


def event_of(name: str, utterance: Utterance, **facts: str | int) -> Event:
    return Event(name, utterance.id, utterance.lane_name, utterance.stream_id, facts)


class Events:
    """The writing side. One task runs `run`; all else is called on the same loop."""

    def __init__(self, room: str, url: str) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._waiting: deque[Event] = deque()
        self._stamps: dict[int, str] = {}
        self._some = asyncio.Event()
        self._dropped = 0
        self.settling: set[str] = set()  #: stream ids whose acknowledgement is under way
        self.up = False

    def put(self, event: Event, wall_s: float) -> None:
        """Tell it as soon as Redis can hear."""
        if event.settles:
            if event.stream_id in self.settling:
                return
            if len(self._waiting) < SETTLING_MAX:
                self.settling.add(event.stream_id)
        if len(self._waiting) >= (SETTLING_MAX if event.settles else EVENTS_MAX):
            self._dropped += 1
            return
        stamped = msgspec.structs.replace(event, facts={**event.facts, "ts": f"{wall_s:.3f}"})
        self._waiting.append(stamped)
        self._some.set()

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._some.wait()
            try:
                await self._write()
            except RedisDown as error:
                self._lost(error)
                await asyncio.sleep(RETRY_S)

    async def flush(self, timeout_s: float) -> None:
        """Wait until all is written, or the time is up."""
        try:
            async with asyncio.timeout(timeout_s):
                while self._waiting:
                    await asyncio.sleep(0.01)
        except TimeoutError:
            log.warning("events.unwritten", count=len(self._waiting))

    async def push(self, fields: Mapping[str, str]) -> str:
        """Add a message to the `say` stream, as any program might; RedisDown when it cannot be."""
        with translated():
            entry = await self._client.xadd(self._keys.say, dict(fields))  # type: ignore[arg-type]
        return text_of(entry)

    async def set_status(self, status: bytes) -> None:
        """RedisDown when it cannot be set."""
        with translated():
            await self._client.set(self._keys.status, status, ex=STATUS_TTL_S)

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    async def _write(self) -> None:
        batch = [self._waiting[index] for index in range(min(BATCH, len(self._waiting)))]
        if batch:
            with translated():
                async with self._client.pipeline(transaction=True) as multi:
                    for event in batch:
                        self._add(multi, event)
                    refusal = error_in(await multi.execute(raise_on_error=False))
            if refusal:  # the rest of the MULTI was done, so it is not repeated
                log.error("events.refused", reason=refusal, remedy="a key of this room holds something else: see docs")
        for event in batch:
            self._waiting.popleft()
            self.settling.discard(event.stream_id)
        if not self._waiting:
            self._some.clear()
        self._found()

    def _add(self, multi: Any, event: Event) -> None:
        if event.settles:
            if event.name == AIRED:  # what was refused or came too late may be pushed again under its id
                multi.set(self._keys.done(event.id), event.name, ex=DONE_TTL_S)
            if event.name == DEAD_LETTERED:
                multi.xadd(self._keys.dead, _letter(event), maxlen=DEAD_KEPT, approximate=True)
            multi.xack(self._keys.say, GROUP, event.stream_id)
        fields: dict[str, str | int] = {"event": event.name, "id": event.id, "lane": event.lane, **event.facts}
        multi.xadd(self._keys.events, fields, maxlen=EVENTS_KEPT, approximate=True)

    def _lost(self, error: RedisDown) -> None:
        if self.up:
            log.warning("events.paused", reason=str(error), waiting=len(self._waiting))
        self.up = False

    def _found(self) -> None:
        if not self.up:
            log.info("events.flowing", dropped=self._dropped)
        self.up, self._dropped = True, 0


def _letter(event: Event) -> dict[bytes | str, bytes | str | int]:
    """A dead letter: why, which entry, and the original, cut to size."""
    letter: dict[bytes | str, bytes | str | int] = {
        "reason": event.facts.get("reason", ""),
        "id": event.id,
        "stream_id": event.stream_id,
    }
    for key, value in list(event.original.items())[:DEAD_FIELDS]:
        name = key[:100]
        letter[b"original_" + name if name.decode("utf-8", "replace") in letter else name] = value[:DEAD_VALUE_BYTES]
    return letter
