"""The message queue: names of the keys, and connections that never hang and never retry in secret.

    broadcaster:{room}:say       stream  words to be said; one consumer group; what is settled is deleted
    broadcaster:{room}:chat      stream  what viewers wrote; one consumer group; what is settled is deleted; trimmed
    broadcaster:{room}:answers   hash    such an entry → the answer that is on its way; that → what is known of it
    broadcaster:{room}:events    stream  what happened to them; trimmed
    broadcaster:{room}:dead      stream  messages that could not be said, with the reason; trimmed
    broadcaster:{room}:done:{id} string  this id was aired; expires
    broadcaster:{room}:status    string  JSON, each second; expires
    broadcaster:{room}:lease     string  token, owner and process of the director that speaks; expires within seconds
    broadcaster:{room}:fence     string  the newest token that was given out
    broadcaster:{room}:trying    string  JSON: sentences that directors began to synthesise, and ended over; expires

Errors of the library become RedisDown here. Retrying is the callers' business: a repeated XREADGROUP whose first
answer was lost leaves its messages behind.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError, WatchError

from broadcaster.log import redacted
from pipeline.errors import RedisDown

TIMEOUT_S = 3.0  # a server that is stopped, not dead, is found out within this
CONNECT_S = 2.0
HEALTH_S = 15
BLOCK_MS = 1000  # below TIMEOUT_S, else every quiet second looks like a hang

Client: TypeAlias = "Redis"


class WrongKind(RedisDown):
    """A key of ours holds something else; a person must move it away."""


class Full(RedisDown):
    """The server has no memory left; what needs none may still be done."""


class Fenced(RedisDown):
    """Our token is not the newest: the lease is another's, or must be confirmed first. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Keys:
    room: str

    @property
    def say(self) -> str:
        return f"broadcaster:{self.room}:say"

    @property
    def chat(self) -> str:
        return f"broadcaster:{self.room}:chat"

    @property
    def answers(self) -> str:
        return f"broadcaster:{self.room}:answers"

    @property
    def events(self) -> str:
        return f"broadcaster:{self.room}:events"

    @property
    def dead(self) -> str:
        return f"broadcaster:{self.room}:dead"

    @property
    def status(self) -> str:
        return f"broadcaster:{self.room}:status"

    @property
    def lease(self) -> str:
        return f"broadcaster:{self.room}:lease"

    @property
    def fence(self) -> str:
        return f"broadcaster:{self.room}:fence"

    @property
    def trying(self) -> str:
        return f"broadcaster:{self.room}:trying"

    def done(self, identity: str) -> str:
        return f"broadcaster:{self.room}:done:{identity}"


def connect(url: str) -> Client:
    """A client for that URL; it connects when first used. One for blocking reads, another for the rest."""
    options: dict[str, Any] = {} if url.startswith("unix:") else {"socket_keepalive": True}
    client: Client = Redis.from_url(
        url,
        protocol=2,  # one shape of answers, whatever the server speaks
        socket_timeout=TIMEOUT_S,
        socket_connect_timeout=CONNECT_S,
        health_check_interval=HEALTH_S,
        retry=Retry(NoBackoff(), 0),
        **options,
    )
    return client


@contextmanager
def translated() -> Iterator[None]:
    """Turn what the library raises into RedisDown, without the URL's password; and end a task that was cancelled."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        _end_if_cancelled()
        text = redacted(str(error)) or type(error).__name__
        if "WRONGTYPE" in text:
            raise WrongKind(text) from error
        if isinstance(error, OutOfMemoryError):
            raise Full(text) from error
        raise RedisDown(text) from error
    _end_if_cancelled()


def _end_if_cancelled() -> None:
    """The library's wait_for, as Python 3.11 has it, forgets a cancellation that comes just when a command was sent:
    the task would go on, and whoever waits for its end would wait for ever.
    """
    if (task := asyncio.current_task()) is not None and task.cancelling():
        raise asyncio.CancelledError


async def add_all(client: Client, stream: str, messages: Sequence[Mapping[str, str]], kept: int) -> None:
    """Add these to a stream that is held to about so many entries; RedisDown when not all of them could be."""
    with translated():
        async with client.pipeline(transaction=False) as pipe:
            for fields in messages:
                pipe.xadd(stream, dict(fields), maxlen=kept, approximate=True)  # type: ignore[arg-type]
            await pipe.execute()


async def fenced(client: Client, keys: Keys, token: int, add: Callable[[Any], None]) -> list[Any]:
    """Run what `add` puts into a MULTI, only if no token is newer than ours; Fenced when one is.

    The answers hold the refusals of single commands (`error_in`); RedisDown when nothing was done. A server that is
    full queues no command of a MULTI, so what must be done then is a script.
    """
    if not token:
        raise Fenced("the lease is not ours")
    with translated():
        async with client.pipeline(transaction=True) as multi:
            await multi.watch(keys.fence)
            newest = text_of(await multi.get(keys.fence))
            if newest != str(token):
                raise Fenced(f"our token is {token}, the newest is {newest or 'gone'}")
            multi.multi()  # type: ignore[no-untyped-call]
            add(multi)
            try:
                return await multi.execute(raise_on_error=False)
            except WatchError as error:
                raise Fenced(f"a token newer than {token} was given out") from error


def text_of(answer: bytes | str | None) -> str:
    """An answer of the server as text."""
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer or ""


def error_in(results: list[Any]) -> str:
    """The first refusal among the answers of a MULTI, or ""."""
    return next((str(result) for result in results if isinstance(result, RedisError)), "")
