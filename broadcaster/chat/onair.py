"""Answers that are pushed and not over: who waits for what, until each is told of and its comments are settled.

In: answers as they are pushed, the room's events, answers that an earlier process left on their way. Out: whether there
is room for another one; for each that is over one `chat.answered`, a `chat.merged` for each comment that shares it, and
the end of its comments. What is told and what is settled survives the death of this process at any moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from broadcaster.chat import record as records
from broadcaster.chat.lectern import Lectern
from broadcaster.chat.model import Comment
from broadcaster.chat.outcomes import Told
from broadcaster.chat.phrase import LANE, Turn, owner
from broadcaster.chat.record import AIRED, LOST, STOPPED, Record
from broadcaster.events import ACCEPTED, CHAT_ANSWERED, CHAT_MERGED, DUPLICATE, GUARD_STOPPED, STARTED
from broadcaster.events import AIRED as TOLD_AIRED
from pipeline.clock import NS, Clock
from pipeline.errors import RedisDown

OPEN_MAX = 2  # the answer on air, and the one that follows it
LOOK_S = 10.0  # from any word of an answer until it is looked for in the queue
RETRY_S = 0.5
ENDS = {
    TOLD_AIRED: AIRED,
    "utterance.skipped": "skipped",
    "utterance.expired": "expired",
    "utterance.dead_lettered": "refused",
    DUPLICATE: "said before",
}

log = structlog.get_logger()


class Settler(Protocol):
    def settle(self, comments: Iterable[Comment]) -> None:
        """That was their end."""


@dataclass(slots=True)
class _Open:
    """missed: messages that were not found in the queue when they were looked for."""

    record: Record
    comments: list[Comment]
    heard_ns: int
    ends: dict[str, str] = field(default_factory=dict)
    accepted: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    stopped: set[str] = field(default_factory=set)  #: by the guard
    began_s: float = 0.0
    missed: set[str] = field(default_factory=set)

    @property
    def is_over(self) -> bool:
        return self.record.complete and all(identity in self.ends for identity in self.record.ids)

    @property
    def is_ending(self) -> bool:
        """Its last words are on air, or over."""
        last = self.record.ids[-1] if self.record.ids else ""
        return self.record.complete and (not last or last in self.begun or last in self.ends)


class OnAir:
    """On the loop of its process; one task runs `run`. over: takes each answer that ended, and how."""

    def __init__(
        self, lectern: Lectern, settler: Callable[[], Settler], clock: Clock, over: Callable[[Record, str], None]
    ) -> None:
        self._lectern = lectern
        self._settler = settler
        self._clock = clock
        self._over = over
        self._open: dict[str, _Open] = {}
        self._handed: dict[str, list[Comment]] = {}  # left on their way by an earlier process
        self._some = asyncio.Event()
        self.changed = asyncio.Event()  #: who waits for room clears it
        self.on_reply: Callable[[], None] = lambda: None

    @property
    def has_room(self) -> bool:
        """Whether the next answer may be pushed: the last one is about to end."""
        ending = all(one.is_ending for one in self._open.values())
        return ending and len(self._open) < OPEN_MAX and not self._handed

    @property
    def turns(self) -> list[str]:
        return [*self._open, *(turn for turn in self._handed if turn not in self._open)]

    def add(self, record: Record, comments: Iterable[Comment]) -> None:
        """It is about to be pushed."""
        self._open[record.turn] = _Open(record, list(comments), self._clock.now_ns())

    def withdraw(self, turn: str) -> None:
        """It was not pushed after all."""
        self._open.pop(turn, None)
        self._wake()

    def hand_over(self, turn: str, comment: Comment) -> None:
        """An earlier process pushed this answer to it."""
        self._handed.setdefault(turn, []).append(comment)
        self._wake()

    def abandon(self) -> None:
        """The room is another broadcaster's, who has all of it in the queue."""
        self._open.clear()
        self._handed.clear()
        self._wake()

    def hear(self, told: Told) -> None:
        """An event of the room."""
        name, identity = told.get("event", ""), told.get("id", "")
        if told.get("lane") == LANE and name in (STARTED, TOLD_AIRED):
            self.on_reply()
        found = self._open.get(owner(identity))
        if found is None:
            return
        found.heard_ns = self._clock.now_ns()
        if name == ACCEPTED:
            found.accepted.add(identity)
        elif name == STARTED:
            found.begun.add(identity)
            found.began_s = found.began_s or float(told.get("ts") or 0.0)
        elif name == GUARD_STOPPED:  # whatever is said in its place
            found.stopped.add(identity)
        elif name in ENDS and not (name == DUPLICATE and identity in found.accepted):  # pushed twice, said once
            found.ends[identity] = STOPPED if identity in found.stopped else ENDS[name]
        self._wake()

    async def run(self) -> None:
        """Take up what was left, tell what is over, look for what nothing is heard of; for ever."""
        while True:
            try:
                async with asyncio.timeout(RETRY_S):
                    await self._some.wait()
            except TimeoutError:
                pass
            self._some.clear()
            try:
                await self._turn()
            except RedisDown:  # also when the room is another's: the reader tells of it
                await asyncio.sleep(RETRY_S)

    # ── what is over ─────────────────────────────────────────────────────────────────────────────

    async def _turn(self) -> None:
        for turn in list(self._handed):
            await self._take_up(turn)
        for one in [one for one in self._open.values() if one.is_over]:
            await self._end(one)
        silent_ns = self._clock.now_ns() - int(LOOK_S * NS)
        if silent := [one for one in self._open.values() if one.record.complete and one.heard_ns <= silent_ns]:
            await self._look_for(silent)

    async def _end(self, one: _Open) -> None:
        record = one.record
        became = records.became(record, one.ends)
        if not await self._lectern.tell(self._events(one, became), record.turn):
            return  # nobody holds the room: later
        if self._open.pop(record.turn, None) is None:
            return
        for part in record.parts:
            log.info(
                "chat.answered",
                turn=record.turn,
                became=became,
                source=part.source,
                entry=part.entry,
                sure=part.sure,
                total_ms=records.told(record, part, became, one.began_s).get("total_ms", 0),
                pii_question=part.question,
            )
        self._settler().settle(one.comments)
        self._over(record, became)
        self._wake()

    def _events(self, one: _Open, became: str) -> list[dict[str, Any]]:
        ts = f"{self._clock.wall_s():.3f}"
        events: list[dict[str, Any]] = [
            {
                "event": CHAT_ANSWERED,
                "id": part.comments[0],
                "lane": LANE,
                "ts": ts,
                **records.told(one.record, part, became, one.began_s),
            }
            for part in one.record.parts
            if part.comments
        ]
        shared = records.merged(one.record)
        return events + [
            {"event": CHAT_MERGED, "id": identity, "lane": LANE, "ts": ts, "turn": turn} for identity, turn in shared
        ]

    # ── what an earlier process left, and what is not heard of ───────────────────────────────────

    async def _take_up(self, turn: str) -> None:
        if turn not in self._open:
            record = records.decoded(await self._lectern.record(turn))
            if record is not None:
                one = _Open(record, [], self._clock.now_ns())
                if not record.complete:  # its writer is gone
                    record.complete = True
                    await self._lectern.push(turn, record.encoded(), [Turn(turn, 0.0).closed()])
                await self._catch_up(one, one.record.ids)
                self._open[turn] = one
                log.info("chat.taken_up", turn=turn, ends=one.ends)
        comments = self._handed.pop(turn, [])
        if turn in self._open:
            self._open[turn].comments += comments
        else:
            self._settler().settle(comments)  # its end was told
        self._wake()

    async def _look_for(self, silent: Iterable[_Open]) -> None:
        waiting = await self._lectern.waiting()
        for one in silent:
            one.heard_ns = self._clock.now_ns()
            gone = {identity for identity in one.record.ids if identity not in one.ends and identity not in waiting}
            await self._find(one, gone & one.missed)
            one.missed = gone
        self._wake()

    async def _catch_up(self, one: _Open, ids: Iterable[str]) -> None:
        waiting = await self._lectern.waiting()
        one.accepted |= waiting.intersection(ids)  # where one of them is there twice, the other is the duplicate
        await self._find(one, {identity for identity in ids if identity not in waiting})

    async def _find(self, one: _Open, gone: Iterable[str]) -> None:
        """They are not in the queue any more: they were aired, or never will be."""
        ids = [identity for identity in gone if identity not in one.ends]
        for identity, was_aired in zip(ids, await self._lectern.were_aired(ids), strict=True):
            one.ends.setdefault(identity, AIRED if was_aired else LOST)

    def _wake(self) -> None:
        self._some.set()
        self.changed.set()
