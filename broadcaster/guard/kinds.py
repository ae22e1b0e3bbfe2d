"""What goods are made of and how they work, where a text says otherwise than the products file: a cashmere scarf that
is wool, an electric toothbrush that is bamboo. Pure.

In: the goods; a folded text. Out: where something is said of a product, right before its name, that its name
contradicts. Two words of one family (materials, teas, drives) cannot both be true; words of one line mean the same.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from broadcaster.guard.fold import IS_HAN
from broadcaster.guard.goods import Goods

MATERIALS = """羊绒 山羊绒 cashmere
羊毛 wool woollen woolen merino
真丝 桑蚕丝 蚕丝 丝绸 silk mulberry
纯棉 全棉 棉 棉质 cotton
亚麻 棉麻 麻 linen flax
涤纶 聚酯 化纤 polyester acrylic
缎 缎面 色丁 satin
尼龙 锦纶 nylon
真皮 牛皮 头层牛皮 头层 羊皮 小羊皮 皮革 皮质 皮 leather calfskin lambskin suede
人造革 仿皮 pu vegan
帆布 canvas
牛仔 牛仔布 denim
天鹅绒 丝绒 velvet
貂皮 貂毛 皮草 狐狸毛 mink fur fox
羽绒 鹅绒 鸭绒 down goose
竹 竹制 竹柄 竹子 bamboo
实木 木质 木 木头 红木 橡木 胡桃木 wood wooden oak walnut
不锈钢 钢 304 316 steel stainless
大马士革钢 大马士革 damascus
钛 纯钛 钛金属 titanium
铝 铝合金 aluminium aluminum
铜 纯铜 黄铜 copper brass
铁 铸铁 生铁 iron
银 纯银 足银 999银 silver sterling
金 黄金 纯金 足金 镀金 gold golden
陶瓷 瓷 陶 骨瓷 白瓷 青瓷 ceramic porcelain stoneware earthenware clay china
紫砂 yixing
玻璃 高硼硅 glass
水晶 crystal
塑料 树脂 亚克力 plastic resin
硅胶 silicone
橡胶 乳胶 rubber latex tpe
玉 翡翠 玉石 和田玉 jade
珍珠 pearl
大理石 石 marble stone granite
碳纤维 carbon
蜂蜡 beeswax
大豆蜡 soy"""
TEAS = """龙井 longjing dragonwell
乌龙 oolong wulong
普洱 puer pu'er
铁观音 tieguanyin
大红袍 dahongpao
碧螺春 biluochun
毛尖 maojian
毛峰 maofeng
红茶 正山小种 祁门 黑茶 black assam earl
绿茶 green
白茶 白毫 white
岩茶 肉桂
茉莉 茉莉花 花茶 jasmine
抹茶 matcha
大麦 barley
菊花 chrysanthemum
薄荷 mint peppermint"""
DRIVES = """电动 电子 electric motorized motorised
声波 超声波 sonic ultrasonic
智能 smart
太阳能 solar"""
#: families of which a product that has none in its name is of another one: no toothbrush is electric in secret
TOLD = ("drives",)
FAMILIES = {"materials": MATERIALS, "teas": TEAS, "drives": DRIVES}
STRONG = (
    "纯",
    "真",
    "正宗",
    "头层",
    "高级",
    "进口",
    "天然",
    "pure",
    "real",
    "genuine",
    "full-grain",
    "full grain",
    "solid",
    "100%",
)
TRULY = "(?:really |actually |pure |real |genuine |all |solid )*"
DENIED = re.compile(
    r"(?:不是|没有|并非|不像|不同于|比|换成|除了|别的|不含|不用|无|非|仿|像"
    r"|not|isn't|aren't|than|unlike|instead of|no|without|never|or|faux|fake)"
    r"\W?(?:a |an |any |made of |这?[种条个只款件]?)?$"
)


@dataclass(frozen=True, slots=True)
class Contradiction:
    begin: int
    end: int
    word: str
    product: str


class Kinds:
    def __init__(self, goods: Goods) -> None:
        self._meanings: dict[str, tuple[str, int]] = {}
        for family, lines in FAMILIES.items():
            for number, line in enumerate(lines.splitlines()):
                for word in line.split():
                    self._meanings[word] = (family, number)
        words = sorted(self._meanings, key=len, reverse=True)
        self._word = re.compile(
            "|".join(rf"(?<![a-z]){re.escape(one)}(?![a-z])" if one.isascii() else re.escape(one) for one in words)
        )
        #: what is left of a name without its kinds → products, and the kinds of each
        self._nouns: dict[str, list[tuple[str, dict[str, set[int]]]]] = defaultdict(list)
        for product in goods.products.values():
            kinds: dict[str, set[int]] = defaultdict(set)
            for name in product.names:
                for match in self._word.finditer(name):
                    family, number = self._meanings[match[0]]
                    kinds[family].add(number)
            for name in product.names:
                for noun in self._nouns_of(name):
                    self._nouns[noun].append((product.identity, kinds))
        nouns = sorted(self._nouns, key=len, reverse=True)
        self._said = self._pattern(nouns) if nouns else None
        self._behind = self._told_behind(nouns) if nouns else None

    def find(self, text: str) -> Iterator[Contradiction]:
        """In folded text."""
        for match in chain(*(one.finditer(text) for one in (self._said, self._behind) if one)):
            noun = match["han"] or match["latin"]
            if DENIED.search(text[: match.start()]):
                continue
            for kind in self._word.finditer(match["kinds_han"] or match["kinds_latin"]):
                family, number = self._meanings[kind[0]]
                if all(self._contradicts(kinds, family, number) for _, kinds in self._nouns[noun]):
                    yield Contradiction(match.start(), match.end(), kind[0], self._nouns[noun][0][0])
                    break

    def _contradicts(self, kinds: dict[str, set[int]], family: str, number: int) -> bool:
        return number not in kinds[family] if family in kinds else family in TOLD

    def _nouns_of(self, name: str) -> Iterator[str]:
        """`围巾` of 羊毛围巾, `scarf` and `tote` of names that have them."""
        bare = self._word.sub(" ", re.sub(r"\d+(?:\.\d+)?\s?[a-z克毫升]*", " ", name))
        if not IS_HAN.search(name):
            yield from (word for word in re.findall(r"[a-z][a-z-]{2,}", bare))
            return
        noun = re.sub(r"[^\u3400-\u9fffa-z]", "", bare)
        yield from (
            noun[at:] for at in range(len(noun)) if len(noun) - at >= 2 or noun in ("茶", "杯", "壶", "灯", "包", "伞")
        )

    def _told_behind(self, nouns: list[str]) -> re.Pattern[str]:
        """`The tote is made of calfskin`, 枕套其实是缎面的."""
        words = sorted(self._meanings, key=len, reverse=True)
        han, kinds_han = (_any(one for one in row if IS_HAN.search(one)) for row in (nouns, words))
        latin, kinds_latin = (_any(one for one in row if one.isascii()) for row in (nouns, words))
        return re.compile(
            rf"(?P<han>{han})(?:这|可|其实|都|里外|全|就)*是(?:纯|真|正宗|百分百|用)?(?P<kinds_han>{kinds_han})"
            rf"(?:的|做|材质|面料|制)|(?<![a-z])(?P<latin>{latin})(?:e?s)? (?:is|are) {TRULY}(?:made (?:of|from) )?"
            rf"{TRULY}(?P<kinds_latin>{kinds_latin})(?![a-z])"
        )

    def _pattern(self, nouns: list[str]) -> re.Pattern[str]:
        han = "|".join(re.escape(one) for one in nouns if IS_HAN.search(one)) or "(?!)"
        latin = "|".join(re.escape(one) for one in nouns if not IS_HAN.search(one)) or "(?!)"
        kinds_han = "|".join(
            re.escape(one) for one in sorted(self._meanings, key=len, reverse=True) if IS_HAN.search(one)
        )
        kinds_latin = "|".join(re.escape(one) for one in sorted(self._meanings, key=len, reverse=True) if one.isascii())
        return re.compile(
            rf"(?P<kinds_han>(?:{kinds_han})(?:[\u3400-\u9fff]{{0,2}}(?:{kinds_han}))?)"
            rf"(?:的|款|材质的?|面料的?|做的|制的?|质的?)?(?P<han>{han})"
            rf"|(?<![a-z])(?P<kinds_latin>(?:{kinds_latin})(?:[\s-](?:{kinds_latin}))?)"
            rf"[\s-](?:[a-z]+[\s-])?(?P<latin>{latin})(?:e?s)?(?![a-z])"
        )


def _any(words: Iterable[str]) -> str:
    return "|".join(map(re.escape, words)) or "(?!)"
