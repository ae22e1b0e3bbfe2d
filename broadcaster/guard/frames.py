"""Whether a text speaks of what is forbidden without saying it: warns, denies, refuses, quotes, or names a film. Pure.

In: a folded text, and where something forbidden stands in it. Out: whether its sentence is such a frame around it:
rules/frames.rules, in which § is what was found.
"""

from __future__ import annotations

import re

from broadcaster.guard.patterns import named

HOLE = "§"
ENDS = re.compile(r"[。!;\n…]|(?<!\d)\.(?=\s|$)")
FRAMES = named("frames")


def is_spoken_of(text: str, begin: int, end: int, rule: str) -> bool:
    """rule: by which it was found; a frame counts for all rules, or for those of its name."""
    first = 0
    for match in ENDS.finditer(text, 0, begin):
        first = match.end()
    following = ENDS.search(text, end)
    last = following.end() if following else len(text)
    sentence = f"{text[first:begin]}{HOLE}{text[end:last]}"
    names = ("ANY", rule.partition(".")[0].upper(), rule.partition(".")[2].upper())
    return any(name in FRAMES and FRAMES[name].search(sentence) is not None for name in names)
