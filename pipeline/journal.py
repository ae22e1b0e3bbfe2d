"""The report journal: what viewers really heard, in order, for as long as it may be asked for.

Playout appends, the director follows; both know only the directory. One line of JSON a report, in files named by the
first sequence number they hold; a new life goes on in the last one. Nothing is synced to disk on the clock thread: a
killed process loses nothing that was written, and a power cut loses what was on air with it.
"""

from __future__ import annotations

import os
from io import FileIO
from pathlib import Path

import msgspec

from pipeline.wire import Report

FILE_MAX_BYTES = 4 * 1024 * 1024  # about 25,000 reports, a day of talk
KEEP_FILES = 8

_decoder = msgspec.json.Decoder(Report)


class Journal:
    """The writing end; one process holds it. A torn last line, left by a kill, is ended and skipped.

    A file that somebody removed is followed by a new one: nobody would read what is written into it.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._file: FileIO | None = None
        self.seq = 0  #: of the last report written, over all incarnations
        self.last: Report | None = None

    def open(self) -> None:
        files = sorted(self.directory.glob("*.jsonl"))
        self.seq = int(files[-1].stem) - 1 if files else 0  # an empty last file still holds the number
        for report in JournalReader(self.directory, after_seq=self.seq).read():
            self.seq, self.last = report.seq, report
        if not (files and self._go_on_in(files[-1])):
            self._start_file()

    def append(self, report: Report) -> Report:
        """Write the report under the next number; OSError when the disk refuses."""
        numbered = msgspec.structs.replace(report, seq=self.seq + 1)
        assert self._file is not None, "the journal is not open"
        if self._file.tell() > FILE_MAX_BYTES or not os.fstat(self._file.fileno()).st_nlink:
            self._start_file()
        _write_line(self._file, msgspec.json.encode(numbered) + b"\n")
        self.seq, self.last = numbered.seq, numbered
        return numbered

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _go_on_in(self, path: Path) -> bool:
        """Whether there is room in the last file: many short lives do not push out what is remembered."""
        try:
            if path.stat().st_size > FILE_MAX_BYTES:
                return False
            file = path.open("r+b", buffering=0)
        except OSError:
            return False
        size = file.seek(0, os.SEEK_END)
        try:
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                _write_line(file, b"\n")
        except OSError:
            file.close()
            return False
        self._file = file
        return True

    def _start_file(self) -> None:
        """The one before stays open when the disk has no room for another."""
        self.directory.mkdir(parents=True, exist_ok=True)
        fresh = (self.directory / f"{self.seq + 1:012d}.jsonl").open("wb", buffering=0)
        self.close()
        self._file = fresh
        for old in sorted(self.directory.glob("*.jsonl"))[:-KEEP_FILES]:
            old.unlink()


def _write_line(file: FileIO, line: bytes) -> None:
    """All of it or nothing: what a disk that fills up took of it is taken back, so that the next line stands alone."""
    begin, rest = file.tell(), memoryview(line)
    try:
        while rest:
            rest = rest[file.write(rest) :]
    except OSError:
        file.truncate(begin)
        file.seek(begin)
        raise


class JournalReader:
    """The following end: `read` returns what is new since the last call, or since `after_seq`."""

    def __init__(self, directory: Path, after_seq: int = 0) -> None:
        self._directory = directory
        self.seq = after_seq  #: of the last report returned
        self._path: Path | None = None
        self._offset = 0

    def read(self) -> list[Report]:
        """All whole reports that have come since; costs one stat when there are none."""
        reports: list[Report] = []
        while True:
            if self._path is None:
                self._path, self._offset = self._first_file(), 0
            if self._path is None:
                return reports
            reports += self._read_file(self._path)
            following = [path for path in sorted(self._directory.glob("*.jsonl")) if path > self._path]
            if not following:
                return reports
            self._path, self._offset = following[0], 0

    def _first_file(self) -> Path | None:
        """The file that holds the report after `self.seq`, or the oldest one left."""
        files = sorted(self._directory.glob("*.jsonl"))
        holding = [path for path in files if int(path.stem) <= self.seq + 1]
        return holding[-1] if holding else (files[0] if files else None)

    def _read_file(self, path: Path) -> list[Report]:
        try:
            with path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:  # pruned while we were away
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        reports: list[Report] = []
        for line in whole.splitlines():
            try:
                report = _decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):  # a torn line of a killed writer
                continue
            if report.seq > self.seq:
                self.seq = report.seq
                reports.append(report)
        return reports
