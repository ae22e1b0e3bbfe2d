"""One folding for all ways of writing, and the way back to what was written."""

from __future__ import annotations

import pytest

from broadcaster.guard.fold import fold
from broadcaster.guard.view import Undoing


@pytest.mark.parametrize(
    "written",
    [
        "scam",
        "SCAM",
        "ｓｃａｍ",
        "𝐬𝐜𝐚𝐦",
        "𝓢𝓒𝓐𝓜",
        "ⓢⓒⓐⓜ",
        "🅂🄲🄰🄼",
        "🅢🅒🅐🅜",
        "🇸🇨🇦🇲",
        "ѕсам",
        "sc\u200bam",
        "s\u0336c\u0336a\u0336m\u0336",
        "ṡčåm",
        "ꜱᴄᴀᴍ",
        "sc\u00adam\ufeff",
    ],
)
def test_a_word_of_latin_letters_is_one_however_they_are_drawn(written: str) -> None:
    assert fold(written).text == "scam"


@pytest.mark.parametrize(
    ("written", "folded"),
    [
        ("１３８", "138"),
        ("①③⑧", "138"),
        ("❶❸❽", "138"),
        ("⑴⑶⑻", "138"),
        ("1️⃣3️⃣8️⃣", "138"),
        ("𝟙𝟛𝟠", "138"),
        ("²", "2"),
        ("٣", "3"),
        ("微信號", "微信号"),
        ("傳統", "传统"),
        ("㊙️", "秘"),
        ("㈠", "一"),
        ("〇", "〇"),
        ("，！", ",!"),
        ("한국", "한국"),
        ("＄３９．９", "$39.9"),
    ],
)
def test_figures_and_hanzi_are_folded_too(written: str, folded: str) -> None:
    assert fold(written).text == folded


def test_what_is_found_is_shown_as_it_was_written() -> None:
    text = "看这个 ⓕⓡⓔⓔ 傻🍉瓜！"
    folded = fold(text)
    at = folded.text.index("free")
    assert folded.source(at, at + 4) == "ⓕⓡⓔⓔ"
    closed = folded.closed_up()
    at = closed.text.index("傻瓜")
    assert closed.source(at, at + 2) == "傻🍉瓜"


def test_pieces_of_hanzi_are_closed_up_but_not_over_the_end_of_a_clause() -> None:
    assert fold("傻 瓜").closed_up().text == "傻瓜"
    assert fold("傻·*~瓜").closed_up().text == "傻瓜"
    assert fold("真傻，瓜很甜").closed_up().text == "真傻,瓜很甜"
    assert fold("a b").closed_up().text == "a b"


def test_what_was_written_for_a_word_is_undone_and_can_be_shown() -> None:
    view = Undoing(["最好", "guaranteed"]).view("醉好的面膜, gu@ranteed!")
    assert view.undone.text == "最好的面膜, guaranteed!"
    assert view.undone.source(0, 2) == "醉好"
    assert view.closed.text == "醉好的面膜, gu@ranteed!"


def test_a_text_without_evasions_is_read_as_it_stands() -> None:
    view = Undoing(["最好"]).view("最好的朋友")
    assert view.undone is view.closed
    assert [one.text for one in view.readings()] == ["最好的朋友"]
