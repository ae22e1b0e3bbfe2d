"""Comments pushed to a real director by HTTP, as any grabber may: they lie in the stream, which is held to a bound."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import redis

from tests.process.director_floor import Floor, RedisServer, free_port

CHAT = "broadcaster:t:chat"


def post(port: int, body: Any) -> tuple[int, dict[str, Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/chat", json.dumps(body).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)
    except urllib.error.URLError:  # it does not listen yet
        return 0, {}


def started(short_dir: Path, queue: redis.Redis, server: RedisServer, **spec: Any) -> Floor:
    floor = Floor(short_dir, queue, server.url, **spec)
    floor.playing = False
    floor.start()
    floor.until(lambda: post(spec["control_port"], [])[0] == 422, what="the interface")
    return floor


def test_comments_lie_in_the_stream_until_somebody_reads_them(
    short_dir: Path, queue: redis.Redis, server: RedisServer
) -> None:
    port = free_port()
    floor = started(short_dir, queue, server, control_port=port, chat_stream=100)
    try:
        assert post(port, {"id": "1", "text": "多少钱？", "user": "Ann"}) == (202, {"ids": ["1"]})
        entries: Any = queue.xrange(CHAT)
        assert entries[0][1] == {b"id": b"1", b"text": "多少钱？".encode(), b"user": b"Ann"}
        for _ in range(3):
            assert post(port, [{"text": "again"}] * 200)[0] == 202
        assert 100 <= queue.xlen(CHAT) <= 300
    finally:
        floor.close()


def test_without_a_chat_nobody_is_told_that_they_were_heard(
    short_dir: Path, queue: redis.Redis, server: RedisServer
) -> None:
    port = free_port()
    floor = started(short_dir, queue, server, control_port=port)
    try:
        assert post(port, {"text": "a"})[0] == 409
        assert not queue.exists(CHAT)
    finally:
        floor.close()
