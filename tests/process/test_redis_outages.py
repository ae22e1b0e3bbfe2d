"""A real director while its Redis fails in every way that one can: the air goes on, and no word is lost or repeated."""

from __future__ import annotations

import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import redis

from tests.conftest import need
from tests.process.director_floor import Floor, RedisServer, wait_for

SAY = "broadcaster:t:say"
BACK_S = 15.0  # three times the bar: intake goes on within 5 s after Redis is well


@dataclass
class Outage:
    """A floor with a script, and its server. `broken` breaks it, and mends it at its end."""

    floor: Floor
    server: RedisServer
    queue: redis.Redis

    def begin(self) -> None:
        """Words are on air and words wait when it happens."""
        floor = self.floor
        floor.playing = False
        floor.start()
        floor.until(lambda: any(beat.phase == "ready" for beat in floor.beats), what="ready")
        floor.tell()
        floor.say("First of a. Second of a. Third of a.", id="a")
        floor.say("All of b.", id="b")
        floor.until(lambda: floor.beats[-1].facts["waiting"] >= 2, what="both are read")
        floor.playing = True
        floor.until(lambda: ("a", 0) in floor.heard, what="the first sentence")

    def air_goes_on(self) -> None:
        """All that was accepted is said, then the script, without a queue."""
        self.floor.until(lambda: ("b", 0) in self.floor.heard, what="what was accepted")
        laps = len(self.floor.heard)
        self.floor.until(lambda: len(self.floor.heard) >= laps + 3, what="the script")

    def is_over(self) -> None:
        """Words are taken in again, everything is settled, nothing was said twice."""
        floor = self.floor
        floor.say("After it.", id="after")
        floor.until(lambda: ("after", 0) in floor.heard, BACK_S, "words pushed afterwards")
        floor.until(lambda: floor.pending() == 0 and not self.queue.xlen(SAY), BACK_S, "acknowledgements")
        said = [(name, sentence) for name, sentence in floor.heard if not name.startswith("script:")]
        assert said == [("a", 0), ("a", 1), ("a", 2), ("b", 0), ("after", 0)]
        assert sum(mark.kind == "utterance" and mark.utterance in "ab" for mark in floor.marks) == 2  # begun once
        floor.until(lambda: self.told("after"), BACK_S, "events")

    def told(self, identity: str) -> bool:
        return any(event["id"] == identity for event in self.floor.events("utterance.aired"))

    def down(self) -> bool:
        return any(beat.facts["redis"] == "down" for beat in self.floor.beats[-2:])


@pytest.fixture
def outage(short_dir: Path) -> Iterator[Outage]:
    script = short_dir / "s.txt"
    script.write_text("The script goes on.")
    server = RedisServer(need("redis-server"), short_dir)
    queue = server.start()
    floor = Floor(short_dir, queue, server.url, script_file=str(script))
    made = Outage(floor, server, queue)
    try:
        made.begin()
        yield made
    finally:
        floor.close()
        queue.close()
        if server.process is not None and server.process.poll() is None:
            server.process.send_signal(signal.SIGCONT)
            server.kill()


def test_redis_stopped_and_thawed(outage: Outage) -> None:
    process = outage.server.process
    assert process is not None
    process.send_signal(signal.SIGSTOP)
    try:
        outage.air_goes_on()
        outage.floor.until(outage.down, 12, "it is noticed")
    finally:
        process.send_signal(signal.SIGCONT)
    outage.is_over()
    assert outage.told("a") and outage.told("b")


def test_redis_killed_and_started_again(outage: Outage) -> None:
    outage.server.kill()
    outage.air_goes_on()
    outage.server.start().close()
    outage.is_over()
    assert outage.told("a") and outage.told("b")


def test_redis_flushed(outage: Outage) -> None:
    token = int(outage.queue.get("broadcaster:t:fence") or 0)
    outage.queue.flushall()
    outage.air_goes_on()
    outage.is_over()
    assert int(outage.queue.get("broadcaster:t:fence") or 0) > token
    assert outage.told("a") and outage.told("b")  # what was on its way when it was flushed is told all the same


def test_the_stream_trimmed_below_what_is_pending(outage: Outage) -> None:
    outage.queue.xtrim(SAY, maxlen=0, approximate=False)
    outage.air_goes_on()
    outage.is_over()
    outage.floor.kill()
    outage.floor.start()
    outage.floor.until(lambda: outage.floor.beats[-1].facts["redis"] == "up")
    assert outage.floor.pending() == 0


def test_what_was_trimmed_while_no_director_lived_is_told_as_lost(outage: Outage) -> None:
    floor = outage.floor
    floor.kill()
    waiting = outage.queue.xrange(SAY)[-1]
    assert waiting[1][b"id"] == b"b"
    outage.queue.xdel(SAY, waiting[0])
    floor.start()
    floor.until(lambda: floor.events("utterance.dead_lettered"), BACK_S)
    assert "deleted" in floor.events("utterance.dead_lettered")[0]["reason"]
    floor.until(lambda: floor.pending() == 0 and ("a", 2) in floor.heard, BACK_S)


def test_a_server_that_became_a_read_only_replica(outage: Outage) -> None:
    outage.queue.execute_command("REPLICAOF", "127.0.0.1", "1")
    outage.air_goes_on()
    outage.floor.until(outage.down, 12, "it is noticed")
    outage.queue.execute_command("REPLICAOF", "NO", "ONE")
    outage.is_over()
    assert outage.told("a") and outage.told("b")


def test_a_server_that_came_back_with_another_password(outage: Outage) -> None:
    outage.server.kill()
    outage.server.launch("--requirepass", "secret")
    admin = redis.Redis.from_url(outage.server.url, protocol=2, password="secret")
    wait_for(lambda: _answers(admin), what="redis")
    outage.air_goes_on()
    outage.floor.until(outage.down, 12, "it is noticed")
    admin.config_set("requirepass", "")
    admin.close()
    outage.is_over()
    assert outage.told("a") and outage.told("b")


def test_a_server_that_is_full_lets_go_of_what_was_aired_and_takes_words_again(outage: Outage) -> None:
    floor, queue = outage.floor, outage.queue
    queue.config_set("maxmemory", 1)
    with pytest.raises(redis.OutOfMemoryError):
        floor.say("There is no room.")
    outage.air_goes_on()
    floor.until(lambda: floor.pending() == 0 and not queue.xlen(SAY), BACK_S, "what was aired makes room")
    assert not outage.told("b")  # its event must wait
    queue.config_set("maxmemory", 0)
    outage.is_over()
    floor.until(lambda: outage.told("a") and outage.told("b"), BACK_S)


def test_a_director_that_died_while_its_server_was_full_repeats_nothing(outage: Outage) -> None:
    floor, queue = outage.floor, outage.queue
    queue.config_set("maxmemory", 1)
    outage.air_goes_on()
    floor.kill()
    queue.config_set("maxmemory", 0)
    floor.start()
    outage.is_over()


def test_a_server_that_is_still_loading(outage: Outage) -> None:
    with outage.queue.pipeline(transaction=False) as pipe:
        for number in range(3_000):
            pipe.set(f"ballast:{number}", number)
        pipe.execute()
    outage.server.kill()
    outage.server.launch("--key-load-delay", "500")  # µs a command: a second and a half
    with pytest.raises((redis.BusyLoadingError, redis.ConnectionError)):
        for _ in range(300):
            outage.queue.get("ballast:0")
            time.sleep(0.01)
    outage.air_goes_on()
    wait_for(lambda: _answers(outage.queue), 20, "it is loaded")
    outage.is_over()
    assert outage.told("a") and outage.told("b")


def _answers(client: redis.Redis) -> bool:
    with contextlib.suppress(redis.RedisError):
        return bool(client.ping())
    return False
