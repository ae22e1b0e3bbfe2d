"""Words when nobody asks: what viewers did without words goes in, thanks and remarks come out, one at a time.

In: gifts, orders, follows and the like; whether anybody asks. Out: messages of the `say` stream, in the same way as
answers, so that nobody is thanked twice. What nobody is thanked for is settled at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Protocol

from broadcaster.chat.lectern import Lectern
from broadcaster.chat.model import Comment, Kind
from broadcaster.chat.onair import OnAir
from broadcaster.chat.phrase import Part, Turn, turn_of
from broadcaster.chat.proactive import OCCASIONS, Proactive, Said
from broadcaster.chat.record import Answered, Record
from pipeline.clock import Clock
from pipeline.errors import RedisDown

TURN_S = 0.5
TTL_S = 20.0  # later it would surprise
SOURCE = "remark"


class Moments(Protocol):
    """broadcaster.chat.reader.ChatReader."""

    def take_moments(self, kind: Kind) -> tuple[Comment, ...]: ...

    def unthanked(self, moments: Iterable[Comment]) -> None: ...


class Talk:
    """On the loop of its process; one task runs `run`. is_asked: a question waits, or is being answered."""

    def __init__(
        self,
        moments: Moments,
        proactive: Proactive,
        lectern: Lectern,
        on_air: OnAir,
        clock: Clock,
        is_asked: Callable[[], bool],
    ) -> None:
        self._moments = moments
        self._proactive = proactive
        self._lectern = lectern
        self._on_air = on_air
        self._clock = clock
        self._is_asked = is_asked
        self.said = 0

    async def run(self) -> None:
        while True:
            await asyncio.sleep(TURN_S)
            for kind in OCCASIONS:
                self._proactive.met(self._moments.take_moments(kind))
            said = self._proactive.next(self._is_asked() or not self._on_air.has_room)
            self._moments.unthanked(self._proactive.missed())
            if said is not None:
                await self._say(said)

    async def _say(self, said: Said) -> None:
        now_s = self._clock.wall_s()
        first = said.thanked[0].id if said.thanked else f"remark-{round(now_s * 1000)}"
        known = Answered([one.id for one in said.thanked], "", said.text, SOURCE, said.occasion, taken_s=now_s)
        record = Record(turn_of(first), [known], complete=True, pushed_s=now_s)
        messages = Turn(record.turn, TTL_S).whole([Part("", "", (said.text,))])
        record.ids = [message["id"] for message in messages]
        self._on_air.add(record, said.thanked)
        entries = [one.stream_id for one in said.thanked]
        try:
            pushed = await self._lectern.push(record.turn, record.encoded(), messages, entries) == record.turn
        except RedisDown:  # also when the room is another's
            pushed = False
        if pushed:
            self.said += 1
        else:
            self._on_air.withdraw(record.turn)
            self._moments.unthanked(said.thanked)
