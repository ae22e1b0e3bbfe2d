"""What tests and benchmarks are told of a room is all that there is to tell."""

from __future__ import annotations

from pathlib import Path

from tests.conftest import need
from tests.process.director_floor import RedisServer
from tests.station import Station


def test_thousands_of_events_are_told_to_the_last(short_dir: Path) -> None:
    server = RedisServer(need("redis-server"), short_dir)
    queue = server.start()
    try:
        station = Station(short_dir, redis=server.url)
        with queue.pipeline() as pipeline:
            for number in range(5000):
                pipeline.xadd("broadcaster:test:events", {"event": "utterance.aired", "id": f"u{number}"})
            pipeline.execute()
        assert station.aired() == [f"u{number}" for number in range(5000)]
    finally:
        server.kill()
    assert station.events() == [], "the queue is away"
