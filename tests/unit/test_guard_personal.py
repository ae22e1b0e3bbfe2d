"""Personal data in figures, words and spelling; rows of figures that are nobody's."""

from __future__ import annotations

import pytest

from broadcaster.guard import personal
from broadcaster.guard.view import Undoing

UNDOING = Undoing(["微信", "wechat"])
PERSONAL = """
打我电话13800138000
一三八零零一三八零零零
幺三八〇〇幺三八〇〇〇
138-0013-8000
138 0013 8000
①③⑧⓪⓪①③⑧⓪⓪⓪
壹叁捌零零壹叁捌零零零
one three eight double zero one three eight triple zero
yao san ba ling ling yao san ba ling ling ling
1 3 8 0 0 1 3 8 0 0 0
１３８００１３８０００
1️⃣3️⃣8️⃣0️⃣0️⃣1️⃣3️⃣8️⃣0️⃣0️⃣0️⃣
13八零零一38零零零
l38OO138OOO
call me at 415 555 2671
(415) 555-2671
+44 7911 123456
座机010-62345678
身份证110101199003070177
身份证11010119900307017X号
4111 1111 1111 1111
卡号6222021234567890128
card number 6222 0212 3456 7890
me@example.com
me at gmail dot com
jane dot doe at outlook dot com
zhangsan艾特qq点com
我微信号是abc12345
vx: lucky_888
QQ 123456789
my telegram is @dealer99
她住在北京市朝阳区建国路88号
幸福小区3栋2单元501室
he lives at 12 Oak Street
221B Baker Street
家住上海市浦东新区张江镇
伊叁爸零凌幺散捌另领岭
加我扣扣2233445566
""".strip().splitlines()
NOBODYS = """
今天卖出13800件
条码6901234567892
订单号20260501123456789
35 36 37 38 39 40 41码都有
价格199、299、399、499
一二三四五六七八九十
12345上链接
3 2 1 开始
one two three four five
2026年5月20日
100 200 300 400 500
GB/T 18401-2010
GB 4806.9-2016
型号XR-1380-2200
粉丝1234567
南京路店
发货地是浙江省杭州市
24 hours of street food
three days on the road
line 1 and line 2
the line is long
支持微信支付
3.1415926
运费8元，满99元，7天退换
a 12 lane highway
5 star road trip
our shop is called Ferry Lane
look at it at home
meet us at noon dot
尺寸 120 x 60 x 75
第2排3号链接
1号链接2号链接3号链接
零下二十度到一百二十度
二零二六年五月
容量350毫升，高度12厘米，直径8厘米
8点20分到9点30分
""".strip().splitlines()


def found(text: str) -> list[tuple[str, str]]:
    view = UNDOING.view(text)
    return [(one.rule, view.undone.source(one.begin, one.end)) for one in personal.find(view)]


@pytest.mark.parametrize("text", PERSONAL)
def test_what_belongs_to_a_person_is_found(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", NOBODYS)
def test_figures_that_are_nobodys_pass(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("打138-0013-8000吧", "personal.phone"),
        ("身份证110101199003070177", "personal.identity"),
        ("078-05-1120", "personal.identity"),
        ("4111 1111 1111 1111", "personal.card"),
        ("me at gmail dot com", "personal.mail"),
        ("我微信号是abc12345", "personal.messenger"),
        ("幸福小区3栋2单元501室", "personal.address"),
        ("我妈的手机，一三三，然后四个零，再六二一九", "personal.phone"),
    ],
)
def test_it_is_told_what_it_is(text: str, rule: str) -> None:
    assert found(text)[0][0] == rule


def test_a_card_number_with_a_wrong_last_figure_is_none() -> None:
    assert found("4111 1111 1111 1112") == []


def test_what_is_found_is_shown_with_its_middle_hidden() -> None:
    assert personal.hidden("138-0013-8000") == "138-****-**00"
    assert personal.hidden("lily.shop@example.com") == "lil*.****@*******.*om"
    assert personal.hidden("3栋5") == "3**"
