"""The fan-out over its real socket, with scripted pushers."""

from __future__ import annotations

import contextlib
import os
import resource
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import RealClock
from pipeline.wire import Headers, PusherHello, Sent, Tag, decode_any
from streams.flv import AUDIO, VIDEO
from streams.outputs import Outputs
from streams.tagline import SOCKET_NAME, Unframer, framed
from tests.pusher_child import until

HEADERS = Headers(b"flv", b"meta", b"avc", b"aac")


class FakePusher:
    def __init__(self, directory: Path, output: str = "main") -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(directory / SOCKET_NAME))
        self.socket.settimeout(5)
        self.socket.sendall(framed(PusherHello(output, os.getpid())))
        self._unframer = Unframer()
        self._got: list[Headers | Tag] = []

    def next(self) -> Headers | Tag | None:
        """The next message; None at the end of the line."""
        while not self._got:
            try:
                data = self.socket.recv(65536)
            except ConnectionResetError:  # hung up before it had read what we said
                data = b""
            if not data:
                return None
            self._got += [m for m in map(decode_any, self._unframer.feed(data)) if isinstance(m, Headers | Tag)]
        return self._got.pop(0)

    def take(self, count: int) -> list[Headers | Tag | None]:
        return [self.next() for _ in range(count)]

    def say(self, audio_ms: int, state: str = "live") -> None:
        self.socket.sendall(framed(Sent(audio_ms, state, 1, 0)))

    def close(self) -> None:
        self.socket.close()


@pytest.fixture
def outputs(short_dir: Path) -> Iterator[Outputs]:
    outputs = Outputs(short_dir, ["main", "other"], RealClock())
    outputs.open()
    outputs.start()
    yield outputs
    outputs.close(0)


def video(ms: int, key: bool = False, size: int = 10) -> Tag:
    return Tag(VIDEO, ms, key, b"v" * size)


def audio(ms: int) -> Tag:
    return Tag(AUDIO, ms, False, b"a")


def test_a_pusher_gets_headers_the_tags_since_the_key_frame_and_what_comes(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    for tag in (video(0, key=True), audio(0), video(40, key=True), audio(40), video(80)):
        outputs.publish(tag)
    pusher = FakePusher(short_dir)
    assert pusher.take(4) == [HEADERS, video(40, key=True), audio(40), video(80)]
    outputs.publish(audio(80))
    assert pusher.next() == audio(80)
    pusher.close()


def test_a_pusher_may_come_before_there_is_anything(outputs: Outputs, short_dir: Path) -> None:
    pusher = FakePusher(short_dir)
    until(lambda: outputs.states()["main"].connected)
    outputs.set_headers(HEADERS)
    outputs.publish(audio(0))
    outputs.publish(video(40, key=True))
    got = pusher.take(3)
    assert got[0] == HEADERS
    assert video(40, key=True) in got
    pusher.close()


def test_the_socket_is_ours_alone_and_a_dead_playouts_socket_is_replaced(short_dir: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as stale:
        stale.bind(str(short_dir / SOCKET_NAME))
    outputs = Outputs(short_dir, ["main"], RealClock())
    outputs.open()
    outputs.start()
    assert (short_dir / SOCKET_NAME).stat().st_mode & 0o077 == 0
    outputs.close(0)
    assert not (short_dir / SOCKET_NAME).exists()


def test_what_pushers_say_is_seen_and_survives_them(outputs: Outputs, short_dir: Path) -> None:
    pusher = FakePusher(short_dir)
    pusher.say(1234)
    until(lambda: outputs.states()["main"].audio_ms == 1234)
    assert outputs.states()["main"].live
    assert outputs.none_live_for_s() == 0
    pusher.close()
    until(lambda: not outputs.states()["main"].connected)
    assert outputs.states()["main"].audio_ms == 1234
    assert not outputs.states()["main"].live
    until(lambda: outputs.none_live_for_s() > 0.05)


def test_a_newer_connection_takes_the_place_of_the_older(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    first = FakePusher(short_dir)
    assert first.next() == HEADERS
    second = FakePusher(short_dir)
    assert second.next() == HEADERS
    assert first.next() is None
    assert outputs.states()["main"].connected
    second.close()


def test_strangers_and_garbage_are_hung_up_on(outputs: Outputs, short_dir: Path) -> None:
    stranger = FakePusher(short_dir, "nobody")
    assert stranger.next() is None
    garbage = FakePusher(short_dir)
    garbage.socket.sendall(b"\xff" * 100)
    assert garbage.next() is None
    honest = FakePusher(short_dir)
    until(lambda: outputs.states()["main"].connected)
    honest.close()


def test_a_machine_without_descriptors_keeps_those_who_are_connected_and_takes_the_others_later(
    outputs: Outputs, short_dir: Path
) -> None:
    outputs.set_headers(HEADERS)
    first = FakePusher(short_dir)
    assert first.next() == HEADERS
    late = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    with short_of_descriptors():
        late.connect(str(short_dir / SOCKET_NAME))
        for ms in range(0, 400, 20):
            outputs.publish(audio(ms))
        assert first.take(20)[-1] == audio(380)
        assert outputs.thread is not None and outputs.thread.is_alive()
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == limits
    late.sendall(framed(PusherHello("other", 1)))
    until(lambda: outputs.states()["other"].connected)
    late.close()
    first.close()


@contextlib.contextmanager
def short_of_descriptors() -> Iterator[None]:
    """This process can open nothing more."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(
        resource.RLIMIT_NOFILE, (1 + max(int(entry.name) for entry in Path("/proc/self/fd").iterdir()), limits[1])
    )
    kept = []
    with contextlib.suppress(OSError):
        while True:
            kept.append(os.dup(0))
    try:
        yield
    finally:
        for fd in kept:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_a_pusher_that_does_not_read_disturbs_neither_publish_nor_the_others(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    stuck, reader = FakePusher(short_dir, "main"), FakePusher(short_dir, "other")
    until(lambda: all(state.connected for state in outputs.states().values()))
    assert reader.next() == HEADERS
    slowest = 0.0
    for ms in range(0, 8000, 40):  # 20 kB a frame: far more than the socket of the stuck one holds
        for tag in (audio(ms), video(ms, key=ms % 2000 == 0, size=20_000)):
            before = time.monotonic()
            outputs.publish(tag)
            slowest = max(slowest, time.monotonic() - before)
            assert reader.next() == tag
    states = outputs.states()
    assert states["other"].dropped == 0
    assert states["main"].dropped > 100
    assert slowest < 0.05
    got = [message for message in stuck.take(201) if isinstance(message, Tag)]
    assert [tag.ms for tag in got if tag.kind == AUDIO][:50] == list(range(0, 2000, 40))
    stuck.close()
    reader.close()


def test_new_headers_start_every_pusher_over(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    pusher = FakePusher(short_dir)
    assert pusher.next() == HEADERS
    outputs.publish(video(0, key=True))
    assert pusher.next() == video(0, key=True)
    outputs.set_headers(HEADERS)  # the same: nothing happens
    other = Headers(b"flv", b"meta", b"avc2", b"aac")
    outputs.set_headers(other)
    outputs.publish(video(40))
    outputs.publish(video(80, key=True))
    assert pusher.take(2) == [other, video(80, key=True)]
    pusher.close()


def test_closing_waits_until_the_last_sound_was_sent(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    pusher = FakePusher(short_dir)
    pusher.say(0)
    until(lambda: outputs.states()["main"].live)
    outputs.publish(audio(500))

    closer = threading.Thread(target=outputs.close, args=(5.0,))
    closer.start()
    assert pusher.take(2) == [HEADERS, audio(500)]
    closer.join(0.2)
    assert closer.is_alive()
    pusher.say(500)
    closer.join(2)
    assert not closer.is_alive()
    assert pusher.next() is None
    pusher.close()


def test_closing_does_not_wait_longer_than_told(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    pusher = FakePusher(short_dir)
    pusher.say(0)
    until(lambda: outputs.states()["main"].live)
    outputs.publish(audio(500))
    began = time.monotonic()
    outputs.close(0.3)
    assert 0.25 <= time.monotonic() - began < 1.5
    pusher.close()


def test_the_preview_gets_everything_and_counts_for_nothing(short_dir: Path) -> None:
    outputs = Outputs(short_dir, ["main"], RealClock(), uncounted=["preview"])
    outputs.open()
    outputs.start()
    outputs.set_headers(HEADERS)
    preview = FakePusher(short_dir, "preview")
    outputs.publish(video(0, key=True))
    outputs.publish(audio(20))
    assert preview.take(3) == [HEADERS, video(0, key=True), audio(20)]
    preview.say(20)
    main = FakePusher(short_dir)
    main.say(1, "connecting")
    until(lambda: outputs.states()["main"].audio_ms == 1)
    main.close()
    assert list(outputs.states()) == ["main"]
    assert outputs.none_live_for_s() > 0
    began = time.monotonic()
    outputs.close(5)  # a preview that does not read keeps nobody waiting
    assert time.monotonic() - began < 3
    preview.close()


def test_outputs_come_and_go_while_on_air(outputs: Outputs, short_dir: Path) -> None:
    outputs.set_headers(HEADERS)
    main, other = FakePusher(short_dir), FakePusher(short_dir, "other")
    for pusher in (main, other):
        assert pusher.next() == HEADERS
    other.say(500)
    outputs.publish(video(0, key=True))
    outputs.retarget(["main", "third"])
    assert list(outputs.states()) == ["main", "third"]
    assert other.take(2) == [video(0, key=True), None], "what waited, then the end"
    outputs.publish(audio(20))
    assert main.take(2) == [video(0, key=True), audio(20)]
    third = FakePusher(short_dir, "third")
    assert third.take(3) == [HEADERS, video(0, key=True), audio(20)]
    refused = FakePusher(short_dir, "other")
    assert refused.next() is None
    outputs.retarget(["main", "third", "other"])
    back = FakePusher(short_dir, "other")
    assert back.take(3) == [HEADERS, video(0, key=True), audio(20)]
    assert outputs.states()["other"].audio_ms == -1, "it begins anew"


def test_what_an_earlier_playout_sent_is_told_and_does_not_count_as_ours(outputs: Outputs, short_dir: Path) -> None:
    pusher = FakePusher(short_dir)
    pusher.say(900_000)
    until(lambda: outputs.states()["main"].told)
    assert outputs.states()["main"].audio_ms == 900_000
    outputs.set_headers(HEADERS)
    assert outputs.states()["main"].audio_ms == -1
    outputs.publish(audio(20))
    late = FakePusher(short_dir, "other")
    late.say(900_000)
    until(lambda: outputs.states()["other"].told)
    assert outputs.states()["other"].audio_ms == -1, "nobody published that"
    late.say(20)
    until(lambda: outputs.states()["other"].audio_ms == 20)
