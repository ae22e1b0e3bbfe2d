from __future__ import annotations

import random
from itertools import pairwise

from pipeline.clock import NS
from pipeline.wire import Tag
from streams.flv import AUDIO, VIDEO
from streams.waiting import LATE_NS, Waiting

GOP_MS = 2000
MS = NS // 1000


def stream(until_ms: int, from_ms: int = 0) -> list[Tag]:
    """Picture each 40 ms, a key frame each 2 s, sound each 20 ms."""
    tags = []
    for ms in range(from_ms, until_ms, 20):
        tags.append(Tag(AUDIO, ms, False, b"a"))
        if ms % 40 == 0:
            tags.append(Tag(VIDEO, ms, ms % GOP_MS == 0, b"v"))
    return tags


def drained(waiting: Waiting, now_ns: int) -> list[Tag]:
    got = []
    while (tag := waiting.head(now_ns)) is not None:
        got.append(tag)
        waiting.pop()
    return got


def broken_references(got: list[Tag]) -> int:
    """Pictures that came without the one before them."""
    video = [tag for tag in got if tag.kind == VIDEO]
    return sum(not tag.key and tag.ms - before.ms != 40 for before, tag in pairwise(video))


def test_a_line_with_room_gets_everything_in_order() -> None:
    waiting, got = Waiting(), []
    tags = stream(6000)
    for tag in tags:
        waiting.push(tag, tag.ms * MS)
        got += drained(waiting, tag.ms * MS)
    assert got == tags
    assert waiting.dropped == 0


def test_a_line_that_is_too_slow_loses_the_ends_of_groups_and_no_sound() -> None:
    dice = random.Random(2)
    waiting, got, oldest_ns = Waiting(), [], 0
    tags = stream(20_000)
    for tag in tags:
        now_ns = tag.ms * MS
        waiting.push(tag, now_ns)
        waiting.head(now_ns)
        oldest_ns = max(oldest_ns, int(waiting.waited_s(now_ns) * NS))
        if dice.random() < 0.45 and (head := waiting.head(now_ns)) is not None:
            got.append(head)
            waiting.pop()
    got += drained(waiting, 20_000 * MS)
    assert broken_references(got) == 0
    assert [tag for tag in got if tag.kind == AUDIO] == [tag for tag in tags if tag.kind == AUDIO]
    assert waiting.dropped == len(tags) - len(got) > 100


def test_no_picture_waits_longer_than_the_rule_says() -> None:
    waiting = Waiting()
    for tag in stream(5000):
        waiting.push(tag, tag.ms * MS)
        head = waiting.head(tag.ms * MS)
        pictures = [entry for entry in waiting._entries if entry.tag.kind == VIDEO]
        assert all(tag.ms * MS - (entry.at_ns or 0) < LATE_NS for entry in pictures)
        assert head is not None


def test_a_key_frame_that_waits_is_kept_with_what_follows_it() -> None:
    waiting = Waiting()
    for tag in stream(2400, from_ms=1600):  # a key frame at 2000
        waiting.push(tag, tag.ms * MS)
    video = [tag for tag in drained(waiting, 2400 * MS) if tag.kind == VIDEO]
    assert video[0].ms == 2000
    assert waiting.dropped == 10


def test_what_a_connection_begins_with_is_not_late() -> None:
    waiting = Waiting()
    group = [tag for tag in stream(4000, from_ms=2000) if tag.ms > 2000 or tag.kind == VIDEO]
    waiting.begin(group)
    assert drained(waiting, 10_000 * MS) == group


def test_without_a_group_it_begins_at_the_next_key_frame() -> None:
    waiting = Waiting()
    waiting.begin([])
    for tag in stream(2200, from_ms=1900):
        waiting.push(tag, tag.ms * MS)
    video = [tag for tag in drained(waiting, 2200 * MS) if tag.kind == VIDEO]
    assert [tag.ms for tag in video] == [2000, 2040, 2080, 2120, 2160]


def test_a_burst_after_playout_stood_still_is_not_late() -> None:
    waiting = Waiting()
    for tag in stream(1000):  # a second of media at one moment
        waiting.push(tag, 50 * NS)
    assert len(drained(waiting, 50 * NS)) == len(stream(1000))
    assert waiting.dropped == 0
