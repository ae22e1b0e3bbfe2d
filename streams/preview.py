"""The live picture for browsers of this machine: HTTP-FLV on a socket file, for as many as look.

In: headers and tags. Out: to each viewer who connects to `preview.sock` and sends a GET, an answer
without end: headers, the tags since the last key frame, then what comes, with time stamps of its own
that begin near 0. Nothing here waits and there is no thread: what a viewer's socket does not take goes
out at one of the next calls, which come 75 times a second. Each viewer has a queue of its own; one who
falls seconds behind is let go. A new playout is the same stream to viewers, as it is to a platform.
"""

from __future__ import annotations

import socket
from collections import deque
from contextlib import suppress
from pathlib import Path

from pipeline.clock import NS, Clock, RealClock
from pipeline.errors import OutputError
from pipeline.wire import Headers, Tag
from streams import flv
from streams.destination import Note, PusherSpec, Watched
from streams.session import LEAD_MS

SOCKET_NAME = "preview.sock"  #: in the runtime directory
VIEWERS_MAX = 16  # more are answered 503: each may hold BEHIND_MAX_MS of media
BEHIND_MAX_MS = 6_000  # a viewer begins up to one group of pictures (2 s) behind; more than this is not watched
REQUEST_MAX_BYTES = 8 * 1024
REQUEST_WITHIN_NS = 5 * NS
SEND_BUFFER_BYTES = 256 * 1024  # a group of pictures goes out within a few tags; no second of media hides in it
FOUND = (
    b"HTTP/1.1 200 OK\r\nContent-Type: video/x-flv\r\nCache-Control: no-store\r\n"
    b"X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n"
)
REFUSED = b"HTTP/1.1 %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
ONLY_GET = REFUSED % b"405 Method Not Allowed"
FULL = REFUSED % b"503 Service Unavailable"


class Viewer:
    """One connection: a request, then bytes that wait. Every method is false when the viewer is gone."""

    def __init__(self, sock: socket.socket, now_ns: int) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._socket = sock
        self._request = bytearray()
        self._since_ns = now_ns
        self._waiting: deque[tuple[int, bytes]] = deque()  # media time, what to send
        self._rest = memoryview(b"")
        self._base_ms: int | None = None  # what counts as 0 for this viewer; none before its key frame
        self.watching = False

    def asks(self, now_ns: int) -> bool | None:
        """Read what came: true once a GET is whole, None while it is not, false when there will be none."""
        try:
            data = self._socket.recv(REQUEST_MAX_BYTES)
        except BlockingIOError:
            in_time = self.watching or now_ns - self._since_ns < REQUEST_WITHIN_NS
            return None if in_time else False
        except OSError:
            return False
        if not data:
            return False
        if self.watching:  # a second request would wait for the end of the first, which never comes
            return None
        self._request += data
        if b"\r\n\r\n" in self._request:
            return True
        return None if len(self._request) < REQUEST_MAX_BYTES else False

    @property
    def gets(self) -> bool:
        return self._request.startswith(b"GET ")

    def begin(self, headers: Headers, group: list[tuple[Tag, int]]) -> bool:
        """Answer, and catch up with the group of pictures on air."""
        self.watching = True
        parts = [FOUND, headers.flv[: flv.FILE_HEADER_BYTES]]
        parts += [flv.retimed(tag, 0) for tag in (headers.metadata, headers.video, headers.audio)]
        now_ms = group[0][1] if group else 0
        self._waiting.append((now_ms, b"".join(parts)))
        return all(self.show(tag, ms) for tag, ms in group)

    def show(self, tag: Tag, ms: int) -> bool:
        """Queue one tag and send what the socket takes; false also when too much waits."""
        if self._base_ms is None:
            if not tag.key:
                return True
            self._base_ms = ms - LEAD_MS
        self._waiting.append((ms, flv.retimed(tag.data, max(0, ms - self._base_ms))))
        return self.flush() and self.behind_ms(ms) <= BEHIND_MAX_MS

    def behind_ms(self, now_ms: int) -> int:
        """How old the oldest tag is that still waits for this viewer."""
        return now_ms - self._waiting[0][0] if self._waiting else 0

    def flush(self) -> bool:
        """Send what waits until the socket is full."""
        try:
            while self._rest or self._waiting:
                if not self._rest:
                    self._rest = memoryview(self._waiting.popleft()[1])
                self._rest = self._rest[self._socket.send(self._rest) :]
        except BlockingIOError:
            return True
        except OSError:
            return False
        return True

    def refuse(self, answer: bytes) -> None:
        with suppress(OSError):
            self._socket.send(answer)

    def close(self) -> None:
        self._socket.close()


class PreviewDestination:
    def __init__(self, spec: PusherSpec, note: Note, clock: Clock | None = None) -> None:
        self._path = Path(spec.runtime_dir) / SOCKET_NAME
        self._spec = spec
        self._note = note
        self._clock = clock or RealClock()
        self._listener: socket.socket | None = None
        self._headers: Headers | None = None
        self._group: list[tuple[Tag, int]] = []  # since the last key frame
        self._viewers: list[Viewer] = []
        self._seen = 0
        self._let_go = 0
        self._refused = 0

    def open(self, headers: Headers) -> None:
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._path.unlink(missing_ok=True)  # of a pusher that was killed
            listener.bind(str(self._path))
            self._path.chmod(0o600)
            listener.listen(VIEWERS_MAX)
        except OSError as error:
            listener.close()
            raise OutputError("connect", f"{self._path.name}: {error.strerror}") from error
        listener.setblocking(False)
        self._listener, self._headers, self._group = listener, headers, []

    def is_ready(self) -> bool:
        return True

    def write(self, tag: Tag, ms: int) -> bool:
        if tag.key:
            self._group = []
        self._group.append((tag, ms))
        for viewer in [viewer for viewer in self._viewers if viewer.watching and not viewer.show(tag, ms)]:
            self._part(viewer)
            if viewer.behind_ms(ms) > BEHIND_MAX_MS:
                self._let_go += 1
                self._note("info", "preview.let_go", output=self._spec.name, behind_ms=viewer.behind_ms(ms))
        return True

    def watched(self) -> Watched:
        return Watched()

    def check(self) -> None:
        """Let in who knocks, answer who asks, send what waits."""
        self._accept()
        now_ns = self._clock.now_ns()
        for viewer in list(self._viewers):
            asks = viewer.asks(now_ns)
            if asks:
                asks = self._answer(viewer)
            if asks is False or not viewer.flush():
                self._part(viewer)

    def facts(self) -> dict[str, int]:
        watching = sum(viewer.watching for viewer in self._viewers)
        return {"viewers": watching, "seen": self._seen, "let_go": self._let_go, "refused": self._refused}

    def close(self) -> None:
        for viewer in self._viewers:
            viewer.flush()
            viewer.close()
        self._viewers, self._group = [], []
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self._path.unlink(missing_ok=True)

    def abort(self) -> None:
        self.close()

    def _accept(self) -> None:
        while self._listener is not None and len(self._viewers) < 2 * VIEWERS_MAX:
            try:
                sock, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            self._viewers.append(Viewer(sock, self._clock.now_ns()))

    def _answer(self, viewer: Viewer) -> bool:
        """Begin the stream for a viewer; false when it was refused."""
        assert self._headers is not None
        full = sum(other.watching for other in self._viewers) >= VIEWERS_MAX
        if full or not viewer.gets:
            self._refused += 1
            viewer.refuse(FULL if full else ONLY_GET)
            return False
        self._seen += 1
        return viewer.begin(self._headers, self._group)

    def _part(self, viewer: Viewer) -> None:
        self._viewers.remove(viewer)
        viewer.close()
