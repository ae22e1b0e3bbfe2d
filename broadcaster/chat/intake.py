"""The reader of a room's comments, made of what the configuration says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from broadcaster.chat.blocked import Lists
from broadcaster.chat.model import Comment, Kind
from broadcaster.chat.pool import Limits, Pool
from broadcaster.chat.reader import ChatReader
from broadcaster.chat.spec import ChatSpec
from broadcaster.chat.stream import ChatStream
from pipeline.clock import Clock

MOMENTS = frozenset(set(Kind) - {Kind.COMMENT})


def limits_of(spec: ChatSpec) -> Limits:
    return Limits(
        stale_s=spec.stale_s,
        per_minute=spec.per_minute,
        user_per_minute=spec.user_per_minute,
        again_s=spec.again_s,
        merge=spec.merge,
        waiting=spec.waiting,
        waiting_bytes=spec.waiting_kb * 1024,
        moments=MOMENTS if spec.proactive else frozenset(),
        language=spec.voice or "en",
    )


def make_reader(spec: ChatSpec, owner: str, clock: Clock, on_its_way: Callable[[str, Comment], None]) -> ChatReader:
    """owner: who holds the room's lease for us; "" asks nobody, for what runs beside no director."""
    pool = Pool(limits_of(spec), clock.wall_s())
    users, words = (Path(one) if one else None for one in (spec.blocked_users, spec.blocked_words))
    stream = ChatStream(spec.room, spec.redis_url, owner, spec.stream)
    return ChatReader(stream, pool, clock, Lists(users, words, pool.block), on_its_way)
