"""Text to standard error, never waited for: who reads the log may sleep, hang up or be full, and the room goes on.

In: lines. Out: the same on a descriptor, whole and in order, or not at all. What nobody takes is counted and told of
before the next line that goes out. A pipe or a terminal is opened once more for ourselves, so that not to wait is our
mode alone and not that of everybody who shares it; a socket (systemd's journal) is asked each time; a file takes what
its disk takes.
"""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
from collections.abc import Callable


class Outlet:
    """What structlog writes into. `told`: the line that says how many were left out."""

    def __init__(self, fd: int, told: Callable[[int], str]) -> None:
        self._told = told
        self._rest = b""  # of a line that a reader took half of
        self._dropped = 0
        self._put = _way_into(fd)

    def write(self, text: str) -> None:
        self._send(self._rest)
        if self._rest:
            self._dropped += 1
            return
        data = text.encode("utf-8", "backslashreplace")
        if self._dropped:
            data = self._told(self._dropped).encode() + data
        self._dropped = 0 if self._send(data) else self._dropped + 1

    def flush(self) -> None:
        """Nothing waits in here but half a line, which goes before the next one."""

    def _send(self, data: bytes) -> bool:
        """Whether it was taken, or at least begun; the rest is kept then."""
        try:
            taken = self._put(data) if data else 0
        except OSError:  # full, or nobody is there any more
            return False
        if taken:
            self._rest = data[taken:]
        return taken > 0


def opened() -> int:
    """The descriptor of standard error; of /dev/null where it was closed, so that nothing else takes its number."""
    if sys.stderr is None:  # of a process that was started without one
        sys.stderr = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")  # gets the lowest number that is free
    try:
        return sys.stderr.fileno()
    except (OSError, ValueError):  # replaced by something that is no file
        return 2


def _way_into(fd: int) -> Callable[[bytes], int]:
    """Takes bytes and returns how many were taken; OSError when none can be now."""
    mode = os.fstat(fd).st_mode
    if stat.S_ISSOCK(mode):
        line = socket.socket(fileno=os.dup(fd))
        return lambda data: line.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
    if stat.S_ISREG(mode):
        return lambda data: os.write(fd, data)
    try:
        own = os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:  # a pipe of somebody else: there is room for a page when it can be written
        return lambda data: os.write(fd, data[: select.PIPE_BUF]) if select.select([], [fd], [], 0)[1] else 0
    return lambda data: os.write(own, data)
