"""Watches one TCP connection from a thread, since the one who writes to it may be blocked in it.

In: a socket, a duplicate of the one that libav holds. Out: `fault`, once the other side is known to be
gone or to take nothing any more; then the socket is shut down, which wakes a blocked writer at once.
`progress` is called when the other side acknowledged something. (Linux tcp(7): TCP_INFO, SIOCOUTQ.)
"""

from __future__ import annotations

import fcntl
import os
import socket
import struct
import termios
import threading
import time
from collections.abc import Callable
from pathlib import Path

LOOK_EVERY_S = 0.25
STALL_S = 2.5  # unsent or unacknowledged bytes and no acknowledgement: dead within 3 s, as the design demands
USER_TIMEOUT_MS = 5000  # the kernel's own limit, should this thread not run
KEEPALIVE_S = (5, 2, 3)  # idle, interval, count: a black hole shows even while nothing is sent

TCP_INFO_BYTES = 128
BYTES_ACKED = struct.Struct("=Q")
BYTES_ACKED_AT = 120  # of struct tcp_info, since Linux 4.1
CLOSED_STATES = (7, 8)  # TCP_CLOSE, TCP_CLOSE_WAIT: the other side said goodbye


def sockets() -> set[str]:
    """The descriptors of this process that are sockets, as their numbers in text."""
    found = set()
    for fd in Path("/proc/self/fd").iterdir():
        try:
            if str(fd.readlink()).startswith("socket:"):
                found.add(fd.name)
        except OSError:  # the one that lists this directory
            continue
    return found


def adopt(before: set[str]) -> socket.socket | None:
    """A duplicate of the internet socket that was opened since `before`; None when there is none."""
    for name in sockets() - before:
        sock = socket.socket(fileno=os.dup(int(name)))
        if sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM:
            return sock
        sock.close()
    return None


class TcpWatch:
    """Made when a connection stands, closed before or after it: it owns the duplicate."""

    def __init__(self, sock: socket.socket, progress: Callable[[], None]) -> None:
        self._socket = sock
        self._progress = progress
        self._stop = threading.Event()
        self._acked = 0
        self._moved_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="tcpwatch", daemon=True)
        self.fault: str | None = None  #: stall | reset
        self.queued_bytes = 0

    def start(self) -> None:
        idle_s, interval_s, count = KEEPALIVE_S
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count)
        self._thread.start()

    def close(self) -> None:
        """Stop watching and let go of the duplicate, so that the connection ends when libav closes it."""
        self._stop.set()
        self._thread.join()
        self._socket.close()

    def shut(self) -> None:
        """End the connection under whoever writes to it, with a FIN after what is queued."""
        try:
            self._socket.shutdown(socket.SHUT_RDWR)
        except OSError:  # it ended by itself
            pass

    def _run(self) -> None:
        while not self._stop.wait(LOOK_EVERY_S) and self.fault is None:
            self._look()
        if self.fault is not None:
            self.shut()

    def _look(self) -> None:
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        (acked,) = BYTES_ACKED.unpack_from(info, BYTES_ACKED_AT)
        self.queued_bytes = struct.unpack("=i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))[0]
        now_s = time.monotonic()
        if acked != self._acked:
            self._progress()
        if acked != self._acked or self.queued_bytes == 0:
            self._acked, self._moved_s = acked, now_s
        if info[0] in CLOSED_STATES:
            self.fault = "reset"
        elif now_s - self._moved_s >= STALL_S:
            self.fault = "stall"
