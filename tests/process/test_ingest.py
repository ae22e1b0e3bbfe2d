"""The local receiver as a process of its own, with real publishers."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.errors import BadInput
from streams import ingest
from tests.nginx_rtmp import free_port
from tests.pusher_child import ROOT, PusherChild, pusher, until
from tests.recording import inspect
from tests.tagsource import Source

RECEIVER = "import sys, pathlib; from streams.ingest import run; run(sys.argv[1], pathlib.Path(sys.argv[2]))"


class Receiver:
    def __init__(self, url: str, out: Path, log: Path) -> None:
        self._log = log
        with log.open("w") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-u", "-c", RECEIVER, url, str(out)], stdout=file, stderr=file, cwd=ROOT
            )

    def said(self, event: str) -> list[str]:
        return [line for line in self._log.read_text().splitlines() if event in line]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(8)


@contextmanager
def receiving(url: str, out: Path, log: Path) -> Iterator[Receiver]:
    receiver = Receiver(url, out, log)
    try:
        until(lambda: receiver.said("ingest.listening"))
        yield receiver
    finally:
        if receiver.process.poll() is None:
            receiver.process.kill()
            receiver.process.wait()


def boxes(path: Path) -> list[str]:
    """The names of the outermost boxes of an MP4."""
    data, at, names = path.read_bytes(), 0, []
    while at < len(data):
        names.append(data[at + 4 : at + 8].decode())
        size = int.from_bytes(data[at : at + 4], "big")
        at += int.from_bytes(data[at + 8 : at + 16], "big") if size == 1 else size
    return names


@pytest.fixture
def url() -> str:
    return f"rtmp://127.0.0.1:{free_port()}/live/demo"


def test_each_session_is_a_file_and_the_first_is_exactly_out(url: str, short_dir: Path, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "demo.mp4"
    with receiving(url, out, tmp_path / "log") as receiver, Source(short_dir, ["main"]) as source:
        with pusher(short_dir, url) as child:
            until(lambda: source.outputs.states()["main"].audio_ms > 3000)
            assert child.drain(0.1) == 0  # says goodbye
        until(lambda: len(receiver.said("ingest.ended")) == 1)
        second = PusherChild(short_dir, url)
        second.start()
        begun_ms = source.outputs.states()["main"].audio_ms
        until(lambda: source.outputs.states()["main"].audio_ms > begun_ms + 2500)
        second.kill()  # says nothing
        until(lambda: len(receiver.said("ingest.ended")) == 2)
        assert receiver.stop() == 0
        assert "192x320" in receiver.said("ingest.session")[0]
    for path, least in ((out, 60), (out.with_name("demo-2.mp4"), 50)):
        found = inspect(path)
        assert found.frames >= least
        assert found.monotone
        assert found.max_video_gap_ms <= 41
        assert found.max_audio_gap_ms <= 2
        assert abs(found.start_offset_ms) <= 22
        assert found.decode_errors == 0
        assert boxes(path) == ["ftyp", "free", "mdat", "moov"]  # a regular MP4, no longer a fragmented one


def test_a_publisher_that_came_first_is_received_once_the_receiver_listens(
    url: str, short_dir: Path, tmp_path: Path
) -> None:
    with Source(short_dir, ["main"]), pusher(short_dir, url) as child:
        until(lambda: child.notes("output.backing_off"))
        with receiving(url, tmp_path / "a.mp4", tmp_path / "log") as receiver:
            until(lambda: receiver.said("ingest.session"), 15)
            time.sleep(2.5)
            assert receiver.stop() == 0  # in the middle of a session
            assert receiver.said("ingest.ended")
    assert inspect(tmp_path / "a.mp4").frames >= 50


def test_a_killed_receiver_leaves_a_readable_file(url: str, short_dir: Path, tmp_path: Path) -> None:
    with (
        receiving(url, tmp_path, tmp_path / "log") as receiver,
        Source(short_dir, ["main"]) as source,
        pusher(short_dir, url),
    ):
        until(lambda: source.outputs.states()["main"].audio_ms > 4000)
        receiver.process.kill()
        receiver.process.wait()
    found = inspect(tmp_path / "session-1.mp4")
    assert found.frames >= 50
    assert found.monotone


def test_a_port_in_use_is_a_clear_error(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(BadInput, match=rf"127\.0\.0\.1:{port}: Address already in use"):
            next(ingest.ingest(f"rtmp://127.0.0.1:{port}/live/k", tmp_path / "a.mp4", lambda: False))


@pytest.mark.parametrize("url", ["http://127.0.0.1/live/k", "rtmp://127.0.0.1", "rtmp://127.0.0.1:99999/a/b", "x"])
def test_a_url_that_cannot_be_listened_at_is_a_clear_error(url: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput):
        next(ingest.ingest(url, tmp_path / "a.mp4", lambda: False))


@pytest.mark.parametrize(("out", "words"), [("a.txt", "write a.mp4"), ("plain/a.mp4", "plain")])
def test_a_file_that_cannot_be_written_is_a_clear_error_before_anybody_comes(
    out: str, words: str, tmp_path: Path
) -> None:
    (tmp_path / "plain").write_text("")
    with pytest.raises(BadInput, match=words):
        next(ingest.ingest("rtmp://127.0.0.1:1935/live/k", tmp_path / out, lambda: False))


def test_it_stops_within_a_second_when_nobody_comes(url: str, tmp_path: Path) -> None:
    with receiving(url, tmp_path / "a.mp4", tmp_path / "log") as receiver:
        began = time.monotonic()
        assert receiver.stop() == 0
        assert time.monotonic() - began < 2.5
