"""What a playout leaves to the next one, should it die: the picture on air and the hold loop.

In: each slot's picture before anything is drawn on it; the path of the loop. Out: the same, to a playout that
begins within seconds, so that viewers see the picture that stood still move on, and no slate between. It
lies in the runtime directory as one file, written by a thread of its own: the clock hands a picture over
and never waits for a disk. A picture torn by a kill is half of one and half of the next, which nobody
sees in a cross-fade.
"""

from __future__ import annotations

import os
import struct
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import structlog

from pipeline.arrays import Frame
from pipeline.clock import NS, Clock
from pipeline.errors import BadInput
from streams.holdloop import HoldLoop
from streams.watched import Watched

FILE_NAME = "handover"
HEAD = struct.Struct("<4sIIqI")  # magic, width, height, monotonic time of the picture, length of the path after it
HEAD_BYTES = 4096  # a page: the picture begins at the next
MAGIC = b"AIR1"
FRESH_NS = 20 * NS  # an older picture is of another show
WAIT_S = 0.5  # longest wait for a picture

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Left:
    """picture: the last one on air. hold: the loop that went with it."""

    picture: Frame | None = None
    hold: HoldLoop | None = None


class Handover:
    """`open` and `hold` from the owner's thread, `keep` from the clock's."""

    def __init__(self, directory: Path, width: int, height: int, clock: Clock) -> None:
        self._path = directory / FILE_NAME
        self._size = (width, height)
        self._clock = clock
        self._newest: Frame | None = None
        self._came = threading.Event()
        self._hold = b""
        self._file = -1
        self.thread: Watched | None = None

    def open(self) -> Left:
        """What the last playout left, if it is of this size and fresh. A file that fails costs the picture alone."""
        try:
            self._file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            return self._left(os.pread(self._file, HEAD_BYTES, 0))
        except OSError as error:
            self._give_up(error)
            return Left()

    def start(self) -> None:
        if self._file >= 0:
            self.thread = Watched("handover", self._run)
            self.thread.start()

    def keep(self, picture: Frame) -> None:
        """This one is on air; it must not change any more."""
        self._newest = picture
        self._came.set()

    def hold(self, path: str) -> None:
        """This loop is played on hold."""
        data = os.fsencode(path)
        self._hold = data if len(data) <= HEAD_BYTES - HEAD.size else b""

    def write(self) -> None:
        """Put the newest picture into the file."""
        picture = self._newest
        if picture is None or self._file < 0:
            return
        head = HEAD.pack(MAGIC, *self._size, self._clock.now_ns(), len(self._hold)) + self._hold
        try:
            os.pwritev(self._file, [head.ljust(HEAD_BYTES, b"\0"), np.ascontiguousarray(picture).data], 0)
        except OSError as error:
            self._give_up(error)

    def _run(self) -> None:
        while self._file >= 0:
            if self._came.wait(WAIT_S):
                self._came.clear()
                self.write()

    def _give_up(self, error: OSError) -> None:
        log.warning("handover.unusable", reason=str(error))
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _left(self, head: bytes) -> Left:
        if len(head) < HEAD_BYTES:
            return Left()
        magic, width, height, kept_ns, length = HEAD.unpack(head[: HEAD.size])
        age_ns = self._clock.now_ns() - kept_ns
        if magic != MAGIC or (width, height) != self._size or not 0 <= age_ns < FRESH_NS:
            return Left()
        frame_bytes = width * height * 3 // 2
        data = os.pread(self._file, frame_bytes, HEAD_BYTES)
        if len(data) < frame_bytes:
            return Left()
        picture = np.frombuffer(data, np.uint8).reshape(height * 3 // 2, width)
        return Left(picture, self._loop(head[HEAD.size : HEAD.size + length]))

    def _loop(self, path: bytes) -> HoldLoop | None:
        if not path:
            return None
        try:
            loop = HoldLoop(Path(os.fsdecode(path)), *self._size)
        except BadInput:  # the engine will name another
            return None
        self._hold = path
        return loop
