"""Another RTMP server than ours: libav's, in a process of its own, which decodes what it gets."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

from pipeline.clock import RealClock
from pipeline.errors import OutputError
from streams.destination import PusherSpec
from streams.flv import AUDIO
from streams.rtmp.destination import RtmpDestination
from streams.session import Fate, Session
from tests.nginx_rtmp import free_port
from tests.tagsource import media

TAGS = 1000
SERVER = """
import json, sys, av
found = {"video": 0, "audio": 0, "last_ms": 0}
container = av.open(sys.argv[1], options={"listen": "1"}, timeout=20)
try:
    for packet in container.demux():
        if packet.dts is not None:
            found[packet.stream.type] += 1
            found["last_ms"] = max(found["last_ms"], int(packet.dts * packet.time_base * 1000))
            packet.decode()
except av.FFmpegError:
    pass  # how libav tells that the publisher hung up
print(json.dumps(found))
"""


def test_libavs_own_server_gets_every_tag(tmp_path: Path) -> None:
    url = f"rtmp://127.0.0.1:{free_port()}/live/key?sign=a"
    found, audio = media(3_000_000, noise=True), 0
    with subprocess.Popen([sys.executable, "-c", SERVER, url], stdout=subprocess.PIPE) as server:
        destination = RtmpDestination(PusherSpec("main", url, str(tmp_path)), lambda *_, **__: None)
        session = Session(destination, RealClock())
        connect(session, found.headers)
        for _, tag in zip(range(TAGS), found.forever(), strict=False):
            while session.write(tag) is Fate.NO_ROOM:
                time.sleep(0.002)
                destination.check()
            audio += tag.kind == AUDIO
            last_ms = tag.ms
        session.close()
        assert server.stdout is not None
        got = json.loads(server.stdout.read())
    assert got["audio"] == audio
    assert got["video"] == TAGS - audio
    assert abs(got["last_ms"] - last_ms) < 60


def connect(session: Session, headers: object, within_s: float = 10.0) -> None:
    """Until the server listens."""
    ends_s = time.monotonic() + within_s
    while True:
        try:
            session.open(headers)
            while not session.is_ready():
                time.sleep(0.005)
            return
        except OutputError:
            session.abort()
            assert time.monotonic() < ends_s
            time.sleep(0.1)
