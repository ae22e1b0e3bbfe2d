"""Servers that libav could be held by: none of them holds a turn of the pusher's loop."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from pipeline.clock import RealClock
from pipeline.errors import OutputError
from pipeline.wire import Headers
from streams.destination import PusherSpec
from streams.rtmp.destination import RtmpDestination
from tests.lab import chunks

HEADERS = Headers(b"", b"", b"", b"")
TURN_S = 0.1  # the longest that one look at the destination may take; a millisecond on a quiet machine
GREETING = b"\x03" + bytes(2 * 1536)
FAST = 4  # times real time
PING = chunks.chunked(chunks.USER_CONTROL, struct.pack(">HI", 6, 0), number=2)


class FastClock(RealClock):
    def now_ns(self) -> int:
        return super().now_ns() * FAST


def silent(client: socket.socket) -> None:
    time.sleep(10)


def dripping(client: socket.socket) -> None:
    for byte in GREETING:
        client.sendall(bytes([byte]))
        time.sleep(0.02)


def greeting_only(client: socket.socket) -> None:
    client.sendall(GREETING)
    time.sleep(10)


def asking_for_ever(client: socket.socket) -> None:
    client.sendall(GREETING)
    while True:
        client.sendall(PING * 1000)


@pytest.mark.parametrize(
    ("server", "kind", "within_s"),
    [
        (silent, "timeout", 3.0),
        (dripping, "timeout", 3.0),
        (greeting_only, "timeout", 7.0),
        (asking_for_ever, "protocol", 3.0),
    ],
)
def test_no_server_holds_the_loop_and_each_is_left_in_time(
    server: Callable[[socket.socket], None], kind: str, within_s: float
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                with client:
                    server(client)

        threading.Thread(target=serve, daemon=True).start()
        url = f"rtmp://127.0.0.1:{listener.getsockname()[1]}/live/key"
        made = RtmpDestination(PusherSpec("main", url, "/nowhere"), lambda *_, **__: None, FastClock())
        made.open(HEADERS)
        began_s, longest_s = time.monotonic(), 0.0
        with pytest.raises(OutputError) as caught:
            while True:
                before_s = time.thread_time()
                assert not made.is_ready()
                longest_s = max(longest_s, time.thread_time() - before_s)
                time.sleep(0.01)
        made.abort()
        assert caught.value.kind == kind
        assert (time.monotonic() - began_s) * FAST < within_s
        assert longest_s < TURN_S


def test_a_host_that_answers_nothing_is_asked_again_within_a_second() -> None:
    with socket.socket() as full:  # its queue is full, so the kernel drops what comes
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        made = RtmpDestination(
            PusherSpec("main", f"rtmp://127.0.0.1:{port}/live/key", "/nowhere"), lambda *_, **__: None
        )
        made.open(HEADERS)
        began_s = time.monotonic()
        with pytest.raises(OutputError) as caught:
            while True:
                made.is_ready()
                time.sleep(0.01)
        assert caught.value.kind == "timeout"
        assert time.monotonic() - began_s < 3 * 0.9
        for filler in fillers:
            filler.close()
