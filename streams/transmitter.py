"""The encoder's thread: composed slots in, tags out to the outputs, progress to the supervisor.

In: a bounded queue of slots, from the clock. Out: headers and tags. It beats from its own loop, so a
beat means that pictures are encoded. An encoder that raises, or gives nothing for a third of a second, is
built anew in place: the same settings give the same headers, so nobody has to reconnect. It is never
waited for: a slot that finds the queue full is left out, in picture and sound alike.
"""

from __future__ import annotations

import queue
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import structlog

from pipeline.arrays import Frame, Pcm
from pipeline.clock import NS, Clock
from pipeline.errors import BroadcasterError
from pipeline.media import AIR_SAMPLES
from pipeline.wire import Headers, Tag
from streams.encoder import EncoderFailed, EncoderSettings
from streams.flv import VIDEO
from streams.mux import Mux
from streams.watched import Watched

QUEUE_SLOTS = 30  # a second of catching up, and a little more
BARREN_SLOTS = 8  # 0.32 s without a picture coming out; with the new encoder, viewers wait less than half a second
REBUILDS_MAX = 20  # in a row without a picture: the settings, or the machine, are at fault
BEAT_NS = NS // 4
WAIT_S = 0.2  # longest wait for a slot

log = structlog.get_logger()


class Sink(Protocol):
    """What takes the tags: streams.outputs.Outputs."""

    def set_headers(self, headers: Headers) -> None: ...
    def publish(self, tag: Tag) -> None: ...


@dataclass(frozen=True, slots=True)
class Slot:
    """A composed slot. `frame` is given back to the pool once it is encoded. pcm: int16 [1920], mono."""

    number: int
    frame: Frame
    pcm: Pcm


class FramePool:
    """Frames to draw into, used again, so that no slot begins with fresh memory. Any thread."""

    def __init__(self, width: int, height: int) -> None:
        self._shape = (height * 3 // 2, width)
        self._free: deque[Frame] = deque(maxlen=QUEUE_SLOTS)

    def take(self) -> Frame:
        try:
            return self._free.pop()
        except IndexError:
            return np.empty(self._shape, np.uint8)

    def give(self, frame: Frame) -> None:
        self._free.append(frame)


class Transmitter:
    """`offer` from the clock's thread; the rest belongs to its own thread, but for the counters, which any may read."""

    def __init__(
        self,
        settings: EncoderSettings,
        sink: Sink,
        pool: FramePool,
        clock: Clock,
        first_slot: int,
        beat: Callable[[], None],
        make: Callable[[EncoderSettings, int], Mux] = Mux,
    ) -> None:
        self._settings = settings
        self._sink = sink
        self._pool = pool
        self._clock = clock
        self._beat = beat
        self._make = make
        self._queue: queue.Queue[Slot | None] = queue.Queue(QUEUE_SLOTS)
        self._headers: Headers | None = None
        self._barren = 0  # slots since a picture came out
        self._failures = 0  # rebuilds since a picture came out
        self._beat_ns = 0
        self._mux: Mux | None = None
        self.encoded = 0  #: pictures
        self.encoded_sample = first_slot * AIR_SAMPLES  #: everything before it is encoded
        self.rebuilt = 0
        self.thread = Watched("transmitter", self._run)

    def start(self) -> None:
        self.thread.start()

    def offer(self, slot: Slot) -> bool:
        """Hand a slot over; false when the encoder is a second behind, and the slot is left out."""
        try:
            self._queue.put_nowait(slot)
        except queue.Full:
            self._pool.give(slot.frame)
            return False
        return True

    def finish(self, timeout_s: float) -> None:
        """Encode what waits, flush, end."""
        try:
            self._queue.put(None, timeout=timeout_s)
        except queue.Full:
            return
        self.thread.join(timeout_s)

    def _run(self) -> None:
        while True:
            try:
                slot = self._queue.get(timeout=WAIT_S)
            except queue.Empty:
                continue
            if slot is None:
                break
            self._transmit(slot)
        if self._mux is not None:
            try:
                self._publish(self._mux.flush())
            except EncoderFailed as error:
                log.warning("encoder.unflushed", reason=str(error))

    def _transmit(self, slot: Slot) -> None:
        try:
            mux = self._mux or self._opened(slot.number)
            tags = mux.encode(slot.frame, slot.pcm, slot.number)
        except EncoderFailed as error:
            self._rebuild(slot.number, str(error))
            return
        finally:
            self._pool.give(slot.frame)
        if mux.headers is not None and mux.headers != self._headers:
            self._headers = mux.headers
            self._sink.set_headers(mux.headers)
        self._publish(tags)
        self._account(slot, any(tag.kind == VIDEO for tag in tags))

    def _publish(self, tags: list[Tag]) -> None:
        for tag in tags:
            self._sink.publish(tag)

    def _account(self, slot: Slot, picture: bool) -> None:
        self.encoded_sample = (slot.number + 1) * AIR_SAMPLES
        if picture:
            self.encoded += 1
            self._barren = self._failures = 0
        else:
            self._barren += 1
            if self._barren >= BARREN_SLOTS:
                self._rebuild(slot.number, f"nothing came out for {self._barren} slots")
        now_ns = self._clock.now_ns()
        if self.encoded and now_ns - self._beat_ns >= BEAT_NS:
            self._beat_ns = now_ns
            self._beat()

    def _opened(self, slot: int) -> Mux:
        mux = self._make(self._settings, slot)
        mux.open()
        self._mux = mux
        return mux

    def _rebuild(self, slot: int, reason: str) -> None:
        """Throw the encoder away; the next slot opens a new one."""
        self.rebuilt += 1
        self._failures += 1
        self._barren = 0
        log.error("encoder.rebuilt", slot=slot, reason=reason, rebuilt=self.rebuilt)
        if self._mux is not None:
            self._mux.close()
            self._mux = None
        if self._failures > REBUILDS_MAX:
            raise TransmitterFailed(f"{self._failures} encoders in a row gave nothing: {reason}")


class TransmitterFailed(BroadcasterError):
    """No encoder works; the process ends, and the next one may fare better."""

    retryable = True
