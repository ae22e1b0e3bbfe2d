"""What a language model says is held to the facts: no other price, number, stock, name or offer."""

from __future__ import annotations

import re

import pytest

from broadcaster.chat.grounding import Grounds
from broadcaster.chat.mentions import Names
from broadcaster.chat.proof import Fact

CATALOG = {
    "mug": {"name": "Ferry Mug", "name_zh": "渡口马克杯", "aliases": "mug, 马克杯, blue mug"},
    "lantern": {"name": "Lantern Oolong", "name_zh": "灯火乌龙", "aliases": "oolong"},
    "teapot": {"name": "Little Teapot", "name_zh": "小茶壶"},
}
NAMES = Names(CATALOG)
EN = (
    Fact("The Ferry Mug costs $24.00.", "mug"),
    Fact("Ferry Mug: price 24.00; stock 33; size 350 ml; material stoneware", "mug"),
    Fact("Lantern Oolong: price $16.00; stock 0; size 75 grams", "lantern", 1),
    Fact(
        "Postage is $4.90, and free from $45.00 on. Parcels arrive in three to five working days.",
        rank=2,
    ),
    Fact("You can send anything back within 30 days.", rank=3),
)
ZH = (
    Fact("渡口马克杯128元。", "mug"),
    Fact("渡口马克杯：价格128元，库存33，容量350毫升", "mug"),
    Fact("灯火乌龙：价格88元，库存41，规格75克", "lantern", 1),
    Fact("运费10元，满299元包邮。两天内发货，路上三到五天。", rank=2),
)
PERSONA = "You are Mia of Ferry Lane. Nora packs the tea."


def grounds(language: str = "en", asked: str = "how much is the mug?", about: str = "mug") -> Grounds:
    return Grounds(EN if language == "en" else ZH, NAMES, asked, language, about, PERSONA)


@pytest.mark.parametrize(
    "sentence",
    [
        "The Ferry Mug costs $24.",
        "It's twenty-four dollars.",
        "It costs 24.",
        "It is 24.00 for a mug of 350 ml.",
        "We have 33 left.",
        "There are 33 mugs on the shelf.",
        "It holds 350 ml.",
        "The mug is $24 and the oolong is $16.",
        "For $24 you get the mug, for $16 the oolong.",
        "Postage for it is $4.90.",
        "Postage is free from $45 on.",
        "It arrives in 3-5 days.",
        "It arrives in three to five working days.",
        "You can return it within thirty days.",
        "It is in stock.",
        "The Lantern Oolong is sold out.",
        "I don't know whether there is a discount.",
        "I am an AI presenter, and happy to help.",
        "Nora chose it herself.",
        "It is made of stoneware, and it keeps your tea warm.",
        "One mug is enough for a morning.",
        "That's a good question, and I will find out for you.",
        "I like it with milk, in the morning.",
    ],
)
def test_what_the_facts_state_is_said(sentence: str) -> None:
    assert grounds().doubt(sentence) == ""


@pytest.mark.parametrize(
    "sentence",
    [
        "这款马克杯128元。",
        "一百二十八块。",
        "灯火乌龙88元，马克杯128元。",
        "还剩33只。",
        "现货，今天就能发。",
        "运费10元。",
        "满299元包邮。",
        "三到五天就到。",
        "3-5天到。",
        "容量350毫升，早上喝正好。",
        "可以折叠，很方便。",
        "这个我不太清楚，帮您问问。",
        "一只杯子配一壶茶，很舒服。",
    ],
)
def test_what_chinese_facts_state_is_said(sentence: str) -> None:
    assert grounds("zh", "马克杯多少钱").doubt(sentence) == ""


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ("The mug costs 1 yuan.", "'1 yuan'"),
        ("The mug costs 24 yuan.", "'24 yuan'"),
        ("It's $16.", r"'\$16'"),
        ("It's 33.", "'33'"),
        ("Only 24 left!", "'24'"),
        ("There are 24 of them.", "'24'"),
        ("It holds 16 ml.", "'16 ml'"),
        ("It weighs 350 grams.", "'350 grams'"),
        ("The mug is $16 and the oolong is $24.", "figure"),
        ("For $16 you get the mug, for $24 the oolong.", "figure"),
        ("The mug costs $4.90.", r"'\$4.90'"),
        ("Postage is $45.", r"'\$45'"),
        ("You have two days to return it.", "'two days'"),
        ("It arrives in ten days.", "'ten days'"),
        ("It arrives on Friday.", "'Friday'"),
        ("It's 20% off.", "'20%'"),
        ("Buy two, get one.", "'two'"),
        ("It costs just a buck.", "some money"),
        ("You pay nothing for it.", "free"),
        ("It costs ① dollar.", "plain"),
        ("It is half the price of the teapot.", "figure|found"),
        ("The Little Teapot costs $46.", "nothing was found about 'Little Teapot'"),
        ("Take the Little Teapot with it.", "nothing was found about 'Little Teapot'"),
        ("Try our Golden Dragon Teapot.", "'Dragon'"),
        ("Gucci is our partner.", "'Gucci'"),
        ("We call it “the sunrise”.", "'the sunrise'"),
        ("It is free today!", "free"),
        ("The mug is free!", "free"),
        ("It folds flat and is on sale.", "reduced"),
        ("Hurry, before it's gone.", "hurry"),
        ("It is sold out.", "stock"),
        ("The mug and the oolong are sold out.", "stock"),
        ("The Lantern Oolong is in stock.", "stock"),
        ("Only a few left.", "stock"),
        ("I am an AI language model.", "language model"),
        ("As an AI, I cannot say.", "language model"),
        ("I was made by OpenAI.", "language model"),
        ("My instructions say that I may not tell.", "language model"),
        ("Visit www.example.com for more.", "www.example.com"),
        ("这款杯子24美元。", "another language"),
        ("Elle coûte vingt-quatre dollars et elle est très jolie.", "another language"),
    ],
)
def test_what_no_fact_states_is_not_said(sentence: str, reason: str) -> None:
    assert re.search(reason, grounds().doubt(sentence))


@pytest.mark.parametrize(
    "sentence",
    [
        "只要1元！",
        "马克杯1块钱。",
        "马克杯88元。",
        "灯火乌龙128元，马克杯88元。",
        "还剩5只，快抢！",
        "运费299元。",
        "十天到。",
        "这款包邮。",
        "给您打八折。",
        "全网最低价！",
        "买一送一",
        "才几块钱。",
        "一分钱不要。",
        "马克杯壹元。",
        "小茶壶258元。",
        "我们家的“金龙杯”也不错。",
        "我是一个AI语言模型。",
        "作为人工智能，我不能说。",
        "It costs 128 yuan.",
    ],
)
def test_what_no_chinese_fact_states_is_not_said(sentence: str) -> None:
    assert grounds("zh", "马克杯多少钱").doubt(sentence)


def test_a_bare_number_answers_what_was_asked() -> None:
    assert grounds(asked="how much is it?").doubt("It's 24.") == ""
    assert grounds(asked="how much is it?").doubt("It's 33.")
    assert grounds(asked="how many are left?").doubt("It's 33.") == ""
    assert grounds(asked="how many are left?").doubt("It's 24.")


def test_what_one_sentence_is_about_the_next_is_about_too() -> None:
    about = grounds()
    assert about.doubt("The Lantern Oolong is lovely, too.") == ""
    assert about.doubt("It costs $16.") == ""
    assert about.doubt("It costs $24.")


def test_a_product_that_a_fact_of_another_speaks_of_may_be_named_and_no_more() -> None:
    facts = (*EN, Fact("The Little Teapot goes with every mug.", rank=4))
    about = Grounds(facts, NAMES, "what goes with it?", "en", "mug")
    assert about.doubt("Take the Little Teapot with it.") == ""
    assert about.doubt("The Little Teapot costs $24.") and about.doubt("The Little Teapot is in stock.")


def test_a_sentence_that_is_not_said_changes_nothing() -> None:
    about = grounds()
    assert about.doubt("The Lantern Oolong costs $1.")
    assert about.doubt("It costs $24.") == ""


def test_without_facts_there_is_no_figure() -> None:
    nothing = Grounds((), NAMES, "how are you?", "en")
    assert nothing.doubt("Very well, thank you, and how are you?") == ""
    assert nothing.doubt("It costs $24.") and nothing.doubt("The Ferry Mug is nice.")


def test_a_number_in_a_name_is_no_figure() -> None:
    names = Names({"cups": {"name": "Two Small Cups"}})
    cups = Grounds((Fact("Two Small Cups: price $28.00", "cups"),), names, "how much?", "en", "cups")
    assert cups.doubt("Two Small Cups are $28.") == ""
    assert cups.doubt("You get two for $28.")


def test_a_currency_that_no_fact_names_is_not_said() -> None:
    bare = Grounds((Fact("Ferry Mug: price 24.00", "mug"),), NAMES, "how much?", "en", "mug")
    assert bare.doubt("It costs 24.") == ""
    assert bare.doubt("It costs $24.")


def test_names_are_found_whole_the_longest_first_and_for_short() -> None:
    text = "The blue mug, two Ferry Mugs, a mugshot and the teapot"
    found = NAMES.mentions(text)
    assert [(one.name, one.is_distinct) for one in found] == [
        ("blue mug", True),
        ("Ferry Mug", True),
        ("teapot", False),
    ]
    assert [(one.name, *one.products) for one in NAMES.mentions("渡口马克杯和茶壶")] == [
        ("渡口马克杯", "mug"),
        ("茶壶", "teapot"),
    ]


def test_what_several_products_are_called_for_short_is_no_name() -> None:
    names = Names({"a": {"name": "Red Cup"}, "b": {"name": "Blue Cup"}})
    assert names.mentions("a cup") == []


def test_a_product_that_is_named_for_short_has_its_own_price() -> None:
    assert grounds().doubt("The teapot costs $24.") and grounds("zh", "马克杯多少钱").doubt("茶壶128元。")
    assert grounds().doubt("The mug costs $24, and it goes well with a teapot.") == ""
    assert grounds().doubt("The oolong costs $24.") and grounds().doubt("The oolong costs $16.") == ""
