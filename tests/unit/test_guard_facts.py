"""Prices, stock and names as the products file says, in figures and words."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest

from broadcaster.guard.amounts import money
from broadcaster.guard.facts import Facts
from broadcaster.guard.fold import fold
from broadcaster.guard.goods import Goods
from broadcaster.guard.view import Undoing
from broadcaster.script.products import load
from pipeline.shipped import CONFIGS

UNDOING = Undoing(["微信"])
SHOP = Goods(load(CONFIGS / "products" / "shop.csv"))
FACTS = Facts(SHOP)
WRONG = """
渡口马克杯只要99元
这只马克杯九十九块
港湾红茶一罐五十九元
马克杯原价199，现价128元
渡口马克杯仅剩三只
小茶壶库存还有50把
The Ferry Mug is only $19
The mug costs nineteen dollars
for just three ninety nine
Ferry Mug, only three left
小茶壶卖完了
the Little Teapot is sold out
港湾红茶只要九块九
9块9包邮，赶紧拍
价格只要九十九
two mugs for $20
lantern oolong thirteen bucks
只剩5只了
""".strip().splitlines()
RIGHT = """
渡口马克杯一只128元
马克杯一百二十八块
港湾红茶58块
两只马克杯256元
运费8元，满99元包邮
便宜二十块
The Ferry Mug is $24.00
The mug costs twenty four dollars
Ferry Mug, 33 left
小茶壶还有12把
teapot 46 dollars and cups 28 dollars
马克杯加红茶一共186元
还有三天
only two days left
最后三分钟
杯子不到130块
about 25 dollars for the mug
from $45 on we pay the postage
Postage is $4.90
一罐100克，58元
还有两个颜色
12 mugs a day
It is 350 ml
品茗对杯148元一对
24 dollars for the Ferry Mug, 28 dollars for the Two Small Cups
小茶壶还没卖完
save $5 today
一天才一块钱
""".strip().splitlines()


def found(text: str, product: str = "", facts: Facts = FACTS, *, written: bool = False) -> list[str]:
    view = UNDOING.view(text)
    return [f"{one.rule}: {view.undone.source(one.begin, one.end)}" for one in facts.find(view, product, written)]


@pytest.mark.parametrize("text", WRONG)
def test_what_the_products_file_does_not_say_is_found(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", RIGHT)
def test_what_it_says_passes_and_so_does_what_is_no_price_of_a_product(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "values", "currency"),
    [
        ("三十九块九", {"39.9"}, "CNY"),
        ("九块九毛九", {"9.99"}, "CNY"),
        ("９块９包邮", {"9.9"}, "CNY"),
        ("9快9", {"9.9"}, "CNY"),
        ("一百二块", {"120"}, "CNY"),
        ("一千零八十块", {"1080"}, "CNY"),
        ("三九九元", {"399"}, "CNY"),
        ("1.2万元", {"12000"}, "CNY"),
        ("三块五一斤", {"3.5"}, "CNY"),
        ("39块两件", {"39"}, "CNY"),
        ("$3.99", {"3.99"}, "USD"),
        ("thirty-nine ninety-nine dollars", {"39.99", "3999"}, "USD"),
        ("nine dollars and ninety nine cents", {"9.99"}, "USD"),
        ("a hundred and twenty nine yuan", {"129"}, "CNY"),
        ("eighteen point five yuan", {"18.5"}, "CNY"),
        ("one oh nine dollars", {"1.09", "109"}, "USD"),
    ],
)
def test_a_sum_is_read_with_all_that_it_may_mean(text: str, values: set[str], currency: str) -> None:
    amount = next(money(fold(text).text))
    assert (amount.values, amount.currency) == ({Decimal(one) for one in values}, currency)


@pytest.mark.parametrize("text", ["一块儿喝茶", "两块试片", "毛巾五毛巾", "跟换了一块似的"])
def test_a_piece_is_no_money(text: str) -> None:
    assert list(money(fold(text).text)) == []


def test_a_sum_that_is_written_by_its_sound_is_read() -> None:
    assert found("渡口马克杯漆十酒块") == ["facts.price: 漆十酒块"]
    assert found("渡口马克杯 jiu shi jiu kuai") == ["facts.price: jiu shi jiu kuai"]
    assert found("这个便宜二十块") == []


def test_a_figure_is_of_the_product_that_is_spoken_of_where_none_is_named() -> None:
    assert found("今天一百二十八元", "mug") == []
    assert found("今天一百二十八元", "towel") == ["facts.price: 一百二十八元"]
    assert found("今天一百二十八元") == []  # some product costs that
    assert found("今天一百二十九元") == ["facts.price: 一百二十九元"]


def test_what_the_rooms_own_people_wrote_may_name_any_price_of_the_file() -> None:
    text = "马克杯和茶都有，茶是58元"
    assert found("渡口马克杯58元") and not found("渡口马克杯58元", written=True)
    assert found(text, "giftbox", written=True) == []
    assert found("渡口马克杯57元", written=True)


def test_what_a_product_is_made_of_is_not_said_otherwise(tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    file.write_text(
        "id,name,name_zh,price,currency,stock\n1,Wool Scarf,羊毛围巾,89,CNY,5\n2,Bamboo Toothbrush,竹柄牙刷,12,CNY,9\n"
    )
    facts = Facts(Goods(load(file)))
    assert found("咱家羊绒围巾八十九块", facts=facts) == ["facts.name: 羊绒围巾"]
    assert found("a cashmere scarf for 89 yuan", facts=facts) == ["facts.name: cashmere scarf"]
    assert found("这支电动牙刷只要十二块", facts=facts) == ["facts.name: 电动牙刷"]
    assert found("羊毛围巾八十九块，不是羊绒围巾", facts=facts) == []


def test_a_name_that_differs_in_a_figure_is_another_product(tmp_path: Path) -> None:
    file = tmp_path / "goods.csv"
    file.write_text("id,name,name_zh,price,stock\n1,Blender X100,乌龙茶250克,68,5\n")
    facts = Facts(Goods(load(file)))
    assert found("乌龙茶500克", facts=facts) and found("the Blender X200", facts=facts)
    assert found("乌龙茶250克 and the Blender X100", facts=facts) == []


def test_without_products_nothing_is_checked() -> None:
    assert found("只要九块九", facts=Facts(Goods({}))) == []
