"""Answers out: what is to be said, and what became of it, each in one step of the server, fenced by the room's lease.

In: messages of an answer with what is known of it. Out: entries of `say`, a note for each comment of the answer that is
on its way to it, events. The note is written in the step that pushes the first words, so that a process that follows
knows what was pushed, and what was not. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from broadcaster.chat.phrase import PREFIX, Fields
from broadcaster.chat.stream import ANSWERS_TTL_S, GROUP, HELD
from broadcaster.events import EVENTS_KEPT
from broadcaster.queue import Fenced, Keys, connect, text_of, translated

LOOKED_THROUGH = 1_000  # entries of `say` at a time
OURS, NOBODY, ELSEWHERE = 1, 0, -1

# KEYS: lease, answers, say, chat. ARGV: owner, seconds that notes are kept, the turn, its record, number of entries of
# chat, these, its group, then for each message the number of its names and values, and these.
# Answer: whose the lease is; another turn, when it is on its way to one of them; "" when the first one was settled, and
# so answered elsewhere. A step that was done before (its answer was lost) is not done again.
PUSH = (
    HELD
    + """
if whose < 1 then return whose end
local count = tonumber(ARGV[5])
local noted = 0
if count > 0 and redis.call('HEXISTS', KEYS[2], ARGV[6]) == 0 then
  if #redis.call('XPENDING', KEYS[4], ARGV[6 + count], ARGV[6], ARGV[6], 1) == 0 then return '' end
end
for i = 6, 5 + count do
  local held = redis.call('HGET', KEYS[2], ARGV[i])
  if held == ARGV[3] then noted = noted + 1 elseif held then return held end
end
if count > 0 and noted == count then return 1 end
for i = 6, 5 + count do redis.call('HSET', KEYS[2], ARGV[i], ARGV[3]) end
redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
redis.call('EXPIRE', KEYS[2], ARGV[2])
local at = 7 + count
while at <= #ARGV do
  local parts = tonumber(ARGV[at])
  redis.call('XADD', KEYS[3], '*', unpack(ARGV, at + 1, at + parts))
  at = at + parts + 1
end
return 1
"""
)

# KEYS: lease, answers, events. ARGV: owner, the turn, events that are kept, then for each event the number of its names
# and values, and these. Answer: whose the lease is. What was told before is not told again.
TELL = (
    HELD
    + """
if whose < 1 then return whose end
if ARGV[2] ~= '' and redis.call('HDEL', KEYS[2], ARGV[2]) == 0 then return 1 end
local at = 4
while at <= #ARGV do
  local parts = tonumber(ARGV[at])
  redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, at + 1, at + parts))
  at = at + parts + 1
end
return 1
"""
)


class Lectern:
    """On the loop of its process; RedisDown, Fenced. owner: who holds the room's lease for us; "" asks nobody."""

    def __init__(self, room: str, url: str, owner: str) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._owner = owner

    async def push(
        self, turn: str, record: bytes, messages: Sequence[Fields], entries: Sequence[str] = ()
    ) -> str | None:
        """Have this said. entries: of `chat`, that it begins to answer.

        Answers with the turn that answers them: this one, another that was on its way before, "" when it is over. None
        while nobody holds the room.
        """
        arguments: list[Any] = [ANSWERS_TTL_S, turn, record, len(entries), *entries, GROUP]
        keys = [self._keys.lease, self._keys.answers, self._keys.say, self._keys.chat]
        answer = await self._run(PUSH, keys, [*arguments, *_flat(messages)])
        if isinstance(answer, bytes):
            return text_of(answer)
        return turn if answer == OURS else None

    async def tell(self, events: Sequence[Mapping[str, str | int | float]], turn: str = "") -> bool:
        """Add these events; with a turn once, however often it is asked. False while nobody holds the room."""
        keys = [self._keys.lease, self._keys.answers, self._keys.events]
        told = [{name: str(value) for name, value in event.items()} for event in events]
        return await self._run(TELL, keys, [turn, EVENTS_KEPT, *_flat(told)]) == OURS

    async def record(self, turn: str) -> bytes:
        """What was known of it when its last words were pushed; empty when its end was told."""
        with translated():
            found: Any = await self._client.hget(self._keys.answers, turn)
        return found or b""

    async def waiting(self) -> set[str]:
        """Ids of all messages of answers that are not settled."""
        found: set[str] = set()
        last = "-"
        while True:
            with translated():
                entries: Any = await self._client.xrange(self._keys.say, last, "+", count=LOOKED_THROUGH)
            ids = (text_of(fields.get(b"id", b"")) for _, fields in entries if fields)
            found |= {identity for identity in ids if identity.startswith(PREFIX)}
            if len(entries) < LOOKED_THROUGH:
                return found
            last = f"({text_of(entries[-1][0])}"

    async def were_aired(self, ids: Sequence[str]) -> list[bool]:
        """Whether they are marked as done."""
        if not ids:
            return []
        with translated():
            async with self._client.pipeline(transaction=False) as pipe:
                for identity in ids:
                    pipe.exists(self._keys.done(identity))
                return [bool(found) for found in await pipe.execute()]

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    async def _run(self, script: str, keys: list[str], arguments: Sequence[Any]) -> int | bytes:
        with translated():
            answer: Any = await self._client.eval(script, len(keys), *keys, self._owner, *arguments)
        if answer == ELSEWHERE:
            raise Fenced("another broadcaster holds the room's lease")
        found: int | bytes = answer
        return found


def _flat(messages: Sequence[Mapping[str, str]]) -> list[str | int]:
    """Number of names and values, and these, of each message."""
    flat: list[str | int] = []
    for message in messages:
        flat += [2 * len(message), *(part for field in message.items() for part in field)]
    return flat
