"""The rest of a room around whoever answers: a queue, a director that says what is pushed, a supervisor's line.

All of it is driven by `step`, from the test's own thread: one message of `say` is read or heard at a time.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis

from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, Drain, Message, Spec
from tests.process.nursery import Child, started

ROOT = Path(__file__).parents[2]
CHILD = "tests.process.chat_child"
SAY, EVENTS, CHAT, ANSWERS = (f"broadcaster:t:{name}" for name in ("say", "events", "chat", "answers"))
GROUP = "director"


class ChatFloor:
    """spec: of the process. air_s: how long a message is on air."""

    def __init__(self, directory: Path, queue: redis.Redis, url: str, air_s: float = 0.02, **spec: Any) -> None:
        self.redis: Any = queue
        self.air_s = air_s
        self.spec = {
            "room": "t",
            "state_dir": str(directory),
            "redis_url": url,
            "per_minute": 6000,
            "user_per_minute": 600,
            "read_question": False,
            **spec,
        }
        self.process: Child | None = None
        self.line: Lifeline | None = None
        self.beats: list[Beat] = []
        self.directing = True
        self.waiting: list[tuple[bytes, dict[str, str]]] = []
        self.said: list[dict[str, str]] = []  #: messages heard whole, with their fields
        self._aired_s = 0.0
        self._begun = False
        self._made_group()

    # ── processes ────────────────────────────────────────────────────────────────────────────────

    def start(self) -> None:
        line, theirs = Lifeline.pair()
        self.process = started(CHILD, theirs.fileno(), None, {**os.environ, "PYTHONPATH": str(ROOT)})
        theirs.close()
        line.send(Spec(child="chat", kind="chat", spec=self.spec))
        self.line = line
        self.beats.clear()

    def started(self) -> ChatFloor:
        self.start()
        self.until(lambda: self.beats and self.beats[-1].facts["reading"], what="it reads")
        return self

    def kill(self) -> None:
        assert self.process is not None and self.line is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.line.close()

    def drain(self, grace_s: float) -> int:
        assert self.process is not None and self.line is not None
        self.line.send(Drain(grace_s=grace_s))
        process = self.process
        self.until(lambda: process.poll() is not None, timeout_s=grace_s + 10)
        return process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    # ── the room ─────────────────────────────────────────────────────────────────────────────────

    def comment(self, text: str, **fields: str) -> None:
        self.redis.xadd(CHAT, {"text": text, **fields})

    def step(self) -> None:
        """A few milliseconds of the room."""
        if self.line is not None:
            self.beats += [message for message in _poll(self.line) if isinstance(message, Beat)]
        if self.directing:
            self._read()
            self._air()
        time.sleep(0.002)

    def until(self, condition: Callable[[], object], timeout_s: float = 15.0, what: str = "") -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{what or 'it'} did not come: {self._account()}"
            self.step()

    def _account(self) -> str:
        said = [fields["id"] for fields in self.said]
        facts = self.beats[-1].facts if self.beats else {}
        return f"over {sorted(self.ended())}, left {self.left()}, said {said}, {facts}"

    def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()

    def events(self, name: str) -> list[dict[str, str]]:
        told = [_text(fields) for _, fields in self.redis.xrange(EVENTS)]
        return [fields for fields in told if fields["event"] == name]

    def ended(self) -> list[str]:
        """Ids of comments that are over: answered, answered with another, or dropped by name."""
        names = ("chat.answered", "chat.merged", "chat.dropped")
        return [event["id"] for name in names for event in self.events(name) if event["id"]]

    def texts(self) -> list[str]:
        return [fields["text"] for fields in self.said]

    def left(self) -> tuple[int, int]:
        """Comments that are not settled, and notes of answers on their way."""
        return int(self.redis.xlen(CHAT)), int(self.redis.hlen(ANSWERS))

    # ── a director ───────────────────────────────────────────────────────────────────────────────

    def _made_group(self) -> None:
        try:
            self.redis.xgroup_create(SAY, GROUP, id="0", mkstream=True)
        except redis.ResponseError:  # it is there
            pass

    def _read(self) -> None:
        for _, entries in self.redis.xreadgroup(GROUP, "director", {SAY: ">"}, count=16) or []:
            for entry, raw in entries:
                fields = _text(raw)
                known = any(one["id"] == fields["id"] for _, one in self.waiting)
                if not fields.get("text"):
                    self._settle(entry, "turn.ended", fields, done=False)
                elif known or self.redis.exists(f"broadcaster:t:done:{fields['id']}"):
                    self._settle(entry, "utterance.duplicate", fields, done=False)
                else:
                    self.waiting.append((entry, fields))
                    self._tell("utterance.accepted", fields)

    def _air(self) -> None:
        now = time.monotonic()
        if not self.waiting or now < self._aired_s + self.air_s:
            return
        entry, fields = self.waiting[0]
        if not self._begun:
            self._begun, self._aired_s = True, now
            self._tell("utterance.started", fields)
            return
        self._begun = False
        self.waiting.pop(0)
        self.said.append(fields)
        self._settle(entry, "utterance.aired", fields, done=True)

    def _tell(self, name: str, fields: dict[str, str]) -> None:
        self.redis.xadd(EVENTS, self._event(name, fields))

    def _settle(self, entry: bytes, name: str, fields: dict[str, str], done: bool) -> None:
        with self.redis.pipeline(transaction=True) as multi:
            if done:
                multi.set(f"broadcaster:t:done:{fields['id']}", name)
            multi.xack(SAY, GROUP, entry)
            multi.xdel(SAY, entry)
            multi.xadd(EVENTS, self._event(name, fields))
            multi.execute()

    def _event(self, name: str, fields: dict[str, str]) -> dict[str, str]:
        return {"event": name, "id": fields["id"], "lane": fields["lane"], "ts": f"{time.time():.3f}"}


def _text(raw: dict[bytes, bytes]) -> dict[str, str]:
    return {name.decode(): value.decode() for name, value in raw.items()}


def _poll(line: Lifeline) -> list[Message]:
    try:
        return line.poll()
    except Exception:  # noqa: BLE001  the process of this test may be dead
        return []
