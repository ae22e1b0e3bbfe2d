"""What all tests share: the rule for services that are missing, and short directories for sockets."""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
import redis
import structlog

from tests.process.director_floor import RedisServer
from tests.station import Station

# small pictures in few bytes; and no standby: two seconds of a core for each room, which most outlive by little
Station.defaults = {"standby": False, "avatar": {"size": [224, 384]}, "encoder": {"bitrate_kbps": 1000}}
os.environ.setdefault("OMP_NUM_THREADS", "1")  # two workers on two cores: more threads only wait for one another


def lack(why: str) -> NoReturn:
    """What a test needs is not here: a skip, or a failure when CI is set."""
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def need(*names: str) -> str:
    """The path of the first of these programs that is there; else a skip, or a failure when CI is set."""
    for name in names:
        if path := shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/local/sbin"):
            return path
    lack(f"{' or '.join(names)} is not installed; `make services` installs it")


SLOWEST = ("test_kills_on_air", "test_on_air", "test_voices")  # files of minutes
GREEDY = ("test_flashtalk_on_air",)  # it takes all cores: beside units, for a room beside it would stutter
FOLDERS = ("e2e", "process", "greedy", "unit")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first, so that no worker ends minutes after the others."""

    def place(item: pytest.Item) -> tuple[int, int]:
        name = item.path.stem
        folder = "greedy" if name in GREEDY else item.path.parent.name
        slow = SLOWEST.index(name) if name in SLOWEST else len(SLOWEST)
        return slow, FOLDERS.index(folder) if folder in FOLDERS else len(FOLDERS)

    items.sort(key=place)


@pytest.fixture(autouse=True)
def own_log(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A command that is tried in this process sets up a log, which must not stay that of all the tests after it."""
    configure = structlog.configure

    def uncached(**given: Any) -> None:
        configure(**{**given, "cache_logger_on_first_use": False})

    monkeypatch.setattr(structlog, "configure", uncached)
    handlers = logging.getLogger().handlers[:]
    yield
    structlog.reset_defaults()
    logging.getLogger().handlers[:] = handlers


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """A private directory whose path is short enough for a socket (107 bytes in all)."""
    with tempfile.TemporaryDirectory(prefix="b") as name:
        yield Path(name)


@pytest.fixture
def server(short_dir: Path) -> Iterator[RedisServer]:
    """A real Redis of the test's own; not started."""
    made = RedisServer(need("redis-server", "valkey-server"), short_dir)
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


@pytest.fixture
def queue(server: RedisServer) -> Iterator[redis.Redis]:
    client = server.start()
    yield client
    client.close()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if skipped:
        terminalreporter.section("NOT TESTED HERE", sep="!", red=True)
        for report in skipped:
            terminalreporter.line(f"{report.nodeid}: {report.longrepr[2] if report.longrepr else ''}")
