"""A month on air: each midnight, each edge of a time stamp, and the planned reconnect, to a real receiver."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.lab.days import figures, run
from tests.lab.month import DAY_S, Plan, Seen

PLAN = Plan(days=30, hour_s=0.6, edge_s=3.0, every_h=24)


@pytest.fixture(scope="module")
def month() -> Seen:
    return run(PLAN)


def test_nothing_of_a_month_is_missing_late_or_out_of_step(month: Seen) -> None:
    missed = [figure for figure in figures(PLAN, month) if figure.met is False]
    assert not missed


def test_every_edge_of_a_time_stamp_was_crossed(month: Seen) -> None:
    assert month.crossed == {"2^24 ms of media", "2^24 ms of a session", "2^31 ms of media"}


def test_a_plan_holds_what_it_says() -> None:
    stretches = Plan(days=30, hour_s=2, edge_s=60).stretches()
    assert all(before[1] + 25 < after[0] for before, after in pairwise(stretches))
    assert stretches[0][0] == 1 and stretches[-1][1] == 1 + 30 * DAY_S * 25
    for ms in (1 << 24, 1 << 31, 20 * DAY_S * 1000, 20 * DAY_S * 1000 + (1 << 24)):
        assert any(begin < ms // 40 < end for begin, end in stretches)
