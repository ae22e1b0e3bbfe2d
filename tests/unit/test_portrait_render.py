"""What the portrait draws, looked at in the pixels."""

from itertools import pairwise

import cv2
import numpy as np
import pytest

from pipeline.arrays import Frame
from pipeline.avatar import Avatar, load_avatar, need_points
from pipeline.color import Plane, planes, to_i420
from pipeline.engines.portrait import render as renderer
from pipeline.engines.portrait.axis import SCALE
from pipeline.engines.portrait.engine import PortraitEngine
from pipeline.engines.portrait.motion import HIGHEST, LOWEST, Pose
from pipeline.engines.portrait.mouth import REST, Lips
from pipeline.engines.portrait.render import Portrait, bake, render

SIZE = (448, 768)
STILL = Pose()
CAVITY = 30  # luma below which it is the inside of a mouth and no lip line
FULL = Pose(*[1.0] * 9)


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


def lips_red(host: Avatar, frame: Frame) -> int:
    """Samples of the mouth that are nearer to the lips' colour than to the skin's."""
    mouth, chin = need_points(host).mouth, need_points(host).chin
    red = planes(frame).v.astype(int)
    x, y = round((mouth.left[0] + mouth.right[0]) / 4), round((mouth.lower_in[1] + mouth.lower_out[1]) / 4)
    skin = red[round((mouth.lower_out[1] + chin[1]) / 4), x]
    half = round((mouth.right[0] - mouth.left[0]) / 6)
    around = red[round(mouth.upper_out[1] / 2) - 8 : round(mouth.lower_out[1] / 2) + 8, x - half : x + half]
    return int((around > (int(red[y, x]) + int(skin)) / 2).sum())


def test_lips_pressed_for_m_are_thinner_and_round_ones_thicker(host: Avatar, portrait: Portrait) -> None:
    rest, pressed = (lips_red(host, draw(portrait, lips=Lips(0, 0, 0, press))) for press in (0.0, 1.0))
    assert pressed < 0.92 * rest
    spread, round_ = (lips_red(host, draw(portrait, lips=Lips(0.4, width, 0))) for width in (0.3, -1.0))
    assert round_ > 1.05 * spread


def inside(host: Avatar, frame: Frame) -> float:
    """Luma of what is seen between lips that are open by 0.4."""
    mouth = need_points(host).mouth
    x, y = round((mouth.left[0] + mouth.right[0]) / 2), round(mouth.lower_in[1])
    return float(planes(frame).y[y + 2 : y + 6, x - 8 : x + 9].mean())


def test_a_mouth_is_dark_inside_but_for_the_tongue_of_l_and_darkest_when_round(
    host: Avatar, portrait: Portrait
) -> None:
    rest = float(planes(portrait.base).y[round(need_points(host).mouth.lower_out[1]) + 12, SIZE[0] // 2])
    plain, tip = (inside(host, draw(portrait, lips=Lips(0.4, 0, 0.3, 0, tongue))) for tongue in (0.0, 1.0))
    assert plain < tip - 10
    assert tip < 0.7 * rest
    assert inside(host, draw(portrait, lips=Lips(0.4, -1, 0.3))) < plain + 1


def test_the_cheeks_go_in_and_down_with_the_jaw(host: Avatar, portrait: Portrait) -> None:
    mouth, head = need_points(host).mouth, portrait.head
    half = (mouth.right[0] - mouth.left[0]) / 2
    by = (head.still - head.map(STILL, 1.0)) / SCALE
    for side, x in ((-1, mouth.left[0] - 0.9 * half), (1, mouth.right[0] + 0.9 * half)):
        right, down = by[round(mouth.left[1]) - head.box[1] + 10, round(x) - head.box[0]]
        assert side * right < -1 and down > 1


def moved(portrait: Portrait, luma: Plane, x: float, y: float, half: int) -> tuple[int, int]:
    """How far the square around a place of the still picture is found from there, right and down."""
    x, y, reach = round(x), round(y), 16
    piece = planes(portrait.base).y[y - half : y + half + 1, x - half : x + half + 1]
    around = luma[y - half - reach : y + half + reach + 1, x - half - reach : x + half + reach + 1]
    score = cv2.matchTemplate(around, piece, cv2.TM_CCOEFF_NORMED)
    row, column = divmod(int(score.argmax()), score.shape[1])
    return column - reach, row - reach


def test_a_smile_draws_the_corners_of_the_mouth_up_and_out_and_leaves_its_middle(
    host: Avatar, portrait: Portrait
) -> None:
    smiling = planes(draw(portrait, STILL._replace(smile=1.0))).y
    mouth = need_points(host).mouth
    for side, corner in ((-1, mouth.left), (1, mouth.right)):
        right, down = moved(portrait, smiling, corner[0], corner[1], 7)
        assert side * right >= 2 and down <= -3
    x = (mouth.left[0] + mouth.right[0]) / 2
    assert np.abs(moved(portrait, smiling, x, mouth.lower_in[1], 7)).max() <= 1


def test_lips_shut_and_open_while_they_smile(host: Avatar, portrait: Portrait) -> None:
    smile = STILL._replace(smile=1.0)
    shut, open_ = (dark_rows(host, draw(portrait, smile, Lips(gap, 0, 0))) for gap in (0.0, 0.6))
    assert shut == 0 and open_ >= 4


def test_surprise_opens_the_eyes_and_lifts_the_brows(host: Avatar, portrait: Portrait) -> None:
    wide = planes(draw(portrait, STILL._replace(wide=1.0, brows=2.0))).y
    for eye, brow in zip(need_points(host).eyes, need_points(host).brows, strict=True):
        x, y = np.mean(brow, axis=0)
        assert moved(portrait, wide, x, y, 12)[1] <= -4
        column = slice(round(eye.iris[0]) - 2, round(eye.iris[0]) + 3)
        opening = slice(round(eye.upper[1]) - 9, round(eye.lower[1]) + 4)
        dark = [(luma[opening, column] < 90).mean() for luma in (wide, planes(portrait.base).y)]
        assert dark[0] > 1.05 * dark[1]


@pytest.mark.parametrize("side", [-1, 1])
def test_the_iris_slides_to_where_it_looks_and_the_lids_stay(host: Avatar, portrait: Portrait, side: int) -> None:
    aside = planes(draw(portrait, STILL._replace(gaze_x=float(side)))).y
    rest = planes(portrait.base).y
    for eye in need_points(host).eyes:
        rows = slice(round(eye.iris[1]) - 3, round(eye.iris[1]) + 4)
        columns = slice(round(eye.left[0]) + 4, round(eye.right[0]) - 3)
        places = np.arange(columns.start, columns.stop)
        dark = [np.maximum(110 - luma[rows, columns].astype(float), 0).sum(axis=0) for luma in (rest, aside)]
        before, after = ((places * each).sum() / each.sum() for each in dark)
        assert 3 <= side * (after - before) <= 7
        changed = np.argwhere(aside != rest)
        near = changed[np.abs(changed[:, 1] - eye.iris[0]) < 30]
        assert eye.upper[1] - 4 < near[:, 0].min() and near[:, 0].max() < eye.lower[1] + 4


def test_the_iris_sinks_with_its_highlight_and_the_lid_follows(host: Avatar, portrait: Portrait) -> None:
    down, rest = planes(draw(portrait, STILL._replace(gaze_y=0.8))).y, planes(portrait.base).y
    for eye in need_points(host).eyes:
        x, y = round(eye.iris[0]), round(eye.iris[1])
        rows = np.arange(y - 6, y + 7)
        part = slice(y - 6, y + 7), slice(x - 5, x + 3)
        light = [np.maximum(luma[part].astype(float) - 170, 0).sum(axis=1) for luma in (rest, down)]
        dark = [np.maximum(60 - luma[part].astype(float), 0).sum(axis=1) for luma in (rest, down)]
        before, after = ((rows * each).sum() / each.sum() for each in light)
        assert 0.7 <= after - before <= 4
        assert dark[1][:4].sum() > 1.2 * dark[0][:4].sum()  # lashes, where the top of the iris was


def test_shoulders_and_head_lean_together(host: Avatar, portrait: Portrait) -> None:
    leant = planes(draw(portrait, STILL._replace(lean=1.0))).y
    points = need_points(host)
    for x, y in (points.nose, (points.chin[0], points.shoulders_y)):
        assert 2 <= moved(portrait, leant, x, y, 20)[0] <= 5


def test_patches_that_sway_with_the_head_have_no_seam(host: Avatar, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(2)
    own = bake(host)
    monkeypatch.setattr(renderer, "PATCH_MARGIN", 0.6)
    large = bake(host)
    for _ in range(12):
        values = rng.uniform(LOWEST, HIGHEST)
        pose = Pose(*(float(value) for value in values))
        lips = Lips(rng.random(), rng.uniform(-1, 1), rng.random(), rng.random(), rng.random())
        assert np.array_equal(draw(own, pose, lips), draw(large, pose, lips))


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
