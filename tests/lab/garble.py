"""A process that crashed in its own memory: what it still sends to a playout, for many rounds, from a seed.

In: the runtime directory of a playout. Out: garbage on all its sockets, of every depth: bytes that are no message, at
the transport's level too; messages with bytes flipped; messages of another kind; segments and hellos with every field
wrong; lines of a pusher that are torn, too long, or lie. Nothing of it is what a well process would say, so nothing of
it may have any effect on the air.
"""

from __future__ import annotations

import contextlib
import random
import socket
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import zmq

from pipeline import link
from pipeline.errors import WireError
from pipeline.media import SENTENCE, Mark
from pipeline.wire import (
    AudioChunk,
    Beat,
    Cut,
    Demand,
    EngineBye,
    EngineHello,
    Panic,
    PusherHello,
    Report,
    Segment,
    Sent,
    Tag,
    decode_any,
    encode,
)
from streams.tagline import framed

WAIT_MS = 5000  # for a playout that is behind to take a message
LINE_EVERY = 5  # of rounds one is a new connection, which costs more than a message
NUMBERS = (-1, 0, 1, 2, 27, 28, 29, 255, 2**31 - 1, 2**31, 2**32, 2**53, 2**63 - 1, -(2**63), 2**64 - 1)
BUFFERS = (0, 1, 1919, 1920, 19_200, 344_064, 344_065)


@dataclass(slots=True)
class Garbler:
    """engine: the name of the one on air, which is what liars call themselves. `thrown`: rounds by what they were."""

    runtime_dir: Path
    engine: str
    seed: int = 1

    def rounds(self, number: int) -> Counter[str]:
        dice = random.Random(self.seed)
        thrown: Counter[str] = Counter()
        context: zmq.Context[Any] = zmq.Context()
        try:
            frames = self._dealer(context, link.FRAMES)
            control = self._dealer(context, link.CONTROL)
            messages: list[tuple[str, Callable[[], None]]] = [
                ("bytes", lambda: self._say(frames, *self._bytes(dice))),
                ("bytes to control", lambda: self._say(control, *self._bytes(dice))),
                ("flipped", lambda: self._say(frames, *self._flipped(dice))),
                ("flipped to control", lambda: self._say(control, *self._flipped(dice))),
                ("segment", lambda: self._say(frames, encode(self._segment(dice)), *self._buffers(dice))),
                ("hello", lambda: self._say(frames, encode(self._hello(dice)))),
                ("bye", lambda: self._say(frames, encode(self._bye(dice)))),
                ("another kind", lambda: self._say(frames, encode(self._other(dice)), *self._buffers(dice))),
                ("another kind to control", lambda: self._say(control, encode(self._other(dice)))),
            ]
            lines: list[tuple[str, Callable[[], None]]] = [
                ("no transport", lambda: self._line(dice.choice((link.FRAMES, link.CONTROL)), dice.randbytes(200))),
                ("line of bytes", lambda: self._line(link.TAGS, dice.randbytes(dice.randint(0, 400)))),
                ("line that is torn", lambda: self._line(link.TAGS, framed(self._other(dice))[: dice.randint(1, 30)])),
                ("line that lies", lambda: self._line(link.TAGS, self._lies(dice))),
            ]
            for index in range(number):
                name, throw = dice.choice(lines if index % LINE_EVERY == 0 else messages)
                throw()
                thrown[name] += 1
        finally:
            context.destroy(linger=1000)
        return thrown

    def _dealer(self, context: zmq.Context[Any], name: str) -> Any:
        dealer = link.connect(context, self.runtime_dir, name, f"crashed-{name}")
        dealer.setsockopt(zmq.SNDTIMEO, WAIT_MS)
        return dealer

    def _say(self, dealer: Any, *parts: bytes) -> None:
        """AssertionError when nobody takes it any more."""
        try:
            dealer.send_multipart(parts)
        except zmq.Again:
            raise AssertionError("playout does not listen any more") from None

    def _line(self, name: str, data: bytes) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as line:
            line.settimeout(WAIT_MS / 1000)
            while True:
                try:
                    line.connect(str(self.runtime_dir / name))
                    break
                except BlockingIOError:  # its queue of connections is full
                    time.sleep(0.001)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it has seen enough
                line.sendall(data)

    # ── what is said ─────────────────────────────────────────────────────────────────────────────

    def _bytes(self, dice: random.Random) -> list[bytes]:
        return [dice.randbytes(dice.choice((0, 1, 5, 100, 2000))) for _ in range(dice.randint(1, 4))]

    def _flipped(self, dice: random.Random) -> list[bytes]:
        """A well message with some bytes changed, so that it is none, or another."""
        while True:
            data = bytearray(
                encode(dice.choice((self._segment(dice), self._hello(dice), Cut(3, "u"), self._other(dice))))
            )
            for _ in range(dice.randint(1, 6)):
                data[dice.randrange(len(data))] = dice.randrange(256)
            cut = bytes(data[: dice.choice((len(data), dice.randint(1, len(data))))])
            if not self._would_be_obeyed(cut):
                return [cut, *self._buffers(dice)]

    def _would_be_obeyed(self, data: bytes) -> bool:
        """A cut, or the hello of the engine on air: a well process may say so."""
        try:
            message = decode_any(data)
        except (WireError, RecursionError):
            return False
        return isinstance(message, Cut) or (isinstance(message, EngineHello) and message.engine == self.engine)

    def _segment(self, dice: random.Random) -> Segment:
        number = lambda: dice.choice((*NUMBERS, dice.randint(-(10**6), 10**6)))  # noqa: E731
        marks = [
            Mark(number(), dice.choice((SENTENCE, "", "?" * 500)), "u" * dice.choice((0, 1, 5000)), number(), "x")
            for _ in range(dice.choice((0, 0, 1, 3, 1100)))
        ]
        return Segment(
            engine=dice.choice((self.engine, "", "?" * 3000)),
            incarnation=number(),
            epoch=number(),
            credit=number(),
            sequence=number(),
            timeline=number(),
            hop_frames=number(),
            width=number(),
            height=number(),
            speech=dice.random() < 0.5,
            render_ms=number(),
            marks=marks,
            notes={"rtf": dice.choice((float("nan"), float("inf"), -1.0))},
        )

    def _hello(self, dice: random.Random) -> EngineHello:
        number = lambda: dice.choice(NUMBERS)  # noqa: E731
        name = dice.choice(("", "nobody", "?" * 3000, "\0", "../.."))
        return EngineHello(
            name, number(), number(), number(), number(), number(), dice.choice(("", "/etc/passwd", "\0"))
        )

    def _bye(self, dice: random.Random) -> EngineBye:
        """Of nobody, or of a process of the engine that nobody knows."""
        number = dice.choice([number for number in NUMBERS if number != 1])
        return EngineBye(dice.choice((self.engine, "", "?" * 3000)), number)

    def _other(self, dice: random.Random) -> Any:
        return dice.choice(
            (
                Demand("a", 1, 2, 3, -1, 0, 0),
                AudioChunk(1, 1, 1, 9600, 0),
                Panic(on=True, text="off"),
                Report(1, "aired", "u", 1, 1, 0.0),
                Beat("ready"),
                Tag(9, 0, True, b"\0" * 30),
                Sent(2**60, "live", 1),
            )
        )

    def _buffers(self, dice: random.Random) -> list[bytes]:
        return [bytes(dice.choice(BUFFERS)) for _ in range(dice.choice((0, 0, 1, 2, 2, 3)))]

    def _lies(self, dice: random.Random) -> bytes:
        """Well formed: an output that does not exist, reports before any hello, a length that no message has."""
        return dice.choice(
            (
                framed(PusherHello("nobody" * dice.choice((0, 1, 2000)), dice.choice((-1, 0, 2**40)))),
                framed(Sent(dice.choice((-(2**62), 2**62)), "live" * dice.choice((1, 1000)), -1)),
                framed(Panic(on=True)),
                (2**32 - 1).to_bytes(4, "little") + dice.randbytes(100),
                (8 * 2**20).to_bytes(4, "little") + dice.randbytes(3000),
            )
        )
