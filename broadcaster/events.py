"""What happened, told through Redis: events, acknowledgements, dead letters and the status.

In: events, one by one, from the director's loop. Out: one MULTI for each batch, so that an utterance is marked done
and acknowledged in the same moment as its event; it is fenced by the lease's token. While Redis is away they wait here,
in order; it never blocks the show and never speaks twice of the same thing unless an answer of Redis was lost.

An entry that is acknowledged is deleted, or the stream would fill the server within months. On a server that is full
acknowledgements go first, since they need no memory and make some.

When full: events are dropped, newest first, from EVENTS_MAX on; acknowledgements only from SETTLING_MAX on (such a
message comes again and is recognised by the journal).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
import structlog

from broadcaster.dead import OURS
from broadcaster.lease import Lease
from broadcaster.queue import Fenced, Full, Keys, add_all, connect, error_in, fenced, text_of, translated
from broadcaster.utterance import Utterance
from pipeline.errors import RedisDown

GROUP = "director"
EVENTS_MAX = 2_000
SETTLING_MAX = 12_000
CROWDED = 1_000  # from here on no more messages are read, so that neither limit is reached by a flood of them
BATCH = 100
EVENTS_KEPT = 10_000  # in the stream, about
DEAD_KEPT = 1_000
DONE_TTL_S = 7 * 86_400  # an id may be used again after a week
RETRY_S = 0.5
STATUS_TTL_S = 10
DEAD_FIELDS = 16  # of the original message, each cut to
DEAD_VALUE_BYTES = 2_000  # where the message itself is at fault; one that could be said again is kept whole
TRYING_TTL_S = 86_400

ACCEPTED = "utterance.accepted"
SYNTHESISED = "utterance.synthesised"
STARTED = "utterance.started"
INTERRUPTED = "utterance.interrupted"
AIRED = "utterance.aired"
SKIPPED = "utterance.skipped"
EXPIRED = "utterance.expired"
DEAD_LETTERED = "utterance.dead_lettered"
DUPLICATE = "utterance.duplicate"
TURN_ENDED = "turn.ended"
GUARD_STOPPED = "guard.stopped"
CHAT_ANSWERED = "chat.answered"
CHAT_MERGED = "chat.merged"
CHAT_DROPPED = "chat.dropped"
PERSON_CHANGED = "person.changed"

SETTLING = (AIRED, SKIPPED, EXPIRED, DEAD_LETTERED, DUPLICATE, TURN_ENDED)
"""The last word on a stream entry: it is acknowledged with it."""

# KEYS: fence, say. ARGV: token, group, stream ids.
SETTLE = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
for i = 3, #ARGV do
  redis.call('XACK', KEYS[2], ARGV[2], ARGV[i])
  redis.call('XDEL', KEYS[2], ARGV[i])
end
return 1
"""

log = structlog.get_logger()


Fields: TypeAlias = dict[bytes, bytes]


class Event(msgspec.Struct, frozen=True):
    """One thing that happened to an utterance. `original`: the message of a dead letter, as far as it is known."""

    name: str
    id: str
    lane: str = ""
    stream_id: str = ""
    facts: dict[str, str | int] = {}
    original: Fields = {}

    @property
    def is_sayable(self) -> bool:
        """Its message is sound: an utterance of the queue was made of it."""
        return bool(self.lane and self.stream_id)

    @property
    def settles(self) -> bool:
        return bool(self.stream_id) and self.name in SETTLING


def event_of(name: str, utterance: Utterance, **facts: str | int) -> Event:
    return Event(name, utterance.id, utterance.lane_name, utterance.stream_id, facts)


class Events:
    """The writing side. One task runs `run`; all else is called on the same loop."""

    def __init__(self, room: str, url: str, lease: Lease) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._lease = lease
        self._waiting: deque[Event] = deque()
        self._stamps: dict[int, str] = {}
        self._some = asyncio.Event()
        self._dropped = 0
        self._trying: bytes | None = None  #: to be kept; None when it is
        self._kept = b""
        self.settling: set[str] = set()  #: stream ids whose acknowledgement is under way
        self.up = False

    @property
    def crowded(self) -> bool:
        """Whether what happened comes faster than it can be written."""
        return len(self._waiting) >= CROWDED

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

    def keep(self, trying: Mapping[str, int]) -> None:
        """Keep for a director on another machine which sentences may be deadly. Without it, it would find out anew."""
        encoded = msgspec.json.encode(trying)
        if encoded != self._kept:
            self._trying = self._kept = encoded
            self._some.set()

    def forget(self) -> None:
        """The room is another's: what was not written is not true any more."""
        self._waiting.clear()
        self.settling.clear()
        self._trying, self._kept = None, b""

    async def run(self) -> None:
        """Write what waits, for ever."""
        while True:
            await self._some.wait()
            try:
                await self._write()
            except Fenced:
                self._lease.doubt()
                await asyncio.sleep(RETRY_S)
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

    async def hear(self, messages: Sequence[Mapping[str, str]], kept: int) -> None:
        """Add comments to the `chat` stream, which holds about so many entries; RedisDown when they cannot be."""
        await add_all(self._client, self._keys.chat, messages, kept)

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
        trying = self._trying
        if batch or trying is not None:
            originals = await self._originals(batch)
            try:
                answers = await self._write_all(batch, originals, trying)
            except Full:
                await self._settle_only(batch)
                raise
            if refusal := error_in(answers):  # the rest of the MULTI was done, so it is not repeated
                log.error("events.refused", reason=refusal, remedy="a key of this room holds something else: see docs")
        for event in batch:
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()
                self.settling.discard(event.stream_id)
        if self._trying is trying:
            self._trying = None
        if not self._waiting and self._trying is None:
            self._some.clear()
        self._found()

    async def _write_all(self, batch: list[Event], originals: Mapping[str, Fields], trying: bytes | None) -> list[Any]:
        def add(multi: Any) -> None:
            for event in batch:
                self._add(multi, event, originals)
            if trying is not None:
                multi.set(self._keys.trying, trying, ex=TRYING_TTL_S)

        return await fenced(self._client, self._keys, self._lease.token, add)

    async def _settle_only(self, batch: list[Event]) -> None:
        """Acknowledge what needs no memory for it; the events follow when there is some."""
        ids = [event.stream_id for event in batch if event.settles and event.name != DEAD_LETTERED]
        keys = [self._keys.fence, self._keys.say]
        with translated():
            await self._client.eval(SETTLE, len(keys), *keys, self._lease.token, GROUP, *ids)

    async def _originals(self, batch: list[Event]) -> dict[str, Fields]:
        """The messages of dead letters that could be said again, as they came: stream id → fields."""
        ids = [event.stream_id for event in batch if event.name == DEAD_LETTERED and event.is_sayable]
        if not ids:
            return {}
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for stream_id in ids:
                    pipe.xrange(self._keys.say, stream_id, stream_id)
                found = await pipe.execute()
        return {stream_id: entries[0][1] for stream_id, entries in zip(ids, found, strict=True) if entries}

    def _add(self, multi: Any, event: Event, originals: Mapping[str, Fields]) -> None:
        if event.settles:
            if event.name in (AIRED, SKIPPED):  # what was refused or came too late may be pushed again under its id
                multi.set(self._keys.done(event.id), event.name, ex=DONE_TTL_S)
            if event.name == DEAD_LETTERED:
                letter = _letter(event, originals.get(event.stream_id))
                multi.xadd(self._keys.dead, letter, maxlen=DEAD_KEPT, approximate=True)
            multi.xack(self._keys.say, GROUP, event.stream_id)
            multi.xdel(self._keys.say, event.stream_id)
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


def _letter(event: Event, whole: Fields | None) -> dict[bytes | str, bytes | str | int]:
    """A dead letter: why, when, which entry, and the message as it came; cut to size if it is itself at fault."""
    letter: dict[bytes | str, bytes | str | int] = {
        "reason": event.facts.get("reason", ""),
        "id": event.id,
        "stream_id": event.stream_id,
        "ts": event.facts.get("ts", ""),
    }
    if event.is_sayable:
        message = event.original if whole is None else whole
        return {**letter, **{name: value for name, value in message.items() if name != b"id"}}
    for key, value in list(event.original.items())[:DEAD_FIELDS]:
        name = key[:100]
        letter[b"original_" + name if name.decode("utf-8", "replace") in OURS else name] = value[:DEAD_VALUE_BYTES]
    if len(event.original) > DEAD_FIELDS or any(len(value) > DEAD_VALUE_BYTES for value in event.original.values()):
        letter["cut"] = "yes"
    return letter
