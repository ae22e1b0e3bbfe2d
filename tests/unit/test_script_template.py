"""Alternatives and variables: what is said, what is left out, and that no value is ever taken for a mark."""

from __future__ import annotations

import random
from datetime import datetime

import pytest

from broadcaster.script import template
from broadcaster.script.model import Line, Section
from broadcaster.script.template import DEEP_MAX, VALUE_MAX_CHARS, Filled, fill
from broadcaster.script.values import Values, worded
from tts import markup

NOW = datetime(2026, 5, 3, 20, 5)  # a Sunday


def first(count: int) -> int:
    return 0


def values(**more: object) -> Values:
    fields: dict[str, object] = {
        "now": NOW,
        "own": {"host": "Anna", "guest": None, "price": "nothing"},
        "products": {"mug": {"name": "Mug", "price": "12.50"}, "tea-towel": {"price": "8"}},
        "outside": {"viewers": "321"},
        **more,
    }
    return Values(**fields)  # type: ignore[arg-type]


def said(text: str, product: str = "", **more: object) -> Filled:
    line = Line(text, 1)
    return worded(line, Section("", (line,), 1, product=product), values(**more), first)


def test_every_alternative_is_said_in_turn_nested_ones_and_empty_ones_too() -> None:
    dice = random.Random(7)
    found = {fill("{Hi|Good {day|evening}|}, you.", lambda name: None, dice.randrange).text for _ in range(200)}
    assert found == {"Hi, you.", "Good day, you.", "Good evening, you.", ", you."}


def test_an_empty_alternative_leaves_no_hole() -> None:
    assert fill("We have {|many} of them {|here} .", lambda name: None, first).text == "We have of them."


def test_escaped_characters_are_said_and_a_bracket_stays_no_mark() -> None:
    filled = fill(r"\{a\|b\} \[smile] {x\|y|z}", lambda name: None, first).text
    assert markup.parse(filled).plain == "{a|b} [smile] x|y"


def test_a_line_without_a_value_is_left_out_and_says_which() -> None:
    assert said("Welcome, {guest}, and {nobody}!") == Filled("", ("guest",))
    assert said("It costs {tea.price}.").missing == ("tea.price",)
    assert said("There are {viewers} of you.", outside={"viewers": " "}) == Filled("", ("viewers",))


def test_an_alternative_that_needs_a_missing_value_is_never_chosen() -> None:
    dice = random.Random(5)
    found = {fill("{Hi {guest}|Hello|}!", lambda name: None, dice.randrange).text for _ in range(50)}
    assert found == {"Hello!", "!"}
    assert said("{Hi {guest}|Dear {nobody}}!") == Filled("", ("guest", "nobody"))


@pytest.mark.parametrize(
    ("text", "product", "words"),
    [
        ("{time}", "", "20:05"),
        ("It is {weekday}, {date}.", "", "It is Sunday, May 3."),
        ("今天是{date}{weekday}。", "", "今天是5月3日星期日。"),
        ("C'est {weekday}", "", "C'est Sunday"),
        ("{host} and {viewers}", "", "Anna and 321"),
        ("{price}", "mug", "12.50"),
        ("{price}", "", "nothing"),
        ("{product.price} {product.Name}", "mug", "12.50 Mug"),
        ("{mug.price} {tea-towel.price}", "tea-towel", "12.50 8"),
    ],
)
def test_a_variable_stands_for_what_is_nearest(text: str, product: str, words: str) -> None:
    assert said(text, product) == Filled(words)


def test_what_comes_from_outside_goes_before_what_files_say_and_never_before_the_clock() -> None:
    outside = {"host": "Ben", "mug.price": "9.90", "time": "99:99", "price": "7"}
    assert said("{host} {mug.price} {time}", outside=outside).text == "Ben 9.90 20:05"
    assert said("{price}", "mug", outside=outside).text == "9.90"
    assert said("{price}", "tea-towel", outside=outside).text == "8"
    assert said("{price}", "", outside=outside).text == "7"


def test_the_weekday_is_in_the_language_of_a_line_that_shows_none() -> None:
    assert said("{weekday} 20:05", language="fr").text == "dimanche 20:05"
    assert said("{weekday}", language="xx") == Filled("", ("weekday",))


def test_without_a_clock_nothing_tells_the_time() -> None:
    assert said("It is {time}.", now=None).missing == ("time",)


def test_a_value_is_never_a_mark_and_never_endless() -> None:
    name = "[smile] **Bo**\n\x07[["
    filled = said("Hi {viewers}!", outside={"viewers": name}).text
    marked = markup.parse(filled)
    assert marked.is_plain and marked.plain == "Hi [smile] *Bo*  [[!"
    assert len(said("{viewers}", outside={"viewers": "x" * 1_000_000}).text) == VALUE_MAX_CHARS


def test_a_group_too_deep_is_told_and_still_read() -> None:
    text = "{a|" * (DEEP_MAX + 3) + "b" + "}" * (DEEP_MAX + 3)
    assert any("groups within each other" in fault.text for fault in template.parse(text).faults)
    assert fill(text, lambda name: None, first).text == "a"
    endless = template.parse("{" * 20_000)
    assert fill("{" * 20_000, lambda name: None, first).text == "" and endless.faults


def test_what_is_wrong_is_said_without_its_braces_and_nothing_is_lost() -> None:
    assert fill("one {two three", lambda name: None, first).text == "one two three"
    assert fill("one} two", lambda name: None, first).text == "one two"


def test_any_text_is_read_and_faults_lie_inside_it() -> None:
    dice = random.Random(11)
    for _ in range(3000):
        text = "".join(dice.choice("{}|\\[]*ab .今") for _ in range(dice.randrange(30)))
        found = template.parse(text)
        assert all(0 <= fault.at < len(text) for fault in found.faults)
        fill(text, lambda name: "v", dice.randrange)
        bare = text.replace("\\{", "").replace("\\}", "")
        assert found.faults or bare.count("{") == bare.count("}")
