"""The live picture for browsers, over its real socket, driven as the pusher drives it."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.clock import FakeClock
from pipeline.wire import Headers, Tag
from streams import flv
from streams.destination import PusherSpec, destination
from streams.flv import AUDIO, SCRIPT, VIDEO
from streams.preview import BEHIND_MAX_MS, REQUEST_WITHIN_NS, SOCKET_NAME, VIEWERS_MAX, PreviewDestination
from streams.session import LEAD_MS

GET = b"GET /live.flv HTTP/1.1\r\nHost: x\r\n\r\n"


def tag(kind: int, ms: int, key: bool = False, size: int = 20) -> Tag:
    head = {VIDEO: b"\x17\x01" if key else b"\x27\x01", AUDIO: b"\xaf\x01", SCRIPT: b"\x02"}[kind]
    body = head + bytes(size)
    raw = bytes([kind]) + len(body).to_bytes(3, "big") + bytes(7) + body + bytes(4)
    return Tag(kind, ms, key, flv.whole(raw))


HEADERS = Headers(b"FLV\x01\x05\0\0\0\x09\0\0\0\0", *(tag(kind, 0).data for kind in (SCRIPT, VIDEO, AUDIO)))


class Browser:
    def __init__(self, directory: Path, request: bytes = GET) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.connect(str(directory / SOCKET_NAME))
        self.socket.settimeout(2)
        self.socket.sendall(request)
        self.data = b""

    def head(self) -> bytes:
        while b"\r\n\r\n" not in self.data:
            self._more()
        head, _, self.data = self.data.partition(b"\r\n\r\n")
        return head

    def bytes(self, count: int) -> bytes:
        while len(self.data) < count:
            self._more()
        got, self.data = self.data[:count], self.data[count:]
        return got

    def tag(self) -> tuple[int, int]:
        """Kind and time of the next tag."""
        start = self.bytes(flv.HEADER_BYTES)
        self.bytes(int.from_bytes(start[1:4], "big") + flv.TRAILER_BYTES)
        return start[0], flv.time_ms(start)

    def tags(self, count: int) -> list[tuple[int, int]]:
        return [self.tag() for _ in range(count)]

    def ended(self) -> bool:
        try:
            return self.socket.recv(1) == b""
        except ConnectionResetError:
            return True

    def _more(self) -> None:
        data = self.socket.recv(65536)
        assert data, "the stream ended"
        self.data += data


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def preview(short_dir: Path, clock: FakeClock) -> Iterator[PreviewDestination]:
    spec = PusherSpec("preview", "preview:", str(short_dir))
    made = PreviewDestination(spec, lambda *_, **__: None, clock)
    made.open(HEADERS)
    yield made
    made.close()


def play(preview: PreviewDestination, *tags: Tag) -> None:
    for one in tags:
        preview.write(one, one.ms)
        preview.check()


def test_the_table_of_destinations_knows_it(short_dir: Path) -> None:
    made = destination(PusherSpec("preview", "preview:", str(short_dir)), lambda *_, **__: None)
    assert isinstance(made, PreviewDestination)


def test_a_viewer_gets_headers_the_group_on_air_and_what_comes(preview: PreviewDestination, short_dir: Path) -> None:
    play(preview, tag(VIDEO, 4000, key=True), tag(VIDEO, 5000, key=True), tag(AUDIO, 4990), tag(VIDEO, 5040))
    browser = Browser(short_dir)
    preview.check()
    head = browser.head()
    assert head.startswith(b"HTTP/1.1 200 OK") and b"video/x-flv" in head and b"Content-Length" not in head
    assert browser.bytes(13) == HEADERS.flv
    assert browser.tags(3) == [(SCRIPT, 0), (VIDEO, 0), (AUDIO, 0)]
    assert browser.tags(3) == [(VIDEO, LEAD_MS), (AUDIO, LEAD_MS - 10), (VIDEO, LEAD_MS + 40)]
    play(preview, tag(AUDIO, 5011))
    assert browser.tag() == (AUDIO, LEAD_MS + 11)


def test_each_viewer_has_a_time_line_of_its_own(preview: PreviewDestination, short_dir: Path) -> None:
    play(preview, tag(VIDEO, 0, key=True))
    early = Browser(short_dir)
    preview.check()
    play(preview, tag(VIDEO, 900_000, key=True))
    late = Browser(short_dir)
    preview.check()
    for browser, times in ((early, [LEAD_MS, LEAD_MS + 900_000]), (late, [LEAD_MS])):
        browser.head()
        browser.bytes(13)
        browser.tags(3)
        assert [ms for _, ms in browser.tags(len(times))] == times


def test_a_viewer_who_comes_before_the_first_key_frame_begins_with_it(
    preview: PreviewDestination, short_dir: Path
) -> None:
    browser = Browser(short_dir)
    preview.check()
    play(preview, tag(AUDIO, 10), tag(VIDEO, 40, key=True))
    browser.head()
    browser.bytes(13)
    assert browser.tags(4)[3] == (VIDEO, LEAD_MS)


def test_a_viewer_who_does_not_read_is_let_go_and_the_others_play_on(
    preview: PreviewDestination, short_dir: Path
) -> None:
    play(preview, tag(VIDEO, 0, key=True))
    good, idle = Browser(short_dir), Browser(short_dir)
    preview.check()
    good.head()
    good.bytes(13)
    good.tags(4)
    for ms in range(40, 2 * BEHIND_MAX_MS, 40):
        play(preview, tag(VIDEO, ms, size=20_000))
        assert good.tag() == (VIDEO, LEAD_MS + ms)
    assert preview.facts()["viewers"] == 1
    assert preview.facts()["let_go"] == 1
    idle.socket.close()


def test_a_slow_viewer_gets_whole_tags(preview: PreviewDestination, short_dir: Path) -> None:
    play(preview, tag(VIDEO, 0, key=True))
    browser = Browser(short_dir)
    preview.check()
    times = list(range(40, BEHIND_MAX_MS, 40))
    for ms in times:
        play(preview, tag(VIDEO, ms, size=20_000))
    browser.socket.setblocking(False)
    received = bytearray()
    while len(received) < len(times) * 20_000:
        try:
            received += browser.socket.recv(1 << 20)
        except BlockingIOError:
            preview.check()
    browser.data = bytes(received)
    browser.head()
    browser.bytes(13)
    assert [ms - LEAD_MS for _, ms in browser.tags(len(times) + 4)[4:]] == times


def test_viewers_who_left_are_forgotten(preview: PreviewDestination, short_dir: Path) -> None:
    play(preview, tag(VIDEO, 0, key=True))
    browser = Browser(short_dir)
    preview.check()
    assert preview.facts()["viewers"] == 1
    browser.socket.close()
    preview.check()
    assert preview.facts() == {"viewers": 0, "seen": 1, "let_go": 0, "refused": 0}


def test_only_get_is_answered(preview: PreviewDestination, short_dir: Path) -> None:
    browser = Browser(short_dir, b"POST / HTTP/1.1\r\n\r\n")
    preview.check()
    assert browser.head().startswith(b"HTTP/1.1 405 ")
    assert browser.ended()


def test_who_asks_nothing_is_hung_up(preview: PreviewDestination, short_dir: Path, clock: FakeClock) -> None:
    browser = Browser(short_dir, b"GET / HT")
    preview.check()
    clock.advance(REQUEST_WITHIN_NS / 1e9)
    preview.check()
    assert browser.ended()
    flood = Browser(short_dir, b"x" * 9000)
    preview.check()
    preview.check()
    assert flood.ended()


def test_more_viewers_than_there_are_places_are_told_so(preview: PreviewDestination, short_dir: Path) -> None:
    browsers = []
    for _ in range(VIEWERS_MAX + 1):
        browsers.append(Browser(short_dir))
        preview.check()
    assert [browser.head()[9:12] for browser in browsers] == [b"200"] * VIEWERS_MAX + [b"503"]
    assert preview.facts()["viewers"] == VIEWERS_MAX


def test_the_socket_is_ours_alone_and_goes_with_the_stream(preview: PreviewDestination, short_dir: Path) -> None:
    assert (short_dir / SOCKET_NAME).stat().st_mode & 0o077 == 0
    browser = Browser(short_dir)
    preview.check()
    browser.head()
    preview.close()
    assert not (short_dir / SOCKET_NAME).exists()
    preview.open(HEADERS)  # a stream with other headers: the browser comes again
    again = Browser(short_dir)
    preview.check()
    assert again.head().startswith(b"HTTP/1.1 200")
