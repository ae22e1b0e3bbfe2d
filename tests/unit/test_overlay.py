"""The label that is always there, and subtitles."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.arrays import black
from pipeline.media import AIR_HZ, SENTENCE, SENTENCE_END, WORD, Mark
from streams.overlay import Overlay
from streams.subtitles import Subtitles, pages
from streams.typeset import PLATE_ALPHA, Typeface

W, H = 448, 768
CORNERS = ("top-left", "top-right", "bottom-left", "bottom-right")


def white() -> np.ndarray:
    frame = np.full((H * 3 // 2, W), 128, np.uint8)
    frame[:H] = 235
    return frame


def drawn(overlay: Overlay, picture: np.ndarray, *lines: str) -> np.ndarray:
    out = np.empty_like(picture)
    overlay.draw(picture, lines, out)
    return out


@pytest.fixture(scope="module")
def face() -> Typeface:
    return Typeface(24)


@pytest.mark.parametrize("corner", CORNERS)
def test_the_label_stands_in_its_corner_and_only_there(corner: str) -> None:
    luma = drawn(Overlay(W, H, "AI-generated", corner), black(W, H))[:H]
    rows, columns = np.nonzero(luma > 200)
    assert (rows.mean() < H / 2) == corner.startswith("top")
    assert (columns.mean() < W / 2) == corner.endswith("left")
    assert rows.min() > 0 and rows.max() < H - 1 and columns.min() > 0 and columns.max() < W - 1


@pytest.mark.parametrize(("width", "height"), [(448, 768), (720, 1280), (1280, 720), (128, 128), (1080, 1920)])
def test_letters_of_the_label_are_5_percent_of_the_short_side(width: int, height: int) -> None:
    overlay = Overlay(width, height, "H", "top-left")
    rows, _ = np.nonzero(drawn(overlay, black(width, height))[:height] > 128)
    assert rows.max() - rows.min() + 1 >= 0.05 * min(width, height)


def test_the_label_can_be_read_on_white_and_on_black() -> None:
    def relative(y: float) -> float:
        value = (y - 16) / 219
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    overlay = Overlay(W, H, "AI", "top-left")
    for picture in (white(), black(W, H)):
        luma = drawn(overlay, picture)[:H]
        plate, letters = (
            float(luma[overlay._label_at[1] + 3, W // 20 : W // 20 + 8].mean()),
            float(luma[:60, :80].max()),
        )
        assert (relative(letters) + 0.05) / (relative(plate) + 0.05) >= 4.5
    assert PLATE_ALPHA < 1


def test_a_long_label_breaks_and_is_not_made_smaller() -> None:
    one = Overlay(W, H, "AI", "top-left")
    long = Overlay(W, H, "This picture and this voice are made by AI", "top-left")
    assert long._label.size[1] > 1.8 * one._label.size[1]
    assert long._label.size[0] <= W


def test_colour_under_the_plate_fades_and_elsewhere_stays() -> None:
    picture = black(W, H)
    picture[H:] = 240
    out = drawn(Overlay(W, H, "AI", "top-left"), picture)
    assert np.array_equal(out[H // 2 : H], picture[H // 2 : H])
    assert out[H:].min() < 200 < out[H:].max()


def test_the_picture_itself_is_never_written_to() -> None:
    picture = black(W, H)
    picture.flags.writeable = False
    drawn(Overlay(W, H, "AI", "top-left"), picture, "Hello")


def test_subtitles_are_drawn_below_and_above_a_label_at_the_bottom() -> None:
    for corner in CORNERS:
        overlay = Overlay(W, H, "AI", corner)
        with_lines, without = drawn(overlay, black(W, H), "你好", "Hello"), drawn(overlay, black(W, H))
        rows, columns = np.nonzero(with_lines[:H] != without[:H])
        assert rows.min() > H / 2 and abs(columns.mean() - W / 2) < 4
        if corner.startswith("bottom"):
            assert rows.max() < overlay._label_at[1]
        assert np.array_equal(drawn(overlay, black(W, H)), without)


def test_a_line_wider_than_the_picture_is_cut_off_and_raises_nothing() -> None:
    drawn(Overlay(128, 128, "AI", "bottom-right"), black(128, 128), "x" * 400, "y" * 400, "z", "z", "z", "z")


# ── type ─────────────────────────────────────────────────────────────────────────────────────────


def broken(face: Typeface, text: str, px: float = 240) -> list[str]:
    return [text[start:end].strip() for start, end in face.lines(text, px)]


def test_english_breaks_between_words(face: Typeface) -> None:
    lines = broken(face, "The quick brown fox jumps over the lazy dog")
    assert " ".join(lines) == "The quick brown fox jumps over the lazy dog"
    assert len(lines) > 1 and all(face.width(line) <= 240 for line in lines)


def test_chinese_breaks_between_characters_but_not_before_a_comma(face: Typeface) -> None:
    text = "大家好欢迎来到我们的，直播间今天给大家介绍新产品"
    lines = broken(face, text)
    assert "".join(lines) == text and len(lines) > 1
    assert not any(line.startswith("，") for line in lines)
    assert broken(face, "大家好欢迎来到我们们，直", 240)[1][0] != "，"


def test_a_word_longer_than_a_line_is_broken(face: Typeface) -> None:
    word = "Donaudampfschifffahrtsgesellschaft"
    lines = broken(face, f"a {word} b", 150)
    assert "".join(lines).replace(" ", "") == f"a{word}b"
    assert all(face.width(line) <= 150 for line in lines)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("Hi 😀👍🏽 there", "Hi there"),
        ("a\u200bb\x00c\x1b\u202ed", "abcd"),
        ("two\nlines\tand  spaces ", "two lines and spaces"),
        ("ไทย", "□□□"),
        ("e\u0301té 價格 가격 かな Ж", "été 價格 가격 かな Ж"),
        ("", ""),
        ("😀", ""),
    ],
)
def test_only_what_can_be_drawn_is_printed(face: Typeface, text: str, printed: str) -> None:
    assert face.printable(text) == printed


@pytest.mark.parametrize("codec", ["gb2312", "big5", "shift_jis", "euc_kr", "latin-1"])
def test_the_font_covers_what_is_written_in(face: Typeface, codec: str) -> None:
    samples = {
        "gb2312": "的一是在不了有和人这中大为上个国我以要他时来用们",
        "big5": "這個國為們來時說對會過開關與發現經點樣還無電話",
        "shift_jis": "こんにちはカタカナ日本語東京駅価格円",
        "euc_kr": "안녕하세요가격은얼마입니까",
        "latin-1": "ÀÉÎÕÜßñç€£¥“”‘’–—…",
    }
    assert [char for char in samples[codec] if not face.knows(char)] == []


# ── which words, when ────────────────────────────────────────────────────────────────────────────

LONG = "One two three four five six seven eight nine ten eleven twelve thirteen fourteen"


def subtitles(face: Typeface) -> Subtitles:
    return Subtitles(face, 160)


def test_pages_have_two_lines_and_turn_with_the_word_that_is_spoken(face: Typeface) -> None:
    shown = subtitles(face)
    shown.mark(Mark(0, SENTENCE, "u", 0, LONG, span=10 * AIR_HZ), 0)
    first = shown.lines(0, live=True)
    book = pages(face, LONG, 160)
    assert len(book) > 1 and first == book[0].lines and len(first) == 2
    word = LONG[book[1].start :].split()[0]
    shown.mark(Mark(0, WORD, "u", 0, "one"), 10)
    assert shown.lines(9 * AIR_HZ, live=True) == first  # words count, not time
    shown.mark(Mark(0, WORD, "u", 0, word), 20)
    assert shown.lines(21, live=True) == book[1].lines


def test_a_voice_without_words_turns_pages_by_time(face: Typeface) -> None:
    shown = subtitles(face)
    shown.mark(Mark(0, SENTENCE, "u", 0, LONG, span=1000), 0)
    book = pages(face, LONG, 160)
    seen = [shown.lines(sample, live=True) for sample in range(0, 1000, 10)]
    assert list(dict.fromkeys(seen)) == [page.lines for page in book]


def test_a_sentence_goes_within_a_second_of_its_end(face: Typeface) -> None:
    shown = subtitles(face)
    shown.mark(Mark(0, SENTENCE, "u", 0, "Hello"), 0)
    shown.mark(Mark(0, SENTENCE_END, "u", 0), 5000)
    assert shown.lines(5000 + AIR_HZ // 2, live=True) == ("Hello",)
    assert shown.lines(5000 + AIR_HZ, live=True) == ()


def test_a_sentence_whose_end_never_comes_goes_by_its_length_or_when_live_is_away(face: Typeface) -> None:
    shown = subtitles(face)
    shown.mark(Mark(0, SENTENCE, "u", 0, "Hello", span=AIR_HZ), 0)
    assert shown.lines(AIR_HZ, live=True) and not shown.lines(2 * AIR_HZ, live=True)
    shown.mark(Mark(0, SENTENCE, "u", 0, "Hello", span=50 * AIR_HZ), 0)
    assert shown.lines(100, live=True) and shown.lines(AIR_HZ // 2, live=False)
    assert shown.lines(2 * AIR_HZ, live=False) == ()


def test_a_sentence_of_nothing_printable_shows_nothing(face: Typeface) -> None:
    shown = subtitles(face)
    for text in ("", "😀", "\x00"):
        shown.mark(Mark(0, SENTENCE, "u", 0, text), 0)
        shown.mark(Mark(0, WORD, "u", 0, ""), 0)
        assert shown.lines(0, live=True) == ()
