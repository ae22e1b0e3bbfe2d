"""What the portrait draws, looked at in the pixels."""

from itertools import pairwise

import numpy as np
import pytest

from pipeline.arrays import Frame
from pipeline.avatar import Avatar, load_avatar, need_points
from pipeline.color import planes, to_i420
from pipeline.engines.portrait.engine import PortraitEngine
from pipeline.engines.portrait.motion import Pose
from pipeline.engines.portrait.mouth import REST, Lips
from pipeline.engines.portrait.render import Portrait, bake, render

SIZE = (448, 768)
STILL = Pose(0, 0, 0, 0, 0, 0, 0, 0)
CAVITY = 30  # luma below which it is the inside of a mouth and no lip line
FULL = Pose(1, 1, 1, 1, 1, 1, 1, 0)


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


@pytest.fixture(scope="module")
def portrait(host: Avatar) -> Portrait:
    return bake(host)


def draw(portrait: Portrait, pose: Pose = STILL, lips: Lips = REST) -> Frame:
    frame = np.zeros_like(portrait.base)
    render(portrait, pose, lips, frame)
    return frame


def dark_rows(host: Avatar, frame: Frame) -> int:
    """Rows at the middle of the still mouth that are as dark as the inside of a mouth."""
    mouth = need_points(host).mouth
    column = round((mouth.left[0] + mouth.right[0]) / 2)
    return int((planes(frame).y[round(mouth.upper_out[1]) : round(mouth.lower_out[1]) + 20, column] < CAVITY).sum())


def test_at_rest_the_picture_is_itself_to_the_bit(host: Avatar, portrait: Portrait) -> None:
    assert np.array_equal(draw(portrait), to_i420(host.picture))


def test_the_background_never_changes(host: Avatar, portrait: Portrait) -> None:
    x0, y0, x1, y1 = portrait.head.box
    frame = draw(portrait, FULL, Lips(1, -1, 1))
    moved = planes(frame).y != planes(portrait.base).y
    assert moved.any()
    head = np.array(need_points(host).head)
    reach = 70  # pixels around the head in which it may pull along what is behind it
    assert not moved[: round(head[:, 1].min()) - reach].any()
    assert not moved[: round(need_points(host).chin[1]), : max(round(head[:, 0].min()) - reach, 0)].any()
    outside = np.ones_like(moved)
    outside[y0:y1, x0:x1] = False
    assert not (moved & outside).any()


def test_the_mouth_opens_dark_and_shuts_without_a_trace(host: Avatar, portrait: Portrait) -> None:
    shut, half, wide = (dark_rows(host, draw(portrait, lips=Lips(gap, 0, 0))) for gap in (0.0, 0.5, 1.0))
    assert shut == 0
    assert 4 <= half < wide


def test_the_chin_follows_the_jaw(host: Avatar, portrait: Portrait) -> None:
    chin = need_points(host).chin
    near = slice(round(chin[1]) - 6, round(chin[1]) + 12)
    open_, shut = (planes(draw(portrait, lips=Lips(gap, 0, 0))).y[near, round(chin[0])] for gap in (1.0, 0.0))
    assert np.abs(open_.astype(int) - shut).max() > 10


def test_round_lips_are_narrower_than_spread_ones(host: Avatar, portrait: Portrait) -> None:
    mouth = need_points(host).mouth
    rows = slice(round(mouth.upper_out[1]), round(mouth.lower_out[1]) + 15)
    columns = slice(round(mouth.left[0]) - 8, round(mouth.right[0]) + 8)
    wide, rest, narrow = (
        int((planes(draw(portrait, lips=Lips(0.6, width, 0))).y[rows, columns] < CAVITY).any(axis=0).sum())
        for width in (1.0, 0.0, -1.0)
    )
    assert wide > 1.05 * rest > 1.2 * narrow


def test_a_shut_lid_covers_the_iris_with_skin(host: Avatar, portrait: Portrait) -> None:
    shut = planes(draw(portrait, STILL._replace(lids=1.0))).y
    for eye in need_points(host).eyes:
        x, y, r = round(eye.iris[0]), round(eye.iris[1]), round(eye.iris_radius / 2)
        iris = slice(y - r, y + r + 1), slice(x - r, x + r + 1)
        assert np.ptp(shut[iris]) < 70 < np.ptp(planes(portrait.base).y[iris])
        assert shut[iris].mean() > 1.3 * planes(portrait.base).y[iris].mean()


def test_a_blink_leaves_the_rest_of_the_face_alone(host: Avatar, portrait: Portrait) -> None:
    blink = planes(draw(portrait, STILL._replace(lids=1.0))).y != planes(portrait.base).y
    rows = np.flatnonzero(blink.any(axis=1))
    points = need_points(host)
    assert min(eye.upper[1] for eye in points.eyes) - 30 < rows[0]
    assert rows[-1] < max(eye.lower[1] for eye in points.eyes) + 8


@pytest.mark.parametrize("size", [(720, 1280), (256, 256), (450, 770), (1280, 720)])
def test_any_size_is_drawn(size: tuple[int, int]) -> None:
    engine = PortraitEngine()
    avatar = load_avatar(None, size)
    engine.open(avatar, 1)
    frame = draw(bake(avatar), FULL._replace(lids=0.5), Lips(1, 1, 1))
    assert frame.shape == (size[1] * 3 // 2, size[0])
    assert np.array_equal(draw(bake(avatar)), to_i420(avatar.picture))


def test_small_motion_gives_small_change_without_steps(portrait: Portrait) -> None:
    """A slow sway moves each frame alike: quantised motion would stand still and jump."""
    frames = [planes(draw(portrait, STILL._replace(x=step / 80))).y.astype(np.int16) for step in range(40)]
    changes = [np.abs(b - a).mean() for a, b in pairwise(frames)]
    assert max(changes) < 4 * np.median(changes)
