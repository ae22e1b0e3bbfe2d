"""The preview by a real pusher process: played by libav through the socket, across a playout that is replaced."""

from __future__ import annotations

import socket
import threading
from itertools import pairwise
from pathlib import Path

import av
import psutil

from pipeline.clock import RealClock
from streams.outputs import Outputs
from streams.preview import SOCKET_NAME
from tests.pusher_child import pusher, until
from tests.tagsource import Source, media

#: else libav looks at seconds of a live stream before it plays
OPTIONS = {"probesize": "50000", "analyzeduration": "300000"}


class Player(threading.Thread):
    """Plays the preview until it ends; media times of what was decoded."""

    def __init__(self, directory: Path) -> None:
        super().__init__(daemon=True)
        self.video_s: list[float] = []
        self.audio_s: list[float] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(directory / SOCKET_NAME))
        self._socket.sendall(b"GET /live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._stream = self._socket.makefile("rb")
        self.status = self._stream.readline()
        while self._stream.readline() not in (b"\r\n", b""):
            pass
        self.start()

    def run(self) -> None:
        with av.open(self._stream, format="flv", options=OPTIONS) as container:
            for frame in container.decode(video=0, audio=0):
                assert isinstance(frame, av.VideoFrame | av.AudioFrame) and frame.time is not None
                (self.video_s if isinstance(frame, av.VideoFrame) else self.audio_s).append(frame.time)

    def leave(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self.join(5)
        self._socket.close()


def test_viewers_play_on_while_playout_is_replaced(short_dir: Path) -> None:
    with pusher(short_dir, "preview:", "preview") as child:
        with Source(short_dir, ["preview"]):
            until((short_dir / SOCKET_NAME).exists)
            first, second = Player(short_dir), Player(short_dir)
            until(lambda: min(len(first.video_s), len(second.video_s)) > 10)
        seen = len(first.video_s)
        with Source(short_dir, ["preview"]):
            until(lambda: min(len(first.video_s), len(second.video_s)) > seen + 30)
            assert child.notes("output.continued") and not child.notes("output.lost")
            late = Player(short_dir)
            until(lambda: late.video_s)
            assert 0 <= late.video_s[0] < 0.1 and -0.1 < late.video_s[0] - late.audio_s[0] < 0.1
            beat = child.heard[-1][1]
            assert getattr(beat, "facts", {}).get("viewers", 3) == 3
            assert psutil.Process(child.process.pid).memory_info().rss < 25e6, "no media library in it"
        assert child.drain() == 0
        for player in (first, second, late):
            player.leave()
            assert player.status.startswith(b"HTTP/1.1 200")
            assert all(after > before for before, after in pairwise(player.video_s))
            assert all(after > before for before, after in pairwise(player.audio_s))


def test_a_new_playout_is_told_how_far_the_last_one_was_sent(short_dir: Path) -> None:
    with pusher(short_dir, "preview:", "preview"):
        with Source(short_dir, ["preview"]) as source:
            until(lambda: source.outputs.states()["preview"].audio_ms > 500)
            sent_ms = source.outputs.states()["preview"].audio_ms
        following = Outputs(short_dir, ["preview"], RealClock())
        following.open()
        following.start()
        until(lambda: following.states()["preview"].told)
        assert following.states()["preview"].audio_ms >= sent_ms
        following.set_headers(media().headers)
        following.publish(next(media().forever()))
        assert following.states()["preview"].audio_ms == -1
        following.close(0)
