"""A line in other words says the same: no figure, name, address or mark is lost, changed, new or mixed up."""

from __future__ import annotations

import time

import pytest

from broadcaster.rewrite.facts import difference
from broadcaster.rewrite.figures import figures
from broadcaster.rewrite.similarity import likeness, same_language, shared
from broadcaster.rewrite.verdict import TOO_CLOSE, verdict

MUG = "Our enamel mug keeps your coffee warm for two hours, and it costs only $19.90 today."
CUP = "这款马克杯保温效果特别好，今天只要99元，买一送一，喜欢的朋友可以点击下方链接。"

GOOD = [
    (MUG, "It costs only $19.90 today, and for two hours our enamel mug will keep your coffee warm."),
    (CUP, "喜欢的朋友点击下方链接吧，这款马克杯保温能力非常出色，今天只要99元，买一送一。"),
    ("Anna made this lamp by hand in Porto.", "By hand, and in Porto: this lamp was made by Anna."),
    ("It's {price} now, {warm|cosy} and soft. [smile]", "Soft, {warm|cosy} and only {price} right now. [smile]"),
    ("See it at shop.example.com/mug today.", "Today you can see it at shop.example.com/mug."),
    ("He calls it “the quiet one”, and it is quiet.", "Quiet it is: he calls it “the quiet one”."),
    ("这台iPhone支架用的是铝合金，很稳。", "很稳，因为这台iPhone支架用的是铝合金。"),
    ("[slow]Take your time[/slow] and look at the glaze.", "Look at the glaze and [slow]take your time[/slow]."),
]

WRONG = [
    (MUG, "Our enamel mug keeps your coffee warm for two hours, and it costs only $18.90 today.", "'$19.90' is gone"),
    (MUG, "Our enamel mug keeps your coffee warm for two days, and it costs only $19.90 today.", "'two hour' is gone"),
    (MUG, "Our enamel mug keeps your coffee warm for hours, and it costs only $19.90 today.", "'two hour' is gone"),
    (MUG, "Our enamel mug keeps coffee warm for two hours; only $19.90 today instead of $29.90.", "'$29.90' is new"),
    (MUG, "Our enamel mug keeps your coffee warm for two hours, it costs only €19.90 today.", "'$19.90' is gone"),
    (MUG, "Our enamel mug keeps your coffee warm for two hours, and costs only $19.90 tomorrow.", "'today' is gone"),
    (MUG, "Our enamel mug by Lamy keeps coffee warm for two hours and costs only $19.90 today.", "'Lamy' is new"),
    (MUG, "Ember keeps your coffee warm in our enamel mug for two hours, only $19.90 today.", "'Ember' may be new"),
    (
        MUG,
        "Our enamel mug keeps your coffee warm two hours, $19.90 today: get it at www.mug.shop",
        "'www.mug.shop' is new",
    ),
    (MUG, "Our **enamel** mug keeps your coffee warm for two hours and costs only $19.90 today.", "mark '**' is new"),
    (MUG, "[smile] Our enamel mug keeps coffee warm for two hours, and costs only $19.90 today.", "'[smile]' is new"),
    (MUG, "# Our enamel mug keeps coffee warm for two hours, and it costs only $19.90 today.", "'#' is new"),
    (CUP, "这款马克杯保温效果很棒，今天只要89元，买一送一，想要的朋友点击下方链接。", "'99元' is gone"),
    (CUP, "这款马克杯保温效果很棒，今天只要九十九元，买一送一，想要的朋友点击下方链接。", "'99元' is gone"),
    (CUP, "这款马克杯保温效果很棒，今天只要99元，买一送二，想要的朋友点击下方链接。", "'一' is gone"),
    (CUP, "这款马克杯保温效果很棒，明天只要99元，买一送一，想要的朋友点击下方链接。", "'今天' is gone"),
    (CUP, "这款马克杯保温效果百分之百好，今天只要99元，买一送一，想要的朋友点击下方链接。", "is new"),
    (CUP, "这款LAMY马克杯保温效果很棒，今天只要99元，买一送一，想要的朋友点击下方链接。", "'LAMY' is new"),
    ("Anna made this lamp.", "This lamp was made by hand.", "'Anna' may be gone"),
    (
        "The mug is 10 dollars, the plate is 20 dollars.",
        "The mug is 20 dollars, the plate is 10 dollars.",
        "another order",
    ),
    ("Ask Anna for 2 cups and Berta for 3 cups.", "Ask Berta for 2 cups and Anna for 3 cups.", "another order"),
    ("It costs {price} and ships {today|now}.", "It costs {price} and ships {now|today}.", "is gone"),
    ("It costs {price}.", "It costs {cost}.", "is gone"),
    ("[slow]Easy[/slow] does it.", "Easy [/slow]does it[slow].", "another order"),
    ("The second cup is half price.", "The cup is half price.", "'second' is gone"),
    ("He calls it “the quiet one”.", "He calls it “the silent one”.", "quotation"),
    ("Write to help@example.com for more.", "Write to hello@example.com for more.", "address"),
]


@pytest.mark.parametrize(("original", "version"), GOOD)
def test_other_words_for_the_same_pass(original: str, version: str) -> None:
    assert verdict(original, version, [], []) == ""


@pytest.mark.parametrize(("original", "version", "reason"), WRONG)
def test_a_changed_fact_is_told_by_name(original: str, version: str, reason: str) -> None:
    assert reason in difference(original, version)


@pytest.mark.parametrize(("original", "version"), GOOD)
def test_facts_are_the_same_in_both_directions(original: str, version: str) -> None:
    assert difference(version, original) == "" == difference(original, original)


def test_a_locked_name_must_survive_however_it_is_written() -> None:
    line = "The ember mug is our favourite, and it is the warmest."
    assert difference(line, "Our favourite is the mug, and it is the warmest.", ["Ember Mug"]) != ""
    assert difference(line, "Our favourite is the Ember mug, and it is the warmest.", ["Ember Mug"]) != "the name"
    assert difference(line, "Warmest of all, the ember mug is our favourite.", ["Ember Mug", "Plate"]) == ""
    assert "马克杯" in difference("马克杯很好看。", "杯子很好看。", ["马克杯"])


def test_many_locked_names_and_a_long_line_take_little_time() -> None:
    line = "The ember mug costs 20 dollars and Anna likes it. " * 20
    names = [f"Product number {index}" for index in range(6_000)]
    began = time.perf_counter()
    assert difference(line, line, names) == ""
    assert time.perf_counter() - began < 0.5


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ninety-nine pieces", ["ninety nine piece"]),
        ("Twenty five dollars", ["twenty five dollar"]),
        ("2026-05-01 at 20:00", ["2026-05-01", "20:00"]),
        ("at 8 pm on May 5", ["8pm", "may", "5"]),
        ("20 % off, half price", ["20%", "half"]),
        ("¥ 1,299.00", ["¥1,299.00"]),
        ("三年质保，百分之八十的人", ["三年", "百分之八十"]),
        ("今晚八点半，第一名", ["今晚", "八点半", "第一"]),
        ("一起来看一看，十分好用，千万别错过，这一款", []),
        ("this one and that one, one of them", []),
        ("no figures here", []),
    ],
)
def test_figures_are_found_in_digits_and_in_words(text: str, found: list[str]) -> None:
    assert [form for _, _, form in figures(text)] == found


# ── wording, language, length ────────────────────────────────────────────────────────────────────


def test_a_version_like_one_said_lately_is_too_close() -> None:
    said = "It costs only $19.90 today, and for two hours our enamel mug will keep your coffee warm."
    close = "It costs only $19.90 today, and for two hours our enamel mug keeps your coffee warm."
    assert verdict(MUG, close, [MUG, said], []) == TOO_CLOSE
    assert verdict(MUG, MUG, [MUG], []) == TOO_CLOSE
    assert verdict(MUG, said, [MUG], []) == ""


@pytest.mark.parametrize(
    ("original", "version", "reason"),
    [
        (MUG, "Sure! For two hours I can tell you how a pirate sings, for $19.90 today, arr!", "something else"),
        (MUG, "Two hours. $19.90 today.", "times as long"),
        (MUG, f"{MUG} Really, it is so very good, and you will be so very happy with it, always.", "long"),
        (MUG, "", "empty"),
        (MUG, f"{MUG[:40]}\n{MUG[40:]}", "more than one line"),
        (MUG, "我们的珐琅杯能让咖啡保温 two hours，今天 today 只要 $19.90，真的很好用，快来看看吧朋友们。", "language"),
        ("Come and see what we have in the shop.", "Venez voir ce que nous avons pour vous au shop.", "language"),
        ("And so it is.", "It is so, and it was.", "too little"),
    ],
)  # fmt: skip
def test_what_is_not_the_line_in_other_words_is_refused(original: str, version: str, reason: str) -> None:
    assert reason in verdict(original, version, [], [])


def test_likeness_looks_at_wording_and_not_at_stops_and_capitals() -> None:
    assert likeness("Hello, you!", "hello you") == 1.0
    assert likeness("Hello there", "") == 0.0
    assert likeness("这款杯子很好看", "那把椅子真结实") < 0.2


def test_what_is_spoken_of_survives_other_forms_of_its_words() -> None:
    assert shared("The lamp shines brightly", "A bright lamp that shines") == 1.0
    assert shared("The lamp shines brightly", "Our socks are made of wool") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("The mug is warm and it is good.", "This is a good and warm mug.", True),
        ("The mug is warm and it is good.", "Die Tasse ist warm und sie ist gut.", False),
        ("这个杯子很好", "このカップはとてもいい", False),
        ("这个杯子很好", "杯子非常好", True),
        ("Это хорошая чашка", "This is a good mug", False),
        ("USB-C", "USB-C!", True),
    ],
)
def test_another_language_is_seen(one: str, other: str, same: bool) -> None:
    assert same_language(one, other) is same
