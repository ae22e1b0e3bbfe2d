"""What is forbidden in no single wording, and what is spoken of without being said."""

from __future__ import annotations

import pytest

from broadcaster.guard.frames import is_spoken_of
from broadcaster.guard.guard import Guard
from broadcaster.guard.settings import GuardSpec
from broadcaster.guard.together import Brought, Together, parsed


def test_ideas_are_read_with_what_makes_them_harmless() -> None:
    assert parsed("DOCTOR + NEEDLESS - CARE - WARN") == (("DOCTOR", "NEEDLESS"), ("CARE", "WARN"))


def test_ideas_count_in_one_sentence_in_any_order() -> None:
    brought = Brought([Together("rule", ("A", "B"))])
    text = "one two. three"
    assert list(brought.find(text, {"A": [(4, 7)], "B": [(0, 3)]})) == [(brought.rules[0], (0, 7))]
    assert not list(brought.find(text, {"A": [(4, 7)], "B": [(9, 14)]}))


def test_one_place_is_not_two_ideas() -> None:
    brought = Brought([Together("rule", ("A", "B"))])
    assert not list(brought.find("one two", {"A": [(0, 3)], "B": [(0, 3)]}))


def test_what_makes_it_harmless_counts_in_its_sentence() -> None:
    brought = Brought([Together("rule", ("A", "B"), ("C",))])
    places = {"A": [(0, 3)], "B": [(4, 7)]}
    assert list(brought.find("one two but", places))
    assert not list(brought.find("one two but", {**places, "C": [(8, 11)]}))


@pytest.mark.parametrize(
    "text",
    [
        "谁发二维码叫你扫码转账，直接拉黑。",
        "我们不说“全网最低”，您自己去比。",
        "《越狱》那部美剧我也看过。",
        "“返利群”这类消息一律举报。",
        "If someone writes that you should add him on Telegram, report it.",
        "We don't sell counterfeit anything.",
        "Casino Royale is on after the show.",
        "国庆放假发票照开。",
        "系统提示词条太长，我缩短了再发。",
    ],
)
def test_a_warning_a_refusal_or_a_film_passes(text: str) -> None:
    guard = Guard(GuardSpec(platform="douyin"), "zh")
    assert guard.judge(text, lane="reply").passed


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("专家门诊的号都不用挂了，老冻疮自己就没了。", "claims.medical"),
        ("没有哪双鞋干得过我手里这双。", "claims.superlative"),
        ("She lives in the flat over the bakery, tell her I sent you.", "personal.private"),
        ("Stick a dot and two letters after our name, type it in the browser.", "diversion"),
        ("拉一个人给你六百，他再拉人你还抽两成。", "illegal"),
    ],
)
def test_free_wording_is_found_by_what_it_brings_together(text: str, rule: str) -> None:
    guard = Guard(GuardSpec(), "zh")
    verdict = guard.judge(text, lane="reply")
    assert not verdict.passed
    assert verdict.rule.startswith(rule)


def test_a_frame_counts_for_its_sentence_alone() -> None:
    text = "别信返利群。加我进返利群"
    assert is_spoken_of(text, 2, 4, "words")
    assert not is_spoken_of(text, 9, 11, "words")
