"""What kind of question it is, by all of its words; and how like it is to the nearest way to ask."""

from __future__ import annotations

import pytest

from broadcaster.chat.knowledge_asking import asking, asks_for_somebody, trailing
from broadcaster.chat.knowledge_features import pieces_of
from broadcaster.chat.knowledge_leaning import Leaning
from broadcaster.chat.knowledge_units import units
from broadcaster.chat.knowledge_ways import Way, Ways

WAYS = [
    ("refund", {"money": 1.0, "back": 1.0}),
    ("refund", {"refund": 1.0, "when": 0.5}),
    ("return", {"send": 1.0, "back": 1.0}),
]


def test_the_kinds_are_as_likely_as_their_words_say_and_one_together() -> None:
    lean = Leaning(WAYS).of({"money": 1.0, "back": 1.0, "please": 0.1})
    assert lean["refund"] > lean["return"]
    assert sum(lean.values()) == pytest.approx(1.0)


def test_words_that_nobody_used_make_it_any_kind() -> None:
    sure = Leaning(WAYS).of({"money": 1.0})
    unsure = Leaning(WAYS).of({"money": 1.0, "elephant": 1.0, "moon": 1.0})
    assert sure["refund"] > unsure["refund"] > unsure["return"]
    assert Leaning(WAYS).of({"elephant": 1.0}) == {} == Leaning([]).of({"money": 1.0})


def test_the_nearest_way_of_each_owner_is_told_with_how_much_of_it_was_said() -> None:
    ways = Ways(Way(owner, features, 1.0) for owner, features in WAYS)
    nearest = ways.nearest({"money": 1.0, "back": 1.0})
    assert nearest["refund"] == pytest.approx((1.0, 1.0))
    assert nearest["return"] == pytest.approx((0.5, 0.5))
    assert ways.nearest({"elephant": 1.0}) == {} == Ways([]).nearest({"money": 1.0})


def test_a_slip_shares_letters_with_the_word_and_a_name_is_left_aside() -> None:
    assert pieces_of(units("delivery")).keys() & pieces_of(units("dilivery")).keys()
    assert pieces_of(units("mug"), frozenset({0})) == {}
    assert "pair 包 邮" in pieces_of(units("包邮吗"))


def test_what_is_said_behind_the_question_trails() -> None:
    assert trailing(asking("how much is the fan? so hot here")) == {1}
    assert trailing(asking("so hot here, how much is the fan")) == frozenset() == trailing(asking("so hot here"))


@pytest.mark.parametrize(("text", "is_so"), [("who made it", True), ("誰做的", True), ("how much", False)])
def test_who_and_why_are_told_from_what(text: str, *, is_so: bool) -> None:
    assert asks_for_somebody(text) is is_so
