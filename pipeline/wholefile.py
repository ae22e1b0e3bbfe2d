"""A file that appears whole or not at all: written beside its place, then renamed."""

from __future__ import annotations

import os
from pathlib import Path


def write_whole(
    path: Path, data: bytes | memoryview, *, mode: int = 0o666, durable: bool = False, shared: bool = False
) -> None:
    """Write so that a reader, or the next process, sees all of it or the file before; OSError leaves no rest behind.

    mode: of a new file, less the umask. durable: it is on the disk when this returns, and outlives a power cut.
    shared: others may write it at the same time. Otherwise what a killed writer left is cleared by the next one.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part" if shared else f"{path.name}.part")
    part.unlink(missing_ok=True)
    try:
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        part.replace(path)
    except OSError:
        part.unlink(missing_ok=True)
        raise
