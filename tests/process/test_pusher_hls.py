"""HLS by a real pusher process, played by libav while it is live, over the deaths of playout and pusher."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import av

from streams.hls import PLAYLIST
from tests.pusher_child import PusherChild, pusher, until
from tests.tagsource import Source

OUTAGE_S = 0.5  # between two playouts


class Player(threading.Thread):
    """Plays the playlist until told to stop."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self._path = path
        self.pictures = 0
        self.sounds = 0
        self.stopping = False
        self.start()

    def run(self) -> None:
        with av.open(str(self._path), options={"live_start_index": "-3", "allowed_extensions": "ALL"}) as container:
            for frame in container.decode(video=0, audio=0):
                self.pictures += isinstance(frame, av.VideoFrame)
                self.sounds += isinstance(frame, av.AudioFrame)
                if self.stopping:
                    return


def text(directory: Path) -> str:
    path = directory / PLAYLIST
    return path.read_text() if path.exists() else ""


def breaks(directory: Path) -> int:
    """Jumps in time so far, also those that left the window."""
    lines = text(directory).splitlines()
    gone = next((int(line.rpartition(":")[2]) for line in lines if line.startswith("#EXT-X-DISCONTINUITY-S")), 0)
    return gone + lines.count("#EXT-X-DISCONTINUITY")


def test_players_follow_over_the_deaths_of_playout_and_pusher(short_dir: Path, tmp_path: Path) -> None:
    url = f"hls:{tmp_path}/hls"
    first = PusherChild(short_dir, url, hls_segments=4)
    first.start()
    with Source(short_dir, ["main"]):
        until(lambda: text(tmp_path / "hls").count("#EXTINF") >= 2)
        player = Player(tmp_path / "hls" / PLAYLIST)
        until(lambda: player.pictures > 20)
    time.sleep(OUTAGE_S)
    with Source(short_dir, ["main"]):  # another playout
        until(lambda: breaks(tmp_path / "hls") == 1)
        assert first.notes("output.continued")
        first.kill()
        with pusher(short_dir, url, hls_segments=4) as second:
            until(lambda: breaks(tmp_path / "hls") == 2)
            seen = player.pictures
            until(lambda: player.pictures > seen + 25 and player.sounds > player.pictures, what="it plays on")
            assert second.notes("output.lost") == []
        assert player.is_alive()
        player.stopping = True
        player.join(5)
