"""A real director and a real Redis under more words than anybody could say, and two of them on one room."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import DEVNULL

import redis

from benchmarks.figures import Figure
from benchmarks.usage import pss_mb
from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer

FLOOD = 100_000
TEXT = "This is message number %d, and it is about as long as a message is."
SAY = "broadcaster:t:say"


@contextmanager
def served() -> Iterator[tuple[Path, RedisServer, redis.Redis]]:
    with tempfile.TemporaryDirectory(prefix="b") as name:
        server = RedisServer(need("redis-server"), Path(name))
        queue = server.start()
        try:
            yield Path(name), server, queue
        finally:
            queue.close()
            server.kill()


def opened(floor: Floor) -> Floor:
    floor.beats.clear()
    floor.start()
    floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
    floor.tell()
    return floor


def flood() -> list[Figure]:
    """A hundred thousand messages at once, a person's words behind them: to a director that runs and to a new one."""
    figures: list[Figure] = []
    with served() as (directory, server, queue):
        floor = opened(Floor(directory, queue, server.url, log=DEVNULL))
        try:
            assert floor.process is not None
            floor.run(1.0)
            before_mb = pss_mb(floor.process.pid)
            _push(queue)
            heard_s, _, peak_mb = _live(floor, "running")
            figures += _figures("running", heard_s, peak_mb - before_mb)
            floor.kill()
            queue.delete(SAY)
            _push(queue)
            opened(floor)
            heard_s, gap_s, peak_mb = _live(floor, "away")
            figures += _figures("away", heard_s, peak_mb - before_mb)
            figures.append(Figure("  longest time between two of its beats", f"{gap_s:.2f} s", "≤ 2.5 s", gap_s <= 2.5))
            left, letters = queue.xlen(SAY), queue.xlen("broadcaster:t:dead")
            figures.append(Figure("  left in Redis: words, dead letters", f"{left}, {letters}"))
        finally:
            floor.close()
    return figures


def hand_over() -> list[Figure]:
    """The host of the first broadcaster stops: until the second one speaks."""
    with served() as (directory, server, queue):
        floors = []
        for owner in ("a", "b"):
            (directory / owner).mkdir()
            floors.append(opened(Floor(directory / owner, queue, server.url, log=DEVNULL, owner=owner)))
        first, second = floors
        try:
            second.until(lambda: second.beats[-1].facts["lease"] == "elsewhere", what="the second one's word")
            assert first.process is not None
            first.process.send_signal(signal.SIGSTOP)
            began_s = time.monotonic()
            first.say("Somebody says this.", id="x")
            second.until(lambda: second.open or second.heard, what="the second one's voice")
            took_s = time.monotonic() - began_s
        finally:
            for floor in floors:
                floor.close()
    return [Figure("a host stops: words pushed then are on air from another", f"{took_s:.1f} s", "≤ 6 s", took_s <= 6)]


def _push(queue: redis.Redis) -> None:
    with queue.pipeline(transaction=False) as pipe:
        for number in range(FLOOD):
            pipe.xadd(SAY, {"text": TEXT % number})
            if number % 5_000 == 4_999:
                pipe.execute()
        pipe.execute()


def _live(floor: Floor, identity: str) -> tuple[float, float, float]:
    """Seconds until a person's words are on air, the longest time between beats, and the director's memory."""
    assert floor.process is not None
    pid, began_s, seen, gap_s, peak_mb = floor.process.pid, time.monotonic(), len(floor.beats), 0.0, 0.0
    beat_s = began_s
    floor.say("A person speaks.", id=identity, lane="live", mode="now")

    def is_done() -> bool:
        nonlocal seen, gap_s, beat_s, peak_mb
        if len(floor.beats) > seen:
            gap_s, beat_s, seen = max(gap_s, time.monotonic() - beat_s), time.monotonic(), len(floor.beats)
            peak_mb = max(peak_mb, pss_mb(pid))
        return any(mark.utterance == identity for mark in floor.marks)

    _until(floor, is_done)
    heard_s = time.monotonic() - began_s
    _until(floor, lambda: is_done() and floor.redis.xlen(SAY) <= 1_100)
    return heard_s, gap_s, max(peak_mb, pss_mb(pid))


def _until(floor: Floor, condition: Callable[[], bool]) -> None:
    floor.until(condition, timeout_s=120)


def _figures(what: str, heard_s: float, grown_mb: float) -> list[Figure]:
    return [
        Figure(
            f"{FLOOD:,} messages at once, director {what}: a person's words after them on air",
            f"{heard_s:.2f} s",
            "≤ 5 s",
            heard_s <= 5,
        ),
        Figure("  its memory grew by", f"{grown_mb:.0f} MB", "≤ 50 MB", grown_mb <= 50),
    ]
