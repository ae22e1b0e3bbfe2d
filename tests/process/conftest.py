"""What tests of processes share: a real Redis of their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from tests.conftest import need
from tests.process.director_floor import RedisServer


@pytest.fixture
def server(short_dir: Path) -> Iterator[RedisServer]:
    made = RedisServer(need("redis-server"), short_dir)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def queue(server: RedisServer) -> Iterator[redis.Redis]:
    client = server.start()
    yield client
    client.close()
