from __future__ import annotations

import re
import time

import pytest

from tts.markup import parse, plain
from tts.text import MAX_WIDTH, language_of, sentences, width

CUTS = [
    ("Dr. Smith paid $3.50 to J. K. Rowling at 5 p.m. on Nov. 3. She left! Did she?",
     ["Dr. Smith paid $3.50 to J. K. Rowling at 5 p.m. on Nov. 3.", "She left!", "Did she?"]),
    ("Visit https://a.com/x?b=1!now or node.js. No. 5 is best. No. I won't.",
     ["Visit https://a.com/x?b=1!now or node.js.", "No. 5 is best.", "No.", "I won't."]),
    ('He said "Stop." Then he left. "Really?" he asked.', ['He said "Stop."', "Then he left.", '"Really?" he asked.']),
    ("hello there. how are you", ["hello there.", "how are you"]),
    ("Wait… what? Yes... maybe. Hmm… OK", ["Wait… what?", "Yes... maybe.", "Hmm…", "OK"]),
    ("The U.S. market is up. In the U.S. They like it, e.g. this.",
     ["The U.S. market is up.", "In the U.S.", "They like it, e.g. this."]),
    ("你好。我是小明！“你是谁？”他问。", ["你好。", "我是小明！", "“你是谁？”", "他问。"]),
    ("价格是3.5元；今天有优惠……真的吗？！", ["价格是3.5元；", "今天有优惠……", "真的吗？！"]),
    ("Hi你好!世界OK.然后", ["Hi你好!", "世界OK.", "然后"]),
    ("第一行\n第二行\n\n新段落", ["第一行 第二行", "新段落"]),
    ("1. First item. 2. Second", ["1. First item.", "2. Second"]),
    ("Hello!!! 😀", ["Hello!!! 😀"]),
    (" \n\t ", []),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), CUTS)
def test_text_is_cut_where_a_reader_would_stop(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


HARD = [
    *(text for text, _ in CUTS),
    "我们今天给大家带来的这款产品是全新升级的，采用了最先进的技术，" * 9,
    "The quick brown fox jumps over the lazy dog, and then it runs away from everything that moves; " * 5,
    "字" * 700,
    "x" * 700,
    "a\u0301" * 400,
    "Z" + "\u0301" * 3000,
    "👨‍👩‍👧" * 200,
    "مرحبا بالعالم. كيف حالك؟ " * 20,
    "\x00\x07<b>.。!？…\"'",
]


@pytest.mark.parametrize("text", HARD)
def test_nothing_is_lost_and_every_sentence_fits_a_subtitle(text: str) -> None:
    cut = sentences(text)
    assert re.sub(r"\s", "", "".join(cut)) == re.sub(r"\s", "", text)
    assert all(0 < width(sentence) <= MAX_WIDTH or width(sentence) == 0 for sentence in cut)
    assert all(sentence == sentence.strip() for sentence in cut)


def test_a_long_sentence_is_cut_at_a_clause() -> None:
    first, second = sentences("The presenter shows every colour of the new autumn jacket to the viewers in detail, "
                              "because many of them asked for it in the comments of the last broadcast.")  # fmt: skip
    assert first.endswith("in detail,")
    assert second.startswith("because")


def test_a_number_is_never_cut() -> None:
    cut = sentences("Our price is 1,299.50 only " * 30)
    assert sum(sentence.count("1,299.50") for sentence in cut) == 30


def test_cutting_time_grows_with_the_text_alone() -> None:
    def seconds(text: str) -> float:
        start = time.process_time()
        sentences(text)
        return time.process_time() - start

    short, long = seconds("我们今天，" * 1000), seconds("我们今天，" * 8000)
    assert long < 40 * max(short, 0.01)


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("你好", "en", "zh"),
        ("hello", "zh-CN-XiaoxiaoNeural", "en"),
        ("iPhone 15 Pro Max 到了", "zh-CN-XiaoxiaoNeural", "zh"),
        ("The word 你好 means hello", "en", "en"),
        ("bonjour", "fr", "fr"),
        ("hello", "ru", "en"),
        ("123", "zh-CN", "zh"),
        ("こんにちは世界", "ja-JP-NanamiNeural", "ja"),
        ("你好", "yue", "zh"),
    ],
)
def test_the_language_is_that_of_the_letters(text: str, default: str, expected: str) -> None:
    assert language_of(text, default) == expected


def test_no_mark_is_cut_and_one_over_two_sentences_is_in_both() -> None:
    text = "[slow]This is **one. And this** is [point left] two.[/slow] [pause 1.5] Three."
    assert sentences(text) == [
        "[slow]This is **one.**[/slow]",
        "[slow]**And this** is [point left]two.[/slow][pause 1.5]",
        "Three.",
    ]


def test_marks_take_no_width_and_a_long_sentence_is_cut_between_them() -> None:
    text = "[low]" + "a few [smile] words, " * 12 + "at last.[/low]"
    parts = sentences(text)
    assert len(parts) > 1
    for part in parts:
        assert width(plain(part)) <= MAX_WIDTH
        assert part.startswith("[low]") and part.endswith("[/low]")
    assert sum(len(parse(part).cues) for part in parts) == 12
    assert " ".join(map(plain, parts)) == plain(text)


def test_marks_alone_are_no_sentence() -> None:
    assert sentences("[pause 2] [smile]") == []


@pytest.mark.parametrize("text", ["!" * 19_999 + "x", "!?" * 9_999 + "x", "." * 19_999 + "x", "…" * 19_999 + "x"])
def test_a_message_of_nothing_but_signs_does_not_keep_the_show_waiting(text: str) -> None:
    began = time.process_time()
    assert "".join(sentences(text)) == text
    assert time.process_time() - began < 5.0, "it took hours"
    assert sentences("No!" + "!" * 99 + " Yes" + "." * 99 + " Well.")[0] == "No!" + "!" * 99


def test_a_long_word_before_a_full_stop_is_no_abbreviation_and_costs_no_time() -> None:
    assert len(sentences(f"{'a' * 100}. Yes.")) == 2
