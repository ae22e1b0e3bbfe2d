"""Viewers and words that are blocked stay so however they are written, and while a list is edited."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster.chat.blocked import Blocked, Lists, blocked, read
from broadcaster.chat.model import Comment
from broadcaster.chat.normalise import normalised
from pipeline.errors import ConfigError


def has(words: list[str], text: str) -> bool:
    return blocked((), words).has_word_in(normalised(text).key)


@pytest.mark.parametrize(
    ("word", "text"),
    [
        ("spam", "this is SPAM!"),
        ("spam", "ｓｐａｍ here"),
        ("spam", "s p a m here"),
        ("spam", "s.p.a.m here"),
        ("spam", "s\u200bpam here"),
        ("spam", "spaaaam here"),
        ("free money", "get FREE   money now"),
        ("垃圾", "真是垃圾店"),
        ("垃圾", "真是垃 圾店"),
        ("垃圾", "真是垃😀圾店"),
        ("ass", "what an ass"),
    ],
)
def test_a_blocked_word_is_found(word: str, text: str) -> None:
    assert has([word], text)


@pytest.mark.parametrize(
    ("word", "text"), [("ass", "is it glass"), ("ass", "as good as it is"), ("spam", "a map"), ("垃圾", "有圾垃吗")]
)
def test_no_other_word_is(word: str, text: str) -> None:
    assert not has([word], text)


@pytest.mark.parametrize("entry", ["Troll", "troll", "77", "twitch:77", "Twitch:TROLL"])
def test_a_viewer_is_blocked_by_name_or_id(entry: str) -> None:
    lists = blocked([entry])
    assert lists.has_user(Comment("1", "a", user="Troll", user_id="77", platform="twitch"))
    assert not lists.has_user(Comment("1", "a", user="Trolley", user_id="770", platform="twitch"))


def test_nobody_is_blocked_by_an_empty_list() -> None:
    assert not blocked(["", "  "], ["", "!!"]).has_user(Comment("1", "a"))
    assert not blocked(["", "  "], ["", "!!"]).has_word_in("a")


def test_a_list_is_read_with_its_comments(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("\ufeff# ours\nspam  # and this\n\n 垃圾 \n", encoding="utf-8")
    assert read(path) == ["spam", "垃圾"]


SHIPPED = Path(__file__).parents[2] / "configs" / "chat"
SPAM = ["buy FOLLOWERS cheap", "快加 群领福利", "私 聊 我", "主播傻逼", "f u c k this", "get free   followers now"]
HARMLESS = ["how much is the mug?", "垃圾桶多少钱", "is the glass free of lead?", "这个杯子能加热吗", "群里说有货"]


def test_the_shipped_lists_keep_out_what_they_are_for_and_nothing_else() -> None:
    lists = blocked(read(SHIPPED / "blocked-users.txt"), read(SHIPPED / "blocked-words.txt"))
    keys = {text: lists.has_word_in(normalised(text).key) for text in (*SPAM, *HARMLESS)}
    assert keys == dict.fromkeys(SPAM, True) | dict.fromkeys(HARMLESS, False)
    assert lists.has_user(Comment("1", "a", user="Nightbot"))


def test_a_list_is_taken_up_when_it_changes_and_kept_when_it_breaks(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("spam", encoding="utf-8")
    seen: list[Blocked] = []
    lists = Lists(None, path, seen.append)
    lists.refresh()
    lists.refresh()
    assert len(seen) == 1 and seen[-1].has_word_in("spam")
    path.write_text("scam and more", encoding="utf-8")
    lists.refresh()
    assert len(seen) == 2 and not seen[-1].has_word_in("spam")
    path.write_bytes(b"\xff\xfe")
    lists.refresh()
    path.unlink()
    lists.refresh()
    assert len(seen) == 2


def test_a_list_that_cannot_be_read_is_told_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.txt: No such file"):
        read(tmp_path / "nowhere.txt")
    (tmp_path / "latin.txt").write_bytes(b"a\xe9")
    with pytest.raises(ConfigError, match=r"latin\.txt: not UTF-8 text \(byte 1\)"):
        read(tmp_path / "latin.txt")
