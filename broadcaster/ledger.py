"""Which utterances are done: ids that are recognised when they come again, and what Redis has not confirmed.

In: utterances with the report that ended them. Out: whether an id is done, and what must outlive the process. Bounded;
beyond that the oldest id is forgotten (Redis keeps its own mark for a week). Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from pipeline.wire import Report

FINISHED_KEPT = 10_000  # ids
UNCONFIRMED_KEPT = 2_000  # reports carried over a restart


class Ledger:
    """`is_settling(stream_id)`: the acknowledgement of that entry is under way."""

    def __init__(self, unclaimed: Iterable[Report], is_settling: Callable[[str], bool]) -> None:
        self._is_settling = is_settling
        self._unclaimed: dict[str, Report] = {report.utterance: report for report in unclaimed}
        self._finished: dict[str, None] = dict.fromkeys(self._unclaimed)
        self._unconfirmed: dict[str, tuple[str, Report]] = {}  # id → stream id, report

    def __contains__(self, identity: object) -> bool:
        return identity in self._finished

    def finish(self, identity: str, stream_id: str, report: Report) -> None:
        """It was aired, and its event goes out now."""
        self._remember(identity)
        if stream_id:
            self._unconfirmed[identity] = (stream_id, report)

    def heard_of(self, report: Report) -> None:
        """The journal says that it was aired, but its message is not here: it may be waiting in Redis."""
        if report.utterance not in self._finished:
            self._remember(report.utterance)
            self._unclaimed[report.utterance] = report

    def pass_over(self, identity: str) -> None:
        """It is not to be said, and there is nobody to tell."""
        self._remember(identity)

    def claim(self, identity: str, stream_id: str) -> Report | None:
        """The report of an utterance that was aired without its event, once; the event goes out now."""
        report = self._unclaimed.pop(identity, None)
        if report is not None and stream_id:
            self._unconfirmed[identity] = (stream_id, report)
        return report

    def nothing_is_left_behind(self) -> None:
        """All that Redis held is here: what else was aired was acknowledged long ago."""
        self._unclaimed.clear()

    def unclaimed(self) -> list[Report]:
        """What the next director must know of."""
        self._unconfirmed = {
            name: (stream_id, report)
            for name, (stream_id, report) in self._unconfirmed.items()
            if self._is_settling(stream_id)
        }
        waiting = [*self._unclaimed.values(), *(report for _, report in self._unconfirmed.values())]
        return waiting[-UNCONFIRMED_KEPT:]

    def _remember(self, identity: str) -> None:
        self._finished[identity] = None
        if len(self._finished) > FINISHED_KEPT:
            oldest = next(iter(self._finished))
            del self._finished[oldest]
            self._unclaimed.pop(oldest, None)
