"""The rest of a room around a real director: a queue, an engine that asks, a playout that reports, a supervisor's line.

Time runs faster here: a hop is on air for AIR_S. All of it is driven by `step`, from the test's own thread.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import redis
import zmq

from pipeline import link
from pipeline.arrays import Pcm, view_pcm
from pipeline.journal import Journal
from pipeline.lifeline import Lifeline
from pipeline.media import SENTENCE, SENTENCE_END, UTTERANCE, UTTERANCE_END, Mark, Position
from pipeline.wire import AudioChunk, Beat, Cut, Drain, Message, Report, Spec, SpeechDemand, Status, decode
from tests.process.nursery import Child, started

ROOT = Path(__file__).parents[2]
CHILD = "tests.process.director_child"
HOP = 9_600  # 200 ms
AHEAD = 4_800
AIR_S = 0.015  # how long a hop is on air here
BUFFER = 2  # hops that playout holds
ASK_AGAIN_S = 0.5
LIVE = {"outputs": {"main": {"state": "live"}}, "children": {"playout": {"phase": "ready"}}}


class RedisServer:
    """A real server on a unix socket and a port, that can be killed and started again."""

    def __init__(self, program: str, directory: Path) -> None:
        self._program = program
        self._directory = directory
        self.url = f"unix://{directory / 'redis.sock'}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> redis.Redis:
        self.launch()
        client = redis.Redis.from_url(self.url, protocol=2)
        wait_for(lambda: _answers(client), what="redis")
        return client

    def launch(self, *more: str) -> None:
        """Start it with further options, and do not wait."""
        options = f"--port 0 --unixsocket {self._directory}/redis.sock --appendonly yes --dir {self._directory}"
        self.process = subprocess.Popen([self._program, *options.split(), *more], stdout=subprocess.DEVNULL)

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        (self._directory / "redis.sock").unlink(missing_ok=True)


class Floor:
    """`log`: where the director's goes, as subprocess takes it; None: where ours does."""

    def __init__(self, directory: Path, queue: redis.Redis, url: str, log: int | None = None, **spec: Any) -> None:
        self.directory = directory
        self.log = log
        self.redis: Any = queue
        self.spec = {
            "room": "t",
            "runtime_dir": str(directory),
            "state_dir": str(directory / "state"),
            "redis_url": url,
            "voice_chain": ["espeak"],
            "voice_name": "en",
            "voice_rate": 1.0,
            "voice_timeout_s": 2.0,
            "control_host": "127.0.0.1",
            "control_port": 0,
            "outputs": ["main"],
            **spec,
        }
        self.context: zmq.Context[Any] = zmq.Context()
        self.speech = link.connect(self.context, directory, link.SPEECH, "engine")
        self.control = link.bind(self.context, directory, link.CONTROL)
        self.journal = Journal(directory / "state" / "journal")
        self.journal.open()
        self.process: subprocess.Popen[bytes] | Child | None = None
        self.line: Lifeline | None = None
        self.beats: list[Beat] = []
        self.facts: dict[str, Any] = LIVE
        # engine
        self.incarnation, self.credit, self.timeline = 1, 0, 0
        self.after: Position | None = None
        self.asked_s = 0.0
        self.answered_s = 0.0
        # playout
        self.playing = True
        self.air_s = AIR_S
        self.buffer: list[tuple[AudioChunk, Pcm]] = []
        self.open: tuple[str, int] | None = None
        self.aired_s = 0.0
        self.slot = 0
        self.cuts: list[Cut] = []
        self.heard: list[tuple[str, int]] = []  #: sentences heard whole
        self.texts: list[str] = []  #: the same, as shown
        self.marks: list[Mark] = []
        self.air: list[Pcm] = []
        self._shown = ""

    # ── processes ────────────────────────────────────────────────────────────────────────────────

    def start(self, *program: str) -> None:
        """A director with a voice that needs no library, another module's main(), or another program: -m NAME …."""
        line, theirs = Lifeline.pair()
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        if len(program) > 1:
            self.process = subprocess.Popen(
                [sys.executable, *program],
                stdin=theirs.fileno(),
                stderr=self.log,
                cwd=ROOT,
                env=environment,
                start_new_session=True,
            )
        else:
            self.process = started(program[0] if program else CHILD, theirs.fileno(), self.log, environment)
        theirs.close()
        line.send(Spec(child="director", kind="director", spec=self.spec))
        self.line = line

    def tell(self) -> None:
        """What the supervisor says each second."""
        assert self.line is not None
        self.line.send(Status(facts=self.facts))

    def kill(self) -> None:
        assert self.process is not None and self.line is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.line.close()

    def drain(self, grace_s: float) -> int:
        """Order the director to end; its exit status."""
        assert self.process is not None and self.line is not None
        self.line.send(Drain(grace_s=grace_s))
        process = self.process
        self.until(lambda: process.poll() is not None, timeout_s=grace_s + 10)
        return process.wait()

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()
        self.journal.close()
        self.context.destroy(linger=0)

    # ── the room ─────────────────────────────────────────────────────────────────────────────────

    def say(self, text: str, **fields: str) -> str:
        return str(self.redis.xadd("broadcaster:t:say", {"text": text, **fields}).decode())

    def step(self) -> None:
        """A few milliseconds of the room."""
        self._hear_control()
        self._hear_speech()
        self._ask()
        now = time.monotonic()
        if self.playing and now >= self.aired_s + self.air_s:
            self.aired_s = now
            self._play()
        if self.line is not None:
            self.beats += [message for message in _poll(self.line) if isinstance(message, Beat)]
        self.speech.poll(2)

    def until(self, condition: Callable[[], object], timeout_s: float = 15.0, what: str = "") -> None:
        deadline = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < deadline, f"{what or 'it'} did not come: heard {self.heard}, buffer {self.buffer}"
            self.step()

    def run(self, seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.step()

    def events(self, name: str) -> list[dict[str, str]]:
        entries = self.redis.xrange("broadcaster:t:events")
        told = [{key.decode(): value.decode() for key, value in fields.items()} for _, fields in entries]
        return [fields for fields in told if fields["event"] == name]

    def pending(self) -> int:
        return int(self.redis.xpending("broadcaster:t:say", "director")["pending"])

    def new_engine(self) -> None:
        """The engine died and came back: what it held is gone."""
        self.incarnation += 1
        self.after, self.asked_s = None, 0.0
        self.buffer.clear()
        if self.open:
            self._report("lost", *self.open)
            self.open = None

    def new_playout(self) -> None:
        self.buffer.clear()
        self.open = None
        self._report("opened", "", 0)

    # ── engine ───────────────────────────────────────────────────────────────────────────────────

    def _ask(self) -> None:
        now = time.monotonic()
        if len(self.buffer) >= BUFFER or (self.asked_s and now < self.asked_s + ASK_AGAIN_S):
            return
        self.credit += 1
        self.asked_s = now
        demand = SpeechDemand("engine", self.incarnation, self.credit, self.timeline, HOP, AHEAD, self.after)
        link.send(self.speech, demand)

    def _hear_speech(self) -> None:
        while parts := link.receive(self.speech):
            chunk = decode(parts[0], AudioChunk)
            if chunk.incarnation != self.incarnation or chunk.credit != self.credit or chunk.timeline < self.timeline:
                continue
            air = view_pcm(bytes(parts[1]))
            assert len(air) == HOP and len(parts[2]) == (HOP + chunk.ahead_samples) // 3 * 2
            self.buffer.append((chunk, air))
            self.after, self.asked_s, self.answered_s = chunk.until, 0.0, time.monotonic()

    # ── playout ──────────────────────────────────────────────────────────────────────────────────

    def _hear_control(self) -> None:
        while parts := link.receive(self.control):
            cut = decode(parts[1], Cut)
            if cut.timeline <= self.timeline:
                continue
            self.cuts.append(cut)
            self.timeline, self.after, self.asked_s = cut.timeline, None, 0.0
            self.buffer.clear()
            if self.open:
                self._report("cut", *self.open)
                self.open = None

    def _play(self) -> None:
        if not self.buffer:
            return
        chunk, air = self.buffer.pop(0)
        self.slot += HOP // 1_920
        self.air.append(air)
        for mark in chunk.marks:
            if mark.at - mark.kind.endswith("_end") < HOP:
                self.marks.append(mark)
                self._pass(mark)

    def _pass(self, mark: Mark) -> None:
        if mark.kind == UTTERANCE:
            self._report("started", mark.utterance, mark.sentence)
        elif mark.kind == SENTENCE:
            self.open, self._shown = (mark.utterance, mark.sentence), mark.text
            self._report("sentence", mark.utterance, mark.sentence)
        elif mark.kind == SENTENCE_END:
            self.open = None
            self.heard.append((mark.utterance, mark.sentence))
            self.texts.append(self._shown)
            self._report("sentence_aired", mark.utterance, mark.sentence)
        elif mark.kind == UTTERANCE_END:
            self._report("aired", mark.utterance, mark.sentence)

    def _report(self, what: str, utterance: str, sentence: int) -> None:
        report = Report(0, what, utterance, self.slot, self.slot * 1_920, time.time(), sentence)
        self.journal.append(msgspec.structs.replace(report, timeline=self.timeline))


def wait_for(condition: Callable[[], object], timeout_s: float = 10.0, what: str = "it") -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come"
        time.sleep(0.01)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _poll(line: Lifeline) -> list[Message]:
    try:
        return line.poll()
    except Exception:  # noqa: BLE001  the director of this test may be dead
        return []


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
