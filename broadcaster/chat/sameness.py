"""Whether two comments ask the same. Pure, cheap, and careful: what is merged wrongly is answered wrongly.

In: keys (broadcaster.chat.normalise). Out: the words that carry a question, without greetings and particles, in an
order that does not depend on how it was put. Two that differ in a word or a figure are never the same; a slip of the
pen in a long word makes no other question.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TypeAlias

from tts.text import HAN

LONG_WORD = 5  # letters from which on a slip is one

Words: TypeAlias = tuple[str, ...]
"""What a question is made of, sorted."""

PRICE = "§"  # however it is asked for
PRICED = re.compile(
    r"多少钱|多少米|什么价[格位]?|啥价[格位]?|怎么卖|咋卖|几块钱?|几多钱|价格是?多少|价格|价钱|售价|多钱"
)
ASKED = re.compile(r"什么时候|为什么|多久|多大|多重|多长|哪里|哪儿|怎么|几天|什么|不")  # they stand before or behind
EMPTY = re.compile(
    r"请问|主播|老板|掌柜|亲爱的|亲亲|宝宝们?|家人们?|你好|您好|哈[喽啰]|麻烦|帮[我忙]|我?想问一?下?|我?问一?下|一下|求问|谢谢|感谢"
    r"|你们|咱们?|我们|那个|这个|这款|那款|一个|现在|到底|可不可以|能不能|可以|是不是|有没有|[这那的了呢啊呀吗嘛吧哦噢喔诶欸是就都还也能会要我你您它有]"
)
EMPTY_WORDS = frozenset(
    {"a", "an", "the", "is", "are", "was", "do", "does", "did", "can", "could", "will", "would", "you", "u", "your"}
    | {"please", "pls", "plz", "hi", "hello", "hey", "there", "this", "that", "it", "its", "i", "me", "my", "we", "to"}
    | {"of", "for", "at", "and", "so", "just", "tell", "know", "guys", "host", "thanks", "thank", "thx", "s", "be"}
    | {
        "have",
        "has",
        "got",
        "get",
        "one",
        "what",
        "whats",
        "how",
        "any",
        "some",
        "if",
        "about",
        "yo",
        "bro",
        "ur",
        "am",
    }
)
PRICES = frozenset({"much", "price", "prices", "cost", "costs"})
PART = re.compile(rf"\d+(?:[.,]\d+)*|{PRICE}|[^\W\d_{HAN}]+|[{HAN}]+")
TWICE = re.compile(r"([a-z])\1+")


@lru_cache(maxsize=2048)  # many write the same
def words_of(key: str) -> Words:
    """What carries the question; all words where nothing else is left."""
    text = key
    if not text.isascii():
        text = ASKED.sub(r" \g<0> ", EMPTY.sub(" ", PRICED.sub(f" {PRICE} ", text)))
    found = {_stem(word) for word in PART.findall(text) if word not in EMPTY_WORDS}
    return tuple(sorted(found or PART.findall(key)))


def same(one: Words, other: Words) -> bool:
    """Whether two that are not equal ask the same all the same: one long word of each is a slip of the other's."""
    if len(one) != len(other):
        return False
    left, right = set(one).difference(other), set(other).difference(one)
    return len(left) == len(right) == 1 and _is_slip(left.pop(), right.pop())


def _stem(word: str) -> str:
    """Without the s of many; letters of one kind once in long words, so that "shiping" is "shipping"."""
    if word in PRICES:
        return PRICE
    if not word.isascii() or len(word) < 4 or word[0].isdigit():
        return word
    word = word[:-1] if word.endswith("s") and not word.endswith("ss") else word
    return TWICE.sub(r"\1", word) if len(word) >= LONG_WORD else word


def _is_slip(one: str, other: str) -> bool:
    """One letter more, less, other, or two the wrong way round, in words of which both are long."""
    if min(len(one), len(other)) < LONG_WORD or one[0] != other[0] or abs(len(one) - len(other)) > 1:
        return False
    if not (one.isalpha() and other.isalpha()):
        return False
    start = next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    left, right = one[start:], other[start:]
    if not left or not right:
        return False  # large, larger
    return (
        left[1:] == right[1:]
        or left[1:] == right
        or left == right[1:]
        or (left[:2] == right[:2][::-1] and left[2:] == right[2:])
    )
