"""Words in: the `say` stream of Redis, read at once, each message checked and handed on.

In: entries of the stream, new ones and those that an earlier director left unacknowledged. Out: utterances; what
cannot be said goes to the dead letters with its reason. It acknowledges nothing that was not aired, refused or
expired, and never blocks the show: while Redis is away, or the lease is not ours, intake pauses.

A read that takes entries is fenced by the lease's token, so that none goes to a director that will not say it; what
waits for entries takes none (XREAD). All directors read under one name: what one left behind is the next one's own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import msgspec
import structlog

from broadcaster.events import DEAD_KEPT, DEAD_LETTERED, DUPLICATE, EVENTS_KEPT, GROUP, Event, event_of
from broadcaster.lease import Lease
from broadcaster.queue import BLOCK_MS, Fenced, Keys, WrongKind, connect, error_in, fenced, text_of, translated
from broadcaster.sweep import COUNT, Bounds, Entry, read
from broadcaster.utterance import DEFAULT_LANE, Utterance, parse
from pipeline.clock import Clock
from pipeline.errors import MessageError, RedisDown

CONSUMER = "director"  # one name over all restarts, so that what it left behind is its own
RETRY_S = 0.5
CROWDED_S = 0.02
WRONG_KIND_S = 5.0  # a person has to act
NO_PLACE = "the rundown is full: too many utterances of this lane and those above it wait"
BOUNDS = Bounds(GROUP, CONSUMER, DEAD_KEPT, EVENTS_KEPT, DEAD_LETTERED, DEFAULT_LANE, NO_PLACE)

log = structlog.get_logger()


class Inbox:
    """The reading side. One task runs `run`.

    accept: takes utterances, in their order. settle: takes the last word on an entry. is_settling: that word was given
    and is being written. split: cuts a text into sentences. is_crowded: what was said of entries is not
    written yet. full: lanes in which fewer than so many would be accepted. recall: takes what other directors were
    trying to have spoken when they ended. caught_up: all that earlier directors left behind was accepted.
    """

    def __init__(
        self,
        room: str,
        url: str,
        lease: Lease,
        clock: Clock,
        split: Callable[[str], Sequence[str]],
        accept: Callable[[Sequence[Utterance]], None],
        settle: Callable[[Event], None],
        is_settling: Callable[[str], bool],
        is_crowded: Callable[[], bool],
        full: Callable[[int], Sequence[str]],
        recall: Callable[[Mapping[str, int]], None],
        caught_up: Callable[[], None],
    ) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._lease = lease
        self._clock = clock
        self._split = split
        self._accept = accept
        self._settle = settle
        self._is_settling = is_settling
        self._is_crowded = is_crowded
        self._full = full
        self._recall = recall
        self._caught_up = caught_up
        self._said = ""  # the last trouble, told once
        self._refused = 0  #: for want of a place, since that began
        self._after = "0-0"  # newest entry that was given to any director
        self.up = False
        self.read_once = asyncio.Event()  #: what an earlier director left is here

    async def run(self) -> None:
        """Read for ever. After any error what is ours is read again: an answer may have been lost."""
        while True:
            await self._lease.confirmed.wait()
            token = self._lease.token
            try:
                await self._open()
                await self._read_left_behind(token)
                self._found()
                while self._lease.token in (token, 0):  # 0: unconfirmed for a while; what is fenced tells the rest
                    if self._is_crowded():
                        await asyncio.sleep(CROWDED_S)
                    elif not await self._read_new(token):
                        await self._wait()
            except Fenced:
                self._lease.doubt()
                await asyncio.sleep(RETRY_S)
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
        """Find the group, or make it; what a server that is full would refuse is not asked of it in vain."""
        with translated():
            kind = text_of(await self._client.type(self._keys.say))
        if kind not in ("stream", "none"):
            raise WrongKind(f"{self._keys.say} is a {kind}, not a stream")
        with translated():
            groups = await self._client.xinfo_groups(self._keys.say) if kind == "stream" else []
            found = next((group for group in groups if text_of(group["name"]) == GROUP), None)
            if found is None:
                await self._client.xgroup_create(self._keys.say, GROUP, id="0", mkstream=True)
        self._after = text_of(found["last-delivered-id"]) if found else "0-0"

    async def _read_left_behind(self, token: int) -> None:
        """What earlier directors took and did not settle, whatever name they had."""
        with translated():
            self._recall(_trying(await self._client.get(self._keys.trying)))
            consumers = await self._client.xinfo_consumers(self._keys.say, GROUP)
        if any(text_of(one["name"]) != CONSUMER and one["pending"] for one in consumers):
            await self._claim(token)
        last = "0"
        while entries := (await read(self._client, self._keys, token, BOUNDS, (), last))[0]:
            await self._take(token, entries)
            last = entries[-1][0].decode()
        self._caught_up()
        self.read_once.set()

    async def _claim(self, token: int) -> None:
        """Make ours what somebody read under another name."""
        start = "0-0"
        while True:
            command = partial(_claim, self._keys.say, start)
            answers = await fenced(self._client, self._keys, token, command)
            if refusal := error_in(answers):
                raise RedisDown(refusal)
            start = text_of(answers[0][0])
            if start == "0-0":
                return

    async def _read_new(self, token: int) -> bool:
        """Take what is new; false when there is nothing."""
        full = self._full(COUNT)
        entries, refused = await read(self._client, self._keys, token, BOUNDS, full)
        self._count_refused(refused, full)
        if entries:
            await self._take(token, entries)
            self._after = entries[-1][0].decode()
        return bool(entries or refused)

    async def _wait(self) -> None:
        """Until there is something new, or a second is over: then it is looked for all the same."""
        with translated():
            found = await self._client.xread({self._keys.say: self._after}, count=1, block=BLOCK_MS)
        if found:
            self._after = text_of(found[0][1][0][0])  # type: ignore[index,arg-type]

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    async def _take(self, token: int, entries: Sequence[Entry]) -> None:
        good: list[Utterance] = []
        refused = 0
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
                if not refused:
                    log.warning("message.refused", stream_id=stream_id, reason=str(error))
                refused += 1
        if refused > 1:
            log.warning("message.refused", reason="more of the same reading; see the dead letters", count=refused - 1)
        done = await self._are_done(good)
        if self._lease.token != token:
            raise Fenced("the lease went elsewhere meanwhile")
        for utterance, was_aired in zip(good, done, strict=True):
            if was_aired:
                self._settle(event_of(DUPLICATE, utterance))
        self._accept([utterance for utterance, was_aired in zip(good, done, strict=True) if not was_aired])

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
        self._settle(Event(DEAD_LETTERED, given or stream_id, "", stream_id, {"reason": reason}, fields))

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _count_refused(self, count: int, full: Sequence[str]) -> None:
        """Told when it begins and when it ends: a flood of messages is no flood of lines."""
        if count and not self._refused:
            log.warning("inbox.overflowing", lanes=list(full))
        elif self._refused and not count:
            log.warning("inbox.overflowed", refused=self._refused)
        self._refused = self._refused + count if count else 0

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


def _claim(say: str, start: str, multi: Any) -> None:
    multi.xautoclaim(say, GROUP, CONSUMER, 0, start, COUNT)


def _trying(kept: Any) -> dict[str, int]:
    """What was kept there; nothing when it cannot be read: it only saves a few tries."""
    try:
        return msgspec.json.decode(kept or b"{}", type=dict[str, int])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return {}
