"""Signs of life of a stream: since when it is still, black or silent, how far sound and picture lie apart. Pure.

In: what was seen and heard, and the size of what came, each with its media time in ms, which rises. Out: figures about
now, which is the newest time that came. It raises no alarm: a still picture is right on a slate.
"""

from __future__ import annotations

from collections import deque
from itertools import compress
from operator import sub

BLACK_LUMA = 32  # limited range, where black is 16: the darkest wall of a slate lies at 37
BLACK_SHARE = 0.98  # of the cells
MOVED_LUMA = 4  # of a cell: an encoder of a still picture changes fewer than MOVED_CELLS by more, at any bit rate
MOVED_CELLS = 4  # a face at rest moves fifty and more
NEAR_MS = 1000  # two looks so far apart are of one group of pictures
SILENT_RMS = 0.001  # −60 dB of full scale
WINDOW_MS = 4000  # two groups of pictures: a key frame is ten times the size of the others
BLIND_MS = 3000  # what lies between two looks further apart than this was not seen, and is not judged
AAC_MS = 1024 / 48  # of sound in one tag


class Lasting:
    """Since when something has been so."""

    def __init__(self) -> None:
        self._since_ms: int | None = None
        self._last_ms = 0

    def say(self, ms: int, so: bool) -> None:
        if not so or ms - self._last_ms > BLIND_MS:
            self._since_ms = ms if so else None
        elif self._since_ms is None:
            self._since_ms = ms
        self._last_ms = ms

    @property
    def seconds(self) -> float:
        """Up to the last word about it; 0 when it is not so."""
        return 0.0 if self._since_ms is None else round((self._last_ms - self._since_ms) / 1000, 1)


class Vitals:
    """One thread. `judged`: for each cell of a coarse picture, whether it is part of the programme: 1 or 0."""

    def __init__(self, judged: bytes) -> None:
        self._judged = judged
        self._cells = max(1, sum(judged))
        self._still, self._black, self._silent = Lasting(), Lasting(), Lasting()
        self._anchors: dict[int, bytes] = {}  # by place in the group of pictures: the cells when something last moved
        self._last = b""
        self._sizes: deque[tuple[int, int]] = deque()  # ms, bytes
        self._bytes = 0
        self._offsets: deque[tuple[int, float]] = deque()  # ms, ms
        self._sound_ms: int | None = None
        self._seen_ms: int | None = None
        self._came_ms = 0

    def come(self, ms: int, size: int, sound: bool) -> None:
        """A tag came, decoded or not."""
        self._came_ms = ms
        self._sizes.append((ms, size))
        self._bytes += size
        if sound:
            self._sound_ms = ms
        elif self._sound_ms is not None:
            # sound is muxed before the picture it belongs to: the newest began half its length ago, on average
            self._offsets.append((ms, self._sound_ms + AAC_MS / 2 - ms))
        while self._sizes[0][0] < ms - WINDOW_MS:
            self._bytes -= self._sizes.popleft()[1]
        while self._offsets and self._offsets[0][0] < ms - WINDOW_MS:
            self._offsets.popleft()

    def see(self, ms: int, picture: bytes, place: int = 0) -> None:
        """A coarse picture: luma of each cell, limited range. place: which one of its group of pictures it is.

        A group may be encoded worse than the one before, so each picture is compared with those of its own place; and
        with the one before it, since what swings once a group is the same at each of its places.
        """
        cells = bytes(compress(picture, self._judged))
        near = self._seen_ms is not None and ms - self._seen_ms < NEAR_MS
        if moved(self._anchors.get(place, b""), cells) or (near and moved(self._last, cells)):
            self._anchors[place] = cells
            self._still.say(ms, False)
        self._last = cells
        self._still.say(ms, True)  # from the picture on that was the last to move
        self._black.say(ms, is_black(cells))
        self._seen_ms = ms

    def hear(self, ms: int, rms: float) -> None:
        """A stretch of sound. rms: 1 is full scale."""
        self._silent.say(ms, rms < SILENT_RMS)

    def facts(self) -> dict[str, float]:
        """What is known so far; a figure that nothing was seen or heard of is left out."""
        facts: dict[str, float] = {}
        if self._seen_ms is not None:
            facts["freeze_s"] = self._still.seconds
            facts["black_s"] = self._black.seconds
            facts["age_s"] = round(max(0, self._came_ms - self._seen_ms) / 1000, 1)
        if self._sound_ms is not None:
            facts["silence_s"] = self._silent.seconds
        if self._offsets:
            facts["av_offset_ms"] = round(sum(offset for _, offset in self._offsets) / len(self._offsets), 1)
        if self._sizes and (span_ms := self._came_ms - self._sizes[0][0]) >= WINDOW_MS / 2:
            facts["kbps"] = round(self._bytes * 8 / span_ms)
        return facts


def moved(before: bytes, after: bytes) -> bool:
    """Whether more changed between two pictures than an encoder does by itself."""
    if len(before) != len(after):
        return True
    steps: list[int] = list(map(sub, before, after))
    return sum(abs(step) > MOVED_LUMA for step in steps) >= MOVED_CELLS


def is_black(cells: bytes) -> bool:
    return sum(cell < BLACK_LUMA for cell in cells) >= BLACK_SHARE * len(cells)
