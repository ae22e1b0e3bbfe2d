"""What waits in a pusher for a line that is slower than the stream: it drops pictures, never sound. Pure.

In: tags as they come, when, and how much is on its way before them. Out: tags in order. The rule: a picture that
is half a second late goes, with all that follow it up to the next key frame, so that a receiver never meets a
picture whose reference is missing. What a connection begins with is never late.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from pipeline.clock import NS
from pipeline.wire import Tag
from streams.flv import VIDEO

LATE_NS = NS // 2  # with the key frame that is being sent, less than a second on half a line
TURN_NS = NS // 20


class Entry(NamedTuple):
    tag: Tag
    at_ns: int | None  # when it came; none for what a connection begins with


class Waiting:
    def __init__(self) -> None:
        self._entries: deque[Entry] = deque()
        self._waits_for_key = False
        self.dropped = 0  #: tags, over all of its life

    def __len__(self) -> int:
        return len(self._entries)

    def begin(self, group: list[Tag]) -> None:
        """Start over with the tags since the last key frame."""
        self._entries = deque(Entry(tag, None) for tag in group)
        self._waits_for_key = not group

    def clear(self) -> None:
        self.begin([])

    def push(self, tag: Tag, now_ns: int) -> None:
        if tag.kind == VIDEO:
            self._waits_for_key = self._waits_for_key and not tag.key
            if self._waits_for_key:
                self.dropped += 1
                return
        self._entries.append(Entry(tag, now_ns))

    def head(self, now_ns: int, ahead_ns: int = 0) -> Tag | None:
        """What is to be sent next. It stays here until `pop`. ahead_ns: media that was taken and has not arrived."""
        while self._is_late(now_ns + ahead_ns):
            self._shed()
        return self._entries[0].tag if self._entries else None

    def pop(self) -> None:
        self._entries.popleft()

    def is_behind(self, now_ns: int) -> bool:
        """Whether the next tag has waited longer than a turn of the loop explains."""
        at_ns = self._entries[0].at_ns if self._entries else None
        return at_ns is not None and now_ns - at_ns >= TURN_NS

    def waited_s(self, now_ns: int) -> float:
        """For how long the oldest tag has been here."""
        return max((now_ns - entry.at_ns for entry in self._entries if entry.at_ns is not None), default=0) / NS

    def _is_late(self, now_ns: int) -> bool:
        oldest = next((entry for entry in self._entries if entry.tag.kind == VIDEO), None)
        return oldest is not None and oldest.at_ns is not None and now_ns - oldest.at_ns >= LATE_NS

    def _shed(self) -> None:
        """Drop the pictures up to the next key frame; where none waits, up to the next that comes."""
        kept: deque[Entry] = deque()
        shedding, first = True, True
        for entry in self._entries:
            if entry.tag.kind == VIDEO:
                shedding = shedding and (first or not entry.tag.key)
                first = False
            if shedding and entry.tag.kind == VIDEO:
                self.dropped += 1
            else:
                kept.append(entry)
        self._entries = kept
        self._waits_for_key = self._waits_for_key or shedding
