"""HLS for players and caches: `hls:DIR` becomes DIR/live.m3u8 and the segments it lists.

In: tags. Out: a fragmented MP4 (CMAF) segment for each group of pictures, 2 s, and a playlist of the last ones. Every
file appears whole, by rename, the playlist last. A segment that left the playlist is kept for as long
again, for players that are behind, then deleted; no file is touched that was not named here. Where
time jumps, after another playout or another pusher, the playlist says so and goes on.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from pipeline.clock import Clock, RealClock
from pipeline.errors import OutputError
from pipeline.media import FPS
from pipeline.wire import Headers, Tag
from streams import flv
from streams.destination import Note, PusherSpec, Watched
from streams.playlist import Playlist, Segment, dated
from streams.remux import FragmentWriter

PLAYLIST = "live.m3u8"
TARGET_S = 2  # one group of pictures
JUMP_MS = 200  # nothing for so long before a key frame: players are told that time jumps
SEGMENT = re.compile(r"live-(\d{8,})\.m4s")
FRAME_MS = 1000 // FPS
INIT_KEPT_S = 3600.0  # far longer than a player is behind
INIT = re.compile(r"live-init-[0-9a-f]{12}\.mp4")


@dataclass(slots=True)
class Group:
    """A group of pictures on its way into a segment. Times: ms in the destination's stream."""

    begin_ms: int
    dated: str
    breaks: bool
    end_ms: int = 0


class HlsDestination:
    def __init__(self, spec: PusherSpec, note: Note, clock: Clock | None = None) -> None:
        self._directory = Path(spec.url.partition(":")[2])
        self._spec = spec
        self._note = note
        self._clock = clock or RealClock()
        self._playlist = Playlist(spec.hls_segments, TARGET_S)
        self._headers: Headers | None = None
        self._writer: FragmentWriter | None = None
        self._groups: list[Group] = []  # begun, not yet published
        self._last_ms = 0  # of the newest picture
        self._init = b""
        self._segments = 0

    def open(self, headers: Headers) -> None:
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            text = (self._directory / PLAYLIST).read_text(encoding="utf-8")
        except (FileNotFoundError, UnicodeDecodeError):
            text = ""
        except OSError as error:
            raise OutputError("disk", f"{self._directory}: {error.strerror}") from error
        self._playlist.take_up(text)
        self._headers, self._writer, self._groups = headers, None, []

    def is_ready(self) -> bool:
        return True

    def write(self, tag: Tag, ms: int) -> bool:
        if tag.key:
            self._begin_group(tag, ms)
        if tag.kind == flv.VIDEO:
            self._last_ms = ms
        if self._writer is not None:
            fragments = self._writer.write(tag, ms)
            self._init = self._writer.init
            self._publish(fragments)
        return True

    def watched(self) -> Watched:
        return Watched()

    def check(self) -> None:
        """A directory does not hang up."""

    def facts(self) -> dict[str, int]:
        return {"segments": self._segments}

    def close(self) -> None:
        """Publish the group begun. The playlist stays open: a restart goes on in it."""
        try:
            self._end()
        except OutputError as error:
            self._note("warning", "recording.unfinished", output=self._spec.name, error=str(error))

    def abort(self) -> None:
        """Forget the group begun: what refused the last one would refuse it, too."""
        self._writer, self._groups = None, []

    def _begin_group(self, key: Tag, ms: int) -> None:
        assert self._headers is not None, "the destination is not open"
        if self._groups:
            self._groups[-1].end_ms = self._last_ms + FRAME_MS
        if self._writer is None or ms - self._last_ms > JUMP_MS:
            self._end()
            self._writer = FragmentWriter(self._headers, key)
            breaks = self._playlist.next > 1
        else:
            breaks = False
        self._groups.append(Group(ms, dated(self._clock.wall_s()), breaks))

    def _end(self) -> None:
        """Publish all that was begun."""
        writer, self._writer = self._writer, None
        if writer is None:
            return
        self._groups[-1].end_ms = self._last_ms + FRAME_MS
        try:
            self._publish(writer.close())
        finally:
            self._groups = []

    def _publish(self, fragments: list[bytes]) -> None:
        for data in fragments:
            group, number = self._groups.pop(0), self._playlist.next
            name = f"live-{number:08d}.m4s"
            seconds = (group.end_ms - group.begin_ms) / 1000
            self._put(name, data)
            self._playlist.add(Segment(name, self._described(), seconds, group.dated, group.breaks))
            self._put(PLAYLIST, self._playlist.text().encode())
            self._segments += 1
            self._tidy()

    def _described(self) -> str:
        """The name of the file that players need first; it is written when its content is new."""
        assert self._init, "a fragment came before the header"
        init = self._init
        name = f"live-init-{hashlib.sha256(init).hexdigest()[:12]}.mp4"
        if not (self._directory / name).exists():
            self._put(name, init)
        return name

    def _put(self, name: str, data: bytes) -> None:
        """The file appears whole or not at all."""
        path = self._directory / name
        part = path.with_name(f"{name}.part")
        try:
            part.write_bytes(data)
            part.replace(path)
        except OSError as error:
            part.unlink(missing_ok=True)
            raise OutputError("disk", f"{name}: {error.strerror}") from error

    def _tidy(self) -> None:
        """Delete what no player asks for any more."""
        oldest = self._playlist.first - self._spec.hls_segments
        listed = {segment.init for segment in self._playlist.segments}
        try:
            for path in self._directory.iterdir():
                found = SEGMENT.fullmatch(path.name)
                unlisted = INIT.fullmatch(path.name) and path.name not in listed and self._is_old(path)
                if unlisted or (found and int(found[1]) < oldest):
                    path.unlink(missing_ok=True)
        except OSError as error:
            raise OutputError("disk", f"{self._directory}: {error.strerror}") from error

    def _is_old(self, path: Path) -> bool:
        return self._clock.wall_s() - path.stat().st_mtime > INIT_KEPT_S
