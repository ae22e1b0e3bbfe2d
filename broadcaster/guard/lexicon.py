"""How likely a stretch of Chinese is as it stands: the cheapest way to cut it into words, one word's cost being how
seldom it comes. Pure.

In: Hanzi. Out: costs, in natural logarithms. What is likelier with a word of a list in the place of what is written
there was meant as that word; what is likelier with the word cut in two was not.
"""

from __future__ import annotations

from functools import lru_cache

from broadcaster.guard.tables import chinese, live

LONGEST = 4  # characters of a word
UNKNOWN = 17.0  # cost of a character that no word is made of
LISTED = 10.0  # of a word that a list names, if it is rarer than that: somebody expects it

LIVE_COST = 10.0  # of a word of selling, if it is rarer than that
#: what people say and seldom write, and its cost
SPOKEN = dict.fromkeys("啥喂咋咱呗嘞嗯哦哇哈嘿哎唉耶噢喔呃嗨哟喽咯噻诶亲俩仨甭嗑囤嗦唠哒滴撸涮搓", 8.0) | dict.fromkeys(
    "吗呢吧啊呀啦嘛么了", 5.5
)


@lru_cache(maxsize=65536)
def word_cost(word: str) -> float | None:
    """Of a word; None when it is none."""
    found = chinese().get(word)
    if word in live():
        return LIVE_COST if found is None else min(found, LIVE_COST)
    if len(word) == 1:
        found = UNKNOWN if found is None else found
        return min(found, SPOKEN.get(word, found))
    return found


def cost(text: str) -> float:
    """Of the cheapest cut."""
    return cheapest(text)[-1]


def cheapest(text: str) -> list[float]:
    """Of the cheapest cut of the first `index` characters, for each index."""
    best = [0.0]
    for end in range(1, len(text) + 1):
        least = best[end - 1] + (word_cost(text[end - 1]) or UNKNOWN)
        for begin in range(max(0, end - LONGEST), end - 1):
            found = word_cost(text[begin:end])
            if found is not None and best[begin] + found < least:
                least = best[begin] + found
        best.append(least)
    return best


def reach(text: str, begin: int, end: int) -> float:
    """How much cheaper `text` is for words that reach across the edges of `text[begin:end]`; 0: none do."""
    return cost(text[:begin]) + cost(text[begin:end]) + cost(text[end:]) - cost(text)


def gain(text: str, begin: int, end: int, word: str) -> float:
    """How much cheaper `text` is with `word` in the place of `text[begin:end]`; less than 0: dearer."""
    known = word_cost(word)
    listed = LISTED if known is None else min(known, LISTED)
    return cost(text) - (cost(text[:begin]) + listed + cost(text[end:]))
