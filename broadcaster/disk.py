"""Whether a directory can be written, how much room it has, and how fast it is: by trying.

In: a directory that may not exist yet. Out: what was found. What is written is removed again, and nothing is created.
"""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import BroadcasterError, ConfigError

TRY_BYTES = 8 * 2**20
LITTLE_BYTES = 4096  # enough to know whether it can be written at all
SLOW_MB_S = 4.0  # a recording of 4 Mbit/s, the journal, the queue, and as much again
GB = 10**9


@dataclass(frozen=True, slots=True)
class Writable:
    free_gb: float
    mb_s: float

    @property
    def is_slow(self) -> bool:
        return self.mb_s < SLOW_MB_S

    def __str__(self) -> str:
        return f"{self.free_gb:.1f} GB free, writes {self.mb_s:.0f} MB/s"


class NotWritable(BroadcasterError):
    """The directory, or the one that it would be created in, refuses a file."""


class DiskFull(NotWritable):
    """There is no room on the disk."""


def tried(directory: Path, size: int = TRY_BYTES) -> Writable | NotWritable:
    """Write, sync and remove a file there, or in the nearest directory that exists."""
    there = _nearest(directory)
    try:
        with tempfile.TemporaryFile(dir=there, prefix=".broadcaster-") as file:
            began_s = time.monotonic()
            file.write(os.urandom(4096) * (size // 4096))
            file.flush()
            os.fsync(file.fileno())
            took_s = max(1e-6, time.monotonic() - began_s)
        return Writable(shutil.disk_usage(there).free / GB, size / 2**20 / took_s)
    except OSError as error:
        kind = DiskFull if error.errno in (errno.ENOSPC, errno.EDQUOT) else NotWritable
        return kind(error.strerror or str(error))


def writable(directory: Path, key: str) -> Path:
    """The directory; ConfigError names the configuration's key when it cannot be written."""
    found = tried(directory, LITTLE_BYTES)
    if not isinstance(found, Writable):
        raise ConfigError(f"{key}: {directory} cannot be written: {found}")
    return directory


def _nearest(directory: Path) -> Path:
    """The directory, or the nearest one above it that exists."""
    for path in (directory, *directory.absolute().parents):
        if path.exists():
            return path
    return Path("/")
