from __future__ import annotations

import socket
import time

import pytest

from pipeline.clock import RealClock
from pipeline.errors import OutputError
from streams.rtmp.dialler import Dialler


def dialled(dialler: Dialler, within_s: float = 5.0) -> socket.socket:
    """The connection of one try, polled as the pusher does."""
    dialler.begin()
    ends_s = time.monotonic() + within_s
    while (sock := dialler.poll()) is None:
        assert time.monotonic() < ends_s
        time.sleep(0.005)
    return sock


def test_a_name_with_addresses_of_both_families_is_reached_by_the_one_that_answers() -> None:
    families = {family for family, *_ in socket.getaddrinfo("localhost", 1, type=socket.SOCK_STREAM)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialler = Dialler("localhost", listener.getsockname()[1], RealClock())
        for _ in range(2):
            with dialled(dialler) as sock:
                assert sock.getpeername()[0] == "127.0.0.1"
                assert not sock.getblocking()
        assert dialler.connect_s < 0.5
    assert socket.AF_INET in families


def test_a_closed_port_is_told_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    dialler, began_s = Dialler("127.0.0.1", port, RealClock()), time.monotonic()
    with pytest.raises(OutputError, match="refused") as caught:
        dialled(dialler)
    assert caught.value.kind == "connect"
    assert time.monotonic() - began_s < 0.5


@pytest.mark.parametrize("name", ["no-such-host.invalid", "a..b", "x" * 70])
def test_a_name_that_cannot_be_found_is_told_with_the_name(name: str) -> None:
    with pytest.raises(OutputError, match=name[:10]) as caught:
        dialled(Dialler(name, 1935, RealClock()))
    assert caught.value.kind in ("connect", "timeout")


def test_a_try_that_is_given_up_leaves_no_socket_behind() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        dialler = Dialler("127.0.0.1", listener.getsockname()[1], RealClock())
        dialler.begin()
        while dialler.watched() < 0:
            if (sock := dialler.poll()) is not None:
                sock.close()
                break
        dialler.drop()
        assert dialler.watched() == -1
        dialled(dialler).close()
