"""The portrait blinks, sways and breathes as people do, from its seed alone."""

import numpy as np
import pytest

from pipeline.engines.portrait.motion import breath, lids, loop_pose, pose
from pipeline.media import FPS

MINUTES = 4


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_blinks_come_12_to_20_times_a_minute_and_shut_the_eye(seed: int) -> None:
    shut = np.array([lids(seed, frame) for frame in range(MINUTES * 60 * FPS)])
    starts = np.flatnonzero((shut[1:] > 0.5) & (shut[:-1] <= 0.5))
    assert 12 * MINUTES <= len(starts) <= 20 * MINUTES
    lengths = [int(np.argmax(shut[start + 1 :] <= 0.5)) * 1000 // FPS for start in starts[:-1]]
    assert 80 <= min(lengths) <= max(lengths) <= 240
    peaks = [shut[start : start + 6].max() for start in starts]
    assert min(peaks) > 0.97
    assert np.diff(starts).std() > 15  # not a metronome


def test_motion_has_no_corner_and_stays_in_range() -> None:
    poses = np.array([pose(3, frame, 0.0)[:7] for frame in range(2000)])
    assert np.abs(poses).max() <= 1.0
    assert np.abs(np.diff(poses, axis=0)).max() < 0.06
    assert np.abs(np.diff(poses, n=2, axis=0)).max() < 0.01
    assert (np.ptp(poses, axis=0) > 0.5).all()


def test_a_day_later_it_still_moves() -> None:
    late = 10**9
    assert pose(3, late, 0.0) != pose(3, late + 1, 0.0)


def test_loud_phrases_raise_brows_and_nod() -> None:
    calm, loud = pose(3, 50, 0.0), pose(3, 50, 1.0)
    assert loud.brows > calm.brows
    assert loud.pitch > calm.pitch


def test_the_loop_closes_with_one_blink_in_it() -> None:
    frames = 100
    loop = np.array([loop_pose(3, frame, frames) for frame in range(frames)])
    steps = np.abs(np.diff(np.vstack([loop, loop[:1]])[:, :7], axis=0)).max(axis=1)
    assert steps[-1] <= steps.max()
    shut = loop[:, 7] > 0.5
    assert 3 <= shut.sum() <= 6
    assert not shut[0]
    assert not shut[-1]


def test_breath_goes_in_faster_than_out() -> None:
    turn = np.array([breath(part) for part in np.linspace(0, 1, 101)])
    assert turn[0] == pytest.approx(0)
    assert turn.argmax() == 38
    assert turn[-1] == pytest.approx(0, abs=1e-9)
