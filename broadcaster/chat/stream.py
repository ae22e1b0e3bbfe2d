"""The `chat` stream as steps in the server, each fenced by the room's lease: read and settle.

In: our owner, entries' ids. Out: entries; a pause when nobody holds the lease, Fenced when another broadcaster does,
who answers then. An entry that is settled is deleted. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeAlias

from broadcaster.chat.message import FIELDS, TEXT_MAX_CHARS
from broadcaster.events import EVENTS_KEPT
from broadcaster.queue import Client, Fenced, Keys, WrongKind, connect, text_of, translated

GROUP = "chat"
CONSUMER = "chat"  # one name over all restarts, so that what it left behind is its own
COUNT = 300  # entries a read: about 30 ms of the loop
FIELD_BYTES = 4 * TEXT_MAX_CHARS + 4  # what is longer is refused for its length
PARTS = 2 * len(FIELDS) + 2  # what has more names and values has one that is not known
SETTLED_AT_ONCE = 500
ANSWERS_TTL_S = 3_600  # notes of answers that are on their way
NEW = ">"
OURS, NOBODY, ELSEWHERE = 1, 0, -1

# KEYS: lease. ARGV[1]: our owner, "" = whoever it is. The other scripts begin with it.
HELD = """
local function held()
  if ARGV[1] == '' then return 1 end
  local lease = redis.call('GET', KEYS[1])
  if not lease then return 0 end
  local owner = string.match(lease, '^%d+ (.*)#%x+$') or string.match(lease, '^%d+ (.*)$')
  if owner == ARGV[1] then return 1 end
  return -1
end
local whose = held()
"""

# KEYS: lease, chat, answers. ARGV: owner, group, consumer, count, the id after which (> = new ones), bytes of a field
# and number of names and values that cross at most, entries that the stream may hold.
# Answer: whose the lease is, how many were trimmed, and all entries as one text, because the client takes as long for
# each small answer as the rest does for a whole comment. Of each entry: its id, the answer on its way, its names
# and values; in the sizes, the number of the latter goes before.
READ = (
    HELD
    + """
if whose < 1 then return {whose} end
local trimmed = redis.call('XTRIM', KEYS[2], 'MAXLEN', '~', ARGV[8])
local found = redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[4], 'STREAMS', KEYS[2], ARGV[5])
if not found then return {whose, trimmed, '', ''} end
local sizes, parts = {}, {}
local function put(part)
  sizes[#sizes + 1] = #part
  parts[#parts + 1] = part
end
for _, entry in ipairs(found[1][2]) do
  local fields = entry[2] or {}
  local crossing = math.min(#fields, tonumber(ARGV[7]))
  sizes[#sizes + 1] = crossing
  put(entry[1])
  put(ARGV[5] ~= '>' and redis.call('HGET', KEYS[3], entry[1]) or '')
  for i = 1, crossing do put(string.sub(fields[i], 1, ARGV[6])) end
end
return {whose, trimmed, table.concat(sizes, ' '), table.concat(parts)}
"""
)

# KEYS: lease, chat, answers, events. ARGV: owner, group, events kept, number of ids, ids of entries; then of each event
# the entry whose end it tells, the number of its names and values, and these. On a server that is full it is not told.
SETTLE = (
    HELD
    + """
if whose < 1 then return whose end
local last = 4 + ARGV[4]
local at = last + 1
while at <= #ARGV do
  local parts = tonumber(ARGV[at + 1])
  if redis.call('XACK', KEYS[2], ARGV[2], ARGV[at]) == 1 then
    redis.pcall('XADD', KEYS[4], 'MAXLEN', '~', ARGV[3], '*', unpack(ARGV, at + 2, at + 1 + parts))
  end
  at = at + parts + 2
end
redis.call('XACK', KEYS[2], ARGV[2], unpack(ARGV, 5, last))
redis.call('XDEL', KEYS[2], unpack(ARGV, 5, last))
redis.call('HDEL', KEYS[3], unpack(ARGV, 5, last))
return whose
"""
)

Fields: TypeAlias = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Entry:
    """fields: empty when it was deleted meanwhile. answer: id of the one that is on its way, ""."""

    stream_id: str
    fields: Fields
    answer: str = ""


@dataclass(frozen=True, slots=True)
class Batch:
    """ours: whether the lease is; while nobody holds it, nothing is read."""

    ours: bool
    entries: Sequence[Entry] = ()
    trimmed: int = 0


class ChatStream:
    """One room's stream. owner: who holds the room's lease for us; "" asks nobody. kept: entries that it may hold."""

    def __init__(self, room: str, url: str, owner: str, kept: int) -> None:
        self.keys = Keys(room)
        self._client: Client = connect(url)
        self._owner = owner
        self._kept = kept

    async def open(self) -> str:
        """Find the group, or make it; the newest entry's id that was read of it.

        What a server that is full would refuse is not asked of it in vain.
        """
        with translated():
            kind = text_of(await self._client.type(self.keys.chat))
            if kind not in ("stream", "none"):
                raise WrongKind(f"{self.keys.chat} is a {kind}, not a stream")
            groups = await self._client.xinfo_groups(self.keys.chat) if kind == "stream" else []
            found = next((group for group in groups if text_of(group["name"]) == GROUP), None)
            if found is None:
                await self._client.xgroup_create(self.keys.chat, GROUP, id="0", mkstream=True)
        return text_of(found["last-delivered-id"]) if found else "0-0"

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    async def read(self, after: str = NEW) -> Batch:
        """Entries that are ours from now on; after: an entry's id, to read again what was read and is not settled."""
        arguments: list[str | int] = [GROUP, CONSUMER, COUNT, after, FIELD_BYTES, PARTS, self._kept]
        answer = await self._run(READ, [self.keys.lease, self.keys.chat, self.keys.answers], arguments)
        if answer[0] == NOBODY:
            return Batch(ours=False)
        trimmed, sizes, whole = answer[1:4]
        return Batch(True, list(_entries(sizes, whole)), trimmed)

    async def wait(self, after: str, block_ms: int) -> str:
        """Until there is something new, or the time is over; the newest id that was seen."""
        with translated():
            found = await self._client.xread({self.keys.chat: after}, count=1, block=block_ms)
        return text_of(found[0][1][0][0]) if found else after  # type: ignore[index,arg-type]

    async def settle(self, stream_ids: Sequence[str], events: Mapping[str, Mapping[str, str]] | None = None) -> bool:
        """Acknowledge and delete; whether it was done. events: by entry, told in the same step, once."""
        names = [self.keys.lease, self.keys.chat, self.keys.answers, self.keys.events]
        arguments: list[str | int] = [GROUP, EVENTS_KEPT, len(stream_ids), *stream_ids]
        for stream_id, event in (events or {}).items():
            arguments += [stream_id, 2 * len(event), *(part for field in event.items() for part in field)]
        return bool(await self._run(SETTLE, names, arguments) == OURS)

    async def _run(self, script: str, keys: list[str], arguments: Sequence[str | int]) -> Any:
        with translated():
            answer: Any = await self._client.eval(script, len(keys), *keys, self._owner, *arguments)
        if (answer[0] if isinstance(answer, list) else answer) == ELSEWHERE:
            raise Fenced("another broadcaster holds the room's lease")
        return answer


def _entries(sizes: bytes, whole: bytes) -> Iterator[Entry]:
    numbers = iter(map(int, sizes.split()))
    at = 0
    for crossing in numbers:
        parts = []
        for size in islice(numbers, crossing + 2):
            parts.append(whole[at : at + size])
            at += size
        yield Entry(parts[0].decode(), dict(zip(parts[2::2], parts[3::2], strict=True)), parts[1].decode())
