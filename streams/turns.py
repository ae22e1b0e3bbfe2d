"""Planned interruptions of a room's outputs, one at a time: a minute lies between two of them.

In: the room's runtime directory, which all its pushers share. Out: whether it is our turn. The moment of the last
turn stands in a file there, under a lock that nobody waits for.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from pipeline.clock import NS

FILE_NAME = "turns"
APART_NS = 60 * NS
STAMP_BYTES = 8


def take(runtime_dir: Path, now_ns: int) -> bool:
    """Take a turn; false when another output had one less than a minute ago. Where no file can be, it is ours."""
    try:
        fd = os.open(runtime_dir / FILE_NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError:
        return True
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        last_ns = int.from_bytes(os.pread(fd, STAMP_BYTES, 0), "big")
        if 0 < last_ns <= now_ns and now_ns - last_ns < APART_NS:  # a later one is of another boot
            return False
        os.pwrite(fd, now_ns.to_bytes(STAMP_BYTES, "big"), 0)
    except BlockingIOError:  # it is being taken
        return False
    except OSError:
        return True
    finally:
        os.close(fd)
    return True
