from __future__ import annotations

import numpy as np

from pipeline.arrays import black
from streams.notice import HEIGHT_SHARE, notice

W, H = 448, 768


def bright_rows(picture: np.ndarray) -> np.ndarray:
    return np.flatnonzero((picture[:H] > 200).any(axis=1))


def test_the_words_stand_in_the_middle_and_the_slate_stays_as_it_is() -> None:
    slate = black(W, H)
    rows = bright_rows(notice(slate, "We are back in five minutes."))
    assert len(rows) > 20
    assert abs((rows[0] + rows[-1]) / 2 - H / 2) < 30
    assert not bright_rows(slate).size


def test_a_long_text_is_cut_off_inside_the_picture() -> None:
    rows = bright_rows(notice(black(W, H), "很抱歉，直播暂停。Sorry, we stop here. " * 40))
    assert rows[0] > 0.1 * H and rows[-1] < 0.9 * H
    assert rows[-1] - rows[0] < (HEIGHT_SHARE + 0.05) * H


def test_what_cannot_be_drawn_leaves_the_slate() -> None:
    slate = black(W, H)
    assert notice(slate, " \u200b\n") is slate


def test_small_and_wide_pictures_have_room_too() -> None:
    for width, height in ((128, 128), (1920, 128), (128, 1920)):
        assert notice(black(width, height), "Back soon, with news from everywhere").shape == (height * 3 // 2, width)
