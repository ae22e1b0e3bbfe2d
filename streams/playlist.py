"""The playlist of a live HLS stream: which segments there are now. Pure. (RFC 8216.)

In: segments as they are finished, or the text of a playlist that an earlier process left. Out: the text
for players. Numbers never restart as long as that text is kept, so a player follows over a restart.
"""

from __future__ import annotations

import math
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass

INIT = re.compile(r'#EXT-X-MAP:URI="([^"]+)"')
DURATION = re.compile(r"#EXTINF:([0-9.]+),")
SEQUENCE = re.compile(r"#EXT-X-MEDIA-SEQUENCE:(\d+)")
BREAKS = re.compile(r"#EXT-X-DISCONTINUITY-SEQUENCE:(\d+)")
DATED = re.compile(r"#EXT-X-PROGRAM-DATE-TIME:(\S+)")


@dataclass(frozen=True, slots=True)
class Segment:
    """name, init: files. seconds: of media. dated: wall time of its first picture. breaks: time does not go on here."""

    name: str
    init: str
    seconds: float
    dated: str
    breaks: bool


class Playlist:
    def __init__(self, window: int, target_s: int) -> None:
        """`window`: segments that are listed; `target_s`: the length they are meant to have."""
        self._window = window
        self._target_s = target_s
        self.first = 1  #: number of the first segment listed
        self._breaks = 0  # that went out of the window
        self.segments: list[Segment] = []

    @property
    def next(self) -> int:
        """The number of the segment that comes next."""
        return self.first + len(self.segments)

    def add(self, segment: Segment) -> None:
        self.segments.append(segment)
        while len(self.segments) > self._window:
            self._breaks += self.segments.pop(0).breaks
            self.first += 1

    def text(self) -> str:
        longest = max((math.ceil(segment.seconds - 0.5) for segment in self.segments), default=0)
        lines = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            "#EXT-X-INDEPENDENT-SEGMENTS",
            f"#EXT-X-TARGETDURATION:{max(self._target_s, longest)}",
            f"#EXT-X-MEDIA-SEQUENCE:{self.first}",
            f"#EXT-X-DISCONTINUITY-SEQUENCE:{self._breaks}",
        ]
        init = ""
        for segment in self.segments:
            if segment.breaks:
                lines.append("#EXT-X-DISCONTINUITY")
            if segment.init != init or segment.breaks:
                init = segment.init
                lines.append(f'#EXT-X-MAP:URI="{init}"')
            lines.append(f"#EXT-X-PROGRAM-DATE-TIME:{segment.dated}")
            lines += [f"#EXTINF:{segment.seconds:.3f},", segment.name]
        return "\n".join(lines) + "\n"

    def take_up(self, text: str) -> None:
        """Go on after the playlist of an earlier process; after one that is not ours, or gone, with nothing listed."""
        first, breaks = SEQUENCE.search(text), BREAKS.search(text)
        if first is None:
            self.first, self.segments = self.next, []
            return
        self.first, self._breaks, self.segments = int(first[1]), int(breaks[1]) if breaks else 0, []
        for segment in _segments(text):
            self.add(segment)


def dated(wall_s: float) -> str:
    """Unix seconds as ISO 8601 with milliseconds."""
    whole = math.floor(wall_s)
    return time.strftime(f"%Y-%m-%dT%H:%M:%S.{int((wall_s - whole) * 1000):03d}Z", time.gmtime(whole))


def _segments(text: str) -> Iterator[Segment]:
    init, seconds, when, breaks = "", 0.0, "", False
    for line in text.splitlines():
        if line == "#EXT-X-DISCONTINUITY":
            breaks = True
        elif found := INIT.fullmatch(line):
            init = found[1]
        elif found := DATED.fullmatch(line):
            when = found[1]
        elif found := DURATION.fullmatch(line):
            seconds = float(found[1])
        elif line and not line.startswith("#"):
            yield Segment(line, init, seconds, when, breaks)
            breaks = False
