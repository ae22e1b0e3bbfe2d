"""RGB and I420 agree with bt709 limited range and with each other."""

import numpy as np
import pytest

from pipeline.arrays import black
from pipeline.color import planes, to_i420, to_picture

#: R, G, B → Y, Cb, Cr of ITU-R BT.709-6 with 8 bit limited range.
KNOWN = {
    (0, 0, 0): (16, 128, 128),
    (255, 255, 255): (235, 128, 128),
    (255, 0, 0): (63, 102, 240),
    (0, 255, 0): (173, 42, 26),
    (0, 0, 255): (32, 240, 118),
}


@pytest.mark.parametrize("rgb", KNOWN)
def test_primaries_have_the_codes_of_bt709(rgb: tuple[int, int, int]) -> None:
    part = planes(to_i420(np.full((4, 6, 3), rgb, np.uint8)))
    assert (part.y[0, 0], part.u[0, 0], part.v[0, 0]) == KNOWN[rgb]
    assert part.y.shape == (4, 6)
    assert part.u.shape == part.v.shape == (2, 3)


def test_black_is_black() -> None:
    assert np.array_equal(to_i420(np.zeros((6, 10, 3), np.uint8)), black(10, 6))


def test_there_and_back_keeps_a_smooth_picture() -> None:
    ramp = np.linspace(0, 255, 64)
    picture = np.stack([*np.meshgrid(ramp, ramp), np.full((64, 64), 80.0)], axis=2).astype(np.uint8)
    assert np.abs(to_picture(to_i420(picture)).astype(int) - picture).max() <= 6


def test_planes_are_views_for_heights_that_four_does_not_divide() -> None:
    frame = np.arange(9 * 4, dtype=np.uint8).reshape(9, 4)  # 4x6 picture
    part = planes(frame)
    part.v[:] = 0
    assert (frame.reshape(-1)[-6:] == 0).all()
