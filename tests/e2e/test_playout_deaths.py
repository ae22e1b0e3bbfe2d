"""One RTMP session, whatever becomes of playout: seen by a player of nginx-rtmp that stays open."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from tests.avsync import av_offset_ms
from tests.listener import Listener, longest_gap_s
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401  a fixture
from tests.recording import inspect
from tests.station import on_air, until

AGAIN_S = 3 * 2.0  # three times the bar
STOPPED_S = 3 * 4.0  # a stopped one is killed after 2.5 s of silence; the bar for all of it is 13 s
SCRIPT = "One. Two. Three. Four. Five. Six.\n\n" * 3


@pytest.mark.long
def test_a_session_outlives_playout_killed_and_stopped(tmp_path: Path, nginx: NginxRtmp) -> None:  # noqa: F811
    (tmp_path / "script.md").write_text(SCRIPT)
    config = {"avatar": {"engine": "pattern"}, "script": {"file": str(tmp_path / "script.md")}, "standby": True}
    with on_air(tmp_path, outputs=[{"name": "main", "url": nginx.url("key")}], **config) as station:
        viewer = Listener(nginx.url("key"), tmp_path / "heard")
        until(viewer.is_playing, 30, "the viewer sees something")
        resumed_ms: list[float] = []
        for number in (signal.SIGKILL, signal.SIGKILL, signal.SIGKILL, signal.SIGSTOP):
            killed_s = time.monotonic()
            station.kill("playout", number)
            until(
                lambda since_s=killed_s: sum(packet.at_s > since_s + 0.2 for packet in viewer.video()) > 50,
                30,
                "two seconds of pictures again",
            )
            again = [packet for packet in viewer.video() if packet.at_s > killed_s + 0.2]
            gap_s = longest_gap_s(viewer.video(), killed_s)
            assert gap_s < (AGAIN_S if number == signal.SIGKILL else STOPPED_S)
            resumed_ms.append(again[0].ms + 40)
        assert station.facts("playout")["outputs"]["main"]["connects"] == 1
        assert station.child("pusher-preview")["facts"]["connects"] == 1
        viewer.stop()
    assert len(nginx.recordings("key")) == 1, "one session"
    path = nginx.recordings("key")[0]
    found = inspect(path, sound=False)
    assert found.monotone and not found.decode_errors, "no torn tag"
    assert found.black_frames == 0
    for ms in resumed_ms:
        assert abs(av_offset_ms(path, begin_s=ms / 1000, limit_s=ms / 1000 + 2.5)) <= 40
