"""The process that answers viewers: it reads what they write, decides what is said, and pushes it as any program might.

In: the `chat` stream of Redis, connectors, files of rules, FAQ and products, the room's events. Out: messages of the
`say` stream, events of what became of each question, facts for the status. One process, one event loop. Nothing on air
waits for it: without it nobody is answered, and the show goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Mapping
from typing import Any, Protocol

import structlog

from broadcaster.chat.desk import Answering, Desk
from broadcaster.chat.intake import make_reader
from broadcaster.chat.lectern import Lectern
from broadcaster.chat.model import Reason
from broadcaster.chat.onair import OnAir
from broadcaster.chat.outcomes import Outcomes, Told
from broadcaster.chat.proactive import Proactive
from broadcaster.chat.record import Record
from broadcaster.chat.saying import Manner
from broadcaster.chat.spec import ChatSpec
from broadcaster.chat.talk import Talk
from broadcaster.chat.understanding import judging, make_answerer, make_proactive, make_shelf, room_language
from broadcaster.chat.writing import Judge
from broadcaster.connectors.runner import Connectors
from broadcaster.events import CHAT_DROPPED
from broadcaster.guard.guard import Guard
from pipeline.clock import Clock, RealClock
from pipeline.errors import RedisDown
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.wire import Drain

__all__ = ["ChatSpec", "run", "serve"]

BEAT_S = 0.5
TELL_S = 0.5
DROPS_EVERY_S = 10.0  # a flood of comments is no flood of events
TELLING_MAX = 500
GUARD_EVERY_S = 2.0  # until lists that were edited are read
MARGIN_S = 1.0  # of a drain's grace, to close

log = structlog.get_logger()

Spawn = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]


class Background(Protocol):
    """What runs beside the answering: a shelf, connectors."""

    async def run(self) -> None: ...


def run(spec: ChatSpec, lifeline: Lifeline) -> None:
    """The process: until drained, or LineClosed when the supervisor is gone."""
    lifeline.beat("loading")
    asyncio.run(_run(spec, lifeline, RealClock()))


async def _run(spec: ChatSpec, lifeline: Lifeline, clock: Clock) -> None:
    guard = Guard(spec.guard, room_language(spec))
    shelf = make_shelf(spec)
    shelf.open()
    answerer = make_answerer(spec, shelf, judging(guard), clock)
    proactive = make_proactive(spec, spec.proactive, shelf, clock) if spec.proactive else None
    try:
        await serve(spec, lifeline, answerer, clock, judging(guard), proactive, [shelf, _Refreshing(guard)])
    finally:
        await answerer.close()


async def serve(
    spec: ChatSpec,
    lifeline: Lifeline,
    answering: Answering,
    clock: Clock,
    judge: Judge,
    proactive: Proactive | None = None,
    beside: Iterable[Background] = (),
) -> None:
    """The same with anybody who understands."""
    host = Host(spec, lifeline, answering, clock, judge, proactive)
    async with asyncio.TaskGroup() as group:
        host.open(group.create_task, beside)
        await host.ended.wait()
        await host.close()
    if host.orphaned:
        raise LineClosed("the supervisor is gone")


class Host:
    """Wires the parts together and runs their loops. `ended` is set when it may close."""

    def __init__(
        self,
        spec: ChatSpec,
        lifeline: Lifeline,
        answering: Answering,
        clock: Clock,
        judge: Judge,
        proactive: Proactive | None,
    ) -> None:
        self._lifeline = lifeline
        self._clock = clock
        self._lectern = Lectern(spec.room, spec.redis_url, spec.owner)
        self._on_air = OnAir(self._lectern, lambda: self._reader, clock, self._is_over)
        self._reader = make_reader(spec, spec.owner, clock, self._on_air.hand_over)
        self._outcomes = Outcomes(spec.room, spec.redis_url, self._hear)
        manner = Manner(spec.names, spec.read_question, spec.show_question, spec.stale_s)
        self._desk = Desk(
            self._reader,
            answering,
            self._lectern,
            self._on_air,
            manner,
            clock,
            lambda words: judge(words).passed,
        )
        self._talk: Talk | None = None
        if proactive is not None:
            self._on_air.on_reply = proactive.replied
            self._talk = Talk(self._reader, proactive, self._lectern, self._on_air, clock, self._is_asked)
        note = _noted
        self._connectors = (
            Connectors(spec.connectors, spec.room, spec.redis_url, clock, note, spec.stream)
            if spec.connectors
            else None
        )
        self._telling: deque[dict[str, Any]] = deque(maxlen=TELLING_MAX)
        self._told: dict[str, int] = {}  # comments that were told as dropped, by reason
        self._became: dict[str, int] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self.ended = asyncio.Event()
        self.orphaned = False

    def open(self, spawn: Spawn, beside: Iterable[Background]) -> None:
        """Begin. All tasks are of the caller's group."""
        self._spawn = spawn
        asyncio.get_running_loop().add_reader(self._lifeline.fileno(), self._listen)
        self._desk_task = spawn(self._answer())
        self._tasks = [self._desk_task, spawn(self._outcomes.run()), spawn(self._reader.run())]
        self._tasks += [spawn(self._beat()), spawn(self._tell_events())]
        parts: list[Background] = [part for part in (self._talk, self._connectors) if part is not None]
        self._tasks += [spawn(part.run()) for part in (*parts, *beside)]

    async def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for part in (self._reader, self._outcomes, self._lectern):
            with contextlib.suppress(RedisDown):  # it is closed all the same
                await part.close()

    # ── loops ────────────────────────────────────────────────────────────────────────────────────

    async def _answer(self) -> None:
        """What becomes of answers is heard before any is pushed."""
        await self._outcomes.following.wait()
        self._tasks.append(self._spawn(self._on_air.run()))
        await self._desk.run()

    async def _beat(self) -> None:
        while True:
            self._lifeline.beat("draining" if self._desk.draining else "ready", **self.facts())
            await asyncio.sleep(BEAT_S)

    async def _tell_events(self) -> None:
        """What came to nothing, told as it can be."""
        since_s = 0.0
        while True:
            await asyncio.sleep(TELL_S)
            since_s += TELL_S
            if since_s >= DROPS_EVERY_S:
                since_s = 0.0
                self._tell_drops()
            events = list(self._telling)
            try:
                if events and await self._lectern.tell(events):
                    told = set(map(id, events))
                    while self._telling and id(self._telling[0]) in told:  # the oldest may be gone: it is bounded
                        self._telling.popleft()
            except RedisDown:  # the reader tells of it
                pass

    async def _drain(self, grace_s: float) -> None:
        """No new questions; an answer that is being said is said to its end."""
        log.info("chat.draining", grace_s=grace_s)
        self._desk.drain()
        await asyncio.wait([self._desk_task], timeout=max(0.0, grace_s - MARGIN_S))
        self.ended.set()

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _listen(self) -> None:
        try:
            messages = self._lifeline.poll()
        except LineClosed:
            asyncio.get_running_loop().remove_reader(self._lifeline.fileno())
            self.orphaned = True
            self.ended.set()
            return
        for message in messages:
            if isinstance(message, Drain) and not self._desk.draining:
                self._tasks.append(self._spawn(self._drain(message.grace_s)))

    def _hear(self, told: Told) -> None:
        self._on_air.hear(told)

    def _is_over(self, record: Record, became: str) -> None:
        self._became[became] = self._became.get(became, 0) + len(record.parts)

    def _is_asked(self) -> bool:
        return self._desk.is_busy or bool(self._reader.facts()["waiting"])

    # ── what is told ─────────────────────────────────────────────────────────────────────────────

    def _tell(self, event: Mapping[str, Any]) -> None:
        self._telling.append({**event, "lane": "", "ts": f"{self._clock.wall_s():.3f}"})

    def _tell_drops(self) -> None:
        """By reason and number; what nobody answered was told by itself, and what was merged with its answer."""
        counts: Mapping[str, int] = self._reader.facts()["comments"]
        for reason in Reason:
            news = counts.get(reason, 0) - self._told.get(reason, 0)
            self._told[reason] = counts.get(reason, 0)
            if news > 0 and reason not in (Reason.UNANSWERED, Reason.MERGED):
                self._tell({"event": CHAT_DROPPED, "id": "", "reason": str(reason), "count": news})

    def facts(self) -> dict[str, Any]:
        """For the status."""
        return {
            **self._reader.facts(),
            "on_air": self._on_air.turns,
            "answers": self._desk.counts,
            "became": self._became,
            **({"remarks": self._talk.said} if self._talk else {}),
            **({"connectors": self._connectors.facts()} if self._connectors else {}),
        }


class _Refreshing:
    """Lists of the guard, read again when they were edited."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    async def run(self) -> None:
        while True:
            await asyncio.sleep(GUARD_EVERY_S)
            await asyncio.to_thread(self._guard.refresh)


def _noted(level: str, event: str, **facts: Any) -> None:
    getattr(log, level)(event, **facts)
