"""A live voice made even: what comes in bursts from a network leaves at the pace of the clock.

In: samples as they arrive. Out: samples as they are due, with silence where none are there. HOLD_S is kept in hand
against a network that is late; what is late beyond that leaves a gap, whose edges are faded, and is caught up with by
dropping silence first. Before it is started it only listens: the newest LATE_S are kept. Pure: times are arguments.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Pcm, silence
from pipeline.clock import NS
from pipeline.media import AIR_HZ

HOLD_S = 0.12  # a Wi-Fi that is busy, a browser's own batches
LATE_S = 0.5  # behind the person at most, beyond what an engine takes at once
SLACK_S = 0.04  # more than is to be in hand, before silence is dropped for it
BLOCK = AIR_HZ // 100  # silence is looked for and dropped by 10 ms
QUIET = 330  # RMS of 16-bit samples: -40 dBFS, 24 dB under a voice
EDGE = AIR_HZ // 50  # fades: 20 ms
RISE = np.linspace(0.0, 1.0, EDGE)


class Jitter:
    def __init__(self, hold_s: float = HOLD_S) -> None:
        self._hold = round(hold_s * AIR_HZ)
        self._queue = silence(0)
        self._from_ns: int | None = None
        self._given = 0  #: samples that left since it was started
        self._last = silence(0)  #: the newest that left, for an edge where the next are missing
        self._begins = True  #: what leaves next follows silence
        self.dropped = 0  #: samples that were not let through
        self.padded = 0  #: samples of silence that were put in

    @property
    def waiting(self) -> int:
        """Samples that came and have not left."""
        return len(self._queue)

    @property
    def started(self) -> bool:
        return self._from_ns is not None

    def push(self, samples: Pcm, most: int) -> None:
        """Samples arrive; `most`: how many may wait. Too many: silence is dropped, then the oldest."""
        self._queue = np.concatenate([self._queue, samples])
        if self.started and len(self._queue) > self._hold + round(SLACK_S * AIR_HZ):
            self._drop_silence(len(self._queue) - self._hold)
        over = len(self._queue) - most
        if over > 0:
            self._queue = _leap(self._queue, over) if self.started else self._queue[over:]
            self.dropped += over

    def preview(self) -> Pcm:
        """What would leave if it were started now: all but what is kept in hand."""
        return _risen(self._queue[: max(0, len(self._queue) - self._hold)])

    def start(self, now_ns: int, taken: int) -> None:
        """So many samples have left as a preview, and from now on it runs by the clock."""
        self._last, self._queue = self._queue[:taken][-EDGE:], self._queue[taken:]
        self._begins = taken == 0
        self._from_ns, self._given = now_ns, 0

    def stop(self) -> None:
        """Only listen again."""
        self._from_ns, self._begins = None, True

    def due(self, now_ns: int, most: int | None = None) -> Pcm:
        """What is due by now, at most so many; gaps are silence."""
        assert self._from_ns is not None
        wanted = (now_ns - self._from_ns) * AIR_HZ // NS - self._given
        if most is not None and wanted > most:
            self._given += wanted - most  # nobody takes it: it stays here, and is late
            wanted = most
        if wanted <= 0:
            return silence(0)
        self._given += wanted
        ready, self._queue = self._queue[:wanted], self._queue[wanted:]
        missing = wanted - len(ready)
        if self._begins and len(ready):
            ready, self._begins = _risen(ready), False
        if missing:
            self.padded += missing
            ready = np.concatenate([ready, self._tail(ready, missing)])
            self._begins = True
        self._last = ready[-EDGE:]
        return ready

    def end(self) -> Pcm:
        """All that is left, faded out."""
        rest, self._queue = self._queue, silence(0)
        if self._begins and len(rest):
            rest, self._begins = _risen(rest), False
        if len(rest) >= EDGE:
            rest = np.concatenate([rest[:-EDGE], _scaled(rest[-EDGE:], RISE[::-1])])
        else:
            rest = np.concatenate([rest, self._tail(rest, EDGE)])
        self._begins = True
        return rest

    def _tail(self, ready: Pcm, samples: int) -> Pcm:
        """Silence after this, which dies away in it: the last moment turned round, faded out."""
        tail = silence(samples)
        if not self._begins:
            before = np.concatenate([self._last, ready])[-min(EDGE, samples) :][::-1]
            tail[: len(before)] = _scaled(before, np.linspace(1.0, 0.0, len(before)))
        return tail

    def _drop_silence(self, most: int) -> None:
        """Take out up to so many samples of quiet blocks, oldest first."""
        count = len(self._queue) // BLOCK
        blocks = self._queue[: count * BLOCK].reshape(count, BLOCK)
        quiet = np.sqrt(np.mean(blocks.astype(np.float64) ** 2, axis=1)) < QUIET
        quiet &= np.cumsum(quiet) <= most // BLOCK
        dropped = int(quiet.sum()) * BLOCK
        if dropped:
            self._queue = np.concatenate([blocks[~quiet].reshape(-1), self._queue[count * BLOCK :]])
            self.dropped += dropped


def _leap(queue: Pcm, over: int) -> Pcm:
    """Without its oldest `over` samples; what comes before glides into what follows."""
    edge = min(EDGE, over, len(queue) - over)
    rise = np.linspace(0.0, 1.0, edge)
    new = queue[over:]
    return np.concatenate([_scaled(queue[:edge], rise[::-1]) + _scaled(new[:edge], rise), new[edge:]])


def _risen(samples: Pcm) -> Pcm:
    """It begins softly."""
    edge = min(EDGE, len(samples))
    return np.concatenate([_scaled(samples[:edge], RISE[:edge]), samples[edge:]])


def _scaled(samples: Pcm, gain: npt.NDArray[np.float64]) -> Pcm:
    return np.rint(samples * gain).astype(np.int16)
