from __future__ import annotations

import random

from pipeline.wire import Tag
from streams.backlog import AUDIO_MAX_MS, VIDEO_MAX_MS, Backlog
from streams.flv import AUDIO, VIDEO

GOP_MS = 2000


def stream(until_ms: int, from_ms: int = 0) -> list[Tag]:
    """Picture each 40 ms, a key frame each 2 s, sound each 20 ms."""
    tags = []
    for ms in range(from_ms, until_ms, 20):
        tags.append(Tag(AUDIO, ms, False, b"a%d" % ms))
        if ms % 40 == 0:
            tags.append(Tag(VIDEO, ms, ms % GOP_MS == 0, b"%s%d" % (b"k" if ms % GOP_MS == 0 else b"v", ms)))
    return tags


def fill(backlog: Backlog, tags: list[Tag]) -> bool:
    taken = [backlog.push(tag, tag.data) for tag in tags]
    return all(taken)


def drained(backlog: Backlog) -> list[bytes]:
    got = []
    while (data := backlog.pop()) is not None:
        got.append(data)
    return got


def broken_references(got: list[bytes]) -> int:
    """Pictures that came without the one before them."""
    last = None
    broken = 0
    for data in got:
        if data[:1] in b"kv":
            ms = int(data[1:])
            broken += data[:1] == b"v" and last != ms - 40
            last = ms
    return broken


def begun() -> Backlog:
    backlog = Backlog()
    backlog.begin(b"H", [(tag, tag.data) for tag in stream(200)])
    return backlog


def test_a_reader_gets_headers_then_the_replay_then_what_is_new() -> None:
    backlog = begun()
    fill(backlog, stream(400, 200))
    got = drained(backlog)
    assert got[0] == b"H"
    assert got[1:] == [tag.data for tag in stream(400)]


def test_a_late_reader_waits_for_a_key_frame_when_there_is_nothing_to_replay() -> None:
    backlog = Backlog()
    backlog.begin(b"H", [])
    fill(backlog, stream(2100, 1800))
    got = [data for data in drained(backlog) if data[:1] in b"kv"]
    assert got[0] == b"k2000"


def test_the_replay_does_not_count_as_waiting() -> None:
    backlog = Backlog()
    backlog.begin(b"H", [(tag, tag.data) for tag in stream(1960)])
    fill(backlog, stream(2000, 1960))
    assert backlog.dropped == 0


def test_a_stuck_reader_holds_a_second_of_pictures_and_all_sound() -> None:
    backlog = begun()
    assert fill(backlog, stream(8000, 200))
    got = drained(backlog)
    pictures = [int(data[1:]) for data in got if data[:1] in b"kv"]
    assert max(pictures) - min(pictures) <= VIDEO_MAX_MS
    assert [data for data in got if data[:1] == b"a"] == [t.data for t in stream(8000) if t.kind == AUDIO]
    assert backlog.dropped > 0
    assert broken_references(got) == 0


def test_whatever_the_reader_does_no_picture_misses_its_reference_and_no_sound_is_lost() -> None:
    dice = random.Random(7)
    for _ in range(50):
        backlog, got = begun(), []
        for tag in stream(30_000, 200):
            backlog.push(tag, tag.data)
            for _ in range(dice.choice((0, 0, 1, 1, 2, 30)) if tag.ms // 3000 % 2 else 3):
                if (data := backlog.pop()) is not None:
                    got.append(data)
        got += drained(backlog)
        assert broken_references(got) == 0
        assert [d for d in got if d[:1] == b"a"] == [t.data for t in stream(30_000) if t.kind == AUDIO]


def test_a_reader_that_comes_back_loses_nothing_more() -> None:
    backlog = begun()
    fill(backlog, stream(5000, 200))
    drained(backlog)
    dropped = backlog.dropped
    for tag in stream(12_000, 6000):
        backlog.push(tag, tag.data)
        drained(backlog)
    assert backlog.dropped == dropped


def test_a_reader_that_is_lost_is_cut_off_before_its_sound_fills_the_memory() -> None:
    assert fill(begun(), stream(AUDIO_MAX_MS, 200))
    assert not fill(begun(), stream(AUDIO_MAX_MS + 1000, 200))


def test_a_machine_that_was_away_for_an_hour_costs_no_picture_and_no_line() -> None:
    backlog = begun()
    assert fill(backlog, stream(2400, 2200))  # what was being sent when it went away
    assert fill(backlog, stream(3_602_600, 3_602_400))
    assert backlog.dropped == 0
