"""A whole shop's facts, and what models say of them: what is right is said, nearly always; what is wrong never.

The sentences were written beside the rules, for the shop of configs/: they show what the rules do, not how well they do
it on sentences that nobody has seen.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from broadcaster.chat import faq, persona
from broadcaster.chat.grounding import Grounds
from broadcaster.chat.mentions import Names
from broadcaster.chat.proof import Fact
from broadcaster.script import products
from broadcaster.script.template import fill
from broadcaster.script.values import Values

CONFIGS = Path(__file__).parents[2] / "configs"
PRODUCTS = products.load(CONFIGS / "products" / "shop.csv")
NAMES = Names(PRODUCTS)
FIELDS = {"en": ("name", "price", "size"), "zh": ("name_zh", "yuan", "size_zh")}
SAID_LEAST = 0.85  # of what is right

#: language, product in question, question → sentences
RIGHT = {
    ("en", "mug", "would the ferry mug suit my grandmother"): [
        "I think it would, as long as she likes a mug with some weight to it.",
        "It holds 350 ml, so it is a good size for a long cup.",
        "It costs 24.00, and we have 33 of them.",
    ],
    ("en", "mug", "does the mug feel nice in small hands"): [
        "It is made for both hands, so small ones will manage.",
        "If she prefers something smaller, look at the Two Small Cups: they hold 120 ml.",
        "They are 28.00 for the pair.",
    ],
    ("en", "", "which tea goes with milk in the evening"): [
        "For the evening I would take Roasted Barley, because it has no caffeine.",
        "It is lovely with milk.",
        "I would not drink black tea that late.",
    ],
    ("en", "", "does postage change if I live on an island"): [
        "Postage is $4.90, whatever you take.",
        "From $45.00 on, we pay it.",
        "Whether islands cost more I do not know, but Nora can tell you by mail.",
    ],
    ("en", "mug", "who designed the ferry mug"): [
        "Tom made it, in his workshop two streets away.",
        "He throws each one on the wheel.",
        "That is why no two are quite the same.",
    ],
    ("en", "", "how long would a parcel take to my aunt"): [
        "Parcels leave us within two working days.",
        "Then it takes three to five working days, as a rule.",
        "Before holidays it may be longer.",
    ],
    ("en", "", "are you a robot"): [
        "I am a presenter made by a computer, and I say so gladly.",
        "The tea is real, and so are Nora and Tom.",
    ],
    ("en", "teapot", "what if the teapot arrives broken"): [
        "Then take a photo and write to us, and we put it right.",
        "I am sorry if that happens to you.",
    ],
    ("en", "lantern", "is the oolong strong"): [
        "Lantern Oolong is roasted, so it tastes of toasted nuts more than of flowers.",
        "It is 16.00 for a tin of 75 grams.",
    ],
    ("en", "giftbox", "can i give the gift box to a man"): [
        "Of course you can.",
        "There is one tin and one mug in it, and it costs 39.00.",
        "A friendly present for anybody who drinks tea.",
    ],
    ("en", "", "what are you wearing today"): [
        "Only what the computer gave me, I am afraid.",
        "But tell me what tea you like, and I can help you choose.",
    ],
    ("zh", "mug", "马克杯适合送给奶奶吗"): [
        "挺合适的，杯子厚实，拿着稳当。",
        "容量350毫升，一次够喝一大杯。",
        "128元一只。",
    ],
    ("zh", "harbour", "港湾红茶配蜂蜜好喝吗"): [
        "好喝，它味道厚，压得住甜。",
        "港湾红茶58元，一罐100克。",
    ],
    ("zh", "", "寄到海南岛加钱吗"): [
        "运费8元，买几样都是这个数。",
        "满99元，运费我们出。",
        "海南要不要加钱我不太清楚，您私下问问阿敏。",
    ],
    ("zh", "", "周六下单周一能发吗"): [
        "四十八小时内发出，周末下的单下一个工作日有人看。",
        "路上一般三到五天。",
    ],
    ("zh", "teapot", "茶壶能放洗碗机吗"): [
        "这个我说不准，我帮您问问阿敏。",
    ],
    ("zh", "lantern", "乌龙茶晚上能喝吗"): [
        "灯火乌龙含咖啡因，晚上睡不着的话，喝焦香大麦茶更合适。",
        "大麦茶不含咖啡因。",
    ],
    ("zh", "", "你们店在哪"): [
        "这儿是渡口小铺，就在老渡口边上。",
    ],
    ("zh", "", "老周还做别的吗"): [
        "老周做杯子和壶，窑离店里很近。",
    ],
}
WRONG = {
    ("en", "mug", "would the ferry mug suit my grandmother"): [
        "It costs 16.00.",
        "It holds 450 ml.",
        "We have 12 left.",
        "It is only 20.",
        "The mug costs 1 yuan.",
        "It is the cheapest mug anywhere.",
        "You get a free lid with it.",
        "It comes with a two year guarantee.",
        "It is made by Wedgwood.",
        "The Royal Cup would suit her more.",
        "Order today and save 10%.",
        "It was 30.00 before.",
        "There are only two left.",
        "The teapot costs 28.00.",
        "Two Small Cups are 24.00.",
    ],
    ("en", "", "does postage change if I live on an island"): [
        "Postage is $5.90.",
        "Postage is free.",
        "From $40 on, we pay it.",
        "It arrives within 24 hours.",
        "We ship on Saturdays.",
    ],
    ("en", "", "are you a robot"): [
        "I am a large language model.",
        "I was trained by OpenAI.",
        "As an AI assistant, I cannot feel.",
    ],
    ("zh", "mug", "马克杯适合送给奶奶吗"): [
        "58元一只。",
        "容量500毫升。",
        "只剩3只了。",
        "买就送杯盖。",
        "今天打八折。",
        "全网最低价。",
        "质保两年。",
        "景德镇大师亲手做的“青花”系列。",
        "茶壶128元。",
    ],
    ("zh", "", "寄到海南岛加钱吗"): [
        "运费10元。",
        "全国包邮。",
        "满88元包邮。",
        "明天就到。",
        "24小时到货。",
    ],
}


def facts(language: str, about: str) -> Iterator[Fact]:
    """All that the shop says, what is asked about first."""
    values = Values(products=PRODUCTS, language=language)
    if about:
        yield from of_product(about, language, 0)
    for rank, entry in enumerate(faq.load(CONFIGS / "faq" / f"shop-{language}.md").entries, 1):
        for paragraph in entry.paragraphs:
            yield Fact(fill(paragraph, values.of, lambda count: 0).text, rank=rank)
    for product in PRODUCTS:
        if product != about:
            yield from of_product(product, language, 1_000)


def of_product(product: str, language: str, rank: int) -> Iterator[Fact]:
    name, price, size = (PRODUCTS[product][field] for field in FIELDS[language])
    yield Fact(f"{name}: price {'$' + price if language == 'en' else price + '元'}", product, rank)
    yield Fact(f"{name}: stock {PRODUCTS[product]['stock']}", product, rank)
    yield Fact(f"{name}: size {size}", product, rank)


def doubt(language: str, about: str, question: str, sentence: str) -> str:
    who = persona.load(CONFIGS / "personas" / f"shop-{language}.md")
    return Grounds(list(facts(language, about)), NAMES, question, language, about, who).doubt(sentence)


@pytest.mark.parametrize(("asked", "sentence"), [(asked, one) for asked, some in WRONG.items() for one in some])
def test_nothing_wrong_is_said(asked: tuple[str, str, str], sentence: str) -> None:
    assert doubt(*asked, sentence)


def test_nearly_all_that_is_right_is_said() -> None:
    doubts = {sentence: doubt(*asked, sentence) for asked, some in RIGHT.items() for sentence in some}
    refused = {sentence: why for sentence, why in doubts.items() if why}
    assert len(refused) <= (1 - SAID_LEAST) * len(doubts), refused
