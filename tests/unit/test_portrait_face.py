"""What the benchmark sees in a face is there: blinks, wide and round mouths, steps, what stands still."""

import numpy as np
import pytest

from benchmarks.face import LONG_VOWEL, at_edges, blinks, corners_apart, steps, touched, vowel_widths
from pipeline.arrays import Frames
from pipeline.avatar import Avatar, load_avatar
from pipeline.color import to_i420
from pipeline.engines.portrait.motion import HIGHEST, LOWEST, Pose
from pipeline.engines.portrait.mouth import REST, Lips
from pipeline.engines.portrait.render import Portrait, bake, render
from pipeline.media import AIR_SAMPLES, PHONEME, WORD, Mark

SIZE = (336, 576)


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


@pytest.fixture(scope="module")
def portrait(host: Avatar) -> Portrait:
    return bake(host)


def draw(portrait: Portrait, *shown: tuple[Pose, Lips]) -> Frames:
    frames = np.empty((len(shown), *portrait.base.shape), np.uint8)
    for frame, (pose, lips) in zip(frames, shown, strict=True):
        render(portrait, pose, lips, frame)
    return frames


def test_blinks_are_counted_and_looks_aside_are_none(host: Avatar, portrait: Portrait) -> None:
    rest, aside = Pose(), Pose(x=0.8, gaze_x=0.5, gaze_y=-0.3, yaw=0.5)
    half, shut = Pose(lids=0.4), Pose(lids=1.0, y=-0.5)
    poses = [rest, aside, half, shut, shut, rest, rest, half, rest, aside, shut, half, aside, rest, shut, rest, rest]
    assert blinks(draw(portrait, *((pose, REST) for pose in poses)), host) == 3


def test_a_wide_and_a_round_mouth_are_told_apart_in_any_pose(host: Avatar, portrait: Portrait) -> None:
    shapes = [Lips(0.4, 0.75, 0.6), Lips(0.9, 0.05, 0.3), Lips(0.35, -0.95, 0.0)]
    for pose in (Pose(), Pose(x=1.0, y=-1.0, yaw=0.7)):
        i, a, u = corners_apart(draw(portrait, *((pose, lips) for lips in shapes)), host)
        assert i > a + 0.5 and a > u + 0.5


def test_vowels_are_looked_at_once_lips_are_there_and_short_ones_not() -> None:
    widths = np.arange(20.0)
    marks = [
        Mark(0, PHONEME, text="iː", span=5 * AIR_SAMPLES),
        Mark(5 * AIR_SAMPLES, PHONEME, text="a", span=LONG_VOWEL - 1),
        Mark(10 * AIR_SAMPLES, PHONEME, text="ˈu", span=3 * AIR_SAMPLES),
        Mark(10 * AIR_SAMPLES, PHONEME, text="aɪ", span=3 * AIR_SAMPLES),
        Mark(10 * AIR_SAMPLES, WORD, text="a", span=3 * AIR_SAMPLES),
        Mark(20 * AIR_SAMPLES, PHONEME, text="a", span=5 * AIR_SAMPLES),
    ]
    assert vowel_widths(widths, marks) == {"i": [3.0], "a": [], "u": [11.0]}


def test_edges_are_the_steps_into_a_hop() -> None:
    edges, inside = at_edges(np.array([1, 1, 1, 1, 9, 1, 1, 1, 1, 9, 1.0]), 5)
    assert edges.tolist() == [9, 9]
    assert set(inside.tolist()) == {1}


def test_steps_are_between_neighbours(portrait: Portrait) -> None:
    found = steps(draw(portrait, (Pose(), REST), (Pose(), REST), (Pose(x=1), REST)))
    assert found[0] == 0 < found[1]


def test_a_third_of_a_half_length_picture_is_never_touched(host: Avatar, portrait: Portrait) -> None:
    wide = Lips(1, 1, 1)
    frames = draw(portrait, (LOWEST, wide), (HIGHEST, wide), (Pose(breath=1.0), REST), (Pose(lean=1.0, x=1.0), REST))
    moved = touched(frames, to_i420(host.picture))
    assert 0.2 < moved.mean() <= 0.67
    assert not touched(draw(portrait, (Pose(), REST)), to_i420(host.picture)).any()
