"""Reports to the journal, on a thread that may wait for a disk.

In: the reporter's queue, how far the encoder is, what the outputs say they sent. Out: lines in the
journal, and beside it the ends that are on their way (streams.pending), from which the next playout
learns, with the help of the pushers, what was heard to its end. A disk that refuses is tried again, in order and for
ever, with a bounded memory of what waits; the clock never knows. It decides nothing about what was
heard but through streams.outputs.heard_ms.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import msgspec
import structlog

from pipeline.clock import NS, Clock, samples_to_ms
from pipeline.journal import Journal, JournalReader
from pipeline.media import AIR_HZ, FPS
from pipeline.wire import Report
from streams.encoder import AAC_SAMPLES
from streams.outputs import Outputs, heard_ms
from streams.pending import Pending
from streams.reports import ENDS_KEPT, Reporter
from streams.watched import Watched

EVERY_S = 0.02  # half a slot: the director follows at 50 ms
WAITING_MAX = 20_000  # reports; a full disk must not fill the memory as well
MARGIN_FRAMES = 10 * FPS  # what was on air and not reported when the last playout died, at the least
ELAPSED_MAX_S = 366 * 86400  # a wall clock that says more is wrong
TOLD_S = 0.15  # for the pushers to say what they sent of the last playout's; they dial twenty times a second
LOOK_S = 0.005
LATELY = 4 * ENDS_KEPT  # reports of the journal among which an end may stand already

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
    """`open`, `inherit`, `put` and `start`; `close` writes what is due and ends the thread.

    `ack`: any | all | the name of an output; it may be set while the thread runs. `encoded_sample`: asks the encoder.
    """

    def __init__(self, journal: Journal, pending: Pending, reporter: Reporter, clock: Clock) -> None:
        self._journal = journal
        self._pending = pending
        self._reporter = reporter
        self._clock = clock
        self._waiting: deque[Report] = deque()
        self._heard_ms = -1
        self._opened = False
        self._stopping = False
        self.ack = "any"
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

    def inherit(self, outputs: Outputs, ack: str, when_no_output: str) -> None:
        """Report what the last playout had sent to its end and could not report; before anything is encoded."""
        ends = self._unreported()
        if not ends:
            return
        deadline_ns = self._clock.now_ns() + int(TOLD_S * NS)
        while self._clock.now_ns() < deadline_ns and not all(state.told for state in outputs.states().values()):
            self._clock.sleep_until(self._clock.now_ns() + int(LOOK_S * NS))
        encoded_ms = samples_to_ms(ends[-1].sample)  # they were on air, so without outputs they count as heard
        sent_ms = heard_ms(outputs.states(), ack, when_no_output, encoded_ms, none_live_for_s=0.0)
        sent_sample = (sent_ms - 1) * AIR_HZ // 1000 + AAC_SAMPLES  # to the end of the last tag sent, rounded down
        for end in ends:
            if sent_ms >= encoded_ms or end.sample <= sent_sample:
                self.put(end)

    def start(self, outputs: Outputs, ack: str, when_no_output: str, encoded_sample: Callable[[], int]) -> None:
        self.ack = ack

        def follow() -> None:
            while not self._stopping:
                self._reporter.ended.wait(EVERY_S)
                self._reporter.ended.clear()
                self.write_due(outputs, self.ack, when_no_output, encoded_sample())
            self.write_due(outputs, self.ack, when_no_output, encoded_sample())

        self.thread = Watched("chronicle", follow)
        self.thread.start()

    def close(self) -> None:
        self._stopping = True
        self._reporter.ended.set()
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
        try:
            self._pending.save(self._reporter.ends())
        except OSError as error:
            self._refused(error)

    def _unreported(self) -> list[Report]:
        """Ends that the last playout had on air and that the journal does not hold."""
        ends = self._pending.load()
        if not ends:
            return []
        lately = JournalReader(self._journal.directory, max(0, self._journal.seq - LATELY)).read()
        known = {(one.what, one.utterance, one.sentence, one.sample) for one in lately}
        return [end for end in ends if (end.what, end.utterance, end.sentence, end.sample) not in known]

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
