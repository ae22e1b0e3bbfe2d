"""News of alarms, posted to an address of the operator's.

In: messages, from the monitor's loop, which never waits. Out: one HTTP POST of JSON each, in order, by a thread of its
own. The address is a secret: only its host is ever told.

When full: the oldest messages go, and are counted. A message is tried until it was taken; one that the other side
refuses as such (4xx, or a redirect) is dropped, for it would be refused for ever.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections import deque
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

WAITING_MAX = 200
TRY_S = 5.0  # for each step of a try: address, connection, answer
TRY_WHOLE_S = 15.0  # for all of one
BACK_OFF_S = (1.0, 2.0, 5.0, 15.0, 30.0, 60.0)
LATER = (408, 425, 429)  # of 4xx: not now
AGENT = "broadcaster"

log = structlog.get_logger()


class Refused(Exception):
    """The other side will never take this message."""


class Webhook:
    """url: http or https. It goes there directly, by no proxy, and follows no redirect."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port
        self._path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._to = f"{parts.scheme}://{self._host}"
        self._waiting: deque[bytes] = deque()
        self._some = threading.Condition()
        self._closing = False
        self._failures = 0
        self.sent = self.dropped = self.refused = 0
        self._thread = threading.Thread(target=self._run, name="webhook", daemon=True)

    def open(self) -> None:
        self._thread.start()

    def put(self, message: Mapping[str, Any]) -> None:
        with self._some:
            if len(self._waiting) >= WAITING_MAX:
                self._waiting.popleft()
                self.dropped += 1
            self._waiting.append(msgspec.json.encode(message))
            self._some.notify()

    def facts(self) -> dict[str, int]:
        return {
            "sent": self.sent,
            "waiting": len(self._waiting),
            "dropped": self.dropped,
            "refused": self.refused,
            "failures": self._failures,
        }

    def close(self, within_s: float) -> None:
        """Let what waits go out, for so long."""
        with self._some:
            self._closing = True
            self._some.notify()
        if self._thread.is_alive():
            self._thread.join(within_s)

    # ── the thread's side ────────────────────────────────────────────────────────────────────────

    def _run(self) -> None:
        while (message := self._next()) is not None:
            try:
                self._post(message)
            except Refused as error:
                self.refused += 1
                self._forget(message)
                log.error("webhook.refused", to=self._to, reason=str(error))
            except (OSError, http.client.HTTPException, ValueError) as error:
                self._failed(error)
                if self._closing:
                    return
            else:
                self.sent += 1
                self._forget(message)
                self._found()

    def _next(self) -> bytes | None:
        """The oldest message, which stays in the queue until it was taken; None when it is over."""
        with self._some:
            while not self._waiting and not self._closing:
                self._some.wait()
            return self._waiting[0] if self._waiting else None

    def _forget(self, message: bytes) -> None:
        with self._some:
            if self._waiting and self._waiting[0] is message:  # else it made room meanwhile
                self._waiting.popleft()

    def _failed(self, error: Exception) -> None:
        wait_s = BACK_OFF_S[min(self._failures, len(BACK_OFF_S) - 1)]
        self._failures += 1
        if self._failures == 1:
            log.warning("webhook.failed", to=self._to, reason=_reason(error), waiting=len(self._waiting))
        with self._some:
            if not self._closing:
                self._some.wait_for(lambda: self._closing, wait_s)

    def _found(self) -> None:
        if self._failures:
            log.info("webhook.recovered", to=self._to, failures=self._failures, dropped=self.dropped)
        self._failures = 0

    def _post(self, message: bytes) -> None:
        """One try. OSError or HTTPException: to be tried again. Refused: not."""
        make = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = make(self._host, self._port, timeout=TRY_S)
        late = threading.Event()
        watchdog = threading.Timer(TRY_WHOLE_S, _hang_up, [connection, late])  # what drips would never time out
        watchdog.daemon = True
        watchdog.start()
        try:
            headers = {"Content-Type": "application/json", "User-Agent": AGENT, "Connection": "close"}
            connection.request("POST", self._path, message, headers)
            status = connection.getresponse().status
        finally:
            watchdog.cancel()
            connection.close()
        if late.is_set():
            raise OSError("the answer did not end")
        if 300 <= status < 500 and status not in LATER:
            raise Refused(f"HTTP {status}")
        if status >= 300:
            raise OSError(f"HTTP {status}")


def _hang_up(connection: http.client.HTTPConnection, late: threading.Event) -> None:
    late.set()
    if (sock := connection.sock) is not None:
        with contextlib.suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)


def _reason(error: Exception) -> str:
    """What went wrong, without what was asked: that holds the address."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or (str(error) if not error.errno and type(error) is OSError else type(error).__name__)
    return type(error).__name__
