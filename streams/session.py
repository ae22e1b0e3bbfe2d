"""One connection's life at a destination: its own time line, from its first key frame to its end.

In: tags with playout's media time. Out: the same tags at the destination, beginning near 0 with a
key frame and never stepping back. Sound and picture share one offset, so they stay together, also
when a new playout takes over in the middle: then the line goes on from the last time stamp by the
time that has passed.
"""

from __future__ import annotations

from enum import Enum

from pipeline.clock import Clock
from pipeline.wire import Headers, Tag
from streams import flv
from streams.destination import Destination

LEAD_MS = 30  # sound that follows the first key frame may be one AAC frame (21.3 ms) older than it
SESSION_MAX_MS = 20 * 24 * 3600 * 1000  # time stamps wrap at 2^31 ms, 24.8 days; a new connection begins before
NS_PER_MS = 1_000_000


class Fate(Enum):
    """What became of a tag."""

    SENT = "sent"
    LEFT_OUT = "left out"
    NO_ROOM = "no room"  # not yet: offer it again


class Session:
    def __init__(self, destination: Destination, clock: Clock, longest_ms: int = 0) -> None:
        """longest_ms: after so long `too_long` is true; 0 = as late as time stamps allow."""
        self._destination = destination
        self._clock = clock
        self._longest_ms = min(longest_ms or SESSION_MAX_MS, SESSION_MAX_MS)
        self._headers: Headers | None = None
        self._offset_ms: int | None = None  # none until the next key frame
        self._floor_ms = 0  # nothing goes below
        self._last_ms = 0
        self._last_ns = 0

    @property
    def is_open(self) -> bool:
        return self._headers is not None

    @property
    def too_long(self) -> bool:
        return self._last_ms >= self._longest_ms

    def open(self, headers: Headers) -> None:
        """Begin to connect; `is_ready` tells when tags may be written. OutputError when that fails."""
        self._offset_ms, self._floor_ms, self._last_ms, self._last_ns = None, 0, 0, 0
        self._destination.open(headers)
        self._headers = headers

    def is_ready(self) -> bool:
        """Goes on with connecting; OutputError when that fails."""
        return self._destination.is_ready()

    def continues_with(self, headers: Headers) -> bool:
        """Whether a stream with these headers can go on in this connection."""
        ours = self._headers
        return ours is not None and (ours.video, ours.audio) == (headers.video, headers.audio)

    def pause(self) -> None:
        """The stream broke off: what comes next begins at a key frame, on a time line of its own."""
        self._offset_ms = None

    def write(self, tag: Tag) -> Fate:
        """Send one tag. It is left out when it is no media, or before the key frame. Raises OutputError."""
        if tag.kind == flv.SCRIPT or flv.is_sequence_header(tag.data):
            return Fate.LEFT_OUT
        if self._offset_ms is None:
            if not tag.key:
                return Fate.LEFT_OUT
            self._offset_ms = self._begin_ms() - tag.ms
        ms = max(tag.ms + self._offset_ms, self._floor_ms)
        if not self._destination.write(tag, ms):
            return Fate.NO_ROOM
        self._last_ms, self._last_ns = max(self._last_ms, ms), self._clock.now_ns()
        return Fate.SENT

    def close(self) -> None:
        self._headers = None
        self._destination.close()

    def abort(self) -> None:
        self._headers = None
        self._destination.abort()

    def _begin_ms(self) -> int:
        """Where the next key frame stands in this connection."""
        if self._last_ns == 0:
            return LEAD_MS
        self._floor_ms = self._last_ms
        return self._last_ms + (self._clock.now_ns() - self._last_ns) // NS_PER_MS
