"""The reading of messages, as one step in the server: fenced, and with what finds no place refused there.

In: our token and the lanes in which the rundown has no place. Out: entries to be said. New ones of a full lane become
dead letters in the same step, whole, each with its event: a program that pushes a hundred thousand messages in a second
is answered at the server's pace, and a person's words behind them are reached within a moment. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from broadcaster.queue import Client, Fenced, Keys, translated
from broadcaster.utterance import TEXT_MAX_CHARS

COUNT = 64  # entries a read, so that the loop is held for a few milliseconds
SWEPT = 512  # while lanes are full: 5 ms of the server's time
WHOLE_BYTES = 4 * TEXT_MAX_CHARS + 8_000  # a longer message is refused for its length, not for want of a place

FIELD_BYTES = 1_000_000  # what is longer is refused for its length; it need not cross whole for that
PARTS = 64  # names and values of a message; one that has so many is refused for those that are unknown
NEW = ">"  # what no director has read

Entry: TypeAlias = tuple[bytes, dict[bytes, bytes]]

# KEYS: fence, say, dead, events. ARGV: token, group, consumer, count, the id after which (> = new ones), largest
# message in bytes, dead letters kept, events kept, the reason, the event, the lane of a message that names none, bytes
# of a field and number of names and values that cross at most, full lanes.
# Answer: the entries, and how many were refused; nothing at all when the token is not the newest.
# A server that is full refuses the letter; then the entry is handed on, as any other.
READ = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {} end
local found = redis.call('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[4], 'STREAMS', KEYS[2], ARGV[5])
if not found then return {{}, 0} end
local entries = found[1][2]
for _, entry in ipairs(entries) do
  local fields = entry[2] or {}
  for i = #fields, 1, -1 do
    if i > tonumber(ARGV[13]) then fields[i] = nil
    elseif #fields[i] > tonumber(ARGV[12]) then fields[i] = string.sub(fields[i], 1, ARGV[12]) end
  end
end
if #ARGV == 13 then return {entries, 0} end
local full, ours = {}, {reason = 1, stream_id = 1, ts = 1, cut = 1}
for i = 14, #ARGV do full[ARGV[i]] = true end
local time = redis.call('TIME')
local ts = string.format('%.3f', time[1] + time[2] / 1e6)
local kept, refused = {}, {}
for _, entry in ipairs(entries) do
  local id, fields = entry[1], entry[2]
  local lane, name, bytes, sound = ARGV[11], id, 0, true
  for i = 1, #fields, 2 do
    bytes = bytes + #fields[i] + #fields[i + 1]
    if fields[i] == 'lane' then lane = fields[i + 1] end
    if fields[i] == 'id' then name = fields[i + 1] end
    if ours[fields[i]] then sound = false end
  end
  local written = false
  if full[lane] and sound and bytes <= tonumber(ARGV[6]) then
    local letter = {'reason', ARGV[9], 'id', name, 'stream_id', id, 'ts', ts}
    for i = 1, #fields, 2 do
      if fields[i] ~= 'id' then
        letter[#letter + 1] = fields[i]
        letter[#letter + 1] = fields[i + 1]
      end
    end
    written = not redis.pcall('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', unpack(letter))['err']
  end
  if written then
    refused[#refused + 1] = id
    redis.pcall('XADD', KEYS[4], 'MAXLEN', '~', ARGV[8], '*',
      'event', ARGV[10], 'id', name, 'lane', lane, 'reason', ARGV[9], 'ts', ts)
  else
    kept[#kept + 1] = entry
  end
end
if #refused > 0 then
  redis.call('XACK', KEYS[2], ARGV[2], unpack(refused))
  redis.call('XDEL', KEYS[2], unpack(refused))
end
return {kept, #refused}
"""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What the letters and events of refused messages say, and how many are kept."""

    group: str
    consumer: str
    dead_kept: int
    events_kept: int
    event: str
    default_lane: str
    reason: str


async def read(
    client: Client, keys: Keys, token: int, bounds: Bounds, full: Sequence[str], after: str = NEW
) -> tuple[list[Entry], int]:
    """Entries that are ours from now on, and how many were refused because their lane is full; Fenced, RedisDown.

    after: an entry's id, to read again what was read before and is not settled. One that was deleted has no fields.
    """
    if not token:
        raise Fenced("the lease is not ours")
    names = [keys.fence, keys.say, keys.dead, keys.events]
    count = SWEPT if full else COUNT
    arguments: list[str | int] = [token, bounds.group, bounds.consumer, count, after, WHOLE_BYTES, bounds.dead_kept]
    arguments += [bounds.events_kept, bounds.reason, bounds.event, bounds.default_lane, FIELD_BYTES, PARTS]
    arguments += full
    with translated():
        answer: Any = await client.eval(READ, len(names), *names, *arguments)
    if not answer:
        raise Fenced(f"a token newer than {token} was given out")
    entries, refused = answer
    return [(entry[0], _fields(entry[1] if len(entry) > 1 else None)) for entry in entries], refused


def _fields(flat: Sequence[bytes] | None) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True)) if flat else {}
