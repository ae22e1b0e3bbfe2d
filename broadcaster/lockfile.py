"""One process at a time: a file that is locked while somebody works on what it stands for.

In: the file's path. Out: the lock, held while the block runs; the kernel gives it back however the process ends.
"""

from __future__ import annotations

import contextlib
import fcntl
from collections.abc import Iterator
from pathlib import Path

from pipeline.errors import ConfigError


@contextlib.contextmanager
def locked(path: Path, taken: str) -> Iterator[None]:
    """Hold the file's lock. ConfigError with `taken` when another process does, OSError when it cannot be made."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(taken) from None
        yield
