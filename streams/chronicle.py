"""Reports to the journal, on a thread that may wait for a disk.

In: the reporter's queue, how far the encoder is, what the outputs say they sent. Out: lines in the
journal. A disk that refuses is tried again, in order and for ever, with a bounded memory of what waits;
the clock never knows. It decides nothing about what was heard but through streams.outputs.heard_ms.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from pipeline.clock import Clock, samples_to_ms
from pipeline.journal import Journal
from pipeline.media import AIR_HZ, FPS
from pipeline.wire import Report
from streams.outputs import Outputs, heard_ms
from streams.reports import Reporter
from streams.watched import Watched

EVERY_S = 0.02  # half a slot: the director follows at 50 ms
WAITING_MAX = 20_000  # reports; a full disk must not fill the memory as well
MARGIN_FRAMES = 10 * FPS  # what was on air and not reported when the last playout died, at the least
ELAPSED_MAX_S = 366 * 86400  # a wall clock that says more is wrong

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where a playout takes up: above every slot and cut of the ones before it."""

    slot: int
    timeline: int


def beginning(last: Report | None, wall_s: float) -> Beginning:
    """From the journal's last report, and how long ago it was. Slots begin at 1: AAC needs 21 ms before."""
    if last is None:
        return Beginning(1, 0)
    elapsed_s = min(max(0.0, wall_s - last.wall_s), ELAPSED_MAX_S)
    return Beginning(last.frame + MARGIN_FRAMES + round(elapsed_s * FPS), last.timeline)


class Chronicle:
    """`open`, `put` and `start`; `close` writes what is due and ends the thread. `encoded_sample`: asks the encoder."""

    def __init__(self, journal: Journal, reporter: Reporter, clock: Clock) -> None:
        self._journal = journal
        self._reporter = reporter
        self._clock = clock
        self._waiting: deque[Report] = deque()
        self._heard_ms = -1
        self._opened = False
        self._stop = threading.Event()
        self.thread: Watched | None = None
        self.failed = 0  #: times the disk refused
        self.forgotten = 0  #: reports the disk refused for too long

    def open(self) -> Beginning:
        """Where to take up; a journal that cannot be read is tried again when the first report is due."""
        try:
            self._open_journal()
        except OSError as error:
            self._refused(error)
        return beginning(self._journal.last, self._clock.wall_s())

    def start(self, outputs: Outputs, ack: str, when_no_output: str, encoded_sample: Callable[[], int]) -> None:
        def follow() -> None:
            while not self._stop.wait(EVERY_S):
                self.write_due(outputs, ack, when_no_output, encoded_sample())
            self.write_due(outputs, ack, when_no_output, encoded_sample())

        self.thread = Watched("chronicle", follow)
        self.thread.start()

    def close(self) -> None:
        self._stop.set()
        if self.thread is not None:
            self.thread.join(timeout=1.0)
        self._journal.close()

    def put(self, report: Report) -> None:
        """Write this one as soon as the disk allows; before `start`, or from its thread."""
        if len(self._waiting) >= WAITING_MAX:
            self._waiting.popleft()
            self.forgotten += 1
        self._waiting.append(report)
        self._write()

    def write_due(self, outputs: Outputs, ack: str, when_no_output: str, encoded_sample: int) -> None:
        """One round of the thread."""
        encoded_ms = samples_to_ms(encoded_sample)
        now_ms = heard_ms(outputs.states(), ack, when_no_output, encoded_ms, outputs.none_live_for_s())
        self._heard_ms = max(self._heard_ms, min(now_ms, encoded_ms))
        heard_sample = self._heard_ms * AIR_HZ // 1000  # where the last tag sent begins: 21 ms on the safe side
        for report in self._reporter.due(encoded_sample, min(heard_sample, encoded_sample)):
            self.put(report)
        self._write()

    def _write(self) -> None:
        while self._waiting:
            try:
                self._open_journal()
                self._journal.append(msgspec.structs.replace(self._waiting[0], wall_s=self._clock.wall_s()))
            except OSError as error:
                self._refused(error)
                return
            self._waiting.popleft()

    def _open_journal(self) -> None:
        if not self._opened:
            self._journal.open()
            self._opened = True

    def _refused(self, error: OSError) -> None:
        self.failed += 1
        if self.failed == 1 or self.failed % 1000 == 0:
            log.error("report.refused", reason=str(error), waiting=len(self._waiting), failed=self.failed)
