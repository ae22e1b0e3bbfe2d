"""Examination of a queue server: its version, whether it takes words, and whether it keeps them.

In: a URL, and a room's name. Out: (verdict, text, remedy). It writes one key of its own, which expires in a second.
"""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.machine import Found
from broadcaster.log import redacted

WAIT_S = 2.0
OLDEST = (6, 2)


def examined(url: str, room: str) -> Found:
    server = redis.Redis.from_url(
        url,
        decode_responses=True,
        protocol=2,
        socket_timeout=WAIT_S,
        socket_connect_timeout=WAIT_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        with server:
            facts: dict[str, Any] = server.info()
            refused = _refused(server, f"broadcaster:{room}:doctor")
    except (RedisError, OSError, ValueError) as error:
        remedy = "start it, or correct redis: (host, password, database); meanwhile the show goes on without it"
        return BAD, f"{redacted(url)}: {redacted(str(error))}", remedy
    return _judged(facts, refused)


def _refused(server: redis.Redis, key: str) -> str:
    """Why it takes no words; "" when it does."""
    try:
        server.set(key, "1", px=1000)
    except RedisError as error:
        return str(error)
    return ""


def _judged(facts: dict[str, Any], refused: str) -> Found:
    said = str(facts.get("valkey_version") or facts["redis_version"])
    text = f"{'valkey' if 'valkey_version' in facts else 'redis'} {said}"
    if tuple(int(part) for part in str(facts["redis_version"]).split(".")[:2]) < OLDEST:
        return BAD, text, "Redis 6.2 or newer is needed, or Valkey"
    if refused:
        return BAD, f"{text} refuses to write: {refused}", "name the master, not a replica; see its disk and memory"
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction" and facts.get("maxmemory"):
        return WARN, f"{text}, maxmemory-policy {policy}", "set noeviction: else accepted words vanish when it is full"
    if not facts.get("aof_enabled"):
        return WARN, f"{text}, appendonly no", "set appendonly yes: else its restart forgets accepted words"
    return OK, f"{text}, takes words and keeps them (appendonly, {policy})"
