"""The sentences of an answer, read while others are spoken.

In: sentences, all at once or as a language model writes them. Out: one after the other, as soon as each is there. It
reads no more than READ_MAX, and what comes later is not waited for by who writes it.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator

READ_MAX = 20  # sentences: more is no answer


class ReadAhead:
    """On the loop of its process. `open` before the first is asked for, `close` whatever became of it."""

    def __init__(self, sentences: AsyncIterator[str] | tuple[str, ...]) -> None:
        self._source = None if isinstance(sentences, tuple) else sentences
        self._ready: deque[str] = deque(sentences[:READ_MAX] if isinstance(sentences, tuple) else ())
        self._some = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.complete = self._source is None  #: no more will come than are ready

    def open(self) -> None:
        if self._source is not None:
            self._task = asyncio.create_task(self._read(self._source))

    async def first(self) -> bool:
        """Wait for one; false when there will be none."""
        while not self._ready and not self.complete:
            self._some.clear()
            await self._some.wait()
        return bool(self._ready)

    async def next(self) -> str | None:
        """The next one, when it is there; None when there is no other."""
        return self._ready.popleft() if await self.first() else None

    def rest(self) -> tuple[str, ...]:
        """All that are ready, without waiting."""
        rest = tuple(self._ready)
        self._ready.clear()
        return rest

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None
        if isinstance(self._source, AsyncGenerator):
            await self._source.aclose()

    async def _read(self, source: AsyncIterator[str]) -> None:
        count = 0
        try:
            async for sentence in source:
                self._ready.append(sentence)
                self._some.set()
                count += 1
                if count == READ_MAX:
                    break
        finally:
            self.complete = True
            self._some.set()
