"""What connectors heard, on its way into the `chat` stream.

In: messages, one by one, from the loop of the connectors. Out: XADD, many in one go, into a stream that is held to its
bound. While Redis is away the newest wait here and older ones are dropped: nobody is answered a minute late. A message
that came before is not added again: programs send the last ones once more after a break. One without an id is given
one here, so that what has to be added twice, because an answer was lost, is still one for the reader.
"""

from __future__ import annotations

import asyncio
import uuid
from collections import deque
from typing import NoReturn

from broadcaster.chat.lately import Lately
from broadcaster.connectors.settings import Fields, Note
from broadcaster.queue import Keys, add_all, connect, translated
from pipeline.clock import NS, Clock
from pipeline.errors import RedisDown

WAITING_MAX = 2_000
SEEN_MAX = 10_000  # ids; about 3 MB
SEEN_S = 600.0  # no break is longer and still leads to the same messages
BATCH = 200
RETRY_S = 0.5
KEPT = 20_000  # entries of the stream, about


class Outbox:
    """One task runs `run`; all else is called on the same loop. kept: entries that the stream may hold, about."""

    def __init__(self, room: str, url: str, clock: Clock, note: Note, kept: int = KEPT) -> None:
        self._key = Keys(room).chat
        self._client = connect(url)
        self._clock = clock
        self._note = note
        self._kept = kept
        self._waiting: deque[Fields] = deque()
        self._some = asyncio.Event()
        self._seen: Lately[str, bool] = Lately(SEEN_MAX, SEEN_S, clock.now_ns() / NS)
        self._away = False
        self._lost = 0  # dropped since Redis went away
        self.dropped = 0

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def put(self, fields: Fields) -> bool:
        """Add it as soon as Redis can hear; false when it was here before."""
        identity, now_s = fields.get("id") or uuid.uuid4().hex, self._clock.now_ns() / NS
        if self._seen.get(identity, now_s):
            return False
        self._seen.put(identity, True, now_s)
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self._lost += 1
            self.dropped += 1
        self._waiting.append({**fields, "id": identity})
        self._some.set()
        return True

    async def run(self) -> NoReturn:
        """Add what waits, for ever."""
        while True:
            await self._some.wait()
            try:
                await self._add([self._waiting[index] for index in range(min(BATCH, len(self._waiting)))])
            except RedisDown as error:
                self._paused(str(error))
                await asyncio.sleep(RETRY_S)

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    async def _add(self, batch: list[Fields]) -> None:
        await add_all(self._client, self._key, batch, self._kept)
        self._flowing()
        for fields in batch:
            if self._waiting and self._waiting[0] is fields:  # else it was dropped meanwhile
                self._waiting.popleft()
        if not self._waiting:
            self._some.clear()

    def _paused(self, reason: str) -> None:
        if not self._away:
            self._note("warning", "outbox.paused", reason=reason, waiting=self.waiting)
        self._away = True

    def _flowing(self) -> None:
        if self._away:
            self._note("info", "outbox.flowing", dropped=self._lost)
        self._away, self._lost = False, 0
