"""A recording as a destination: `file:DIRECTORY/STEM.mp4` becomes one MP4 after the other.

In: tags. Out: DIRECTORY/STEM-YYYYmmddTHHMMSS.mp4, named in UTC so that names rise without a fold; a
new one begins at the first key frame after `segment_s`. Older files of this output are deleted when
past `keep_days`, and the oldest first while less than `min_free_gb` is free; when that does not help,
recording stops and is tried again, for the rest of the machine needs the disk too. The file being
written is never deleted, nor any that this output did not name.
"""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

from pipeline.clock import Clock, RealClock
from pipeline.errors import OutputError
from pipeline.wire import Headers, Tag
from streams.destination import Note, PusherSpec, Watched
from streams.remux import Mp4Writer
from streams.session import LEAD_MS

GB = 1_000_000_000
DAY_S = 86_400.0
STAMP = "%Y%m%dT%H%M%S"
TIDY_EVERY_MS = 10_000  # of media: at 12 Mb/s 15 MB between two looks at the disk


class FileDestination:
    def __init__(self, spec: PusherSpec, note: Note, clock: Clock | None = None) -> None:
        self._path = Path(spec.url.partition(":")[2])
        self._spec = spec
        self._note = note
        self._clock = clock or RealClock()
        self._headers: Headers | None = None
        self._writer: Mp4Writer | None = None
        self._current: Path | None = None
        self._begun_ms = 0
        self._tidied_ms = 0
        self._files = 0

    def open(self, headers: Headers) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError("disk", f"{self._path.parent}: {error.strerror}") from error
        self._headers = headers
        self._tidy()

    def is_ready(self) -> bool:
        return True

    def write(self, tag: Tag, ms: int) -> bool:
        if tag.key and (self._writer is None or ms - self._begun_ms >= self._spec.segment_s * 1000):
            self._roll(tag, ms)
        if self._writer is None:
            return True
        self._writer.write(tag, ms - self._begun_ms)
        if ms - self._tidied_ms >= TIDY_EVERY_MS:
            self._tidied_ms = ms
            self._tidy()
        return True

    def watched(self) -> Watched:
        return Watched()

    def check(self) -> None:
        """A file does not hang up."""

    def facts(self) -> dict[str, int]:
        return {"files": self._files}

    def close(self) -> None:
        try:
            self._end_file()
        except OutputError as error:
            self._note("warning", "recording.unfinished", output=self._spec.name, error=str(error))

    def abort(self) -> None:
        self.close()

    def _roll(self, key: Tag, ms: int) -> None:
        """End this file and begin the next with the key frame."""
        assert self._headers is not None, "the destination is not open"
        self._end_file()
        path = self._fresh_path()
        try:
            self._writer = Mp4Writer(path)
        except OSError as error:
            raise OutputError("disk", f"{path.name}: {error.strerror}") from error
        # sound that follows the key frame may be a little older: it must not begin below 0
        self._current, self._begun_ms, self._tidied_ms = path, ms - LEAD_MS, ms
        self._files += 1
        self._writer.begin(self._headers, key)
        self._note("info", "recording.opened", output=self._spec.name, file=path.name)
        self._tidy()

    def _end_file(self) -> None:
        writer, self._writer = self._writer, None
        path, self._current = self._current, None
        if writer is None or path is None:
            return
        try:
            writer.close()
        finally:
            if path.stat().st_size == 0:  # nothing found room: a full disk must not collect empty files
                path.unlink()

    def _fresh_path(self) -> Path:
        name = f"{self._path.stem}-{time.strftime(STAMP, time.gmtime(self._clock.wall_s()))}"
        path = self._path.with_name(f"{name}.mp4")
        number = 2
        while path.exists():  # begun within the same second
            path = self._path.with_name(f"{name}-{number}.mp4")
            number += 1
        return path

    def _tidy(self) -> None:
        """Delete what need not be kept; OutputError when the disk stays too full."""
        old = self._older_files()
        expired = [path for path, ended_s in old if self._clock.wall_s() - ended_s > self._spec.keep_days * DAY_S]
        for path in expired:
            self._delete(path, "keep_days")
        for path, _ in old:
            if self._free_bytes() >= self._spec.min_free_gb * GB:
                return
            if path not in expired:
                self._delete(path, "min_free_gb")
        if self._free_bytes() < self._spec.min_free_gb * GB:
            free_gb = self._free_bytes() / GB
            raise OutputError("disk", f"{free_gb:.1f} GB free, min_free_gb is {self._spec.min_free_gb:g}")

    def _older_files(self) -> list[tuple[Path, float]]:
        """The finished files of this output, oldest first, and when they ended."""
        ours = re.compile(re.escape(self._path.stem) + r"-\d{8}T\d{6}(-\d+)?\.mp4")
        found = []
        for path in self._path.parent.iterdir():
            if ours.fullmatch(path.name) and path != self._current:
                try:
                    found.append((path, path.stat().st_mtime))
                except FileNotFoundError:  # somebody tidied up
                    continue
        return sorted(found, key=lambda entry: entry[1])

    def _delete(self, path: Path, why: str) -> None:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError("disk", f"{path.name}: {error.strerror}") from error
        self._note("info", "recording.deleted", output=self._spec.name, file=path.name, why=why)

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._path.parent).free
