"""Forbidden claims in any writing, and their harmless neighbours."""

from __future__ import annotations

import pytest

from broadcaster.guard import claims
from broadcaster.guard.view import Undoing

UNDOING = Undoing(claims.BOOK.words)
FORBIDDEN = """
这是全网最好的面膜
醉好的面膜，没有之一
销量第一的品牌
国佳级品质
顶 级 面料
这款茶能降血压
治聊失眠效果特别好
三天见效，无效退款
包治百病
百分百有效
喝了就能减肥
纯天然没有任何副作用
医生都推荐
最.低.价，全网最低
这是行业领先的技术
NO.1的选择
蕞便宜的一家
This is the b3st cream in the world
guaranteed to cure your insomnia
clinically pr0ven to lower blood pressure
lose 10 pounds in two weeks
n u m b e r one in the market
the lowest price anywhere online
doctors recommend it, no side effects
a m1racle cure
our tea d e t o x e s your body
""".strip().splitlines()
HARMLESS = """
最后一天，最近天气冷，最多买三件
第一次来的朋友点个关注
您最好先量一下尺码
最好用温水洗
送给最好的朋友
本品不能代替药物
这不是药，不能治病
我们不敢说是最好的
第一时间发货
正在减肥的朋友也能喝
100%纯棉
保证金不用交
包装很好
最大承重一百公斤
最高可以调到五档
这款防水防滑
嘴好甜的小姐姐
最新款到货了
最佳食用期是三个月
best before the end of May
the number one thing people ask is shipping
do your best, best wishes
which one do you like best
it is best to rinse it by hand
the best way to clean it is with soap
two-year guarantee
I can't guarantee a day
cured meats go well with it
it does not cure anything
treat yourself to a cup of tea
my best friend gave me this
No. 1 and no. 2 are sold out
This will not make you lose weight
we do not promise it lowers blood pressure
""".strip().splitlines()


def found(text: str) -> list[str]:
    view = UNDOING.view(text)
    return [f"{one.rule}: {view.undone.source(one.begin, one.end)}" for one in claims.find(view)]


@pytest.mark.parametrize("text", FORBIDDEN)
def test_a_claim_is_found_however_it_is_written(text: str) -> None:
    assert found(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_what_only_looks_like_a_claim_passes(text: str) -> None:
    assert found(text) == []


def test_it_is_told_which_rule_and_what_as_it_was_written() -> None:
    assert found("这款蕞便宜的茶") == ["claims.superlative: 蕞便宜"]
    assert "claims.medical: a m1racle" in found("a m1racle cure")
