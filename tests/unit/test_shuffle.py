"""Shuffled sections: none too soon again, each as often as its weight says, the same after a restart."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest

from broadcaster.script import shuffle
from broadcaster.script.shuffle import Turn


class Drawing:
    """Sections drawn one after another, with a memory that can be written down and read again."""

    def __init__(self, seed: int = 1) -> None:
        self.seed = seed
        self.turns: dict[str, Turn] = {}
        self.now = 0.0
        self.said: list[str] = []

    def draw(self, pool: dict[str, float]) -> str:
        turns = shuffle.admitted(self.turns, pool, self.now, self.seed)
        name = shuffle.drawn(turns, pool)
        self.now = max(self.now, turns[name].due)
        self.turns = shuffle.taken(turns, name, pool[name], self.now, self.seed)
        self.said.append(name)
        return name


def too_soon(said: list[str], half: int) -> int:
    return sum(name in said[max(0, at - half) : at] for at, name in enumerate(said))


def pool_of(count: int, **weights: float) -> dict[str, float]:
    return {f"s{number}": weights.get(f"s{number}", 1.0) for number in range(count)}


@pytest.mark.parametrize("count", [1, 2, 3, 4, 7, 10, 31])
@pytest.mark.parametrize("seed", range(4))
def test_no_section_comes_within_the_last_half_of_its_pool(count: int, seed: int) -> None:
    drawing, dice = Drawing(seed), random.Random(seed)
    pool = {name: dice.choice([0.1, 0.5, 1, 1, 3, 20]) for name in pool_of(count)}
    for _ in range(600):
        drawing.draw(pool)
    assert too_soon(drawing.said, count // 2) == 0
    assert set(drawing.said) == set(pool)


def test_nor_when_dayparts_change_the_pool_all_the_time() -> None:
    drawing, dice, pool = Drawing(), random.Random(5), pool_of(12)
    for _ in range(2_000):
        now = {name: pool[name] for name in dice.sample(list(pool), dice.randint(1, 12))}
        name = drawing.draw(now)
        half = len(now) // 2
        assert half == 0 or name not in drawing.said[-half - 1 : -1]


def test_a_section_comes_as_often_as_its_weight_says() -> None:
    drawing, pool = Drawing(), pool_of(12, s0=3.0, s1=0.25)
    for _ in range(12_000):
        drawing.draw(pool)
    times = Counter(drawing.said)
    usual = sum(times[name] for name in pool if name not in ("s0", "s1")) / 10
    assert times["s1"] / usual == pytest.approx(0.25, rel=0.1)
    # at most each seventh may be the same one, and thrice as often as others is more than that
    assert 1.6 < times["s0"] / usual <= 3.0


def test_equal_sections_come_equally_often_and_none_starves() -> None:
    drawing, pool = Drawing(), pool_of(10)
    for _ in range(2_000):
        drawing.draw(pool)
    assert all(count == pytest.approx(200, abs=4) for count in Counter(drawing.said).values())
    for name in pool:
        at = [index for index, said in enumerate(drawing.said) if said == name]
        assert max(b - a for a, b in itertools.pairwise(at)) < 25


def test_laps_are_in_different_orders_and_seeds_too() -> None:
    drawing, other = Drawing(1), Drawing(2)
    pool = pool_of(8)
    for _ in range(80):
        drawing.draw(pool)
        other.draw(pool)
    laps = {tuple(drawing.said[at : at + 8]) for at in range(0, 80, 8)}
    assert len(laps) >= 8 and drawing.said != other.said


def test_a_section_that_was_away_for_long_is_not_caught_up_with() -> None:
    drawing, pool = Drawing(), pool_of(6)
    without = {name: weight for name, weight in pool.items() if name != "s0"}
    for _ in range(600):
        drawing.draw(without)
    back = [drawing.draw(pool) for _ in range(60)]
    assert 10 <= Counter(back)["s0"] <= 12


def test_alternatives_come_all_before_one_comes_again_and_never_twice_in_a_row() -> None:
    for count in (2, 3, 5):
        chosen = [shuffle.choice(turn, count, 7, "section", "text") for turn in range(60)]
        assert all(a != b for a, b in itertools.pairwise(chosen))
        assert all(set(chosen[at : at + count]) == set(range(count)) for at in range(0, 60, count))
    assert [shuffle.choice(turn, 1, 7) for turn in range(3)] == [0, 0, 0]


def test_the_dice_fall_the_same_in_every_process() -> None:
    assert [shuffle.choice(turn, 4, 7, "a") for turn in range(8)] == [2, 0, 1, 3, 2, 0, 3, 1]
    assert shuffle.fraction(1, "x") == pytest.approx(0.547326156825432)
