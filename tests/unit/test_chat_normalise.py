"""What viewers write is read aloud without pictures, tricks and marks of our own, or passed over."""

from __future__ import annotations

import random
import time

import pytest

from broadcaster.chat.model import Reason
from broadcaster.chat.normalise import RAW_MAX_CHARS, SAID_MAX_CHARS, normalised


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("多少钱？？？", "多少钱？"),
        ("多少钱多少钱多少钱", "多少钱"),
        ("多少钱? 多少钱?? 多少钱", "多少钱"),
        ("ＨＯＷ ＭＵＣＨ？", "How much?"),
        ("HOW MUCH IS IT!!!???", "How much is it?"),
        ("sooooo cute 😍😍👨‍👩‍👧", "soo cute"),
        ("[doge]好看[微笑] 有货吗", "好看 有货吗"),
        ("@主播 这个 怎么卖", "这个 怎么卖"),
        ("@主播多少钱", "多少钱"),
        ("@shop_host is it in stock?", "is it in stock?"),
        ("\u202eabc\u202c how much", "abc how much"),
        ("h\u200be\u00adllo there", "hello there"),
        ("Z̷̧͔̩͊̕a̸l̶g̷o̸ price", "Zalgo price"),
        ("我的手机13800138000收到了吗", "我的手机 收到了吗"),
        ("call +49 170 123 45 67 please", "call please"),
        ("199 299 399 有什么区别", "199 299 399 有什么区别"),
        ("这个[pause 30]多少钱", "这个 多少钱"),
        ("ignore {price} and [lang fr]x[/lang] **now**", "ignore price and x now"),
        ("3.5cm的有吗", "3.5cm的有吗"),
        ("$12.50 + 10% tax?", "$12.50 + 10% tax?"),
        ("¿Cuánto cuesta?", "¿Cuánto cuesta?"),
        ("هل هذا متاح؟", "هل هذا متاح؟"),
        ("有货吗,老板", "有货吗，老板"),
        ("QQ糖有吗", "QQ糖有吗"),
        ("可以加一下购物车吗", "可以加一下购物车吗"),
        ("Is v1.0 ok? it.works", "Is v1.0 ok? it.works"),
    ],
)
def test_a_comment_is_said_plainly(written: str, said: str) -> None:
    found = normalised(written)
    assert (found.said, found.why) == (said, None)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("看 http://x.com/a", Reason.LINK),
        ("abc.com快来", Reason.LINK),
        ("ｗｗｗ．ｂａｄ．ｃｏｍ", Reason.LINK),
        ("ba\u200bd.c\u200bom", Reason.LINK),
        ("write me at ann@example.org", Reason.LINK),
        ("加v了解 abc", Reason.LINK),
        ("加我 微信", Reason.LINK),
        ("vx: abc123", Reason.LINK),
        ("t.me/freebies", Reason.LINK),
        ("<script>alert(1)</script>", Reason.CODE),
        ("SELECT * FROM users", Reason.CODE),
        ("print('hi')", Reason.CODE),
        ("{{ config }}", Reason.CODE),
        ("#$%^&*()_+{}|", Reason.CODE),
        ("😍😍😍", Reason.NOISE),
        ("[微笑][微笑]", Reason.NOISE),
        ("。。。！！", Reason.NOISE),
        ("哈哈哈哈哈", Reason.NOISE),
        ("666666", Reason.NOISE),
        ("LOOOOL", Reason.NOISE),
        ("\u202e\u200b", Reason.NOISE),
        ("这 " * 60 + "真好看 a b c d e f g h i j k l m n o p q r s t u v w x y z" * 2, Reason.LONG),
        ("字" * (RAW_MAX_CHARS + 1), Reason.LONG),
    ],
)
def test_what_is_no_question_for_a_room_is_passed_over(written: str, why: Reason) -> None:
    assert normalised(written).why is why


@pytest.mark.parametrize(
    ("written", "asks"),
    [("多少钱", True), ("有货吗", True), ("is it red", True), ("price", True), ("真好看", False), ("nice mug", False)],
)
def test_a_question_is_known_without_its_mark(written: str, asks: bool) -> None:
    assert normalised(written).asks is asks


def test_marks_and_pictures_change_nothing_about_what_is_compared() -> None:
    texts = ("How much?", "how much", "ＨＯＷ ＭＵＣＨ！", "how  much 😍", "How, much...")
    assert {normalised(text).key for text in texts} == {"how much"}


def test_nothing_of_our_own_marks_survives_any_text() -> None:
    draw = random.Random(7)
    alphabet = "ab 多少[]{}|*`<>#\u202e\u200d😍.,!?？[[pause 1]]"
    for _ in range(3_000):
        said = normalised("".join(draw.choice(alphabet) for _ in range(draw.randrange(1, 60)))).said
        assert not set(said) & set("[]{}|*`<>#\u202e\u200d😍")
        assert len(said) <= RAW_MAX_CHARS


def test_no_text_costs_more_than_a_moment() -> None:
    latin = ["a", "ab", "a b ", ".", "1 ", "@", "a.", "select ", "def ", "a-", "v x ", "<a", "aA", "[a", "\u0301"]
    for piece in [*latin, "的", "多少", "加 "]:
        text = (piece * RAW_MAX_CHARS)[:RAW_MAX_CHARS]
        began_s = time.process_time()
        for _ in range(3):
            normalised(text)
        assert (time.process_time() - began_s) / 3 < 0.05, piece


def test_what_is_said_is_short() -> None:
    found = normalised("word and " + "another word " * 14)
    assert found.why is None and len(found.said) <= SAID_MAX_CHARS
