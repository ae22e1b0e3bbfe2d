"""What the kernel knows of one TCP connection: whether the other side takes what it is sent, and at what pace.

In: a socket, looked at by the one who writes to it. Out: `fault`, once nothing was acknowledged for too long;
`room_bytes`, how much more the kernel should be given. What the kernel holds is late and out of our hands, so it
is given what the line carries in an eighth of a second and a round trip or two, and no more: a good line with an
unsteady round trip is not kept waiting, and a bad one hides no second. (Linux tcp(7): TCP_INFO, SIOCOUTQ. The
pace is of what was acknowledged: TCP_INFO's own estimate stays at the highest while a sender sends less than it
might.)
"""

from __future__ import annotations

import fcntl
import socket
import struct
import termios
from collections import deque

from pipeline.clock import NS

LOOK_NS = NS // 20
STALL_NS = 23 * NS // 10  # bytes unacknowledged so long: with the look at it, dead within 3 s, as the design demands
USER_TIMEOUT_MS = 5000  # the kernel's own limit, also for the goodbye of a connection that we let go
KEEPALIVE_S = (5, 2, 3)  # idle, interval, count: a black hole shows even while nothing is sent
PACE_NS = NS  # what was acknowledged within it is the pace
START_NS = NS  # so long the line shows what it can, with the first group of pictures
START_BYTES = 256 * 1024
IN_FLIGHT_S = 0.12  # of the pace: three times what a receiver may wait with its acknowledgement …
TRIP_MAX_US = 500_000  # … and twice the shortest round trip, or the present one up to this
IN_FLIGHT_MIN_BYTES = 24 * 1024  # a fifteenth of a second at 3 Mb/s; on a line of 1 Mb/s 0.2 s
IDLE_NS = NS // 2  # nothing sent for so long, and it begins anew to show what it can
NOTSENT_LOWAT_BYTES = 16 * 1024  # the socket counts as writable while less than this waits in it
TCP_NOTSENT_LOWAT = 25  # not in the socket module

TCP_INFO_BYTES = 152
BYTES_ACKED, RTT_US, MIN_RTT_US = ("=Q", 120), ("=I", 68), ("=I", 148)  # of struct tcp_info, since Linux 4.9
NO_RTT = 0xFFFFFFFF


class TcpWatch:
    def __init__(self, connected: socket.socket, now_ns: int) -> None:
        self._socket = connected
        self._acked = -1
        self._moved_ns = now_ns
        self._looked_ns = self._began_ns = self._sent_ns = now_ns
        self._acks: deque[tuple[int, int]] = deque()  # when, bytes acknowledged by then
        self._pace_bytes_s = 0.0
        self._most_bytes = START_BYTES
        self.fault: str | None = None  #: stall
        self._prepare()

    def _prepare(self) -> None:
        idle_s, interval_s, count = KEEPALIVE_S
        for level, option, value in (
            (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
            (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS),
            (socket.IPPROTO_TCP, TCP_NOTSENT_LOWAT, NOTSENT_LOWAT_BYTES),
            (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
            (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s),
            (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, interval_s),
            (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, count),
        ):
            self._socket.setsockopt(level, option, value)

    @property
    def queued_bytes(self) -> int:
        """What was written and is not acknowledged."""
        try:
            return int(struct.unpack("=i", fcntl.ioctl(self._socket, termios.TIOCOUTQ, b"\0" * 4))[0])
        except OSError:  # it is gone: whoever writes next hears of it
            return 0

    @property
    def room_bytes(self) -> int:
        return max(0, self._most_bytes - self.queued_bytes)

    def look(self, now_ns: int) -> bool:
        """Whether the other side acknowledged something since the last look; looks twenty times a second at most."""
        if now_ns - self._looked_ns < LOOK_NS:
            return False
        self._looked_ns = now_ns
        info = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        acked = _field(info, BYTES_ACKED)
        least_us, now_us = _field(info, MIN_RTT_US), _field(info, RTT_US)
        trips_us = max(2 * least_us if least_us != NO_RTT else 0, min(now_us, TRIP_MAX_US))
        self._measure(now_ns, acked, trips_us / 1_000_000)
        moved = acked != self._acked
        if moved or self.queued_bytes > 0:
            self._sent_ns = now_ns
        elif now_ns - self._sent_ns >= IDLE_NS:
            self._began_ns, self._most_bytes = now_ns, START_BYTES
            self._acks.clear()
        if moved or self.queued_bytes == 0:
            self._acked, self._moved_ns = acked, now_ns
        elif now_ns - self._moved_ns >= STALL_NS:
            self.fault = "stall"
        return moved

    def _measure(self, now_ns: int, acked: int, trips_s: float) -> None:
        """trips_s: for so long what is on its way cannot be acknowledged yet."""
        self._acks.append((now_ns, acked))
        while now_ns - self._acks[0][0] > PACE_NS:
            self._acks.popleft()
        began_ns, before = self._acks[0]
        if now_ns > began_ns:
            self._pace_bytes_s = (acked - before) * NS / (now_ns - began_ns)
        if now_ns - self._began_ns >= START_NS:
            self._most_bytes = max(IN_FLIGHT_MIN_BYTES, int(self._pace_bytes_s * (IN_FLIGHT_S + trips_s)))


def _field(info: bytes, field: tuple[str, int]) -> int:
    """0 where the kernel is too old to know it."""
    form, at = field
    return int(struct.unpack_from(form, info, at)[0]) if len(info) >= at + struct.calcsize(form) else 0
