"""From a host's name to a TCP connection, without ever waiting: the name is looked up in a thread, the rest is
polled.

In: a host and a port, for the life of a pusher. Out: a connected socket, or OutputError. A name server that is
dead stops nobody who was connected before: the address that worked last is used. An address that does not answer
is left after 0.9 s and asked anew by the next try, instead of waiting for the kernel, which asks at 1, 3, 7 … s.
"""

from __future__ import annotations

import errno
import os
import socket
import threading
from typing import Any

from pipeline.clock import NS, Clock
from pipeline.errors import OutputError

RESOLVE_NS = 2 * NS
RESOLVE_AGAIN_NS = 3 * NS // 10  # where an address is known that has worked
DIAL_NS = 9 * NS // 10  # of one address
LOOKUPS_MAX = 4  # that hang: the resolver's own limit may be half a minute, and a new question may be answered at once
ADDRESSES_MAX = 2  # of one try: one of each family, where both are offered
STEP_S = 0.02  # a lookup wakes nobody

Address = tuple[socket.AddressFamily, Any]


class Dialler:
    def __init__(self, host: str, port: int, clock: Clock) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._lookups: list[_Lookup] = []  # the last is of this try
        self._worked: Address | None = None
        self._waiting: list[Address] = []  # of this try
        self._failed: set[str] = set()  # addresses that did not answer when they were last asked
        self._socket: socket.socket | None = None
        self._at: Address | None = None
        self._since_ns = 0
        self.connect_s = 0.0  #: how long the last handshake of TCP took: about the way there and back

    def begin(self) -> None:
        """Start a try."""
        self.drop()
        self._since_ns = self._clock.now_ns()
        self._lookups = [lookup for lookup in self._lookups if lookup.is_alive()]
        if len(self._lookups) < LOOKUPS_MAX:
            self._lookups.append(_Lookup(self._host, self._port))
            self._lookups[-1].start()

    def poll(self) -> socket.socket | None:
        """The connection, once it stands; None while it does not. Raises OutputError, after which `begin` is next."""
        if self._socket is None:
            if not self._waiting:
                self._look_up()
            if not self._waiting:
                return None
            self._dial()
        return self._answer()

    def watched(self) -> int:
        """The descriptor that becomes writable when there is news; −1 while there is none."""
        return self._socket.fileno() if self._socket is not None else -1

    def drop(self) -> None:
        """Give this try up."""
        self._waiting = []
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def _look_up(self) -> None:
        """Find out which addresses to try, as soon as that is known."""
        waited_ns = self._clock.now_ns() - self._since_ns
        ended = [lookup for lookup in self._lookups if not lookup.is_alive()]
        found = next((lookup.found for lookup in ended if lookup.found), [])
        if not found and self._worked is not None and (ended or waited_ns >= RESOLVE_AGAIN_NS):
            found = [self._worked]
        if found:
            self._waiting = self._ordered(found)
        elif ended and ended[-1] is self._lookups[-1]:
            raise OutputError("connect", f"{self._host}: {ended[-1].error}")
        elif waited_ns >= RESOLVE_NS:
            raise OutputError("timeout", f"{self._host}: the name server does not answer")

    def _ordered(self, found: list[Address]) -> list[Address]:
        """The one that worked last first, those that did not answer last, one of each family."""
        ranked = sorted(found, key=lambda one: (str(one) in self._failed, one != self._worked))
        if len(self._failed) >= len(found):
            self._failed.clear()
        other = next((one for one in ranked[1:] if one[0] != ranked[0][0]), None)
        return [ranked[0], other] if other else ranked[:ADDRESSES_MAX]

    def _dial(self) -> None:
        self._at = self._waiting.pop(0)
        self._since_ns = self._clock.now_ns()
        family, address = self._at
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        number = sock.connect_ex(address)
        self._socket = sock
        if number not in (0, errno.EINPROGRESS):
            self._next_or_fail("connect", os.strerror(number))

    def _answer(self) -> socket.socket | None:
        if self._socket is None:
            return None
        now_ns = self._clock.now_ns()
        number = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if number:
            self._next_or_fail("timeout" if number == errno.ETIMEDOUT else "connect", os.strerror(number))
            return None
        try:
            self._socket.getpeername()
        except OSError:  # not yet
            if now_ns - self._since_ns >= DIAL_NS:
                self._next_or_fail("timeout", "no answer")
            return None
        sock, self._socket, self._waiting = self._socket, None, []
        self.connect_s = (now_ns - self._since_ns) / NS
        self._worked = self._at
        self._failed.discard(str(self._at))
        return sock

    def _next_or_fail(self, kind: str, words: str) -> None:
        self._failed.add(str(self._at))
        waiting = self._waiting
        self.drop()
        if not waiting:
            raise OutputError(kind, words)
        self._waiting = waiting


class _Lookup(threading.Thread):
    """One question to the resolver, which cannot be asked without waiting."""

    def __init__(self, host: str, port: int) -> None:
        super().__init__(name="resolve", daemon=True)
        self._host, self._port = host, port
        self.found: list[Address] = []
        self.error = "no address"

    def run(self) -> None:
        try:
            answers = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_STREAM)
        except OSError as error:
            self.error = error.strerror or str(error)
        except UnicodeError:  # a label that is empty or too long
            self.error = "no host can have this name"
        else:
            self.found = list(dict.fromkeys((family, address) for family, _, _, _, address in answers))
