"""A pusher of words, as any program in any language may be one: XADD, then listen to what happened.

In: a room and a Redis URL. Out: ids of accepted words, events, the status. Synchronous, for the
command line; RedisDown names the server (without its password) when it does not answer.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from broadcaster.dead import Letter
from broadcaster.log import redacted
from pipeline.errors import RedisDown

TIMEOUT_S = 3.0
BLOCK_MS = 1000
LOOK_BACK = 200  # entries
PUSH_AGAIN = """
if redis.call('XDEL', KEYS[1], ARGV[1]) == 0 then return false end
return redis.call('XADD', KEYS[2], '*', unpack(ARGV, 2))
"""
FINAL_EVENTS = tuple(f"utterance.{end}" for end in ("aired", "skipped", "expired", "dead_lettered", "duplicate"))


class Client:
    def __init__(self, room: str, url: str) -> None:
        self._room = room
        self._url = url
        self._redis = redis.Redis.from_url(
            url,
            decode_responses=True,
            protocol=2,  # one shape of answers, whatever the server speaks
            socket_timeout=TIMEOUT_S,
            socket_connect_timeout=TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )

    def say(self, text: str, **fields: str | float | None) -> str:
        """Push words; returns their id. `fields`: lane, mode, id, ttl_s, at, voice; None = left out."""
        given = {key: str(value) for key, value in fields.items() if value is not None}
        identity = given.setdefault("id", uuid.uuid4().hex[:12])
        self._call("xadd", f"broadcaster:{self._room}:say", {"text": text, **given})
        return identity

    def text_of(self, identity: str) -> str | None:
        """What was pushed under this id, while it is not settled."""
        for stream_id, fields in self._call("xrevrange", f"broadcaster:{self._room}:say", count=LOOK_BACK):
            if identity in (stream_id, fields.get("id")):
                return str(fields.get("text", ""))
        return None

    def newest_event(self) -> str:
        """Stream id of the newest event, to listen from; "0" when there is none."""
        entries = self._call("xrevrange", f"broadcaster:{self._room}:events", count=1)
        return str(entries[0][0]) if entries else "0"

    def events(self, since: str, timeout_s: float | None = None) -> Iterator[dict[str, str]]:
        """Events after `since`, as they come; ends after `timeout_s` without the caller stopping."""
        ends_s = time.monotonic() + timeout_s if timeout_s is not None else None
        while ends_s is None or time.monotonic() < ends_s:
            found = self._call("xread", {f"broadcaster:{self._room}:events": since}, block=BLOCK_MS, count=100)
            for _, entries in found or []:
                for since, fields in entries:
                    yield {**fields, "stream_id": since}

    def wait(self, identity: str, since: str, timeout_s: float | None = None) -> dict[str, str] | None:
        """The event that ended this utterance, or None when the time is up."""
        for event in self.events(since, timeout_s):
            if event.get("id") == identity and event.get("event") in FINAL_EVENTS:
                return event
        return None

    def status(self) -> dict[str, Any] | None:
        """What the room last said of itself; None when it is not running."""
        text = self._call("get", f"broadcaster:{self._room}:status")
        return json.loads(text) if text else None

    def dead_letters(self, count: int | None) -> list[Letter]:
        """The newest messages that could not be said, newest first; None = all."""
        found = self._call("xrevrange", f"broadcaster:{self._room}:dead", count=count)
        return [Letter(entry, fields) for entry, fields in found]

    def push_again(self, letter: Letter) -> str | None:
        """Push its message and remove the letter, in one step; its stream id, None when somebody else did it.

        MessageError when it would be refused again.
        """
        message = letter.message()
        keys = [f"broadcaster:{self._room}:dead", f"broadcaster:{self._room}:say"]
        flat = [part for field in message.items() for part in field]
        pushed = self._call("eval", PUSH_AGAIN, len(keys), *keys, letter.entry, *flat)
        return str(pushed) if pushed else None

    def remove_dead(self, letters: Sequence[Letter]) -> int:
        """Remove them; how many were there."""
        return sum(self._call("xdel", f"broadcaster:{self._room}:dead", letter.entry) for letter in letters)

    def close(self) -> None:
        self._redis.close()

    def _call(self, method: str, *arguments: Any, **options: Any) -> Any:
        try:
            return getattr(self._redis, method)(*arguments, **options)
        except redis.RedisError as error:
            raise RedisDown(f"Redis at {redacted(self._url)}: {redacted(str(error))}") from error
