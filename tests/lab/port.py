"""A TCP port on this machine that can be closed and opened while connections stand."""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable

LOOK_S = 0.01


class Port:
    """Accepts in a thread from `open` on, until `end`. number: 0 = a free one, which it keeps.

    buffer_bytes: of the receiver's side of each connection; the kernel's own would hide a reader that has stopped.
    """

    def __init__(self, host: str, number: int, buffer_bytes: int, accepted: Callable[[socket.socket], None]) -> None:
        self.number = number
        self._host = host
        self._buffer_bytes = buffer_bytes
        self._accepted = accepted
        self._listener: socket.socket | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="port", daemon=True)

    def open(self) -> None:
        """Let connections come; nothing when it is open."""
        if self._listener is not None:
            return
        listener = socket.create_server((self._host, self.number), backlog=64)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self._buffer_bytes)
        listener.setblocking(False)
        self.number = listener.getsockname()[1]
        self._listener = listener
        if not self._thread.is_alive():
            self._thread.start()

    def close(self) -> None:
        """Have them refused; those that stand stay."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def widen(self, buffer_bytes: int) -> None:
        """For connections to come."""
        self._buffer_bytes = buffer_bytes
        if self._listener is not None:
            self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer_bytes)

    def end(self) -> None:
        self._ending.set()
        self._thread.join()
        self.close()

    def _serve(self) -> None:
        while not self._ending.is_set():
            listener = self._listener
            if listener is None:
                self._ending.wait(LOOK_S)
                continue
            try:
                if not select.select([listener], [], [], LOOK_S)[0]:
                    continue
                accepted, _ = listener.accept()
            except (OSError, ValueError):  # closed meanwhile
                continue
            self._accepted(accepted)
