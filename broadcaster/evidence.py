"""Evidence: every sentence that viewers heard, with time, source, voice and label, exactly once over any restart.

In: sentences as they are given to the engine, and playout's report journal, which says what was really heard. Out: the
records of broadcaster.saidlog. The journal's numbers are the key: what the newest record names is where it goes on, and
what was given away is noted on disk before it leaves, so a kill at any moment neither loses a sentence nor tells it
twice. While the disk refuses, the journal is not read on: nothing is skipped, and the show goes on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from broadcaster.given import Given, GivenNotes
from broadcaster.saidlog import DIRECTORY, Keep, Said, SaidLog
from broadcaster.unwritten import Unwritten
from broadcaster.utterance import Key
from broadcaster.zone import zone_of
from pipeline.journal import JournalReader
from pipeline.media import AIR_HZ
from pipeline.wire import Report

LOOK_BACK = 200  # reports before the newest record, in which the sentence on air may have begun
KNOWN_BY = 500  # newest records by which a journal is known
BEGUN_KEPT = 64  # sentences that began and whose end is not known
SYNC_S = 20.0  # so much may be missing after a power cut; a killed process loses nothing


class Evidence:
    """All on the director's loop, but `sync`. label: the notice in the picture. zone: a name, "" is the machine's."""

    def __init__(self, state_dir: Path, journal: Path, label: str, keep: Keep, zone: str = "") -> None:
        self._log = SaidLog(state_dir / DIRECTORY, keep)
        self._zone = zone_of(zone)
        self._notes = GivenNotes(state_dir / DIRECTORY)
        self._journal = journal
        self._label = label
        self._unread, self._unnoted, self._unwritten, self._unsynced = (Unwritten() for _ in range(4))
        self._begun: dict[Key, Report] = {}
        self._ended: deque[Key] = deque(maxlen=BEGUN_KEPT)
        self._waiting: list[Said] = []  #: what the disk did not take yet
        self._after = 0  #: reports up to this one are told

    def open(self, seen: int) -> None:
        """Take up where the newest record ends. seen: the report to begin after when there is none at all."""
        self._unnoted.watch(self._notes.open)
        newest = self._newest()
        self._after = self._told(newest) if newest else seen
        self._reader = JournalReader(self._journal, max(0, self._after - LOOK_BACK))
        self.follow()

    def given(self, sentence: Given) -> None:
        """It is about to leave for the engine."""
        self._unnoted.watch(lambda: self._notes.add(sentence))

    def follow(self) -> None:
        """Take up what the journal holds by now; costs a stat when there is nothing new."""
        if not self._waiting:
            for report in self._reader.read():
                self._report(report)
        if self._waiting:
            self._unwritten.watch(self._write)

    def sync(self) -> None:
        """Have the disk keep what was written; any thread, it may wait for the disk."""
        self._unsynced.watch(self._log.sync)

    def close(self) -> None:
        self.follow()
        self.sync()
        self._log.close()
        self._notes.close()

    def _newest(self) -> list[Said]:
        """The newest records; none where the disk refuses, for without evidence there is a show all the same."""
        newest: list[Said] = []
        self._unread.watch(lambda: newest.extend(self._log.newest(KNOWN_BY)))
        return newest

    def _told(self, newest: Sequence[Said]) -> int:
        """The report up to which this journal is told: by the newest record that names one of its reports.

        A journal that lost its end with the power counts on from there, and its numbers come again; one that begins
        anew is told from its beginning.
        """
        reports = JournalReader(self._journal, min(one.seq for one in newest) - 1).read()
        known = {(report.seq, report.wall_s) for report in reports}
        if reports and reports[0].seq > newest[0].seq:
            return newest[0].seq
        return next((one.seq for one in newest if (one.seq, one.end_s) in known), 0)

    def _local(self, seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, self._zone)

    def _write(self) -> None:
        self._log.append(self._waiting, self._local(self._waiting[-1].end_s).date())
        self._waiting = []

    # ── from reports to records ──────────────────────────────────────────────────────────────────

    def _report(self, report: Report) -> None:
        key = (report.utterance, report.sentence)
        begun = self._begun.get(key)
        match report.what:
            case "sentence":
                if begun is not None:
                    self._end(key, report, "lost")
                self._begun[key] = report
                if len(self._begun) > BEGUN_KEPT:
                    del self._begun[next(iter(self._begun))]
            case "sentence_aired" if begun is not None or key not in self._ended:
                self._end(key, report, "")
            case "cut" | "lost" if begun is not None and _is_inside(begun, report):
                self._end(key, report, report.what)
            case "opened":
                for left in list(self._begun):
                    self._end(left, report, "playout")

    def _end(self, key: Key, report: Report, ended: str) -> None:
        """This airing is over. The record is made but for those that an earlier director wrote."""
        begun = self._begun.pop(key, None)
        self._ended.append(key)
        if report.seq <= self._after:
            return
        begin_s = begun.wall_s if begun else report.wall_s - report.samples / AIR_HZ
        heard_s = report.samples / AIR_HZ or max(0.0, report.wall_s - begin_s)
        note = self._notes.get(key)
        given = note or Given(key[0], key[1])
        self._waiting.append(
            Said(
                seq=report.seq,
                begin=self._local(begin_s).isoformat(timespec="milliseconds"),
                begin_s=begin_s,
                end=self._local(report.wall_s).isoformat(timespec="milliseconds"),
                end_s=report.wall_s,
                heard_s=round(heard_s, 3),
                whole=not ended,
                ended=ended,
                text=given.text,
                source=given.source,
                lane=given.lane,
                utterance=key[0],
                sentence=key[1],
                of=given.of,
                voice=given.voice,
                provider=given.provider,
                label=self._label,
                noted=note is not None,
            )
        )


def _is_inside(begun: Report, report: Report) -> bool:
    """Whether it was broken off, and not the pause after it: then its own end is told for itself.

    What is reported there is the length of the whole sentence, which is less than the time since it began.
    """
    return not report.samples or report.sample - begun.sample == report.samples
