"""Words in: the `say` stream of Redis, read at once, each message checked and handed on.

In: entries of the stream, new ones and those that an earlier director left unacknowledged. Out: utterances; what
cannot be said goes to the dead letters with its reason. It acknowledges nothing that was not aired, refused or
expired, and never blocks the show: while Redis is away, intake pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import structlog

from broadcaster.events import DEAD_LETTERED, DUPLICATE, GROUP, Event, event_of
from broadcaster.queue import BLOCK_MS, Keys, WrongKind, connect, text_of, translated
from broadcaster.utterance import Utterance, parse
from pipeline.clock import Clock
from pipeline.errors import MessageError, RedisDown

CONSUMER = "director"  # one name over all restarts, so that what it left behind is its own
COUNT = 64  # entries a read
CLAIM_AFTER_MS = 300_000  # entries of another consumer, untouched for so long, are nobody's
RETRY_S = 0.5
WRONG_KIND_S = 5.0  # a person has to act

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]

log = structlog.get_logger()


class Inbox:
    """The reading side. One task runs `run`.

    accept: takes an utterance. settle: takes the last word on an entry. is_settling: that word was given and is
    being written. split: cuts a text into sentences.
    """

    def __init__(
        self,
        room: str,
        url: str,
        clock: Clock,
        split: Callable[[str], Sequence[str]],
        accept: Callable[[Utterance], None],
        settle: Callable[[Event], None],
        is_settling: Callable[[str], bool],
    ) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._clock = clock
        self._split = split
        self._accept = accept
        self._settle = settle
        self._is_settling = is_settling
        self._said = ""  # the last trouble, told once
        self.up = False
        self.read_once = asyncio.Event()  #: what an earlier director left is here

    async def run(self) -> None:
        """Read for ever. After any error what is ours is read again: an answer may have been lost."""
        while True:
            try:
                await self._open()
                await self._read_pending()
                await self._claim()
                self._found()
                while True:
                    await self._read_new()
            except WrongKind as error:
                self._lost(error)
                await asyncio.sleep(WRONG_KIND_S)
            except RedisDown as error:
                self._lost(error)
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    # ── reading ──────────────────────────────────────────────────────────────────────────────────

    async def _open(self) -> None:
        with translated():
            kind = await self._client.type(self._keys.say)
        if text_of(kind) not in ("stream", "none"):
            raise WrongKind(f"{self._keys.say} is a {text_of(kind)}, not a stream")
        try:
            with translated():
                await self._client.xgroup_create(self._keys.say, GROUP, id="0", mkstream=True)
        except RedisDown as error:
            if "BUSYGROUP" not in str(error):
                raise

    async def _read_pending(self) -> None:
        last = "0"
        while entries := await self._read(last, block=None):
            await self._take(entries)
            last = entries[-1][0].decode()
        self.read_once.set()

    async def _claim(self) -> None:
        start: Any = "0-0"
        while True:
            with translated():
                answer = await self._client.xautoclaim(
                    self._keys.say, GROUP, CONSUMER, CLAIM_AFTER_MS, start_id=start, count=COUNT
                )
            start, entries = answer[0], answer[1]  # Redis 7 adds a third part, 6.2 does not
            await self._take([entry for entry in entries if entry[0] is not None])
            if text_of(start) == "0-0":
                return

    async def _read_new(self) -> None:
        if entries := await self._read(">", block=BLOCK_MS):
            await self._take(entries)

    async def _read(self, after: str, block: int | None) -> list[Entry]:
        with translated():
            answer = await self._client.xreadgroup(GROUP, CONSUMER, {self._keys.say: after}, count=COUNT, block=block)
        return answer[0][1] if answer else []  # type: ignore[index,return-value]

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    async def _take(self, entries: Sequence[Entry]) -> None:
        good: list[Utterance] = []
        for raw_id, fields in entries:
            stream_id = raw_id.decode()
            if self._is_settling(stream_id):
                continue
            try:
                if not fields:
                    raise MessageError("it was deleted from the stream before it was said")
                good.append(parse(stream_id, fields, self._split, self._clock.wall_s()))
            except MessageError as error:
                self._refuse(stream_id, fields or {}, str(error))
        for utterance, done in zip(good, await self._are_done(good), strict=True):
            if done:
                self._settle(event_of(DUPLICATE, utterance))
            else:
                self._accept(utterance)

    async def _are_done(self, utterances: Sequence[Utterance]) -> list[bool]:
        if not utterances:
            return []
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for utterance in utterances:
                    pipe.exists(self._keys.done(utterance.id))
                return [bool(found) for found in await pipe.execute()]

    def _refuse(self, stream_id: str, fields: dict[bytes, bytes], reason: str) -> None:
        given = fields.get(b"id", b"").decode("utf-8", "replace")[:128]
        log.warning("message.refused", stream_id=stream_id, reason=reason)
        self._settle(Event(DEAD_LETTERED, given or stream_id, "", stream_id, {"reason": reason}, fields))

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _lost(self, error: RedisDown) -> None:
        text = str(error)
        if text != self._said:
            if isinstance(error, WrongKind):
                log.error("inbox.wrong_kind", reason=text, remedy=f"rename or delete {self._keys.say}")
            else:
                log.warning("inbox.paused", reason=text)
        self._said, self.up = text, False

    def _found(self) -> None:
        if not self.up:
            log.info("inbox.reading", stream=self._keys.say)
        self._said, self.up = "", True
