"""A real pusher process for tests, started as the supervisor does, and all that it said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.errors import BroadcasterError
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.wire import Beat, Drain, Message, Note, Spec

ROOT = Path(__file__).parents[1]


class PusherChild:
    kind = "pusher"

    def __init__(self, runtime_dir: Path, url: str, name: str = "main", env: dict[str, str] | None = None, **spec: Any):
        self._spec = {"name": name, "url": url, "runtime_dir": str(runtime_dir), **spec}
        self._env = env or {}
        self.name = name
        self.heard: list[tuple[float, Message]] = []  # monotonic seconds, what it said
        self.output = b""

    def start(self) -> None:
        self._line, theirs = Lifeline.pair()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "broadcaster.child", self.kind, f"{self.kind}-{self.name}"],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=os.environ | self._env,
        )
        theirs.close()
        self._line.send(Spec(f"{self.kind}-{self.name}", self.kind, self._spec))
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def kill(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        assert self.process.stdout is not None
        if not self.process.stdout.closed:
            self.output += self.process.communicate()[0]
        self._reader.join(2)
        self._line.close()

    def drain(self, grace_s: float = 2.0) -> int:
        self._line.send(Drain(grace_s))
        return self.process.wait(grace_s + 5)

    def notes(self, event: str) -> list[dict[str, Any]]:
        return [said.fields for _, said in list(self.heard) if isinstance(said, Note) and said.event == event]

    def note_times(self, event: str) -> list[float]:
        return [at for at, said in list(self.heard) if isinstance(said, Note) and said.event == event]

    def beats(self) -> list[tuple[float, str]]:
        return [(at, said.phase) for at, said in list(self.heard) if isinstance(said, Beat)]

    @property
    def phase(self) -> str:
        beats = self.beats()
        return beats[-1][1] if beats else "loading"

    def _read(self) -> None:
        while True:
            try:
                messages = self._line.poll()
            except (LineClosed, BroadcasterError, OSError, ValueError):
                return
            self.heard += [(time.monotonic(), message) for message in messages]
            time.sleep(0.005)


@contextmanager
def pusher(runtime_dir: Path, url: str, name: str = "main", **more: Any) -> Iterator[PusherChild]:
    child = PusherChild(runtime_dir, url, name, **more)
    child.start()
    try:
        yield child
    finally:
        child.kill()


def until(condition: Any, timeout_s: float = 10.0, what: str = "") -> float:
    """Wait for a condition and say how long it took; AssertionError when it never came true."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() - began < timeout_s, f"never came true in {timeout_s} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began
