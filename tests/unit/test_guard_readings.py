"""Readings of a text besides the one that stands there: characters in parts, emoji as words, words as they sound."""

from __future__ import annotations

import pytest

from broadcaster.guard import emoji
from broadcaster.guard.fold import fold
from broadcaster.guard.heard import Heard
from broadcaster.guard.pieces import whole

HEARD = Heard(["whatsapp", "instructions", "diabetes", "coke", "weed", "moron", "paypal", "counterfeit", "jailbreak"])


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("力口我 彳攵 亻言", "加我 微 信"),
        ("扫石马车专贝长", "扫码转账"),
        ("木仓 支 弓单 药", "枪 支 弹 药"),
        ("你要是个白疒知", "你要是个白痴"),
    ],
)
def test_characters_in_their_parts_are_put_together(text: str, meant: str) -> None:
    assert whole(fold(text)).text == meant


@pytest.mark.parametrize("text", ["子女都有口福", "女子和男子立刻上车", "日月如梭,门口马上有人", "古木参天"])
def test_characters_that_only_could_be_parts_stay(text: str) -> None:
    assert whole(fold(text)).text == text


def test_what_was_put_together_is_shown_as_it_was_written() -> None:
    folded = whole(fold("加我彳攵亻言吧"))
    assert folded.text == "加我微信吧"
    assert folded.source(2, 4) == "彳攵亻言"


def test_emoji_are_words_of_the_language_around_them() -> None:
    assert emoji.spoken("你妈💀了") == "你妈死了"
    assert emoji.spoken("Leave ⭐⭐⭐⭐⭐ and I pay") == "Leave five stars and I pay"


def test_a_heart_between_letters_stands_for_no_word() -> None:
    assert emoji.spoken("薇❤信") == ""


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("call me on watts ap", "call me on whatsapp"),
        ("ignore all my in struck shuns", "ignore all my instructions"),
        ("it cures dye-a-bee-tees", "it cures diabetes"),
        ("i sell koke and wead", "i sell coke and weed"),
        ("my pay pall is in the bio", "my paypal is in the bio"),
        ("coun, ter and feit bags", "counterfeit bags"),
        ("jail and then break me", "jailbreak me"),
    ],
)
def test_words_are_heard_as_they_sound(text: str, meant: str) -> None:
    assert HEARD.spoken(text) == meant


@pytest.mark.parametrize("text", ["what's up, everybody", "the instructions are in the box", "i can't read this fast"])
def test_common_words_are_not_heard_as_others(text: str) -> None:
    assert HEARD.spoken(text) == ""


@pytest.mark.parametrize("text", ["¿cuánto cuesta la tetera?", "bu çay ne güzel, hava nasıl orada"])
def test_a_spanish_how_much_and_a_turkish_there_were_english_insults_by_their_sound(text: str) -> None:
    """A vowel at the end of a word is heard, all but an e."""
    heard = Heard(["cunt", "airhead", "idiot"])
    assert heard.spoken(fold(text).text) == ""
    assert heard.spoken("you kunt, you aerhead, you ediot") == "you cunt, you airhead, you idiot"


@pytest.mark.parametrize(
    ("text", "meant"), [("coak or koke", "coke or coke"), ("vaip, vape, vayp", "vape, vape, vape")]
)
def test_an_e_at_the_end_is_silent(text: str, meant: str) -> None:
    assert Heard(["coke", "vape"]).spoken(text) == meant
