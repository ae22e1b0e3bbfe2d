"""What was said, on disk: one line of JSON a sentence, in files that change with the day and with their size.

In: records, in order. Out: the newest ones, and those of a stretch of time. Files are `NUMBER-DAY.jsonl`, for their
owner alone; the number orders them whatever the clock does. A line is with the kernel when `append` returns, so a
process that is killed loses none; `sync` puts it on the disk for a power cut. It decides nothing about what was heard.
"""

from __future__ import annotations

import os
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from io import FileIO
from pathlib import Path

import msgspec

DIRECTORY = "said"  # in the state directory
FILE_MAX_BYTES = 16 << 20  # some 40,000 sentences: two days of talk
FILES_AT_LEAST = 8  # of what may be kept: so much goes at once when the oldest goes
NAME = re.compile(r"(\d{8})-(\d{4}-\d{2}-\d{2})\.jsonl")


class Said(msgspec.Struct, frozen=True):
    """One airing of one sentence.

    seq: of the journal's report that ended it. begin, end: RFC 3339 by the room's clock; begin_s, end_s: the same
    in Unix seconds. heard_s: how much of it viewers heard. whole: to its end; ended: otherwise cut, lost (with its
    engine), or playout (it died: `end` is the latest that can be). text: as viewers read it. source: script
    FILE:LINE, schedule NAME, queue ID, person, evergreen. sentence: its place in the utterance, from 0, of so many.
    provider: who spoke. label: the notice in the picture that a machine speaks. noted: false when nothing but the
    journal knows of it.
    """

    seq: int
    begin: str
    begin_s: float
    end: str
    end_s: float
    heard_s: float
    whole: bool
    ended: str
    text: str
    source: str
    lane: str
    utterance: str
    sentence: int
    of: int
    voice: str
    provider: str
    label: str
    noted: bool = True


_decoder = msgspec.json.Decoder(Said)


@dataclass(frozen=True, slots=True)
class Keep:
    """How much is kept. days: of a file, by the day in its name. max_bytes: of all files together."""

    days: int = 90
    max_bytes: int = 1 << 30


class SaidLog:
    """The writing end; one process holds it."""

    def __init__(self, directory: Path, keep: Keep) -> None:
        self._directory = directory
        self._keep = keep
        self._file_max_bytes = min(FILE_MAX_BYTES, max(1, keep.max_bytes // FILES_AT_LEAST))
        self._file: FileIO | None = None
        self._path: Path | None = None
        self._dirty = False
        self._retired: deque[FileIO] = deque()  # written to their ends, and not yet synced

    def newest(self, count: int) -> list[Said]:
        """The last so many records, newest first."""
        found: list[Said] = []
        for path in reversed(files(self._directory)):
            found += list(_records(path))[::-1]
            if len(found) >= count:
                break
        return found[:count]

    def append(self, records: Sequence[Said], day: date) -> None:
        """Write all of them, or none; OSError when the disk refuses."""
        if not records:
            return
        data = b"".join(msgspec.json.encode(record) + b"\n" for record in records)
        file = self._open_for(day)
        begin, rest = file.tell(), memoryview(data)
        try:
            while rest:
                rest = rest[file.write(rest) :]
        except OSError:
            file.truncate(begin)
            file.seek(begin)
            raise
        self._dirty = True

    def sync(self) -> None:
        """Put on the disk what was written; any thread, one at a time. OSError when the disk refuses."""
        while self._retired:
            with self._retired.popleft() as over:
                os.fdatasync(over.fileno())
        file = self._file
        if file is not None and self._dirty:
            self._dirty = False
            os.fdatasync(file.fileno())

    def close(self) -> None:
        """After the last `sync`."""
        for file in (*self._retired, *([self._file] if self._file else [])):
            file.close()
        self._retired.clear()
        self._file = None

    def _open_for(self, day: date) -> FileIO:
        """The file to go on with, or a new one; the old one stays when the disk has no room for another."""
        if self._file is None and (left := files(self._directory)):
            self._begin(left[-1])
        if self._file is None or self._is_over(day):
            number = _number(self._path) + 1 if self._path else 1
            self._begin(self._directory / f"{number:08d}-{day:%Y-%m-%d}.jsonl")
            self._prune(day)
        assert self._file is not None
        return self._file

    def _is_over(self, day: date) -> bool:
        assert self._file is not None and self._path is not None
        removed = not os.fstat(self._file.fileno()).st_nlink
        return removed or _day(self._path) != day or self._file.tell() >= self._file_max_bytes

    def _begin(self, path: Path) -> None:
        """Write at the end of this file from now on; a line that a kill tore is taken away."""
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = FileIO(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+")
        data = fresh.readall()
        fresh.truncate(data.rfind(b"\n") + 1)
        fresh.seek(0, os.SEEK_END)
        if self._file is not None:
            self._retired.append(self._file)
        self._file, self._path = fresh, path

    def _prune(self, today: date) -> None:
        """Remove what is too old, then the oldest of what is too much; never the file that is written."""
        left = [path for path in files(self._directory) if path != self._path]
        sizes = {path: path.stat().st_size for path in left}
        oldest = today - timedelta(days=self._keep.days)
        room = self._keep.max_bytes - self._file_max_bytes
        for path in left:
            if _day(path) < oldest or sum(sizes.values()) > room:
                path.unlink(missing_ok=True)
                del sizes[path]


def files(directory: Path) -> list[Path]:
    """The files of a log, oldest first."""
    return sorted(path for path in directory.glob("*.jsonl") if NAME.fullmatch(path.name))


def read(directory: Path, since_s: float = 0.0, until_s: float = float("inf")) -> Iterator[Said]:
    """What was on air in that time, in the order in which it ended; somebody may be writing."""
    first = date.min if since_s <= 0 else datetime.fromtimestamp(since_s).date() - timedelta(days=2)
    for path in files(directory):
        if _day(path) >= first:
            yield from (one for one in _records(path) if one.end_s >= since_s and one.begin_s < until_s)


def _records(path: Path) -> Iterator[Said]:
    """The whole lines of a file; what is no record is passed over, and a file that was just removed is empty."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        for line in file:
            try:
                yield _decoder.decode(line)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue


def _number(path: Path) -> int:
    return int(path.name[:8])


def _day(path: Path) -> date:
    return date.fromisoformat(path.name[9:19])
