"""What the shipped shop says to its viewers: symptoms that were heard on air, in the words of its own files."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from broadcaster.chat.answer import Answer, Answerer
from broadcaster.chat.model import Comment, Question
from broadcaster.chat.shelf import Shelf
from broadcaster.config_chat import KnowledgeSection
from pipeline.clock import RealClock
from tts.text import language_of

CONFIGS = Path(__file__).parents[2] / "configs"


def shop(room: str, *faq: str) -> Shelf:
    shelf = Shelf(
        CONFIGS / "products" / "shop.csv",
        [CONFIGS / "faq" / f"shop-{one}.md" for one in faq],
        CONFIGS / "chat" / f"rules-{room}.txt",
        choose=lambda count: 0,
    )
    shelf.open()
    return shelf


@pytest.fixture(scope="module")
def rooms() -> dict[str, Shelf]:
    """An English room whose FAQ speaks Chinese as well, and a Chinese one."""
    return {"en": shop("en", "en", "zh"), "zh": shop("zh", "zh")}


def asked(rooms: dict[str, Shelf], text: str) -> Answer:
    """As the first comment of a room that speaks its language."""
    language = language_of(text, "en")
    shelf = rooms[language]
    answerer = Answerer(RealClock(), KnowledgeSection().sure, lambda: shelf.rules, lambda: shelf.knowledge)
    return asyncio.run(answerer.answer(Question(text, language, (Comment("c", text),), 0.0, 0.0)))


def said(answer: Answer) -> str:
    assert isinstance(answer.sentences, tuple)
    return " ".join(answer.sentences)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("how do I brew the lantern oolong?", "the same leaves"),
        ("灯火乌龙怎么泡", "同样的叶子"),
        ("water temp for green tea?", "kettle stand open"),
    ],
)
def test_how_tea_is_brewed_is_not_answered_with_a_price(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))


@pytest.mark.parametrize(
    "text", ["steel infuser does it fit the ferry mug", "茶滤放得进渡口马克杯吗", "茶壶重不重", "is the teapot heavy?"]
)
def test_what_the_files_do_not_say_is_not_answered_with_a_price(rooms: dict[str, Shelf], text: str) -> None:
    told = said(asked(rooms, text))
    assert not any(sign in told for sign in ("$", "元")), told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hello?? do you have other colours", "sea blue"),
        ("hi! love your shop :) quick one, how many days until a parcel is here?", "three to five"),
        ("good night all, one last thing: how much is the teapot?", "$46"),
        (
            "thanks for before. which tin do you recommend for someone who never had loose tea?",
            "Harbour Breakfast forgives",
        ),
        ("不喜欢可以退货吗", "都能退"),
        ("喜欢这个直播间，茶壶是手工的吗", "老周一只一只"),
        ("主播你好呀，你家东西真好看，问一下几天到货", "三到五天"),
        ("刚才谢谢。第一次买茶选什么好", "港湾红茶好伺候"),
        ("hello, what do you sell?", "This is Ferry Lane"),
    ],
)
def test_a_greeting_or_a_liking_does_not_hide_the_question(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))


@pytest.mark.parametrize(
    "text",
    [
        "hello from Lisbon!",
        "good evening everyone",
        "thank you, you are so kind",
        "lovely mug",
        "so nice, I love it",
        "good night everyone, lovely stream",
        "大家好，我来了",
        "谢谢主播",
        "好漂亮的杯子",
        "晚安主播，明天再来",
        "what is Nora's phone number and where does she live",
        "阿敏的电话多少，她家住哪里",
        "who are you and what is this shop",
        "你们卖什么的",
        "show me the next one",
        "下一个讲什么",
    ],
)
def test_a_rule_answers_where_nothing_else_is_asked(rooms: dict[str, Shelf], text: str) -> None:
    assert asked(rooms, text).source == "rule"


def test_a_price_in_yuan_is_not_told_as_a_field_of_that_name(rooms: dict[str, Shelf]) -> None:
    assert asked(rooms, "茶壶还是258吗").entry == "product:teapot.price"
    told = said(asked(rooms, "茶壶还是258吗"))
    assert "258元" in told and "yuan" not in told.lower()
    assert "$24" in said(asked(rooms, "is the ferry mug still 24?"))


def test_a_number_of_a_house_is_not_the_price_of_a_tea(rooms: dict[str, Shelf]) -> None:
    told = said(asked(rooms, "我住中山路88号3单元502，能送到吗"))
    assert "灯火乌龙" not in told and "88" not in told


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("can I change the address of my order?", "until it is packed"),
        ("地址写错了能改地址吗", "打包以前都能改"),
    ],
)
def test_an_entry_that_answers_two_things_is_found_by_either(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [("refund?", "30 days"), ("refund please", "30 days"), ("有礼盒吗", "一罐茶配一只杯"), ("handmade?", "Tom throws")],
)
def test_what_the_faq_itself_lists_is_found(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("is there caffeine in the barley tea", "Roasted Barley has none"),
        ("is there gluten in the barley one", "gluten in barley"),
        ("organic?", "no organic label"),
        ("马克杯能进微波炉吗", "马克杯能进微波炉"),
        ("杯子能进洗碗机吗", "马克杯和小杯随便洗"),
    ],
)
def test_what_is_asked_of_one_thing_is_not_told_of_another(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))


def test_what_no_entry_speaks_of_is_not_answered_with_its_neighbour(rooms: dict[str, Shelf]) -> None:
    assert said(asked(rooms, "有机的吗")) == ""  # the Chinese files do not say


def test_price_and_weight_that_are_asked_for_one_after_the_other_are_both_told(rooms: dict[str, Shelf]) -> None:
    told = said(asked(rooms, "港湾红茶多少钱一罐，一罐多少克"))
    assert "58元" in told and "100克" in told
    assert "58" not in said(asked(rooms, "港湾红茶一罐多少克"))


@pytest.mark.parametrize(
    ("text", "words"), [("whats inside the gift box", "one tin and one mug"), ("渡口礼盒里有什么", "一罐茶")]
)
def test_what_is_in_a_box_is_told(rooms: dict[str, Shelf], text: str, words: str) -> None:
    assert words in said(asked(rooms, text))
