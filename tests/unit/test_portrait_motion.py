"""The portrait blinks, looks, sways and breathes as people do, from its seed alone."""

import numpy as np
import pytest

from pipeline.engines.portrait.gaze import AT_VIEWER, gaze
from pipeline.engines.portrait.motion import (
    HIGHEST,
    LOWEST,
    Pose,
    breath,
    lids,
    loop_pose,
    pose,
    posture,
    small_smile,
    together,
)
from pipeline.media import FPS

MINUTES = 4
SHEET = 9  # the entries of a pose that move the sheet; the others are of the eyes
TEN_MINUTES = 10 * 60 * FPS


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
    poses = np.array([pose(3, frame, 0.0)[:SHEET] for frame in range(2000)])
    assert np.abs(poses).max() <= 1.0
    assert np.abs(np.diff(poses, axis=0)).max() < 0.06
    assert np.abs(np.diff(poses, n=2, axis=0)).max() < 0.01
    assert (np.ptp(poses[:, :7], axis=0) > 0.5).all()


def test_a_day_later_it_still_moves() -> None:
    late = 10**9
    assert pose(3, late, 0.0) != pose(3, late + 1, 0.0)


@pytest.mark.parametrize("seed", [1, 5])
def test_for_ten_minutes_nothing_comes_again(seed: int) -> None:
    every = 10
    poses = np.array([pose(seed, frame, 0.0) for frame in range(0, TEN_MINUTES, every)])
    poses = (poses - poses.mean(axis=0)) / np.maximum(poses.std(axis=0), 1e-6)
    lags = range(5 * FPS // every, TEN_MINUTES // every // 2)
    apart = np.array([np.abs(poses[lag:] - poses[:-lag]).mean() for lag in lags])
    assert apart.min() > 0.5 * np.median(apart)


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_eyes_rest_between_quick_looks_that_are_1_to_4_s_apart(seed: int) -> None:
    looks = np.array([gaze(seed, frame / FPS)[:2] for frame in range(MINUTES * 60 * FPS)])
    moves = (np.diff(looks, axis=0) != 0).any(axis=1)
    starts = np.flatnonzero(moves[1:] & ~moves[:-1])
    apart = np.diff(starts) / FPS
    assert 0.9 <= apart.min() < 1.8 and 3.2 < apart.max() <= 4.1
    assert moves.mean() < 0.1
    longest = max(int(np.argmin(moves[start + 1 :])) for start in starts[:-1])
    assert longest <= 3  # frames of a saccade


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_most_looks_are_at_the_viewer(seed: int) -> None:
    looks = np.array([gaze(seed, frame / FPS)[:2] for frame in range(TEN_MINUTES)])
    far = np.hypot(*looks.T)
    assert 0.6 < (far <= AT_VIEWER).mean() < 0.85
    assert 0.35 < far.max() <= 0.56


def test_eyes_go_first_and_the_head_follows() -> None:
    series = np.array([gaze(3, frame / 100) for frame in range(100 * 120)])
    eyes, head = np.diff(series[:, 0]) != 0, series[:, 2]
    led = 0
    for start in np.flatnonzero(eyes[1:] & ~eyes[:-1]) + 1:
        before, after = series[start, 0], series[start + 10, 0]
        if abs(after - before) > 0.2 and start + 110 < len(series):
            led += 1
            assert abs(head[start + 20] - before) < 0.2 * abs(after - before)
            assert abs(head[start + 95] - after) < 1e-6
    assert led > 5


def test_posture_is_changed_now_and_then_and_slowly() -> None:
    leans = np.array([posture(7, frame / FPS)[0] for frame in range(TEN_MINUTES)])
    moves = np.diff(leans) != 0
    assert 18 <= (moves[1:] & ~moves[:-1]).sum() <= 27
    assert np.abs(np.diff(leans)).max() < 0.06
    assert moves.mean() < 0.12


@pytest.mark.parametrize("seed", [0, 7, 123])
def test_a_small_smile_comes_rarely(seed: int) -> None:
    smiles = np.array([small_smile(seed, frame / FPS) for frame in range(TEN_MINUTES)])
    assert 3 <= ((smiles[1:] > 0) & (smiles[:-1] == 0)).sum() <= 16
    assert 0.1 < smiles.max() <= 0.3
    assert (smiles == 0).mean() > 0.85


def test_loud_phrases_raise_brows_and_nod() -> None:
    calm, loud = pose(3, 50, 0.0), pose(3, 50, 1.0)
    assert loud.brows > calm.brows
    assert loud.pitch > calm.pitch


def test_motions_add_up_and_never_beyond_what_the_picture_bears() -> None:
    assert together((Pose(x=0.5, lids=0.7), Pose(x=0.25, lids=0.7))) == Pose(x=0.75, lids=1.0)
    assert together((Pose(*[9.0] * len(Pose())),)) == HIGHEST
    assert together((Pose(*[-9.0] * len(Pose())),)) == LOWEST


def test_the_loop_closes_with_one_blink_in_it() -> None:
    frames = 100
    poses = [loop_pose(3, frame, frames) for frame in range(frames)]
    loop = np.array(poses)[:, :SHEET]
    steps = np.abs(np.diff(np.vstack([loop, loop[:1]]), axis=0)).max(axis=1)
    assert steps[-1] <= steps.max()
    shut = [one.lids > 0.5 for one in poses]
    assert 3 <= sum(shut) <= 6
    assert not shut[0]
    assert not shut[-1]


def test_breath_goes_in_faster_than_out() -> None:
    turn = np.array([breath(part) for part in np.linspace(0, 1, 101)])
    assert turn[0] == pytest.approx(0)
    assert turn.argmax() == 38
    assert turn[-1] == pytest.approx(0, abs=1e-9)


def test_no_two_breaths_are_alike_and_all_are_those_of_a_calm_person() -> None:
    chest = np.array([pose(3, frame, 0.0).breath for frame in range(MINUTES * 60 * FPS)])
    full = np.flatnonzero((chest[1:-1] > chest[:-2]) & (chest[1:-1] >= chest[2:]))
    apart = np.diff(full) / FPS
    assert apart.min() > 2.9 and apart.max() < 6.8
    assert apart.std() > 0.3
