"""Thanks and remarks on their way out: what is thanked for is settled with its end, all else with a reason."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from broadcaster.chat.model import Comment, Kind
from broadcaster.chat.onair import OnAir
from broadcaster.chat.phrase import Fields
from broadcaster.chat.proactive import Proactive, caller
from broadcaster.chat.remarks import RemarkFiles
from broadcaster.chat.talk import Talk
from pipeline.clock import FakeClock
from pipeline.errors import RedisDown

GIFT = Comment("g1", "", user="Ann", kind=Kind.GIFT, value=5.0, stream_id="1-0")


class Moments:
    def __init__(self, *moments: Comment) -> None:
        self.waiting = list(moments)
        self.left: list[str] = []

    def take_moments(self, kind: Kind) -> tuple[Comment, ...]:
        found = tuple(one for one in self.waiting if one.kind is kind)
        self.waiting = [one for one in self.waiting if one.kind is not kind]
        return found

    def unthanked(self, moments: Iterable[Comment]) -> None:
        self.left += [one.id for one in moments]

    def settle(self, comments: Iterable[Comment]) -> None:
        raise AssertionError("nothing was said to its end")


class Pushing:
    """In the place of the lectern. trouble: what goes wrong."""

    def __init__(self, trouble: Exception | str | None = "") -> None:
        self.trouble = trouble
        self.pushed: list[Fields] = []
        self.entries: list[str] = []

    async def push(self, turn: str, record: bytes, messages: Sequence[Fields], entries: Sequence[str]) -> str | None:
        if isinstance(self.trouble, Exception):
            raise self.trouble
        if self.trouble is None:
            return None
        self.pushed += messages
        self.entries += entries
        return turn


@asynccontextmanager
async def talking(moments: Moments, lectern: Pushing) -> AsyncIterator[OnAir]:
    clock = FakeClock()
    proactive = Proactive(RemarkFiles().current, caller("full"), clock, "en", 3600.0, 60.0)
    clock.advance(10)
    given: Any = lectern
    air = OnAir(given, lambda: moments, clock, lambda record, became: None)
    task = asyncio.create_task(Talk(moments, proactive, given, air, clock, lambda: False).run())
    try:
        yield air
        async with asyncio.timeout(10):
            while not (lectern.pushed or moments.left):
                await asyncio.sleep(0.01)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_gift_is_thanked_for_and_stays_unsettled_until_that_was_said() -> None:
    moments, lectern = Moments(GIFT), Pushing()
    async with talking(moments, lectern) as air:
        pass
    assert "Ann" in lectern.pushed[0]["text"] and lectern.entries == ["1-0"]
    assert air.turns == ["answer:g1"] and moments.left == []


async def test_thanks_that_could_not_be_pushed_left_their_gift_without_a_reason() -> None:
    troubles: list[Exception | None] = [RedisDown("away"), None]
    for trouble in troubles:
        moments = Moments(GIFT)
        async with talking(moments, Pushing(trouble)) as air:
            pass
        assert moments.left == ["g1"] and air.turns == []
