"""The probe as a process: what it tells of a real stream, that nobody minds it, and what the far end looks like."""

from __future__ import annotations

import functools
import http.server
import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.wire import Beat
from streams.hls import PLAYLIST
from streams.preview import SOCKET_NAME
from streams.probe.probe import NAME
from tests.nginx_rtmp import NginxRtmp, nginx  # noqa: F401
from tests.pusher_child import ROOT, PusherChild, pusher, until
from tests.tagsource import HEIGHT, WIDTH, Source

KEY = "key-SECRET-9"


class ProbeChild(PusherChild):
    """The same, but for what it is told."""

    kind = "probe"

    def __init__(self, runtime_dir: Path) -> None:
        super().__init__(runtime_dir, "", NAME)
        label = {"label_text": "AI-generated", "label_corner": "top-left"}
        self._spec = {"runtime_dir": str(runtime_dir), "width": WIDTH, "height": HEIGHT, **label}

    @property
    def facts(self) -> dict[str, Any]:
        beats = [said for _, said in list(self.heard) if isinstance(said, Beat)]
        return beats[-1].facts if beats else {}


@contextmanager
def probe(runtime_dir: Path) -> Iterator[ProbeChild]:
    child = ProbeChild(runtime_dir)
    child.start()
    try:
        yield child
    finally:
        child.kill()


def test_it_tells_of_one_playout_after_the_other(short_dir: Path) -> None:
    ours = set(psutil.Process().children(recursive=True))
    with probe(short_dir) as child:
        until(lambda: child.phase == "idle", what="it waits for playout")
        with Source(short_dir, [NAME]):
            until(lambda: "kbps" in child.facts)
            facts = child.facts
            assert child.phase == "live" and facts["freeze_s"] <= 2.0 and facts["silence_s"] == facts["black_s"] == 0
            assert 100 <= facts["kbps"] <= 700 and abs(facts["av_offset_ms"]) <= 30 and facts["label"] is False
        until(lambda: "freeze_s" not in child.facts, what="nothing is told of a stream that is over")
        with Source(short_dir, [NAME]):
            until(lambda: child.facts.get("label") is False and child.phase == "live")
        assert child.drain() == 0
        assert set(psutil.Process().children(recursive=True)) <= ours, "what drew the label has ended as well"


def test_a_label_that_cannot_be_drawn_is_told_with_the_reason(short_dir: Path) -> None:
    child = ProbeChild(short_dir)
    child._spec["label_text"] = ""
    child.start()
    assert child.process.wait(20) == 1
    until(lambda: child.notes("child.failed"))
    assert "the label cannot be drawn: ValueError" in child.notes("child.failed")[0]["reason"]
    child.kill()


def test_one_that_stands_still_or_dies_delays_no_packet(short_dir: Path) -> None:
    with (
        Source(short_dir, ["main", NAME]) as source,
        pusher(short_dir, f"file:{short_dir}/a.mp4", min_free_gb=0) as main,
        probe(short_dir) as child,
    ):
        until(lambda: source.state("main") == "live" and child.facts.get("frames", 0) > 10)
        child.process.send_signal(signal.SIGSTOP)
        begun = len(source.published)
        until(lambda: len(source.published) > begun + 5 * 72)
        child.process.send_signal(signal.SIGCONT)
        before = child.facts["frames"]
        until(lambda: child.facts["frames"] > before + 10, what="it goes on")
        child.process.kill()
        until(lambda: len(source.published) > begun + 6 * 72)
        assert source.longest_publish_s < 0.1
        assert main.notes("output.lost") == [] and source.outputs.states()["main"].dropped == 0


# ── the far end ──────────────────────────────────────────────────────────────────────────────────


def played(url: str, limit_s: float = 15.0) -> dict[str, Any]:
    """What `python -m streams.probe.farend` says; it never repeats the URL."""
    command = [sys.executable, "-m", "streams.probe.farend", str(limit_s)]
    done = subprocess.run(
        command, input=f"{url}\n", capture_output=True, text=True, timeout=limit_s + 5, cwd=ROOT, check=True
    )
    assert KEY not in done.stdout + done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


class _Flv(_Quiet):
    """What comes out of the preview's socket, as a platform's HTTP-FLV."""

    def do_GET(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as picture:
            picture.connect(str(Path(self.directory) / SOCKET_NAME))
            picture.sendall(b"GET /live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
            try:
                while data := picture.recv(65536):
                    self.wfile.write(data)
            except OSError:
                return


@contextmanager
def web(directory: Path, handler: type[_Quiet] = _Quiet) -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(handler, directory=str(directory)))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def test_the_far_end_plays_until_the_broadcast_is_over(short_dir: Path, tmp_path: Path, nginx: NginxRtmp) -> None:  # noqa: F811
    playlist = tmp_path / "hls" / PLAYLIST
    hls = PusherChild(short_dir, f"hls:{tmp_path}/hls", "hls", hls_segments=4)
    with (
        Source(short_dir, ["main", "hls", "preview"]) as source,
        pusher(short_dir, nginx.url(KEY)) as main,
        pusher(short_dir, "preview:", "preview"),
        web(short_dir, _Flv) as flv,
        web(tmp_path / "hls") as segments,
        ThreadPoolExecutor() as pool,
    ):
        hls.start()
        until(lambda: source.state("main") == "live" and (short_dir / SOCKET_NAME).exists())
        until(lambda: playlist.exists() and playlist.read_text().count("#EXTINF") >= 2, 15)
        urls = [nginx.url(KEY), f"{flv}/live.flv?sign={KEY}", f"{segments}/{PLAYLIST}?auth={KEY}"]
        for found in pool.map(played, urls):
            assert found["plays"] and found["frames"] > 25 and found["advanced_s"] >= 3 and found["newest_ms"] > 0
            assert found.get("freeze_s", 0) <= 1 and found.get("silence_s", 0) == 0
        hls.kill()  # the platform has ended the broadcast: its last segments are there as before
        main.kill()
        over, left = pool.map(functools.partial(played, limit_s=4), (urls[0], urls[2]))
        assert not over["plays"] and over["why"] in ("timeout", "stalled", "rejected", "ended", "no_pictures")
        assert not left["plays"] and left["why"] == "stalled" and left["frames"] > 25


@pytest.mark.parametrize(
    ("url", "why"),
    [
        (f"http://127.0.0.1:1/{KEY}.m3u8", "connect"),
        (f"file:/etc/{KEY}", "address"),
        ("", "address"),
    ],
)
def test_the_far_end_says_why_there_is_nothing(url: str, why: str) -> None:
    found = played(url, limit_s=5)
    assert found["plays"] is False and found["why"] == why


def test_the_far_end_is_over_when_its_time_is_over(short_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        found = played(f"http://127.0.0.1:{silent.getsockname()[1]}/{KEY}.flv", limit_s=1)
        assert not found["plays"] and found["why"] == "timeout" and found["took_s"] < 3
    with web(short_dir) as url:
        assert played(f"{url}/nothing.m3u8", limit_s=5)["why"] == "rejected"
