"""Words of lists: found in any writing, and in no other word."""

from __future__ import annotations

import pytest

from broadcaster.guard.fold import fold
from broadcaster.guard.lists import Entry, tight
from broadcaster.guard.words import Words

WORDS = ["微信", "日本", "傻瓜", "假货", "支付宝", "药到病除", "加v", "a货", "加qq", "走私货", "100%有效"]
LATIN = ["scam", "fuck", "penis", "ass", "shit", "idiot", "kill", "sex", "get rich quick", "rape", "butt"]


def words(*texts: str) -> Words:
    return Words(Entry(text, f"list:{number}") for number, text in enumerate(texts, 1))


ALL = words(*WORDS, *LATIN)


def found(text: str, by: Words = ALL) -> dict[str, str]:
    """Word → what is written for it."""
    folded = fold(text)
    return {hit.entry.word: folded.source(hit.begin, hit.end) for hit in by.find(folded)}


@pytest.mark.parametrize(
    ("text", "word", "written"),
    [
        ("加我威心聊", "微信", "威心"),
        ("加我薇信", "微信", "薇信"),
        ("他真是个沙瓜", "傻瓜", "沙瓜"),
        ("你这个傻 瓜主播", "傻瓜", "傻 瓜"),
        ("你好傻，瓜！", "傻瓜", "傻，瓜"),
        ("傻x瓜", "傻瓜", "傻x瓜"),
        ("傻3瓜", "傻瓜", "傻3瓜"),
        ("傻🍉瓜", "傻瓜", "傻🍉瓜"),
        ("sha gua", "傻瓜", "sha gua"),
        ("shagua", "傻瓜", "shagua"),
        ("shǎ guā主播", "傻瓜", "shǎ guā"),
        ("sha1gua1", "傻瓜", "sha1gua1"),
        ("傻gua", "傻瓜", "傻gua"),
        ("加微xin", "微信", "微xin"),
        ("用支f宝付", "支付宝", "支f宝"),
        ("zhifu宝", "支付宝", "zhifu宝"),
        ("徽信", "微信", "徽信"),
        ("药到病厨", "药到病除", "药到病厨"),
        ("走丝货", "走私货", "走丝货"),
        ("Ａ 貨", "a货", "Ａ 貨"),
        ("➕🆅了解", "加v", "➕🆅"),
        ("佳V", "加v", "佳V"),
        ("加 q q", "加qq", "加 q q"),
        ("１００％有效", "100%有效", "１００％有效"),
    ],
)
def test_a_chinese_word_is_found_in_other_writing(text: str, word: str, written: str) -> None:
    assert found(text) == {word: written}


@pytest.mark.parametrize(
    "text",
    [
        "今日本店特价",
        "为新朋友准备",
        "会为新人留位置",
        "唯心主义",
        "喂新来的朋友",
        "他真傻，瓜很甜",
        "没有假，货都是真的",
        "给大家加货",
        "你这个家伙",
        "加VIP会员",
        "SPA货品",
        "1000%有效",
        "made in china",
        "我们支付给宝宝的奖金",
    ],
)
def test_a_chinese_word_is_not_found_where_others_only_sound_or_look_like_it(text: str) -> None:
    assert found(text) == {}


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("this is a sc4m", "scam"),
        ("$cam artist", "scam"),
        ("s c a m", "scam"),
        ("s.c.a.m.", "scam"),
        ("S-C-A-M", "scam"),
        ("sca m today", "scam"),
        ("scaaaaam", "scam"),
        ("scammers", "scam"),
        ("skam", "scam"),
        ("ѕсаm", "scam"),
        ("this: s, c, a, m", "scam"),
        ("f*ck", "fuck"),
        ("phuck", "fuck"),
        ("fvck", "fuck"),
        ("@ss", "ass"),
        ("sh!t", "shit"),
        ("id iot", "idiot"),
        ("id10t", "idiot"),
        ("k1ll", "kill"),
        ("get-rich-quick", "get rich quick"),
        ("getrichquick", "get rich quick"),
        ("g3t r1ch qu1ck", "get rich quick"),
    ],
)
def test_a_latin_word_is_found_in_other_writing(text: str, word: str) -> None:
    assert list(found(text)) == [word]


@pytest.mark.parametrize(
    "text",
    [
        "the pen is mine",
        "class assassin classic assess",
        "let's hit the road",
        "Scunthorpe, Penistone and Essex",
        "rapeseed and grapes",
        "butter and buttons",
        "it is as az",
        "5G 4K mp3 1st",
        "U.S. exports",
        "he gets rich. quickly we go",
    ],
)
def test_a_latin_word_is_found_in_no_other_word(text: str) -> None:
    assert found(text) == {}


def test_a_phrase_in_which_a_word_is_harmless_saves_it_in_any_writing() -> None:
    camera = Words(
        [Entry("傻瓜", "list:1", allow=(tight("傻瓜相机"),)), Entry("crack", "list:2", allow=(tight("crack open"),))]
    )
    assert found("傻瓜相机很好", camera) == found("傻 瓜 相 机", camera) == found("Crack open an egg", camera) == {}
    assert found("你这个傻瓜，相机很好", camera) == {"傻瓜": "傻瓜"}
    assert list(found("crack it open", camera)) == ["crack"]


def test_letters_mean_a_word_where_its_list_says_so() -> None:
    one = Words([Entry("微信", "list:1", initials=("wx", "vx"))])
    assert found("加我vx聊", one) == {"微信": "vx"}
    assert found("VX", one) == {"微信": "VX"}
    assert found("vx200 and xvx", one) == {}


def test_a_word_that_is_exact_is_found_in_no_other_writing() -> None:
    one = Words([Entry("傻瓜", "list:1", exact=True), Entry("meth", "list:2", exact=True)])
    assert set(found("傻瓜 meth", one)) == {"傻瓜", "meth"}
    assert found("沙瓜 傻 瓜 m3th m e t h methed", one) == {}


def test_a_word_of_one_hanzi_is_found_as_it_is() -> None:
    assert found("吃屎", words("屎")) == {"屎": "屎"}
