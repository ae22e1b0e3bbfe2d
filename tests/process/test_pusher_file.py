"""A recording by a real pusher process: readable whatever kills it, and back when the disk is."""

from __future__ import annotations

import resource
from pathlib import Path

from tests.pusher_child import PusherChild, pusher, until
from tests.recording import inspect
from tests.tagsource import Source, media


def recordings(directory: Path) -> list[Path]:
    return sorted(directory.glob("shop-*.mp4"), key=lambda path: path.stat().st_ctime_ns)


def test_a_killed_recording_is_readable_and_the_next_one_begins(short_dir: Path, tmp_path: Path) -> None:
    url = f"file:{tmp_path}/var/shop.mp4"
    with Source(short_dir, ["main"]) as source:
        first = PusherChild(short_dir, url, min_free_gb=0)
        first.start()
        until(lambda: source.outputs.states()["main"].audio_ms > 3500)
        first.kill()
        killed_ms = source.outputs.states()["main"].audio_ms
        with pusher(short_dir, url, min_free_gb=0) as second:
            until(lambda: source.outputs.states()["main"].audio_ms > killed_ms + 1500)
            source.stop()
            assert second.drain() == 0
    torn, whole = (inspect(path) for path in recordings(tmp_path / "var"))
    for found in (torn, whole):
        assert found.codecs == ("h264", "aac")
        assert found.monotone
        assert found.max_video_gap_ms <= 41
        assert found.decode_errors == 0
    assert torn.frames >= 50  # all whole fragments: one a second in the test media, of three and a half
    assert whole.frames >= 25


def test_a_full_disk_stops_the_recording_and_nothing_else(short_dir: Path, tmp_path: Path) -> None:
    """A file size limit stands for the full disk: the write fails in the middle of a fragment."""
    with (
        Source(short_dir, ["main", "other"], media(3_000_000, noise=True)) as source,
        pusher(short_dir, f"file:{tmp_path}/fine/shop.mp4", "other", min_free_gb=0) as other,
    ):
        child = PusherChild(short_dir, f"file:{tmp_path}/full/shop.mp4", min_free_gb=0)
        child.start()
        until(lambda: child.phase == "live")
        resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (600_000, resource.RLIM_INFINITY))
        until(lambda: child.notes("output.lost"))
        assert child.notes("output.lost")[0]["kind"] == "disk"
        assert child.process.poll() is None
        resource.prlimit(child.process.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
        until(lambda: child.phase == "live")
        lost_ms = source.outputs.states()["main"].audio_ms
        until(lambda: source.outputs.states()["main"].audio_ms > lost_ms + 3000)
        assert other.notes("output.lost") == []
        source.stop()
        child.drain()
        child.kill()
    first, *_, last = recordings(tmp_path / "full")
    assert inspect(first).frames > 0
    assert inspect(first).decode_errors == 0, "no torn picture at its end"
    assert inspect(last).frames > 40


def test_too_little_space_is_told_and_tried_again(short_dir: Path, tmp_path: Path) -> None:
    with (
        Source(short_dir, ["main"]) as source,
        pusher(short_dir, f"file:{tmp_path}/var/shop.mp4", min_free_gb=1e9) as child,
    ):
        until(lambda: len(child.notes("output.backing_off")) >= 2)
        assert "min_free_gb" in child.notes("output.backing_off")[0]["error"]
        assert not source.outputs.states()["main"].live
        assert recordings(tmp_path / "var") == []
