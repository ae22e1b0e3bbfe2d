"""What rules reply to a comment, and what it asks besides them. Pure.

In: rules, a comment, what the shop knows. Out: the reply of the first rule whose keywords are the matter. Where all
that fit are mere talk, as a greeting is, it is that of the first of them, at best of one that asks; with it what is
left of the comment without their words.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from broadcaster.chat.found import Knowledge, Ruled, Rules
from broadcaster.chat.knowledge_asking import asking
from broadcaster.script.values import Values

TALK_MAX = 3  # rules that greet, thank and like, in one comment


class Replied(NamedTuple):
    """line: of the rules, from 1. product: whose values the reply names, "" = none. left: of the comment, "" where the
    rule is the answer."""

    reply: str
    line: int
    product: str
    left: str


def replied(
    rules: Rules, text: str, language: str, knowledge: Knowledge | None, product_of: Callable[[str], str]
) -> Replied | None:
    """product_of: which product a text is about, "" = none; asked where a reply has a variable."""
    chosen: Replied | None = None
    is_asked = False
    for _ in range(TALK_MAX):
        ruled, product = _ruled(rules, text, language, knowledge, product_of)
        if ruled is None:
            break
        if knowledge is None or not all(map(knowledge.is_talk, ruled.keywords)):
            return Replied(ruled.reply, ruled.line, product, "")
        text = ruled.left if any(map(str.isalnum, ruled.left)) else ""
        asks = any(any(asking(keyword)) for keyword in ruled.keywords)
        if chosen is None or (asks and not is_asked):
            chosen, is_asked = Replied(ruled.reply, ruled.line, product, text), asks
        chosen = chosen._replace(left=text)
    return chosen


def _ruled(
    rules: Rules, text: str, language: str, knowledge: Knowledge | None, product_of: Callable[[str], str]
) -> tuple[Ruled | None, str]:
    """The first rule that fits; its variables are those of the product in question."""
    used: set[str] = set()

    def value_of(name: str) -> str | None:
        if knowledge is None:
            return None
        product = product_of(text)
        used.add(product)
        values = Values(products=knowledge.products, language=language)
        return values.of(f"{name}_{language}", product) or values.of(name, product)

    return rules.match(text, value_of), next(iter(used), "")
