"""The message queue: names of the keys, and connections that never hang and never retry in secret.

    broadcaster:{room}:say       stream  words to be said; one consumer group
    broadcaster:{room}:events    stream  what happened to them; trimmed
    broadcaster:{room}:dead      stream  messages that could not be said, with the reason; trimmed
    broadcaster:{room}:done:{id} string  this id was aired; expires
    broadcaster:{room}:status    string  JSON, each second; expires

Errors of the library become RedisDown here. Retrying is the callers' business: a repeated XREADGROUP whose first
answer was lost leaves its messages behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from broadcaster.log import redacted
from pipeline.errors import RedisDown

TIMEOUT_S = 3.0  # a server that is stopped, not dead, is found out within this
CONNECT_S = 2.0
HEALTH_S = 15
BLOCK_MS = 1000  # below TIMEOUT_S, else every quiet second looks like a hang

Client: TypeAlias = "Redis"


class WrongKind(RedisDown):
    """A key of ours holds something else; a person must move it away."""


@dataclass(frozen=True, slots=True)
class Keys:
    room: str

    @property
    def say(self) -> str:
        return f"broadcaster:{self.room}:say"

    @property
    def events(self) -> str:
        return f"broadcaster:{self.room}:events"

    @property
    def dead(self) -> str:
        return f"broadcaster:{self.room}:dead"

    @property
    def status(self) -> str:
        return f"broadcaster:{self.room}:status"

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
    """Turn what the library raises into RedisDown, without the URL's password."""
    try:
        yield
    except (RedisError, OSError, TimeoutError) as error:
        text = redacted(str(error)) or type(error).__name__
        if "WRONGTYPE" in text:
            raise WrongKind(text) from error
        raise RedisDown(text) from error


def text_of(answer: bytes | str | None) -> str:
    """An answer of the server as text."""
    return answer.decode("utf-8", "replace") if isinstance(answer, bytes) else answer or ""


def error_in(results: list[Any]) -> str:
    """The first refusal among the answers of a MULTI, or ""."""
    return next((str(result) for result in results if isinstance(result, RedisError)), "")
