"""Who speaks for the room: a lease in Redis, so that of several broadcasters on one queue one is heard.

In: our owner (this state directory on this host), what Redis answers each second. Out: ours, elsewhere or unknown,
and a token that rises with each holder: what is written to the queue is checked against the newest one
(queue.fenced), so that a director that was stopped for a minute settles nothing any more.

A holder that is gone is followed after TTL_MS; a director of the same owner enters at once. While Redis is away
nobody can follow, so a holder goes on as before, and one that saw another holder last stays silent. The lease is not
given back at a drain: the last words are still on their way out then.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable
from typing import Any

import structlog

from broadcaster.queue import Keys, connect, translated
from pipeline.clock import NS, Clock
from pipeline.errors import RedisDown

OURS, ELSEWHERE, UNKNOWN = "ours", "elsewhere", "unknown"

TTL_MS = 5_000
TTL_NS = TTL_MS * NS // 1_000
RENEW_S = 1.0

# A lease of our owner is ours to take, unless it is newer than this process: then a director that followed it has it.
# One that carries our mark is ours however new: a server that was stopped carries out what this process asked before,
# whose answers nobody heard.
# KEYS: lease, fence. ARGV: owner, the last token of this process (0: none yet), the newest token known, TTL in ms, our
# mark. Answer: whether it is ours, the holder's token, whether somebody else may have held it since the newest we know.
# Where the fence is gone (a flushed server), tokens go on from the server's clock: above all that were.
TAKE = """
local held = redis.call('GET', KEYS[1])
if held then
  local token, owner, mark = string.match(held, '^(%d+) (.*)#(%x+)$')
  if not token then token, owner = string.match(held, '^(%d+) (.*)$') end
  if mark == ARGV[5] and owner == ARGV[1] then
    redis.call('PEXPIRE', KEYS[1], ARGV[4])
    return {1, tonumber(token), 0}
  end
  local newer = ARGV[2] ~= '0' and tonumber(token or 0) > tonumber(ARGV[2])
  if owner ~= ARGV[1] or newer then return {0, tonumber(token or 0), 0} end
end
local known = tonumber(ARGV[3])
local fence = tonumber(redis.call('GET', KEYS[2]) or redis.call('TIME')[1])
local between = 0
if not held and known > 0 and redis.call('EXISTS', KEYS[2]) == 1 and fence > known then between = 1 end
local token = string.format('%.0f', math.max(fence, known) + 1)
redis.call('SET', KEYS[2], token)
redis.call('SET', KEYS[1], token .. ' ' .. ARGV[1] .. '#' .. ARGV[5], 'PX', ARGV[4])
return {1, tonumber(token), between}
"""

GIVE_BACK = "if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end return 0"

log = structlog.get_logger()


class Lease:
    """One task runs `run`.

    known: the newest token of an earlier director on this machine. on_lost: the room is another's, or was meanwhile.
    on_held: it is ours under a new token; after on_lost, what the other left behind is to be read first.
    """

    def __init__(
        self,
        room: str,
        url: str,
        owner: str,
        clock: Clock,
        known: int,
        on_lost: Callable[[], None],
        on_held: Callable[[], None],
    ) -> None:
        self._keys = Keys(room)
        self._client = connect(url)
        self._owner = owner
        self._mark = uuid.uuid4().hex[:8]  # of this process, and no other of the same owner
        self._clock = clock
        self._before = known
        self._known = known  #: the newest of anybody
        self._on_lost = on_lost
        self._on_held = on_held
        self._last = 0  #: our newest token in this process
        self._elsewhere = False
        self._confirmed_ns: int | None = None
        self._unconfirmed = False  #: told, once
        self._asked = False
        self._now = asyncio.Event()
        self.confirmed = asyncio.Event()  #: ours, at the last asking

    @property
    def state(self) -> str:
        """ours | elsewhere | unknown; "" before Redis was asked."""
        if self._elsewhere:
            return ELSEWHERE
        if self._confirmed_ns is not None and self._clock.now_ns() < self._confirmed_ns + TTL_NS:
            return OURS
        return UNKNOWN if self._asked else ""

    @property
    def token(self) -> int:
        """Ours while the lease is; 0 otherwise."""
        return self._last if self.state == OURS else 0

    @property
    def newest(self) -> int:
        """The newest token that was ours, for the next director."""
        return self._last or self._before

    def doubt(self) -> None:
        """A write was fenced off: ask at once."""
        self._now.set()

    async def run(self) -> None:
        """Take it, keep it, or wait for it, for ever."""
        while True:
            await self.ask()
            self._now.clear()
            try:
                async with asyncio.timeout(RENEW_S):
                    await self._now.wait()
            except TimeoutError:
                pass

    async def ask(self) -> None:
        """Take it, renew it, or learn whose it is."""
        asked_ns = self._clock.now_ns()
        keys = [self._keys.lease, self._keys.fence]
        try:
            with translated():
                arguments = (self._owner, self._last, self._known, TTL_MS, self._mark)
                held, token, between = await self._eval(TAKE, keys, *arguments)
        except RedisDown as error:
            self._asked = True
            self._missed(error)
        else:
            self._asked = True
            self._hear(bool(held), int(token), bool(between), asked_ns)

    async def give_back(self) -> None:
        """Let another have it at once: this process ends, and its supervisor is gone."""
        if token := self.token:
            with translated():
                await self._eval(GIVE_BACK, [self._keys.lease], f"{token} {self._owner}#{self._mark}")

    async def close(self) -> None:
        with translated():
            await self._client.aclose()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────

    async def _eval(self, script: str, keys: list[str], *arguments: str | int) -> Any:
        return await self._client.eval(script, len(keys), *keys, *arguments)

    def _hear(self, held: bool, token: int, between: bool, asked_ns: int) -> None:
        self._unconfirmed = False
        self._known = max(self._known, token)
        if not held:
            self.confirmed.clear()
            if not self._elsewhere:
                log.warning("lease.elsewhere", token=token, ours=self._last)
                self._lose()
            return
        if between and not self._elsewhere:
            self._lose()
        self._confirmed_ns, self._elsewhere = asked_ns, False
        if token != self._last:
            log.info("lease.held", token=token)
            self._last = token
            self._on_held()
        self.confirmed.set()

    def _lose(self) -> None:
        self._elsewhere, self._confirmed_ns = True, None
        self._on_lost()

    def _missed(self, error: RedisDown) -> None:
        self.confirmed.clear()
        if not self._unconfirmed:
            log.warning("lease.unconfirmed", reason=str(error), lease=self.state)
        self._unconfirmed = True
