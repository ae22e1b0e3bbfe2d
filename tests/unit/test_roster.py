from __future__ import annotations

from typing import Any

from broadcaster.children import Plan
from broadcaster.roster import Roster
from broadcaster.watch import TRIAL_S


def plan(name: str, understudy: Plan | None = None, **spec: Any) -> Plan:
    return Plan(name, name.partition("-")[0], 0, {}, spec, understudy=understudy)


def names(roster: Roster) -> list[str]:
    return [charge.plan.name for charge in roster]


def test_an_understudy_works_beside_a_braked_engine_until_that_is_steady() -> None:
    roster = Roster([plan("engine-neural", plan("engine-portrait")), plan("playout")])
    engine = next(iter(roster))
    for first in (True, False):
        roster.slow_down(engine, 100.0, first)
        assert names(roster) == ["engine-neural", "playout", "engine-portrait"]
        assert engine.start_s == 100.0 + TRIAL_S
    roster.steady(engine, 200.0)
    assert names(roster) == ["engine-neural", "playout"]


def test_a_braked_playout_begins_again_at_once_with_lesser_settings() -> None:
    roster = Roster([plan("playout", plan("playout", preset="ultrafast"), preset="medium")])
    playout = next(iter(roster))
    playout.back_off.braked = True
    roster.slow_down(playout, 100.0, first=True)
    assert playout.plan.spec["preset"] == "ultrafast" and playout.start_s == 100.0 and not playout.back_off.braked
    assert names(roster) == ["playout"]


def test_an_understudy_stays_when_the_configuration_is_read_again() -> None:
    plans = [plan("engine-neural", plan("engine-portrait")), plan("pusher-a", url="x")]
    roster = Roster(plans)
    roster.slow_down(next(iter(roster)), 0.0, first=True)
    roster.become({p.name: p for p in [plans[0], plan("pusher-b", url="y")]}, [], 1.0)
    assert names(roster) == ["engine-neural", "engine-portrait", "pusher-b"]


def test_another_section_is_taken_up_and_ends_an_old_crash_loop() -> None:
    roster = Roster([plan("pusher-a", url="x"), plan("pusher-b", url="x"), plan("engine-x", seed=1)])
    for charge in roster:
        charge.back_off.braked, charge.start_s = True, 99.0
    roster.become(
        {p.name: p for p in [plan("pusher-a", url="y"), plan("pusher-b", url="x"), plan("engine-x")]}, [], 1.0
    )
    assert [(charge.start_s, charge.back_off.braked) for charge in roster] == [(1.0, False), (99.0, True), (99.0, True)]
