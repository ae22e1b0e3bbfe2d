"""The arithmetic by which chaos and soak judge: gaps, availability, slopes, and schedules that a seed gives again."""

from __future__ import annotations

import random
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.figures import Figure
from tests.lab import page, schedule
from tests.lab.chaos import ROWS, Lab, run
from tests.lab.judge import availability, gaps, growth, longest_s, slope_per_hour

HOUR_S = 3600


def test_a_gap_is_counted_with_its_whole_length_and_the_ends_of_the_watch_count() -> None:
    arrivals_s = [10.0 + n * 0.04 for n in range(50)] + [13.0 + n * 0.04 for n in range(50)]
    found = gaps(arrivals_s, 9.0, 15.5)
    assert [round(gap.seconds, 2) for gap in found] == [1.0, 1.04, 0.54]
    assert [round(gap.began_s, 2) for gap in found] == [0.0, 2.96, 5.96]
    assert availability(found, 6.5) == pytest.approx(1 - 2.58 / 6.5)
    assert longest_s(arrivals_s, 10.0, 14.9) == pytest.approx(1.04)


def test_a_receiver_that_got_nothing_was_never_available() -> None:
    assert availability(gaps([], 0.0, 100.0), 100.0) == 0.0


def test_a_slope_is_found_under_noise_and_not_given_for_a_short_watch() -> None:
    dice = random.Random(1)
    at_s = [5.0 * n for n in range(700)]
    leak = [100 + 3 * at / HOUR_S + dice.uniform(-1, 1) for at in at_s]
    slope = slope_per_hour(at_s, leak)
    assert slope is not None and abs(slope - 3) < 0.3
    assert slope_per_hour(at_s[:100], leak[:100]) is None


def test_one_leap_of_memory_is_no_slope_but_it_is_growth() -> None:
    at_s = [5.0 * n for n in range(700)]
    used = [100.0 if at < 2500 else 112.0 for at in at_s]
    assert slope_per_hour(at_s, used) == 0.0 and growth(at_s, used) == 12.0


def test_the_same_seed_gives_the_same_faults_one_every_five_to_twenty_seconds() -> None:
    made = schedule.faults(7, 3600)
    assert made == schedule.faults(7, 3600) != schedule.faults(8, 3600)
    assert schedule.words(7, 3600, 6) == schedule.words(7, 3600, 6)
    apart_s = [after.at_s - before.at_s for before, after in pairwise(made)]
    assert min(apart_s) > 4.9 and max(apart_s) < 20.1
    assert {fault.target for fault in made} == set(schedule.KINDS)
    assert made[0].at_s > schedule.FIRST_S and made[-1].at_s < 3600 - schedule.LAST_S


def test_playout_is_left_alone_in_a_soak() -> None:
    assert "playout" not in schedule.KINDS


def test_every_row_of_the_chaos_table_is_there() -> None:
    for where in ROWS.values():
        module, _, name = where.partition(":")
        assert callable(getattr(__import__(module, fromlist=[name]), name)), where


def test_figures_come_into_the_cells_of_the_page_and_every_cell_names_a_row() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text()
    assert page.cells(text) and {row for row, _ in page.cells(text)} <= ROWS.keys()
    done = {"reset": [Figure("reset", "0.32 s", "≤ 1.5 s", True)], "hung": [Figure("hung", "9 s", "≤ 4 s", False)]}
    filled = page.filled(text, done)
    assert "| 0.32 s <!--reset:0--> |" in filled and "| **9 s** <!--hung:0--> |" in filled
    assert page.cells(filled) == page.cells(text) and page.filled(filled, done) == filled
    soaked = page.with_soak(text, "a machine", done["reset"], ["gaps.png"])
    assert "| reset | ≤ 1.5 s | 0.32 s |" in soaked and "No soak of an hour" not in soaked
    assert page.with_soak(soaked, "a machine", done["reset"], ["gaps.png"]) == soaked


def test_a_row_that_raises_is_missed_and_the_next_one_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "broken", f"{__name__}:broken")
    monkeypatch.setitem(ROWS, "fine", f"{__name__}:fine")
    lab = Lab(short=True)
    done = run(["broken", "fine"], lab, lambda name, figures: None)
    assert done["broken"][0].met is False and "no luck" in done["broken"][0].reached
    assert done["fine"][0].met is True and "no luck" in lab.notes[0]


def test_nothing_runs_beside_a_row_that_has_a_room_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ROWS, "fine", f"{__name__}:fine")
    shared = SharedRoom()
    run(["fine"], Lab(True, shared), lambda name, figures: shared.seen.append(shared.is_on))  # type: ignore[arg-type]
    assert shared.seen == [False]


class SharedRoom:
    """Stands where the rows before have left their stage."""

    def __init__(self) -> None:
        self.is_on = True
        self.seen: list[bool] = []

    def __exit__(self, *_: object) -> None:
        self.is_on = False


def broken(lab: Lab) -> None:
    raise AssertionError("no luck")


def fine(lab: Lab) -> list[object]:
    return [lab.most("all is well", 2.9, 1.0), lab.exactly("words", 0, 0)]
