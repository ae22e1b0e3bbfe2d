"""Comments are the same question however they are put, and never when a colour or a figure differs."""

from __future__ import annotations

import pytest

from broadcaster.chat.normalise import normalised
from broadcaster.chat.sameness import Words, same, words_of

LONG = "does the {} pan with the glass lid and the long handle fit on induction and go into an oven"


def words(text: str) -> Words:
    return words_of(normalised(text).key)


@pytest.mark.parametrize(
    "texts",
    [
        ["这个杯子多少钱", "多少钱啊这个杯子？", "请问主播这个杯子怎么卖呀", "杯子什么价格", "老板杯子价格多少"],
        ["How much is the mug?", "what's the price of the mug pls", "mug price?", "the cost of the mug", "MUG PRICES!"],
        ["有红色的吗", "有没有红色", "红色有吗？？"],
        ["什么时候发货", "发货什么时候呀", "请问什么时候发货呢"],
        ["do you ship to Germany?", "Can you ship to Germany please", "hi, do you ship to germany??"],
        ["is it dishwasher safe", "dishwasher safe?", "Is this one dishwasher safe???"],
    ],
)
def test_one_question_has_one_form(texts: list[str]) -> None:
    assert len({words(text) for text in texts}) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("红色的多少钱", "蓝色的多少钱"),
        ("1号链接多少钱", "2号链接多少钱"),
        ("可以退吗", "不可以退吗"),
        ("有大杯子吗", "有小杯子吗"),
        ("从上海发到北京吗", "从北京发到上海吗"),
        ("how much is the mug", "how much is the bowl"),
        ("do you ship to Germany", "do you not ship to Germany"),
        ("is there a large one", "is there a larger one"),
        (LONG.format("20 cm"), LONG.format("24 cm")),
        (LONG.format("big"), LONG.format("big").replace("fit", "not fit")),
        (LONG.format("big"), LONG.format("big").replace("glass", "steel")),
    ],
)
def test_another_question_is_another(one: str, other: str) -> None:
    assert words(one) != words(other)
    assert not same(words(one), words(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("do you ship to Germany?", "do you ship to Germeny?"),
        ("is it dishwasher safe", "is it dishwahser safe"),
        ("shipping to france", "shiping to france"),
        ("what colors are available", "what colors are avalable"),
    ],
)
def test_a_slip_of_the_pen_makes_no_other_question(one: str, other: str) -> None:
    assert words(one) == words(other) or same(words(one), words(other))


def test_words_that_carry_nothing_are_kept_where_nothing_else_is() -> None:
    assert words("在吗") and words("is it") and words("can I")
