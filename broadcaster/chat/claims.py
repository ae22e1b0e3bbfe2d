"""What a sentence claims in words, where no figure shows it: things are free, reduced, sold out; a model speaks. Pure.

In: a sentence, English or Chinese. Out: names of its claims, the same in both languages. Rather one too many than one
too few: what claims nothing that the facts claim is said some other way, or not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

#: claim → how it is put; "caffeine-free" is a claim as well
OFFERS = {
    "free": (
        r"(?<!feel )(?<!feeling )\bfree\b|\bno (?:extra )?(?:charge|cost|fee)s?\b|\bon the house\b|\bcomplimentary\b",
        r"\b(?:pay|costs?(?: you)?|for) nothing\b|\b(?:won't|doesn't|does not|will not) cost\b|\bgratis\b",
        "免费|包邮|免邮|免运费|零元|不收(?:钱|费)|白送|白给|白拿|不[要用]钱|不花钱|分文|一分钱",
    ),
    "some money": (  # a price without a figure
        r"\b(?:an?|few|couple of|some|single|mere) (?:yuan|dollar|buck|cent|euro|pound|penny|pennies|pence)s?\b",
        r"\b(?:pennies|peanuts|next to nothing|dirt cheap)\b",
        "[几多]块钱?|[几多]元|块把钱|[几多]毛",
    ),
    "reduced": (
        r"\b(?:discount|sale|bargain|reduced|reduction|rebate|cashback|promotion|promo|coupon|voucher|deal)s?\b",
        r"\b(?:on offer|special offers?|half[ -]price|marked down|price cut|cheaper than|(?:%|percent) off)\b",
        "折(?![叠痕断纸])|优惠|特价|降价|减价|半价|促销|秒杀|立减|满减|返现|红包|券|便宜(?:了|卖)|立省|清仓",
    ),
    "gift": (
        r"\b(?:free gift|gift with|bonus|give ?away|throw in|buy one,? get)\b",
        "赠|买.{1,3}送|附送|抽奖|中奖",
    ),
    "cheapest": (
        r"\b(?:cheapest|lowest|best) (?:price|deal|offer)s?\b|\bcheapest\b",
        "最低价|最便宜|全网最|史上最低|底价",
    ),
    "warranted": (
        r"\b(?:guarantee|warrant(?:y|ie))\w*|\bmoney[ -]back\b|\brefund\w*",
        "保证|保修|质保|包退|包换|假一赔|退款|全额",
    ),
    "hurry": (
        r"\b(?:hurry|last chance|only today|today only|limited (?:time|edition|stock)|before it'?s gone|don'?t miss)\b",
        r"\bwhile (?:stocks?|supplies) last\b",
        "限时|限量|最后(?:一天|机会)|仅限|手慢无|错过",
    ),
}
STOCK = {
    "none": (
        r"\b(?:sold[ -]out|out of stock|none left|nothing left|no longer available|unavailable|not available)\b",
        r"\b(?:not|aren't|isn't) in stock\b",
        "售罄|卖完|卖光|没货|无货|断货|缺货|抢光|没有(?:现)?货|没有库存|没库存|下架",
    ),
    "few": (
        r"\b(?:almost|nearly) (?:sold out|gone)\b|\b(?:last|only a|just a) few\b|\bfew (?:are )?left\b",
        r"\b(?:running (?:low|out)|selling fast)\b",
        "快没了|快卖完|所剩|最后几|即将售罄|没几|不多了",
    ),
    "some": (
        r"\b(?:in stock|available|still have|plenty|on the shelf)\b",
        "有货|现货|库存(?:充足|很多|足)|货源充足",
    ),
}
ROLE = (  # that a machine speaks is no secret: "I am an AI presenter" may be said
    r"\blanguage model|\bas an? (?:ai|a\.i\.|artificial intelligence)\b(?! (?:presenter|host))|\bchat ?bot\b",
    r"\b(?:ai|artificial intelligence) (?:model|assistant|bot|program|system)\b",
    r"\b(?:system|my|this|your) prompts?\b",
    r"\b(?:my|these|new|previous|system) (?:instructions?|guidelines|programming)\b",
    r"\bi (?:was|am|have been) (?:trained|programmed|instructed)\b|\bknowledge cutoff\b|\btraining data\b",
    "语言模型|大模型|作为(?:一[个名位款])?(?:AI|人工智能)(?!主播|主持)|人工智能(?:助手|模型|程序)",
    "AI ?(?:助手|模型|机器人)|系统提示|提示词|训练数据|我的(?:指令|设定|规则)|我被(?:训练|设定|编程)",
    "(?:之前|以上|所有)的?(?:指令|指示|规则)",
)
MAKERS = (
    r"\b(?:chat ?gpt|gpt-?\d\w*|openai|anthropic|claude|gemini|llama|mistral|qwen|deep ?seek|kimi|grok|copilot)\b",
    "通义|文心一言|豆包|智谱|混元|讯飞星火",
)
UNKNOWING = (
    r"\b(?:don't|do not|not|can't|cannot|couldn't) (?:\w+ ){0,2}(?:know|sure|certain|say|tell)\b",
    r"\b(?:don't|do not) have (?:that|this|any|the) (?:\w+ )?(?:information|detail|answer)s?\b",
    r"\b(?:ask|check|find out|look (?:it|that) up)\b.{0,30}\b(?:for you|and)\b",
    "不(?:太)?(?:清楚|知道|确定|了解)|没有?.{0,6}(?:信息|资料)|(?:帮|替|给)[您你](?:问|确认|查|核实)",
)


def _any(patterns: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(patterns), re.IGNORECASE)


_OFFERS = {name: _any(patterns) for name, patterns in OFFERS.items()}
_STOCK = {name: _any(patterns) for name, patterns in STOCK.items()}
_ROLE, _MAKERS, _UNKNOWING = _any(ROLE), _any(MAKERS), _any(UNKNOWING)


def offers(text: str) -> list[tuple[str, int, int]]:
    """(name in OFFERS, where it begins, where it ends)."""
    return [(name, *match.span()) for name, pattern in _OFFERS.items() for match in pattern.finditer(text)]


def stock(text: str) -> str:
    """A name of STOCK, or "": what it says of how much there is, without a number."""
    return next((name for name, pattern in _STOCK.items() if pattern.search(text)), "")


def out_of_role(text: str, known: str) -> bool:
    """Whether a model speaks of itself, where the facts know nothing of that name."""
    maker = _MAKERS.search(text)
    return _ROLE.search(text) is not None or (maker is not None and maker[0].casefold() not in known.casefold())


def unknowing(text: str) -> bool:
    """It says that it does not know."""
    return _UNKNOWING.search(text) is not None
