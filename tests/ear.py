"""Who listens to a source of comments, in tests: what it told, and a way to wait for it."""

from __future__ import annotations

import asyncio

from broadcaster.connectors.settings import Fields

SOON_S = 10.0


class Ear:
    def __init__(self) -> None:
        self.messages: list[Fields] = []
        self.overlooked = 0
        self.is_live = asyncio.Event()
        self._more = asyncio.Event()

    @property
    def texts(self) -> list[str]:
        return [message.get("text", "") for message in self.messages]

    def live(self) -> None:
        self.is_live.set()

    def heard(self, fields: Fields) -> None:
        self.messages.append(fields)
        self._more.set()

    def passed(self, count: int = 1) -> None:
        self.overlooked += count
        self._more.set()

    async def until(self, count: int, overlooked: int = 0) -> list[str]:
        """The texts, once there are so many messages and so much else."""
        async with asyncio.timeout(SOON_S):
            while len(self.messages) < count or self.overlooked < overlooked:
                self._more.clear()
                await self._more.wait()
        return self.texts
