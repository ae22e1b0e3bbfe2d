"""Everything goes wrong at once, in short: what `make chaos` and `make soak` judge at their true bars and lengths."""

from __future__ import annotations

import pytest

from tests.lab.chaos import Lab, run
from tests.lab.schedule import Fault, Words
from tests.lab.soak import run as soak

SMALL = {"avatar": {"engine": "faulty", "size": [192, 320]}}
GAP_S = 3 * 2.0


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("row", ["reset", "answers"])
def test_a_row_of_the_table_is_measured_in_a_room_of_its_own(row: str) -> None:
    lab = Lab(short=True)
    done = run([row], lab, lambda name, figures: None)
    assert not [figure for figures in done.values() for figure in figures if figure.met is False], (done, lab.notes)


def test_faults_of_every_kind_together_leave_healthy_receivers_whole_and_lose_no_word() -> None:
    faults = [
        Fault(0.5, "receiver", "reset"),
        Fault(1.0, "engine", "kill"),
        Fault(1.5, "voice", "dead", 2.0),
        Fault(2.0, "director", "kill"),
        Fault(3.0, "preview", "kill"),
        Fault(3.5, "receiver", "BadName", 1.0),
        Fault(4.0, "redis", "kill"),
    ]
    words = [Words(0.2, "first", (0, 1), "append"), Words(3.0, "second", (3, 5), "insert")]
    outcome = soak(8.0, faults, words, **SMALL)
    account = outcome.account
    assert (account.lost, account.repeated, account.disordered) == (0, 0, 0)
    assert (account.untold, account.told_twice) == (0, 0)
    assert outcome.skipped == 0 and not outcome.missed
    assert max((gap.seconds for name in ("main", "second") for gap in outcome.gaps[name]), default=0.0) < GAP_S
    assert outcome.gaps["third"], "the broken one was broken"
    assert outcome.before["playout"].pid == outcome.after["playout"].pid
