"""A viewer is called by a name that may be said, or by none."""

from __future__ import annotations

import pytest

from broadcaster.chat.names import called

WAYS_OUT = [
    "138 0013 8000",
    "小王13800138000",
    "１３８００１３８０００",
    "一三八零零一三八零零零",
    "five five five one two one two",
    "user839201",
    "abc.com",
    "abc点com",
    "bad dot com",
    "加我微信",
    "加V看图",
    "vx123",
    "QQ 88",
    "李四@qq",
    "w\u200bww.x.cn",
    "t.me/x",
]


@pytest.mark.parametrize(
    ("user", "how", "language", "name"),
    [
        ("王小明", "first_letter", "zh", "王开头的朋友"),
        ("alex", "first_letter", "zh", "A开头的朋友"),
        ("alex", "first_letter", "en", "viewer A"),
        ("Émile", "first_letter", "fr", "viewer É"),
        ("王小明", "first_letter", "en", "a viewer"),
        ("x_X_Dark_X", "first_letter", "en", "viewer X"),
        ("عمر", "first_letter", "en", "a viewer"),
        ("王小明", "full", "zh", "王小明"),
        ("阳光😀明媚", "full", "zh", "阳光 明媚"),
        ("\u202eevil\u202c", "full", "en", "evil"),
        ("[pause 30]Bob", "full", "en", "pause 30 Bob"),
        ("Alex", "viewer", "zh", "有位朋友"),
        ("Alex", "viewer", "en", "a viewer"),
        ("Alex", "none", "en", ""),
        ("", "first_letter", "zh", "有位朋友"),
        ("🌸🌸", "full", "en", "a viewer"),
        ("A" * 40, "full", "en", "a viewer"),
    ],
)
def test_a_viewer_is_called(user: str, how: str, language: str, name: str) -> None:
    assert called(user, how, language) == name


@pytest.mark.parametrize("user", WAYS_OUT)
@pytest.mark.parametrize("how", ["full", "first_letter"])
def test_a_name_is_no_way_out_of_the_room(user: str, how: str) -> None:
    assert called(user, how, "zh") == "有位朋友"
    assert called(user, how, "en") == "a viewer"
