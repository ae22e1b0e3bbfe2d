"""Speech on disk: kept whole, found again, within its bound; a bad disk or a bad file costs nothing but a miss."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs

from pipeline.media import PHONEME, WORD, Mark
from tts.cache import SpeechCache, key_of
from tts.synthesizer import Piece

BOUND = 1 << 20
MARKS = (Mark(0, WORD, text="two"), Mark(700, PHONEME, text="t", span=20))


def pieces(samples: int = 900, level: int = 5) -> list[Piece]:
    """Two pieces of `samples` each."""
    made = Piece(np.full(samples, level, np.int16), np.full(samples // 3, -level, np.int16), MARKS[:1])
    return [made, Piece(made.air + np.int16(1), made.drive, MARKS[1:])]


def opened(directory: Path, bound: int = BOUND) -> SpeechCache:
    cache = SpeechCache(directory, bound)
    cache.open()
    return cache


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.001)


async def put(cache: SpeechCache, key: str, samples: int = 900) -> None:
    cache.put(key, pieces(samples), -2.5)
    await until(lambda: key in cache)


async def test_what_was_kept_is_found_again_also_after_a_restart(tmp_path: Path) -> None:
    first = opened(tmp_path / "speech")
    assert await first.get("a") is None
    await put(first, "a")
    await first.close()
    second = opened(tmp_path / "speech")
    kept = await second.get("a")
    assert kept is not None and kept.gain_db == -2.5 and kept.piece.marks == MARKS
    assert kept.piece.air.tolist() == [5] * 900 + [6] * 900
    assert kept.piece.drive.tolist() == [-5] * 600
    await second.close()


@pytest.mark.parametrize("harm", ["torn", "flipped", "empty", "foreign", "gone", "a directory"])
async def test_a_file_that_cannot_be_used_is_a_miss(tmp_path: Path, harm: str) -> None:
    cache = opened(tmp_path)
    await put(cache, "a")
    path = tmp_path / "a.speech"
    data = path.read_bytes()
    if harm in ("gone", "a directory"):
        path.unlink()
    if harm == "a directory":
        path.mkdir()
    made = {
        "torn": data[:-40],
        "flipped": data[:-9] + bytes([data[-9] ^ 1]) + data[-8:],
        "empty": b"",
        "foreign": b"RIFF" + data,
    }
    if harm in made:
        path.write_bytes(made[harm])
    assert await cache.get("a") is None
    assert "a" not in cache and cache.total_bytes == 0
    if harm != "a directory":
        await put(cache, "a")
        assert await cache.get("a") is not None
    await cache.close()


async def test_the_least_recently_used_goes_first_and_what_is_pinned_stays(tmp_path: Path) -> None:
    cache = opened(tmp_path, bound=4 * 5_000)
    for key in "abcd":
        await put(cache, key)  # 4.8 KB each
    assert cache.pin("b") and not cache.pin("nothing")
    await cache.get("a")
    await put(cache, "e")
    assert [key for key in "abcde" if key in cache] == ["a", "b", "d", "e"]
    await put(cache, "f")
    assert [key for key in "abcdef" if key in cache] == ["a", "b", "e", "f"]
    await until(lambda: len(list(tmp_path.glob("*.speech"))) == 4)
    assert cache.total_bytes == sum(path.stat().st_size for path in tmp_path.iterdir()) <= 4 * 5_000
    await cache.close()


async def test_the_order_of_use_outlives_a_restart(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for age, key in enumerate("abc"):
        await put(cache, key)
        os.utime(tmp_path / f"{key}.speech", (time.time() - 100 + age,) * 2)
    await cache.get("a")
    await cache.close()
    cache = opened(tmp_path, bound=10_000)
    await put(cache, "d")
    assert [key for key in "abcd" if key in cache] == ["a", "d"]
    await cache.close()


async def test_no_more_is_pinned_than_the_cache_holds(tmp_path: Path) -> None:
    cache = opened(tmp_path, bound=10_000)
    await put(cache, "a")
    await put(cache, "b")
    assert cache.pin("a") and cache.pin("b") and cache.pin("a")
    cache.put("c", pieces(), 0.0)
    await until(lambda: not cache._queued)
    assert not cache.pin("c") and "c" not in cache
    await cache.close()


async def test_a_disk_that_refuses_is_told_once_and_forgiven(tmp_path: Path) -> None:
    cache = opened(tmp_path / "speech")
    (tmp_path / "speech").rmdir()
    (tmp_path / "speech").write_text("in the way")
    with capture_logs() as logs:
        for key in "abc":
            cache.put(key, pieces(), 0.0)
        await until(lambda: not cache._queued)
    assert [log["event"] for log in logs] == ["speech.unkept"]
    (tmp_path / "speech").unlink()
    (tmp_path / "speech").mkdir()
    await put(cache, "d")
    await cache.close()


async def test_without_a_bound_nothing_is_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path / "speech", bound=0)
    cache.put("a", pieces(), 0.0)
    assert not (tmp_path / "speech").exists() and await cache.get("a") is None
    await cache.close()


async def test_a_kill_while_writing_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.part").write_bytes(b"half")
    cache = opened(tmp_path)
    assert list(tmp_path.iterdir()) == [] and cache.total_bytes == 0
    await cache.close()


async def test_a_file_that_vanishes_while_the_cache_opens_is_the_only_one_missed(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    await put(cache, "kept")
    await cache.close()
    (tmp_path / "gone.speech").symlink_to(tmp_path / "nowhere")  # listed, and not there when it is looked at
    with capture_logs() as logs:
        cache = opened(tmp_path)
    assert "kept" in cache and "gone" not in cache
    assert await cache.get("kept") is not None
    assert not logs
    await cache.close()


def test_a_key_names_all_that_made_the_sound() -> None:
    made = ("edge", "1", "en", 1.0, "Hello")
    others = [("espeak", *made[1:]), ("edge", "2", *made[2:]), (*made[:3], 1.1, "Hello"), (*made[:4], "Hello.")]
    assert len({key_of(*one) for one in (made, made, *others)}) == 5
