"""Chinese characters that are written in the parts they are made of: 弓单药 for 弹药, 讠正件 for 证件. Pure.

In: a folded text. Out: the same with characters for their parts, where a part is never written by itself, or where the
clause is far likelier so (broadcaster.guard.lexicon): 女子 stays, 女马 after 你 is 妈.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import product

from broadcaster.guard.fold import HAN, Folded
from broadcaster.guard.lexicon import cost
from broadcaster.guard.tables import parts

#: how a part is written beside others → as the table has it
FORMS = dict(zip("氵扌亻讠犭钅纟忄饣礻衤攵艹刂灬辶疒罒冫", "水手人言犬金丝心食示衣攴草刀火辵病网冰", strict=True)) | {
    "王": "玉王",
    "月": "肉月",
    "阝": "阜邑",
    "牜": "牛",
    "爫": "爪",
}
BOUND = frozenset("氵扌亻讠犭钅纟忄饣礻衤攵艹刂灬辶疒罒冫彳阝牜爫宀冖勹囗尢廴匸衮戋艮夂卩厶")
PART = rf"[{HAN}\u2e80-\u2fdf]"
RUN = re.compile(rf"{PART}(?:[^\w,!?;:。、…\n]{{0,2}}{PART})+")
SIZES = (3, 2)  # parts of a character
AROUND = 5  # characters on each side that are weighed with it
TAKEN = 6.0  # how much likelier the clause has to be, for each
TOGETHER_MAX = 24  # signs of a run that is put together as a whole


def whole(folded: Folded) -> Folded:
    """With characters in the place of their parts."""
    changes = list(_changes(folded.text))
    return folded.replaced(changes) if changes else folded


def _changes(text: str) -> Iterator[tuple[int, int, str]]:
    for run in RUN.finditer(text):
        places = [at for at in range(run.start(), run.end()) if text[at].isalpha()]
        signs = "".join(text[at] for at in places)
        for begin, size, char in _taken(signs):
            yield places[begin], places[begin + size - 1] + 1, char


def _taken(signs: str) -> list[tuple[int, int, str]]:
    """What is put together of a run: all that can be, where that is likelier; else each by itself."""
    every, single = list(_apart(signs, certain=False)), list(_apart(signs, certain=True))
    if len(every) <= len(single) or len(signs) > TOGETHER_MAX:
        return single
    likelier = cost(signs) - cost(_replaced(signs, every)) >= TAKEN * len(every)
    return every if likelier else single


def _apart(signs: str, *, certain: bool) -> Iterator[tuple[int, int, str]]:
    done = 0
    while done < len(signs) - 1:
        size, char = next(_at(signs, done, certain=certain), (1, ""))
        if char:
            yield done, size, char
        done += size


def _replaced(signs: str, changes: list[tuple[int, int, str]]) -> str:
    for begin, size, char in reversed(changes):
        signs = signs[:begin] + char + signs[begin + size :]
    return signs


@cache
def _written() -> Mapping[str, str]:
    """Parts as people write them → the characters that are made of them."""
    forms: dict[str, str] = defaultdict(str)
    for form, meant in FORMS.items():
        for one in meant:
            forms[one] += form
    found: dict[str, str] = defaultdict(str)
    for row, characters in parts().items():
        for way in product(*(one + forms.get(one, "") for one in row)):
            found["".join(way)] += characters
    return found


def _at(signs: str, at: int, *, certain: bool) -> Iterator[tuple[int, str]]:
    for size in SIZES:
        here = signs[at : at + size]
        if len(here) < size:
            continue
        found = _written().get(here, "")
        if not found:
            continue
        before, after = signs[max(0, at - AROUND) : at], signs[at + size : at + size + AROUND]
        costs = {char: cost(f"{before}{char}{after}") for char in found}
        best = min(costs, key=lambda char: costs[char])
        if not certain or any(one in BOUND for one in here) or cost(f"{before}{here}{after}") - costs[best] >= TAKEN:
            yield size, best
