"""What a playout leaves to the next one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.clock import FakeClock
from streams.handover import FILE_NAME, FRESH_NS, Handover

W, H = 32, 16


def picture(y: int) -> np.ndarray:
    return np.full((H * 3 // 2, W), y, np.uint8)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


def left_behind(directory: Path, clock: FakeClock, y: int = 90, hold: str = "") -> None:
    """A playout shows one picture and is killed."""
    dying = Handover(directory, W, H, clock)
    dying.open()
    dying.hold(hold)
    dying.keep(picture(y))
    dying.write()


def test_the_first_playout_finds_nothing(tmp_path: Path, clock: FakeClock) -> None:
    left = Handover(tmp_path, W, H, clock).open()
    assert left.picture is None and left.hold is None


def test_the_picture_on_air_and_the_loop_are_found_by_the_next(tmp_path: Path, clock: FakeClock) -> None:
    loop = tmp_path / "hold.i420"
    loop.write_bytes(picture(7).tobytes() * 3)
    left_behind(tmp_path, clock, 90, str(loop))
    clock.advance(1)
    following = Handover(tmp_path, W, H, clock)
    left = following.open()
    assert left.picture is not None and left.hold is not None
    assert (left.picture == 90).all() and len(left.hold) == 3
    following.keep(picture(91))
    following.write()
    assert (left.picture == 90).all(), "what was found is a copy"
    again = Handover(tmp_path, W, H, clock).open()
    assert again.hold is not None, "the loop is handed on also when no engine came"


def test_a_picture_of_another_show_is_not_shown(tmp_path: Path, clock: FakeClock) -> None:
    left_behind(tmp_path, clock)
    clock.advance(FRESH_NS / 1e9)
    assert Handover(tmp_path, W, H, clock).open().picture is None
    left_behind(tmp_path, clock)
    assert Handover(tmp_path, W, 2 * H, clock).open().picture is None, "another size"
    left_behind(tmp_path, clock)
    clock.advance(-5)
    assert Handover(tmp_path, W, H, clock).open().picture is None, "the machine was started anew"


def test_a_loop_that_is_gone_is_no_loop(tmp_path: Path, clock: FakeClock) -> None:
    left_behind(tmp_path, clock, hold=str(tmp_path / "gone"))
    left = Handover(tmp_path, W, H, clock).open()
    assert left.picture is not None and left.hold is None


def test_a_file_that_is_torn_or_cannot_be_made_costs_the_picture_alone(tmp_path: Path, clock: FakeClock) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"rubbish" * 1000)
    assert Handover(tmp_path, W, H, clock).open().picture is None
    broken = Handover(tmp_path / "nowhere", W, H, clock)
    assert broken.open().picture is None
    broken.keep(picture(1))
    broken.write()
    broken.start()
    assert broken.thread is None


def test_a_disk_that_is_full_ends_the_writing_and_nothing_else(
    tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = Handover(tmp_path, W, H, clock)
    full.open()

    def refuse(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "pwritev", refuse)
    full.keep(picture(1))
    full.write()
    full.keep(picture(2))
    full.write()
    monkeypatch.undo()
    assert Handover(tmp_path, W, H, clock).open().picture is None
