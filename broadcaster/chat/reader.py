"""Comments in: the `chat` stream of Redis, read in batches into the pool, and settled when they have ended.

In: entries of the stream, new ones and those that an earlier process left unsettled. Out: questions, by the pool. An
entry is acknowledged and deleted when it was dropped, or when whoever answers it says that its answer was aired; one
whose answer was on its way when an earlier process ended is handed over, and not asked again. While Redis is away
intake pauses; while another broadcaster holds the room nothing is read, and what waits here is forgotten: it is
theirs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any

import structlog

from broadcaster.chat.blocked import Lists
from broadcaster.chat.message import parse
from broadcaster.chat.model import Comment, Kind, Question, Reason
from broadcaster.chat.pool import Pool
from broadcaster.chat.stream import SETTLED_AT_ONCE, ChatStream, Entry
from broadcaster.chat.tally import Tally
from broadcaster.queue import BLOCK_MS, Fenced, WrongKind
from pipeline.clock import NS, Clock
from pipeline.errors import MessageError, RedisDown

RETRY_S = 0.5
NOBODY_S = 0.5  # a director that follows another takes the lease within a second
ELSEWHERE_S = 1.0
WRONG_KIND_S = 5.0  # a person has to act
CALM = 5  # entries of a batch; of more, more are awaited, for a batch costs as much as ten of them
PACE_S = 0.1
CROWDED = 5_000  # entries that are to be settled; while there are so many, no more are read
LISTS_EVERY_S = 2.0

log = structlog.get_logger()


class ChatReader:
    """The reading side. One task runs `run`; all else is called on the same loop.

    on_its_way: takes the id of an answer that an earlier process pushed, and a comment that it answers; the caller
    settles it when that answer was aired, or will not be.
    """

    def __init__(
        self,
        stream: ChatStream,
        pool: Pool,
        clock: Clock,
        lists: Lists | None,
        on_its_way: Callable[[str, Comment], None],
    ) -> None:
        self._stream = stream
        self._pool = pool
        self._clock = clock
        self._lists = lists
        self._on_its_way = on_its_way
        self._held: set[str] = set()  #: entries that were handed on and are not settled
        self._settling: dict[str, None] = {}  #: in order
        self._endings: dict[str, Mapping[str, str]] = {}  #: events that tell the end of an entry, told with it
        self._some = asyncio.Event()  #: to settle
        self._after = "0-0"
        self._said = ""
        self._looked_ns = 0
        self._tally = Tally(pool.counts)
        self.trimmed = 0
        self.up = False
        self.arrived = asyncio.Event()  #: something came in; who waits for it clears it

    # ── for those who answer ─────────────────────────────────────────────────────────────────────

    def take(self) -> Question | None:
        """The question to be answered next, if one may be; see Pool."""
        if not self.up:
            return None
        question = self._pool.take(self._clock.wall_s())
        self._collect()
        return question

    def take_moments(self, kind: Kind) -> tuple[Comment, ...]:
        """What was done without words since this was asked last."""
        moments = self._pool.take_moments(kind, self._clock.wall_s()) if self.up else ()
        self._collect()
        return moments

    def settle(self, comments: Iterable[Comment]) -> None:
        """Their answer was aired, or will not be: that was their end."""
        self._settle([one.stream_id for one in comments])

    def unanswered(self, question: Question, event: Mapping[str, str]) -> None:
        """Nobody knew an answer, or none may be said. event: tells it, in the step that settles the question."""
        self._endings[question.comments[0].stream_id] = {**event, "lane": "", "ts": f"{self._clock.wall_s():.3f}"}
        self._pool.unanswered(question)
        self._collect()

    def unthanked(self, moments: Iterable[Comment]) -> None:
        """Nobody is thanked for them any more."""
        self._pool.unthanked(moments)
        self._collect()

    def facts(self) -> dict[str, Any]:
        """For the status."""
        return {
            "reading": self.up,
            "waiting": self._pool.waiting,
            "waiting_kb": self._pool.waiting_bytes // 1024,
            "held": len(self._held),
            "trimmed": self.trimmed,
            "comments": dict(self._pool.counts),
        }

    # ── the loop ─────────────────────────────────────────────────────────────────────────────────

    async def run(self) -> None:
        """Read and settle for ever."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_for_ever())
            tasks.create_task(self._settle_for_ever())

    async def close(self) -> None:
        await self._stream.close()

    async def _read_for_ever(self) -> None:
        """After any error what is ours is read again: an answer may have been lost."""
        while True:
            try:
                self._after = await self._stream.open()
                while not await self._read_left_behind():
                    await asyncio.sleep(NOBODY_S)
                self._found()
                while True:
                    await self._read_new()
            except Fenced as error:
                self._lost(error)
                self._pool.clear()
                self._held.clear()
                self._settling.clear()
                self._endings.clear()
                await asyncio.sleep(ELSEWHERE_S)
            except WrongKind as error:
                self._lost(error)
                await asyncio.sleep(WRONG_KIND_S)
            except RedisDown as error:
                self._lost(error)
                await asyncio.sleep(RETRY_S)

    async def _read_left_behind(self) -> bool:
        """What an earlier process, or we, read and did not settle; false while nobody holds the room."""
        await self._refresh()
        last = "0"
        while True:
            batch = await self._stream.read(last)
            self.trimmed += batch.trimmed
            if not batch.ours:
                return False
            if not batch.entries:
                return True
            self._take(batch.entries)
            last = batch.entries[-1].stream_id
            await asyncio.sleep(0)

    async def _read_new(self) -> None:
        """Take what is new, or wait for it."""
        await self._refresh()
        if len(self._settling) >= CROWDED:
            await asyncio.sleep(NOBODY_S)
            return
        batch = await self._stream.read()
        self.trimmed += batch.trimmed
        if batch.entries:
            self._take(batch.entries)
            self._after = batch.entries[-1].stream_id
            await asyncio.sleep(PACE_S if len(batch.entries) > CALM else 0)  # who answers gets a turn between batches
        elif batch.ours:
            self._pool.add((), self._clock.wall_s())  # what waits grows stale
            self._collect()
            self._after = await self._stream.wait(self._after, BLOCK_MS)
        else:
            await asyncio.sleep(NOBODY_S)

    async def _settle_for_ever(self) -> None:
        while True:
            await self._some.wait()
            batch = list(islice(self._settling, SETTLED_AT_ONCE))
            try:
                events = {stream_id: self._endings[stream_id] for stream_id in batch if stream_id in self._endings}
                if batch and not await self._stream.settle(batch, events):
                    await asyncio.sleep(NOBODY_S)
                    continue
            except RedisDown:  # the reading side tells of it
                await asyncio.sleep(RETRY_S)
                continue
            self._held.difference_update(batch)
            for stream_id in batch:
                self._settling.pop(stream_id, None)
                self._endings.pop(stream_id, None)
            if not self._settling:
                self._some.clear()

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    def _take(self, entries: Sequence[Entry]) -> None:
        good: list[Comment] = []
        now_s = self._clock.wall_s()
        for entry in entries:
            if entry.stream_id in self._held:
                continue
            self._held.add(entry.stream_id)
            try:
                comment = parse(entry.stream_id, entry.fields) if entry.fields else None
            except MessageError as error:
                self._tally.refused(entry.stream_id, str(error))
                self._settle([entry.stream_id])
                continue
            if comment is None:
                self._pool.counts[Reason.GONE] += 1
                self._settle([entry.stream_id])
            elif entry.answer:
                self._pool.remember(comment, now_s)
                self._on_its_way(entry.answer, comment)
            else:
                good.append(comment)
        self._pool.add(good, now_s)
        self._collect()
        if good:
            self.arrived.set()

    def _collect(self) -> None:
        """Settle what has ended."""
        if ended := self._pool.ended():
            self._settle([one.comment.stream_id for one in ended])

    def _settle(self, stream_ids: Sequence[str]) -> None:
        self._settling.update(dict.fromkeys(stream_ids))
        if stream_ids:
            self._some.set()

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    async def _refresh(self) -> None:
        """Look at the lists and tell what was dropped, now and then."""
        now_ns = self._clock.now_ns()
        if self._lists is not None and now_ns >= self._looked_ns + LISTS_EVERY_S * NS:
            self._looked_ns = now_ns
            await asyncio.to_thread(self._lists.refresh)  # one that was edited takes seconds
        self._tally.tell(now_ns, self._pool.waiting)

    def _lost(self, error: RedisDown) -> None:
        text = str(error)
        if text != self._said:
            if isinstance(error, WrongKind):
                log.error("comments.wrong_kind", reason=text, remedy=f"rename or delete {self._stream.keys.chat}")
            else:
                log.warning("comments.paused", reason=text)
        self._said, self.up = text, False

    def _found(self) -> None:
        if not self.up:
            log.info("comments.reading", stream=self._stream.keys.chat)
        self._said, self.up = "", True
