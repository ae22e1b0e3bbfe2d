"""What goes wrong in a soak, and when: drawn from a seed before it begins. Pure.

In: a seed and a length. Out: faults in the order of their times, one every 5 to 20 seconds, and words to be pushed. The
same seed and length give the same, whatever happens meanwhile.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

EVERY_S = (5.0, 20.0)
WORDS_EVERY_S = (6.0, 25.0)
FIRST_S = 60.0  # at rest: what is counted then is compared with the rest at the end
LAST_S = 60.0

#: target → fault → shortest and longest, seconds; (0, 0): it happens and is over. Kills of playout are left out.
KINDS: dict[str, dict[str, tuple[float, float]]] = {
    "receiver": {
        "reset": (0, 0),
        "hang up": (0, 0),
        "stalled": (2, 9),
        "silent": (2, 9),
        "refusing": (2, 9),
        "BadName": (2, 9),
        "slow": (4, 9),
        "malformed": (1, 4),
    },
    "engine": {"kill": (0, 0), "stop": (0, 0), "hang": (1, 6), "raise": (0.3, 1), "oom": (0.3, 1), "slow": (2, 6)},
    "director": {"kill": (0, 0), "stop": (0, 0)},
    "voice": {"dead": (2, 8), "hang": (2, 8), "garbage": (2, 8)},
    "redis": {"kill": (0, 0), "stop": (1, 8)},
    "preview": {"kill": (0, 0), "stop": (0, 0)},
}


@dataclass(frozen=True, slots=True)
class Fault:
    """at_s: since the soak began. lasts_s: 0 for what happens in an instant."""

    at_s: float
    target: str
    kind: str
    lasts_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Words:
    """Sentences, by their numbers, to be pushed at a time."""

    at_s: float
    name: str
    sentences: tuple[int, ...]
    how: str


def faults(seed: int, seconds: float) -> list[Fault]:
    dice = random.Random(seed)
    made: list[Fault] = []
    at_s = min(FIRST_S, seconds / 6)
    end_s = seconds - min(LAST_S, seconds / 4)
    while (at_s := at_s + dice.uniform(*EVERY_S)) < end_s:
        target = dice.choice(sorted(KINDS))
        kind = dice.choice(sorted(KINDS[target]))
        made.append(Fault(round(at_s, 2), target, kind, round(dice.uniform(*KINDS[target][kind]), 2)))
    return made


def words(seed: int, seconds: float, sentences: int) -> list[Words]:
    """What is pushed meanwhile; `sentences`: how many there are to choose from."""
    dice = random.Random(f"words {seed}")
    made: list[Words] = []
    at_s, end_s = 0.0, seconds - min(LAST_S, seconds / 4)
    while (at_s := at_s + dice.uniform(*WORDS_EVERY_S)) < end_s:
        chosen = tuple(dice.randrange(sentences) for _ in range(dice.randint(1, 3)))
        how = dice.choice(["append", "append", "insert", "now"])
        made.append(Words(round(at_s, 2), f"w{len(made)}", chosen, how))
    return made
