"""A pusher's end of the tag line: it dials playout, for ever, and reads what comes.

In: bytes of the AF_UNIX stream that playout binds. Out: headers and tags; `Sent` goes the other way.
Nothing here blocks. It knows no destination.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

from pipeline.errors import WireError
from pipeline.wire import Headers, PusherHello, Sent, Tag, decode_any
from streams.tagline import SOCKET_NAME, Unframer, framed

READ_BYTES = 64 * 1024  # little enough that what waits, waits in playout, where the rule for it is


class TagFeed:
    def __init__(self, runtime_dir: Path, output: str) -> None:
        self._path = str(runtime_dir / SOCKET_NAME)
        self._output = output
        self._socket: socket.socket | None = None
        self._unframer = Unframer()

    @property
    def connected(self) -> bool:
        return self._socket is not None

    def fileno(self) -> int:
        assert self._socket is not None, "no line to playout"
        return self._socket.fileno()

    def dial(self) -> bool:
        """Try once to reach playout; a torn message of the last line is forgotten."""
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        sock.setblocking(False)
        try:
            sock.connect(self._path)
        except OSError:
            sock.close()
            return False
        self._socket, self._unframer = sock, Unframer()
        self._send(framed(PusherHello(output=self._output, pid=os.getpid())))
        return self.connected

    def read(self) -> list[Headers | Tag]:
        """What has come, in order. At the end of the line `connected` is false from then on."""
        if self._socket is None:
            return []
        try:
            data = self._socket.recv(READ_BYTES)
            messages = [decode_any(message) for message in self._unframer.feed(data)]
        except BlockingIOError:
            return []
        except (OSError, WireError):  # killed, or not ours to read: a new line begins whole
            data, messages = b"", []
        if not data:
            self.hang_up()
        return [message for message in messages if isinstance(message, Headers | Tag)]

    def report(self, sent: Sent) -> None:
        if self._socket is not None:
            self._send(framed(sent))

    def hang_up(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _send(self, data: bytes) -> None:
        """All of it, or the end of the line: half a message would garble what follows."""
        assert self._socket is not None
        try:
            whole = self._socket.send(data) == len(data)
        except BlockingIOError:  # playout is stopped; the next report says more
            return
        except OSError:
            whole = False
        if not whole:
            self.hang_up()
