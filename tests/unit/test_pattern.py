"""The pattern engine measures what it is meant to measure, after a codec too."""

import numpy as np
import pytest

from benchmarks.lipsync import through_h264
from pipeline.arrays import Frames, black, silence
from pipeline.avatar import Avatar
from pipeline.engine import Job
from pipeline.engines.pattern import BITS, PatternEngine, PatternState, beep_track, is_flash, read_counter
from pipeline.media import AIR_PER_DRIVE, DRIVE_SAMPLES, FPS

HOP = 5 * DRIVE_SAMPLES


def avatar(width: int, height: int) -> Avatar:
    return Avatar("none", np.zeros((height, width, 3), np.uint8), None, (width, height), "none")


def run(shown: Avatar, seconds: int, first: int = 0) -> Frames:
    engine = PatternEngine()
    state = PatternState(*shown.size, first)
    drive = beep_track(seconds)[::AIR_PER_DRIVE]
    frames = []
    for start in range(0, len(drive), HOP):
        made = engine.step([Job(state, drive[start : start + HOP], silence(0))])[0]
        state = made.state
        frames.append(made.frames)
    return np.concatenate(frames)


@pytest.mark.parametrize("size", [(448, 768), (1280, 720), (64, 64), (450, 770)])
def test_counter_and_flash_are_read_back_at_any_size(size: tuple[int, int]) -> None:
    frames = run(avatar(*size), 1, first=123_450)
    assert [read_counter(frame) for frame in frames] == list(range(123_450, 123_450 + FPS))
    assert [is_flash(frame) for frame in frames] == [True] + [False] * (FPS - 1)


def test_counter_and_flash_survive_h264_at_one_megabit() -> None:
    first = (1 << BITS) - 20  # all bits change when it wraps
    frames = through_h264(run(avatar(448, 768), 2, first), 1000)
    assert [read_counter(frame) for frame in frames] == [(first + i) % (1 << BITS) for i in range(2 * FPS)]
    assert [i for i, frame in enumerate(frames) if is_flash(frame)] == [0, FPS]


def test_counter_goes_on_from_the_frames_on_air() -> None:
    shown = avatar(448, 768)
    assert PatternEngine().open(shown, 0, run(shown, 1)).index == FPS


def test_hold_slate_and_noise_read_as_no_counter() -> None:
    shown = avatar(448, 768)
    noise = np.random.default_rng(1).integers(0, 256, (768 * 3 // 2, 448), np.uint8)
    pictures = [*PatternEngine().hold(shown, 0)[::10], black(448, 768), noise]
    assert [read_counter(picture) for picture in pictures] == [None] * len(pictures)
    assert not any(is_flash(picture) for picture in pictures)


def test_beeps_last_exactly_one_frame_each_second() -> None:
    loud = np.abs(beep_track(3).astype(int)).reshape(3 * FPS, -1).max(axis=1) > 1000
    assert list(np.flatnonzero(loud)) == [0, FPS, 2 * FPS]
