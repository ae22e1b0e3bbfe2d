"""What the reader of comments does beside reading, without a Redis."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

from broadcaster.chat.pool import Limits, Pool
from broadcaster.chat.reader import ChatReader
from broadcaster.chat.stream import Batch
from broadcaster.queue import Keys
from pipeline.clock import RealClock


class Stream:
    """One on which nothing ever comes."""

    keys = Keys("t")

    async def open(self) -> str:
        return "0-0"

    async def read(self, after: str = ">") -> Batch:
        return Batch(ours=True)

    async def wait(self, after: str, block_ms: int) -> str:
        await asyncio.sleep(3600)
        return after


class Lists:
    def __init__(self) -> None:
        self.readers: list[threading.Thread] = []

    def refresh(self) -> None:
        self.readers.append(threading.current_thread())


async def test_an_edited_list_of_blocked_words_held_up_all_answers_while_it_was_read() -> None:
    lists, clock = Lists(), RealClock()
    stream: Any = Stream()
    given: Any = lists
    reader = ChatReader(stream, Pool(Limits(), clock.wall_s()), clock, given, lambda turn, comment: None)
    task = asyncio.create_task(reader.run())
    async with asyncio.timeout(10):
        while not reader.up:
            await asyncio.sleep(0.01)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert lists.readers and threading.main_thread() not in lists.readers
