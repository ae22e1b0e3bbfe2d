"""Keyword rules: which line answers, what it says, and every mistake with its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broadcaster.chat.rules import Rules, examined
from pipeline.errors import ScriptError

RULES = """# how we greet
hello, hi, 你好 | {Hello|Hi} there!
ship+canada, 寄+加拿大 | Yes, to Canada too.
price, 多少钱 | It is {price}.
price, 价 | Ask me again in a minute.
优惠券 | 券在下方。
"""


def first(count: int) -> int:
    return 0


def nothing(name: str) -> None:
    """No variable has a value."""


def told(rules: Rules, text: str, *how: Callable[..., Any]) -> tuple[str, int] | None:
    """Reply and line."""
    ruled = rules.match(text, *how)
    return ruled[:2] if ruled else None


@pytest.fixture
def rules(tmp_path: Path) -> Rules:
    path = tmp_path / "rules.txt"
    path.write_text(RULES, encoding="utf-8")
    return Rules.load(path)


def test_the_first_line_with_any_of_its_keywords_answers(rules: Rules) -> None:
    assert told(rules, "Oh HELLO everyone", nothing, first) == ("Hello there!", 2)
    assert told(rules, "主播你好呀", nothing, first) == ("Hello there!", 2)
    assert rules.match("nothing of this", choose=first) is None


def test_a_word_is_found_as_a_whole_and_hanzi_anywhere(rules: Rules) -> None:
    assert rules.match("this is it", choose=first) is None
    assert told(rules, "有優惠券嗎") == ("券在下方。", 6)


def test_keywords_with_a_plus_must_all_be_there(rules: Rules) -> None:
    assert told(rules, "do you ship to Canada?") == ("Yes, to Canada too.", 3)
    assert told(rules, "能寄到加拿大吗") == ("Yes, to Canada too.", 3)
    assert rules.match("is Canada nice?") is None


def test_wide_letters_and_capitals_make_no_difference(rules: Rules) -> None:
    assert told(rules, "ＳＨＩＰ　ｔｏ　ＣＡＮＡＤＡ") == ("Yes, to Canada too.", 3)


def test_a_reply_without_the_value_it_needs_leaves_the_answer_to_the_next_line(rules: Rules) -> None:
    assert told(rules, "price?", {"price": "$12"}.get) == ("It is $12.", 4)
    assert told(rules, "price?") == ("Ask me again in a minute.", 5)
    assert rules.match("多少钱") is None


def test_a_value_is_never_taken_for_a_template(rules: Rules) -> None:
    assert told(rules, "price?", lambda name: "{a|b} [smile]", first) == ("It is {a|b} [[smile].", 4)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hello there", "rules.txt:1:12: no reply; write keywords | reply"),
        ("hello |  ", "rules.txt:1:10: the reply is empty; write what is said behind the |"),
        ("a, , b | c", "rules.txt:1:3: nothing is no keyword; write words"),
        ("a, b+ | c", "rules.txt:1:3: 'b+' is no keyword; write words"),
        ("!!! | c", "rules.txt:1:1: '!!!' is no keyword; write words"),
        ("a | b {c|d", "rules.txt:1:7: this brace is not closed"),
        ("a | b\n\nA | c", "rules.txt:3:1: line 1 has the same keywords and always answers first"),
    ],
)
def test_every_mistake_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "rules.txt"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ScriptError) as error:
        Rules.load(path)
    assert str(error.value).startswith(f"{tmp_path}/{told}")


def test_the_same_keywords_again_are_a_warning_where_the_first_reply_needs_a_value(tmp_path: Path) -> None:
    path = tmp_path / "rules.txt"
    path.write_text("a | {price}\na | no price\n", encoding="utf-8")
    rules, mistakes = examined(path)
    assert [mistake.warning for mistake in mistakes] == [True] and len(rules) == 2
    assert told(Rules.load(path), "a") == ("no price", 2)


@pytest.mark.parametrize(
    ("text", "keywords", "left"),
    [
        ("Hello, does the BIG pot fit?", ("hello",), ", does the big pot fit?"),
        ("hi hi, 你好 茶壶多少", ("hi", "你好"), ", 茶壶多少"),
        ("能寄到加拿大吗", ("寄", "加拿大"), "能到吗"),
        ("hello", ("hello",), ""),
    ],
)
def test_what_a_comment_says_besides_the_keywords_is_left(
    rules: Rules, text: str, keywords: tuple[str, ...], left: str
) -> None:
    ruled = rules.match(text, nothing, first)
    assert ruled and (ruled.keywords, ruled.left) == (keywords, left)
