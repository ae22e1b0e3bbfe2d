"""A room that is flooded with comments: a real Redis, a process that reads them, and who it would answer.

`python -m benchmarks.comments URL` is that process: it takes a question whenever it may, calls it aired after a while,
and tells now and then what it did, as lines of JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import structlog

from benchmarks.figures import Figure, percentile
from benchmarks.usage import cpu_s, pss_mb
from broadcaster.chat.intake import make_reader
from broadcaster.chat.model import Question
from broadcaster.chat.normalise import normalised
from broadcaster.chat.reader import ChatReader
from broadcaster.chat.sameness import words_of
from broadcaster.chat.spec import ChatSpec
from broadcaster.queue import Keys
from pipeline.clock import RealClock
from tests.conftest import need
from tests.process.director_floor import RedisServer

ROOM = "t"
RATE = 1_000  # comments a second
SECONDS = 60
STEP_S = 0.02
MARKED_EVERY_S = 7.0  # a buyer asks something that nobody else does
STREAM = 20_000  # entries that it may hold
MAXMEMORY_MB = 64
SETTLED_S = 25.0  # by then memory is as it will be
WITHIN_S = 30.0
LOOK_S = 2.0
TURN_S = 3.0  # an answer on air
AGAIN_S = 30.0
BAR_US = 150
VIEWERS = 20_000
COMMON = [
    "多少钱",
    "这个怎么卖",
    "什么时候发货",
    "包邮吗",
    "主播好漂亮",
    "哈哈哈哈",
    "666",
    "price?",
    "加v{}",
    "😍😍{}",
]
OPEN = [
    "{}号链接还有货吗",
    "可以{}天退吗",
    "{}码多大",
    "how much is number {}?",
    "do you ship to {}?",
    "{} people here",
]
MARKED = "is model {} dishwasher safe?"


@dataclass(slots=True)
class Told:
    """What the reading process said."""

    looks: list[dict[str, Any]] = field(default_factory=list)
    taken: list[dict[str, Any]] = field(default_factory=list)


def flood() -> list[Figure]:
    """A thousand comments a second for a minute."""
    with tempfile.TemporaryDirectory(prefix="b") as name:
        server = RedisServer(need("redis-server"), Path(name))
        server.launch("--maxmemory", f"{MAXMEMORY_MB}mb", "--maxmemory-policy", "noeviction")
        queue = redis.Redis.from_url(server.url, protocol=2)
        command = [sys.executable, "-m", "benchmarks.comments", server.url]
        said = Path(name) / "said"
        with said.open("wb") as file:
            child = subprocess.Popen(command, stdout=file)
        try:
            _until(lambda: said.stat().st_size > 0)
            marked, unread, used_mb = _push(queue)
            _until(lambda: _unread(queue) == 0)
            time.sleep(1.5 * LOOK_S)  # until it has told of the last
            child.terminate()
            child.wait()
            told = _heard(said.read_text().splitlines()[1:])
            return _figures(told, marked, unread, used_mb, queue.xlen(Keys(ROOM).chat))
        finally:
            child.kill()
            child.wait()
            queue.close()
            server.kill()


def _until(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline_s, "the reading process does not answer"
        time.sleep(0.05)


def _push(queue: redis.Redis) -> tuple[dict[str, float], list[int], float]:
    """When each marked question was sent; entries that waited unread, each second; the server's largest memory."""
    draw = random.Random(1)
    marked: dict[str, float] = {}
    unread: list[int] = []
    used, number, due = 0, 0, MARKED_EVERY_S
    began_s = time.monotonic()
    for step in range(int(SECONDS / STEP_S)):
        time.sleep(max(0.0, began_s + step * STEP_S - time.monotonic()))
        with queue.pipeline(transaction=False) as pipe:
            for _ in range(int(RATE * STEP_S)):
                number += 1
                pipe.xadd(Keys(ROOM).chat, _comment(draw, number), maxlen=STREAM, approximate=True)
            if step * STEP_S >= due:
                due += MARKED_EVERY_S
                identity = f"marked{len(marked)}"
                marked[identity] = time.time()
                fields: dict[Any, Any] = {
                    "text": MARKED.format(len(marked)),
                    "id": identity,
                    "user": identity,
                    "buyer": "1",
                }
                pipe.xadd(Keys(ROOM).chat, fields)
            pipe.execute()
        if step % int(1 / STEP_S) == 0:
            unread.append(_unread(queue))
            used = max(used, queue.info("memory")["used_memory"])
    return marked, unread, used / 1e6


def _comment(draw: random.Random, number: int) -> dict[Any, Any]:
    text = draw.choice(COMMON) if draw.random() < 0.6 else draw.choice(OPEN)
    viewer = draw.randrange(VIEWERS)
    fields = {"text": text.format(draw.randrange(10_000)), "id": f"c{number}", "user": f"观众{viewer}"}
    return fields | {"user_id": str(viewer), "platform": "douyin"}


def _unread(queue: redis.Redis) -> int:
    pending = queue.xpending(Keys(ROOM).chat, "chat")["pending"]
    return max(0, queue.xlen(Keys(ROOM).chat) - int(pending))


def _heard(lines: Iterable[str]) -> Told:
    told = Told()
    for line in lines:
        said = json.loads(line)
        (told.taken if "id" in said else told.looks).append(said)
    return told


def _figures(told: Told, marked: dict[str, float], unread: list[int], used_mb: float, left: int) -> list[Figure]:
    counts = told.looks[-1]["comments"]
    sent = RATE * SECONDS + len(marked)
    settled = [look for look in told.looks if look["at_s"] >= SETTLED_S]
    grown_mb = max(look["mb"] for look in settled) - settled[0]["mb"]
    cost_us = told.looks[-1]["cpu_s"] / max(1, counts["comments"]) * 1e6
    next_up, waited_s = _next_up(told.taken, marked)
    twice = _twice(told.taken)
    bounds = f"stream ≤ {STREAM:,}, maxmemory {MAXMEMORY_MB} MB"
    return [
        Figure(
            f"{RATE:,} comments/s for {SECONDS} s, {bounds}: read",
            f"{counts['comments']:,} of {sent:,}",
            "all",
            counts["comments"] == sent,
        ),
        Figure("  unread at any second, most", f"{max(unread)}", f"≤ {RATE // 2}", max(unread) <= RATE // 2),
        Figure("  cost of a comment, one core", f"{cost_us:.0f} µs", f"≤ {BAR_US} µs", cost_us <= BAR_US),
        Figure(f"  memory grew after {SETTLED_S:.0f} s", f"{grown_mb:.1f} MB", "≤ 5 MB", grown_mb <= 5),
        Figure("  most memory of Redis; entries left", f"{used_mb:.0f} MB; {left:,}", "", None),
        Figure(
            "  a buyer's new question is the next answer",
            f"{next_up} of {len(marked)}, p95 {percentile(waited_s, 0.95):.1f} s" if waited_s else "never",
            "all",
            next_up == len(marked),
        ),
        Figure("  answered; twice", f"{len(told.taken)}; {twice}", "; 0", twice == 0),
    ]


def _next_up(taken: list[dict[str, Any]], marked: dict[str, float]) -> tuple[int, list[float]]:
    """How many of the marked questions were the first answer after they came, and how long each waited for its turn."""
    found, waited_s = 0, []
    for identity, sent_s in marked.items():
        after = [one for one in taken if one["taken_s"] > sent_s + 0.5] or [{"id": "", "taken_s": 0.0}]
        own = next((one for one in taken if one["id"] == identity), None)
        if own is not None:
            found += own["taken_s"] <= after[0]["taken_s"]
            waited_s.append(own["taken_s"] - sent_s)
    return found, waited_s


def _twice(taken: list[dict[str, Any]]) -> int:
    last: dict[Any, float] = {}
    twice = len(taken) - len({one["id"] for one in taken})
    for one in taken:
        words = words_of(normalised(one["text"]).key)
        twice += one["taken_s"] - last.get(words, -AGAIN_S) < AGAIN_S
        last[words] = one["taken_s"]
    return twice


# ── the process that reads ───────────────────────────────────────────────────────────────────────


async def _read(url: str) -> None:
    spec = ChatSpec(room=ROOM, state_dir="", redis_url=url, voice="zh", again_s=AGAIN_S, stream=STREAM)
    reader = make_reader(spec, "", RealClock(), lambda answer, comment: None)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(reader.run())
        while not reader.up:
            await asyncio.sleep(0.05)
        _say({"reads": True})
        tasks.create_task(_look(reader))
        while True:
            if question := reader.take():
                tasks.create_task(_air(reader, question))
            await asyncio.sleep(0.05)


async def _air(reader: ChatReader, question: Question) -> None:
    _say({"id": question.comments[0].id, "text": question.text, "taken_s": time.time(), "of": len(question.comments)})
    await asyncio.sleep(TURN_S)
    reader.settle(question.comments)


async def _look(reader: ChatReader) -> None:
    began_s, spent_s = time.monotonic(), cpu_s(os.getpid())
    while True:
        await asyncio.sleep(LOOK_S)
        pid = os.getpid()
        look = {"at_s": time.monotonic() - began_s, "mb": pss_mb(pid), "cpu_s": cpu_s(pid) - spent_s}
        _say({**look, "comments": reader.facts()["comments"]})


def _say(said: dict[str, Any]) -> None:
    print(json.dumps(said), flush=True)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))  # figures alone
    asyncio.run(_read(sys.argv[1]))
