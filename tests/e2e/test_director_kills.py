"""The director of a whole broadcaster, killed again and again while it speaks."""

from __future__ import annotations

import random
import time
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.journal import JournalReader
from tests.account import Account, Pushed
from tests.station import on_air, until

KILLS = 5
SEED = 11
SILENT_S = 6.0  # three times the bar
SCRIPT = [["This mug is made by hand.", "No two of them are alike."], ["Ask me anything you like."]]


@pytest.mark.long
def test_a_director_killed_five_times_loses_and_repeats_nothing_and_nobody_else_notices(tmp_path: Path) -> None:
    dice = random.Random(SEED)
    pushed = Pushed()
    path = tmp_path / "script.md"
    path.write_text("\n\n".join(map(" ".join, SCRIPT)))
    outputs = [{"name": "main", "url": f"file:{tmp_path}/a.mp4"}]
    with on_air(tmp_path, outputs=outputs, script={"file": str(path)}, standby=True) as station:
        before = station.pids()
        for number in range(KILLS):
            name, how = f"p{number}", dice.choice(["append", "insert", "now"])
            pushed.texts[name], pushed.lanes[name] = (
                [f"This is answer number {number}.", "Thank you."],
                ("command", how),
            )
            station.client.say(" ".join(pushed.texts[name]), id=name, mode=how)
            time.sleep(dice.uniform(0.2, 2.0))
            station.kill("director")
        until(lambda: pushed.texts.keys() <= set(station.aired()), 60, "all is aired")
        until(lambda: station.facts("playout"), 10, "the new director tells how the others are")
        after, skipped = station.pids(), station.facts("playout")["skipped"]
        reports = JournalReader(station.directory / "var" / "journal").read()
        account = Account(reports, pushed, SCRIPT, station.aired())
    assert {**after, "director": 0} == {**before, "director": 0} and skipped == 0
    assert (account.lost, account.repeated, account.disordered) == (0, 0, 0)
    assert (account.untold, account.told_twice, account.short) == (0, 0, 0)
    begun_s = [report.wall_s for report in reports if report.what == "sentence"]
    assert max(later - earlier for earlier, later in pairwise(begun_s)) <= SILENT_S
