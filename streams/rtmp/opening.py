"""The way from a URL to a connection on which media may flow: name, TCP, TLS, RTMP. It never waits.

In: a target. Out: the connection and the publisher that speaks on it, or OutputError within 4.5 s. A server that
accepts and does not greet is left sooner, so that one that is back is met by a connection of its own.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pipeline.clock import NS, Clock
from pipeline.errors import OutputError
from streams.rtmp.connection import Connection, Plain, Secure
from streams.rtmp.dialler import STEP_S, Dialler
from streams.rtmp.login import answer
from streams.rtmp.publish import Publisher, Target
from streams.rtmp.tcpwatch import TcpWatch

if TYPE_CHECKING:
    import ssl

OPEN_NS = 45 * NS // 10  # for TLS and RTMP together: a platform that asks elsewhere about the key takes its time
GREET_NS = 12 * NS // 10  # for the server's part of TLS, and then for its greeting …
SAID_MAX_BYTES = 128 * 1024  # by a server before it takes us, and within a second later: more would hold us up
PROOFS_MAX = 2  # "who are you?", and "prove it"
GREET_TRIPS = 4  # … or so many times the way there and back, where that is longer


class Opening:
    """`begin`, then `poll` until it returns true or raises. What stands then is `connection` and `publisher`."""

    def __init__(
        self, to: Target, context: ssl.SSLContext | None, clock: Clock, dialler: Dialler, asks_only: bool = False
    ) -> None:
        self._to = to
        self._context = context
        self._clock = clock
        self._dialler = dialler
        self._asks_only = asks_only
        self._proofs = 0  # said, of who we are
        self._began_ns = 0
        self._asked_ns = 0  # when the server was asked for a word, by TLS or by RTMP
        self.publisher = Publisher(to, asks_only)
        self.connection: Connection | None = None
        self.watch: TcpWatch | None = None
        self.rest = memoryview(b"")  #: of what we say, not yet taken
        self._greets = False
        self._heard = 0  # bytes of the server

    def begin(self) -> None:
        self._dialler.begin()

    def poll(self) -> bool:
        if self.connection is None:
            self._dial()
        if self.connection is None:
            return False
        self._within_limits()
        if not self.connection.is_open():
            return False
        if not self._greets:
            self._greets, self._asked_ns = True, self._clock.now_ns()
            self.rest = memoryview(self.publisher.begin())
        self._flush()
        while not self.publisher.is_ready and (data := self._read()) is not None:
            try:
                said = self.publisher.feed(data)
            except OutputError:
                if not self._proves():
                    raise
                return False
            self.rest = memoryview(bytes(self.rest) + said)
            self._flush()
        return self.publisher.is_ready

    def watched(self) -> tuple[list[int], list[int], float]:
        """Descriptors to read and to write that bring news, and after how long to poll anyway, in seconds."""
        if self.connection is None:
            dialling = self._dialler.watched()
            return [], [dialling] if dialling >= 0 else [], STEP_S if dialling < 0 else 1.0
        number = self.connection.socket.fileno()
        return [number], [number] if self.rest or self.connection.for_write else [], 1.0

    def drop(self) -> None:
        self._dialler.drop()
        if self.connection is not None:
            self.connection.socket.close()

    def _proves(self) -> bool:
        """Whether the refusal asks who we are, and we begin anew with an answer."""
        login, words = self._to.login, self.publisher.refusal
        if login is None or self._proofs == PROOFS_MAX:
            return False
        proof = answer(words, self._to.app, login, secrets.token_hex(4))
        if proof is None:
            return False
        self._proofs += 1
        self.drop()
        self.connection, self.watch, self._greets, self.rest = None, None, False, memoryview(b"")
        self.publisher = Publisher(self._to, self._asks_only, proof)
        self._dialler.begin()
        return True

    def _dial(self) -> None:
        sock = self._dialler.poll()
        if sock is None:
            return
        self._began_ns = self._asked_ns = self._clock.now_ns()
        self.connection = Plain(sock) if self._context is None else Secure(sock, self._to.host, self._context)
        self.watch = TcpWatch(self.connection.socket, self._began_ns)  # TLS takes the plain one over

    def _within_limits(self) -> None:
        now_ns = self._clock.now_ns()
        greet_ns = max(GREET_NS, int(GREET_TRIPS * self._dialler.connect_s * NS))
        if now_ns - self._asked_ns >= greet_ns and not self.publisher.has_answered:
            raise OutputError("timeout", "the server accepts and says nothing")
        if now_ns - self._began_ns >= OPEN_NS:
            raise OutputError("timeout", "the server does not finish its handshake")

    def _read(self) -> bytes | None:
        assert self.connection is not None
        data = self.connection.read()
        self._heard += len(data or b"")
        if self._heard > SAID_MAX_BYTES:
            raise OutputError("protocol", "the server talks without end")
        if data == b"":  # name and address are right, and it hangs up: an unknown application, a wrong key
            raise OutputError("rejected", "the server ended the handshake")
        return data

    def _flush(self) -> None:
        """What fails here fails in reading as well, behind the server's last words, which may say why."""
        assert self.connection is not None
        try:
            while self.rest and (sent := self.connection.send(self.rest, len(self.rest))):
                self.rest = self.rest[sent:]
        except OutputError:
            self.rest = memoryview(b"")
