"""Whether a comment asks something, as its form shows: English and Chinese. Pure.

In: a comment as it was typed. Out: for each of its clauses, true for a question, a request or a wish, however hasty;
false for a remark.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

from broadcaster.chat.knowledge_units import CLAUSE, MAX_CHARS, WIDE
from broadcaster.guard.fold import fold

PARTED = re.compile(rf"(?:{CLAUSE.pattern})+|(?<=[{WIDE}])\s+(?=[{WIDE}])")

#: wherever they stand
ANYWHERE = (
    r"how|what|whats|which|when|where|wheres|who|whose|why|wonder(?:ing)?|any(?:one|body)? know|any idea",
    r"price|cost|pls|plz|please|need|want|wanna|looking (?:for|to)|interested|(?:tell|show|send) me",
    r"do (?:you|u|they|i|we)|does|is (?:it|there|this|that|the)|are (?:they|there|these|those|the|you|u)",
    r"can (?:i|you|u|it|we)|could (?:i|you|u)|would (?:it|you|u)|will (?:it|you|u|there)|should i|may i",
    r"have (?:you|u) got|got any|still (?:available|in stock)|in stock|or (?:not|nah)|right",
    r"\S+ or \S+",
)
#: at the beginning of a clause
FIRST = (
    r"is|are|was|do|does|did|can|could|would|will|may|should|any|u got|got",
    r"(?:have|has) (?:you|u|it|they|anyone|anybody)",
)
BEFORE_FIRST = r"(?:^|[,.!;]\s*|\b(?:and|n|so|but|or|hey|hi|hello)\s+)"
ENGLISH = re.compile(rf"\b(?:{'|'.join(ANYWHERE)})\b|{BEFORE_FIRST}(?:{'|'.join(FIRST)})\b")
HANZI = (
    r"[吗呢么嘛呐]|多[少久大高长重宽厚远快]|什么|啥|怎[么样]|咋|哪|谁|何时|[请求]问|想[要买问看]|我要|还是",
    r"几[个天块元号点种只件双条盒包钱岁层片斤克口档色]?|价[格钱位]?|介绍|讲[讲解]|看看|麻烦|帮[我忙]",
    r"[能会要行好可]不[能会要行好可]|是不是|有[没木]有|[可能是]否|(?P<one>[\u4e00-\u9fff])[不没](?P=one)",
    r"[不没木吧](?=\s|$|[^\w]|[啊呀哦呢])",
)
CHINESE = re.compile("|".join(HANZI))

#: asks for a person or a reason, which files of products seldom tell
OF_NOBODY = re.compile(r"\b(?:who(?:se|m|s)?|why|how come)\b|[谁誰]|[为為]什[么麼]|[为為]啥|[为為]何|[凭憑]什[么麼]")


def asking(text: str) -> tuple[bool, ...]:
    """Of each clause, as the units of knowledge_units count them."""
    folded = fold(text).text
    ends = [match.end() for match in PARTED.finditer(folded)]
    parts = (folded[begin:end] for begin, end in pairwise([0, *ends, len(folded)]))
    return tuple(_is_asking(part) for part in parts if any(map(str.isalnum, part)))


def trailing(clauses: Sequence[bool]) -> frozenset[int]:
    """Numbers of those that ask nothing, behind one that does: talk, when the question is put."""
    first = clauses.index(True) if True in clauses else len(clauses)
    return frozenset(number for number, is_asking in enumerate(clauses) if number > first and not is_asking)


def asks_for_somebody(text: str) -> bool:
    """Who, or why."""
    return OF_NOBODY.search(text[:MAX_CHARS].casefold()) is not None


def _is_asking(clause: str) -> bool:
    return "?" in clause or bool(ENGLISH.search(clause) or CHINESE.search(clause))
