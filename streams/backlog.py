"""What waits for one pusher: a bounded queue that drops pictures, never sound. Pure.

In: tags with the bytes to be sent for them. Out: those bytes in order. The rule when full: a second of
live video may wait. Then no more is taken until the next key frame, which takes the place of what
still waits before it, so that a receiver never meets a picture whose reference is missing. Sound is
kept; when more than ten seconds of it wait, nobody is reading, and the line must be cut. Time that was left
out, because the machine was away, did not wait.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from pipeline.wire import Tag
from streams.flv import VIDEO

VIDEO_MAX_MS = 1000  # more would only be older when it arrives
AUDIO_MAX_MS = 10_000  # far beyond the deadline by which a pusher that does not read is killed
LEAP_MS = 200  # a longer step of media time is one over slots that were left out; it counts as one slot
SLOT_MS = 40


class Entry(NamedTuple):
    data: bytes
    ms: int  # media time of its kind without leaps; the origin means nothing
    video: bool
    live: bool  # false for what a connection begins with: headers and the replayed GOP


class Backlog:
    """Not thread-safe: its owner locks."""

    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._waits_for_key = False
        self._newest = {True: (0, 0), False: (0, 0)}  # media time, and the same without leaps: of pictures, of sound
        self.dropped = 0  #: tags, over all of its life

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, headers: bytes, replay: Sequence[tuple[Tag, bytes]]) -> None:
        """Start over with headers and the tags since the last key frame; these do not count as waiting."""
        self._entries.clear()
        self._waits_for_key = not replay
        self._entries.append(Entry(headers, 0, video=False, live=False))
        self._entries.extend(Entry(data, 0, tag.kind == VIDEO, live=False) for tag, data in replay)

    def push(self, tag: Tag, data: bytes) -> bool:
        """Queue a live tag or drop it by the rule; false when the reader is lost and must be cut off."""
        video = tag.kind == VIDEO
        ms = self._without_leaps(tag, video)
        if video and not self._takes(tag):
            self.dropped += 1
            return True
        self._entries.append(Entry(data, ms, video, live=True))
        return self._waiting_ms(video=False) <= AUDIO_MAX_MS

    def pop(self) -> bytes | None:
        return self._entries.popleft().data if self._entries else None

    def _takes(self, tag: Tag) -> bool:
        full = self._waiting_ms(video=True) >= VIDEO_MAX_MS
        if tag.key:
            if full:
                self._drop_video()
            self._waits_for_key = False
            return True
        self._waits_for_key = self._waits_for_key or full
        return not self._waits_for_key

    def _without_leaps(self, tag: Tag, video: bool) -> int:
        before_ms, ms = self._newest[video]
        step_ms = tag.ms - before_ms
        ms += step_ms if 0 <= step_ms <= LEAP_MS else SLOT_MS
        self._newest[video] = tag.ms, ms
        return ms

    def _waiting_ms(self, video: bool) -> int:
        newest = self._newest[video][1]
        return newest - next((entry.ms for entry in self._entries if entry.live and entry.video == video), newest)

    def _drop_video(self) -> None:
        kept = [entry for entry in self._entries if not entry.video]
        self.dropped += len(self._entries) - len(kept)
        self._entries = deque(kept)
