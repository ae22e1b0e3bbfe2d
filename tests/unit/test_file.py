"""Recordings: what is written, when the next file begins, what is deleted."""

from __future__ import annotations

import os
import shutil
from collections import namedtuple
from collections.abc import Callable
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from pipeline.clock import FakeClock
from pipeline.errors import OutputError
from streams.destination import PusherSpec
from streams.file import GB, FileDestination
from streams.session import Session
from tests.recording import inspect
from tests.tagsource import GOP, media

Usage = namedtuple("Usage", "total used free")
WALL_S = 1_700_000_000.0  # 2023-11-14 22:13:20 UTC


class Notes:
    def __init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, level: str, event: str, **fields: Any) -> None:
        self.heard.append((event, fields))

    def of(self, event: str) -> list[dict[str, Any]]:
        return [fields for heard, fields in self.heard if heard == event]


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(wall_s=WALL_S)


@pytest.fixture
def recorder(tmp_path: Path, notes: Notes, clock: FakeClock) -> Callable[..., FileDestination]:
    def make(**more: Any) -> FileDestination:
        given = {"segment_s": 3600, "keep_days": 7, "min_free_gb": 0} | more
        spec = PusherSpec("archive", f"file:{tmp_path}/deep/shop.mp4", "/nowhere", **given)
        return FileDestination(spec, notes, clock)

    return make


def play(destination: FileDestination, clock: FakeClock, seconds: float) -> None:
    """Record that much of the test media, a clock going with it."""
    session = Session(destination, clock)
    session.open(media().headers)
    for tag in takewhile(lambda tag: tag.ms < seconds * 1000, media().forever()):
        clock.advance(0.02)
        session.write(tag)
    session.close()


def old_file(directory: Path, name: str, age_s: float) -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / name
    path.write_bytes(b"x")
    os.utime(path, (WALL_S - age_s, WALL_S - age_s))
    return path


def test_a_recording_is_complete_and_named_by_when_it_began_in_utc(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path
) -> None:
    play(recorder(), clock, 6.0)
    found = inspect(tmp_path / "deep" / "shop-20231114T221320.mp4")
    assert found.codecs == ("h264", "aac")
    assert 149 <= found.frames <= 150
    assert found.monotone
    assert found.max_video_gap_ms <= 41
    assert found.max_key_gap_ms <= 1000 * GOP / 25
    assert abs(found.start_offset_ms) <= 22
    assert found.decode_errors == 0


def test_the_next_file_begins_at_the_first_key_frame_after_its_time(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path, notes: Notes
) -> None:
    play(recorder(segment_s=2), clock, 7.0)
    files = sorted((tmp_path / "deep").iterdir())
    parts = [inspect(path) for path in files]
    assert [note["file"] for note in notes.of("recording.opened")] == [path.name for path in files]
    assert [round(part.frames / 25) for part in parts] == [2, 2, 2, 1]
    assert sum(part.frames for part in parts) in (174, 175)
    assert all(part.monotone and abs(part.start_offset_ms) <= 22 and not part.decode_errors for part in parts)


def test_files_past_their_days_go_and_strangers_stay(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path, notes: Notes
) -> None:
    directory = tmp_path / "deep"
    gone = old_file(directory, "shop-20231101T000000.mp4", 8 * 86400)
    kept = [
        old_file(directory, "shop-20231110T000000.mp4", 4 * 86400),
        old_file(directory, "shop-front-20231101T000000.mp4", 8 * 86400),
        old_file(directory, "shop-holiday.mp4", 80 * 86400),
        old_file(directory, "other-20231101T000000.mp4", 8 * 86400),
    ]
    play(recorder(keep_days=7), clock, 1.0)
    assert not gone.exists()
    assert all(path.exists() for path in kept)
    assert [note["why"] for note in notes.of("recording.deleted")] == ["keep_days"]


def test_the_oldest_go_first_while_the_disk_is_too_full(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "deep"
    for day in range(1, 5):
        old_file(directory, f"shop-2023111{day}T000000.mp4", (5 - day) * 86400)

    def usage(path: Path) -> Usage:  # each of the old files weighs a GB
        return Usage(10 * GB, 0, (6 - len(list(directory.glob("shop-2023111?T000000.mp4")))) * GB)

    monkeypatch.setattr(shutil, "disk_usage", usage)
    play(recorder(min_free_gb=4), clock, 1.0)
    assert sorted(path.name for path in directory.glob("*T000000.mp4")) == [
        "shop-20231113T000000.mp4",
        "shop-20231114T000000.mp4",
    ]


def test_a_disk_that_stays_too_full_stops_the_recording_and_is_told(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10 * GB, 9 * GB, 1 * GB))
    with pytest.raises(OutputError, match=r"disk: 1\.0 GB free, min_free_gb is 5") as caught:
        recorder(min_free_gb=5).open(media().headers)
    assert caught.value.kind == "disk"
    assert list((tmp_path / "deep").iterdir()) == []


def test_the_file_being_written_is_never_deleted(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = iter([9 * GB] * 2)  # at the open and at the first file; then none
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(0, 0, next(free, 0)))
    with pytest.raises(OutputError, match="min_free_gb"):
        play(recorder(min_free_gb=1), clock, 30.0)
    (path,) = (tmp_path / "deep").iterdir()
    assert path.stat().st_size > 0


def test_two_recordings_of_one_second_have_two_names(
    recorder: Callable[..., FileDestination], clock: FakeClock, tmp_path: Path
) -> None:
    key = next(tag for tag in media().tags if tag.key)
    for _ in range(2):
        session = Session(recorder(), clock)
        session.open(media().headers)
        session.write(key)
        session.close()
    names = sorted(path.name for path in (tmp_path / "deep").iterdir())
    assert names == ["shop-20231114T221320-2.mp4", "shop-20231114T221320.mp4"]


def test_a_directory_that_cannot_be_made_is_a_disk_error(tmp_path: Path, notes: Notes) -> None:
    (tmp_path / "plain").write_text("")
    spec = PusherSpec("archive", f"file:{tmp_path}/plain/shop.mp4", "/nowhere")
    with pytest.raises(OutputError, match=r"disk: .*plain"):
        FileDestination(spec, notes).open(media().headers)
