"""Rooms at one engine, in one process and in a time that moves as told: wires in memory, playouts that only count.

A room takes 25 pictures a second from the moment its first segment came, asks for the next one when its buffer is down
to a hop, as playout does, and notes what came after its buffer ran dry. It can be fed garbage, killed and resumed.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import link
from pipeline.arrays import Pcm, silence
from pipeline.clock import NS, SLOT_NS, FakeClock
from pipeline.engine import AvatarEngine, Job, Made
from pipeline.engines.pattern import PatternEngine
from pipeline.lifeline import Lifeline
from pipeline.media import Position
from pipeline.wire import (
    AudioChunk,
    Beat,
    Demand,
    Drain,
    EngineBye,
    EngineHello,
    Message,
    Segment,
    SpeechDemand,
    encode,
)
from pipeline.worker import RoomSpec, Worker, WorkerSpec, pictured

TICK_S = 0.02  # how far time goes while nothing is to be done
POISON = 12345  # a sample at which the engine of these tests fails
SIZE = (128, 192)


class Wire:
    """A socket of a seat, and the other end."""

    def __init__(self) -> None:
        self.to_seat: deque[list[memoryview]] = deque()
        self.from_seat: deque[tuple[Message, tuple[Any, ...]]] = deque()

    def give(self, message: Message, *buffers: Pcm) -> None:
        self.to_seat.append([memoryview(encode(message)), *(memoryview(buffer.tobytes()) for buffer in buffers)])


class Timed:
    """An engine whose jobs take so long each, and that fails at poison."""

    def __init__(self, engine: AvatarEngine, clock: FakeClock, job_s: float) -> None:
        self._engine = engine
        self._clock = clock
        self.job_s = job_s
        self.steps: list[int] = []  # jobs of each
        self.shapes: list[set[Any]] = []
        self.error: Exception | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)

    def step(self, jobs: Sequence[Job]) -> Sequence[Made]:
        self.steps.append(len(jobs))
        self.shapes.append({getattr(job.state, "width", None) for job in jobs})
        if self.error is not None:
            raise self.error
        if any((job.audio == POISON).any() for job in jobs):
            raise ValueError("it cannot hear this")
        self._clock.advance(self.job_s * len(jobs))
        return self._engine.step(jobs)


class Room:
    """Playout and director of one room."""

    def __init__(self, name: str, clock: FakeClock) -> None:
        self.name = name
        self._clock = clock
        self.frames, self.speech = Wire(), Wire()
        self.is_alive = True
        self.says: int | None = None  # a sample that its speech is full of; None = nothing is said
        self.lies = False  # it says that its buffer is dry, whatever it was given
        self.garbage: random.Random | None = None
        self.hellos: list[EngineHello] = []
        self.byes: list[EngineBye] = []
        self.segments: list[Segment] = []
        self.late_s: list[float] = []
        self._hello: EngineHello | None = None
        self._epoch = self._credit = 0
        self._asked: Demand | None = None
        self._dry_ns: int | None = None
        self._arrived_ns = 0

    def kill(self) -> None:
        """Playout and director are gone with all that they knew."""
        self.is_alive, self._hello, self._asked, self._dry_ns = False, None, None, None

    def resume(self) -> None:
        self.is_alive = True

    def turn(self) -> None:
        if not self.is_alive:
            self.frames.from_seat.clear()
            self.speech.from_seat.clear()
            return
        while self.frames.from_seat:
            self._hear(self.frames.from_seat.popleft()[0])
        while self.speech.from_seat:
            asked = self.speech.from_seat.popleft()[0]
            if isinstance(asked, SpeechDemand) and self.says is not None:
                self._say(asked, np.full(asked.hop_samples, self.says, np.int16))
        if self.garbage is not None:
            self._scatter(self.garbage)
        self._ask()

    def _hear(self, message: Message) -> None:
        now = self._clock.now_ns()
        if isinstance(message, EngineHello) and (self._hello is None or self._hello.incarnation != message.incarnation):
            self.hellos.append(message)
            self._hello, self._asked, self._credit = message, None, 0
            self._epoch += 1
            self._arrived_ns = now
        elif isinstance(message, EngineBye) and self._hello and self._hello.incarnation == message.incarnation:
            self.byes.append(message)
            self._hello = self._asked = self._dry_ns = None
        elif isinstance(message, Segment) and self._asked is not None and message.credit == self._asked.credit:
            if message.epoch != self._asked.epoch or message.incarnation != self._asked.incarnation:
                return
            self.segments.append(message)
            if self._dry_ns is not None and now > self._dry_ns:
                self.late_s.append((now - self._dry_ns) / NS)
            self._dry_ns = max(self._dry_ns or now, now) + message.hop_frames * SLOT_NS
            self._arrived_ns, self._asked = now, None

    def _ask(self) -> None:
        """Put the demand that playout put when its buffer was down to a hop, also while the engine was busy."""
        if self._hello is None or self._asked is not None:
            return
        now, hop_ns = self._clock.now_ns(), self._hello.hop_frames * SLOT_NS
        dry_ns = now if self._dry_ns is None else self._dry_ns
        if not self.lies and dry_ns - now > hop_ns:
            return
        slack = -1_000_000 if self.lies else (dry_ns - max(self._arrived_ns, dry_ns - hop_ns)) // SLOT_NS
        self._credit += 1
        shown = self.segments[-1].sequence if self._credit > 1 else -1
        self._asked = Demand("shared", self._hello.incarnation, self._epoch, self._credit, shown, slack, 0)
        self.frames.give(self._asked)

    def _say(self, asked: SpeechDemand, air: Pcm) -> None:
        until = Position("u", 0, len(air))
        chunk = AudioChunk(asked.incarnation, asked.credit, asked.timeline, len(air), 0, [], until)
        self.speech.give(chunk, air, np.ascontiguousarray(air[::3]))

    def _scatter(self, dice: random.Random) -> None:
        """What no peer in its right mind sends."""
        incarnation = self._hello.incarnation if self._hello else 0
        wrong: list[tuple[Any, ...]] = [
            (Drain(1.0),),
            (Demand("shared", incarnation, 1, 1, -1, 5, 0, after=True), silence(7)),
            (Demand("shared", incarnation + 1, 1, 1, -1, -(2**60), 2**60),),
            (AudioChunk(incarnation, 1, 0, 9600, -9600), silence(9600), silence(0)),
            (AudioChunk(incarnation, 1, 2**60, -1, 2**60), silence(1), silence(1)),
        ]
        for wire in (self.frames, self.speech):
            for _ in range(3):
                wire.to_seat.append([memoryview(dice.randbytes(dice.randrange(1, 60)))])
            for parts in wrong:
                wire.give(*parts)


class House:
    """Rooms, and the loop of the engine's process."""

    def __init__(
        self,
        directory: Path,
        patch: pytest.MonkeyPatch,
        names: str,
        job_s: float,
        *,
        sizes: Sequence[tuple[int, int]] = (),
        images: Sequence[str] = (),
        engine: AvatarEngine | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.engine = Timed(engine or PatternEngine(), self.clock, job_s)
        self.rooms = [Room(name, self.clock) for name in names]
        self._wires = {
            (str(directory / room.name), name): wire
            for room in self.rooms
            for name, wire in ((link.FRAMES, room.frames), (link.SPEECH, room.speech))
        }
        patch.setattr(link, "connect", lambda _context, where, name, _identity: self._wires[str(where), name])
        patch.setattr(link, "send", lambda wire, message, *buffers: wire.from_seat.append((message, buffers)))
        patch.setattr(link, "receive", lambda wire: wire.to_seat.popleft() if wire.to_seat else None)
        patch.setattr("pipeline.worker.zmq.Poller", lambda: self)
        self.line, self._theirs = Lifeline.pair()
        specs = []
        for index, name in enumerate(names):
            (directory / name).mkdir()
            width, height = sizes[index] if sizes else SIZE
            image = images[index] if images else ""
            specs.append(RoomSpec(name, str(directory / name), str(directory), image, width, height, index))
        self.spec = WorkerSpec("shared", "pattern", str(directory), str(directory), rooms=specs)
        self.worker = Worker(pictured(self.spec), self.engine, Lifeline(self._theirs), self.clock)

    def __getitem__(self, name: str) -> Room:
        return next(room for room in self.rooms if room.name == name)

    def run(self, seconds: float) -> None:
        """Let so much time go by."""
        ends_ns = self.clock.now_ns() + int(seconds * NS)
        while self.clock.now_ns() < ends_ns and self.worker.turn():
            self.line.poll()
            for room in self.rooms:
                room.turn()

    def beat(self) -> dict[str, Any]:
        """The facts of the last beat."""
        self.worker.turn()
        return [message for message in self.line.poll() if isinstance(message, Beat)][-1].facts

    def close(self) -> None:
        self.worker.close()
        self.line.close()
        self._theirs.close()

    # what the loop takes for zmq's poller

    def register(self, *_: Any) -> None:
        """It sees every wire."""

    def poll(self, wait_ms: int) -> None:
        self.clock.advance(min(max(wait_ms, 1) / 1000, TICK_S))
