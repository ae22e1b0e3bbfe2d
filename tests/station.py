"""A real broadcaster on air for tests and benchmarks: started as a user would, watched from outside."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import redis
import yaml
from redis.backoff import NoBackoff
from redis.retry import Retry

from broadcaster.client import Client
from broadcaster.config import Config, load
from broadcaster.room import redis_of
from pipeline.errors import RedisDown
from tests.lab import census

ROOT = Path(__file__).parents[1]


def until(condition: Callable[[], object], timeout_s: float = 30.0, what: str = "") -> None:
    """Wait for a condition; AssertionError when it never came true."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"never came true in {timeout_s} s: {what or condition}"
        time.sleep(0.02)


class Station:
    """`broadcaster run` in a directory of its own. program: what is run with the configuration's path."""

    program: Sequence[str] = ("broadcaster.cli", "run")
    defaults: ClassVar[Mapping[str, Any]] = {}  #: of the configuration, where a room says nothing else

    def __init__(self, directory: Path, **config: Any) -> None:
        self.directory = directory
        self.config_path = directory / "room.yaml"
        tree = {
            "room": "test",
            "state_dir": str(directory / "var"),
            "voice": {"chain": ["espeak"], "name": "en"},
            "control": {"listen": "127.0.0.1:0"},
            **self.defaults,
            **config,
        }
        self.config_path.write_text(yaml.safe_dump(tree))
        self.log_path = directory / "log"
        self.process: subprocess.Popen[bytes] | None = None
        self._client: Client | None = None
        self._queue: redis.Redis | None = None
        self._config: tuple[int, Config] | None = None
        self._told: list[tuple[str, dict[str, str]]] = []
        self._telling = threading.Lock()
        self._signalled: dict[str, int] = {}

    def start(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", *self.program, str(self.config_path)],
            cwd=ROOT,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stderr=self.log_path.open("a"),
        )

    def environment(self) -> dict[str, str]:
        """What it is started with."""
        return {key: value for key, value in os.environ.items() if key != "RUNTIME_DIRECTORY"}

    @property
    def config(self) -> Config:
        """What the file says now; whoever waits asks fifty times a second, and reading it takes milliseconds."""
        written_ns = self.config_path.stat().st_mtime_ns
        if self._config is None or self._config[0] != written_ns:
            self._config = written_ns, load(self.config_path)
        return self._config[1]

    @property
    def client(self) -> Client:
        if self._client is None:
            self._client = Client(self.config.room, redis_of(self.config))
        return self._client

    def status(self) -> dict[str, Any]:
        with contextlib.suppress(RedisDown):
            return self.client.status() or {}
        return {}

    def child(self, name: str) -> dict[str, Any]:
        return dict(self.status().get("children", {}).get(name, {}))

    def facts(self, name: str) -> dict[str, Any]:
        return dict(self.child(name).get("facts", {}))

    def story(self, identity: str) -> list[str]:
        """What became of an utterance, in order."""
        return [event["event"].removeprefix("utterance.") for event in self.events() if event.get("id") == identity]

    def heard(self, *names: str) -> list[tuple[str, int]]:
        """Sentences of these utterances that were sent to their end, in order, from the journal."""
        lines = [
            json.loads(line)
            for path in sorted((self.directory / "var" / "journal").glob("*.jsonl"))
            for line in path.read_text().splitlines()
        ]
        ended = [(line["utterance"], line.get("sentence", 0)) for line in lines if line["what"] == "sentence_aired"]
        return [key for key in ended if key[0] in names]

    def queue(self) -> Any:
        """The room's Redis."""
        return redis.Redis.from_url(redis_of(self.config), decode_responses=True)

    def _line(self) -> Any:
        """To the same queue, kept for those who ask again and again; it says at once when nobody is there."""
        if self._queue is None:
            again = Retry(NoBackoff(), 1)  # the connection may be one to a server that was killed since
            self._queue = redis.Redis.from_url(redis_of(self.config), decode_responses=True, protocol=2, retry=again)
        return self._queue

    def pending(self) -> int:
        """Words that were taken and not acknowledged."""
        return sum(group["pending"] for group in self._line().xinfo_groups("broadcaster:test:say"))

    def pids(self) -> Mapping[str, int]:
        return {name: child["pid"] for name, child in self.status().get("children", {}).items() if child["pid"]}

    def standby(self, name: str) -> int | None:
        """The process that has read its modules and waits to follow this child."""
        return census.standbys(self.process.pid).get(name) if self.process else None

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        """Signal a child, once it runs (again); returns the pid it had."""
        until(lambda: self.pids().get(name, 0) not in (0, self._signalled.get(name)), 20, f"{name} runs")
        pid = self._signalled[name] = self.pids()[name]
        os.kill(pid, number)
        return pid

    def is_live(self) -> bool:
        """All outputs are live and the engine's pictures are on air."""
        playout = self.facts("playout")
        outputs = playout.get("outputs", {})
        return playout.get("source") == "live" and all(output["state"] == "live" for output in outputs.values())

    def is_served(self) -> bool:
        """The page and what goes by HTTP has its place, or was refused one: soon after the air."""
        return any(line.get("event", "").startswith("control.") for line in self.log())

    def wait_live(self, timeout_s: float = 40.0) -> None:
        until(self.is_live, timeout_s, f"live; log:\n{self.tail()}")
        until(self.is_served, timeout_s, f"served; log:\n{self.tail()}")

    def events(self) -> list[dict[str, str]]:
        """All events so far, however many and however busy the machine is; none while the queue is away."""
        with self._telling:
            since = f"({self._told[-1][0]}" if self._told else "-"
            try:
                self._told += self._line().xrange(f"broadcaster:{self.config.room}:events", since)
            except redis.RedisError:
                return []
            return [fields for _, fields in self._told]

    def aired(self) -> list[str]:
        return [event["id"] for event in self.events() if event["event"] == "utterance.aired"]

    def log(self) -> list[dict[str, Any]]:
        lines = []
        for line in self.log_path.read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError):  # torn by a kill
                lines.append(json.loads(line))
        return [line for line in lines if isinstance(line, dict)]

    def tail(self) -> str:
        return "\n".join(self.log_path.read_text(errors="replace").splitlines()[-40:])

    def stop(self) -> int:
        """Ask it to end in good order; returns its exit status."""
        if self._queue is not None:
            self._queue.close()
            self._queue = None
        if self._client is not None:
            self._client.close()
            self._client = None
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.terminate()
        try:
            return self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise


S = TypeVar("S", bound=Station)


@contextlib.contextmanager
def live(station: S) -> Iterator[S]:
    """The station, live when the block begins, and stopped when it ends."""
    station.start()
    try:
        station.wait_live()
        yield station
    finally:
        station.stop()


def on_air(directory: Path, **config: Any) -> contextlib.AbstractContextManager[Station]:
    """A station of this configuration that is live when the block begins, and stopped when it ends."""
    return live(Station(directory, **config))
