from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from broadcaster import ladder
from broadcaster.charge import Charge
from broadcaster.children import CARDS, Plan
from broadcaster.member import Member
from broadcaster.roster import Roster
from broadcaster.watch import STEADY_S, TRIAL_S, Progress


def plan(name: str, understudy: Plan | None = None, **spec: Any) -> Plan:
    return Plan(name, name.partition("-")[0], 0, {}, spec, understudy=understudy)


def names(roster: Roster) -> list[str]:
    return [charge.plan.name for charge in roster]


def test_an_understudy_works_beside_a_braked_engine_until_that_is_steady() -> None:
    roster = Roster([plan("engine-neural", plan("engine-portrait")), plan("playout")])
    engine = next(iter(roster))
    for first, wait_s in ((True, TRIAL_S), (False, 2 * TRIAL_S)):
        roster.slow_down(engine, 100.0, first)
        assert names(roster) == ["engine-neural", "playout", "engine-portrait"]
        assert engine.start_s == 100.0 + wait_s, "each trial that fails doubles the wait for the next"
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


# ── tiers ────────────────────────────────────────────────────────────────────────────────────────


class Tiers:
    """A roster of one engine with tiers below it, whose processes only pretend."""

    def __init__(self, *tiers: Plan) -> None:
        made = None
        for tier in reversed(tiers):
            made = replace(tier, kind="engine", stage=1, understudy=made)
        assert made is not None
        self.roster = Roster([made])
        self.told: list[str] = []

    def __getitem__(self, name: str) -> Charge:
        return next(charge for charge in self.roster if charge.plan.name == name)

    def running(self) -> list[str]:
        return [charge.plan.name for charge in self.roster if charge.is_running]

    def start(self, now_s: float, phase: str = "ready") -> list[str]:
        """Start what is due."""
        begun = []
        for charge in self.roster.due(now_s):
            charge.members = [cast(Member, SimpleNamespace(rank=0, line=None, facts={}))]
            charge.progress = Progress(now_s, now_s)
            charge.drained, charge.settled, charge.kill_s, charge.yields_s, charge.fault = False, False, None, None, ""
            self.beats(charge.plan.name, now_s, phase)
            begun.append(charge.plan.name)
        return begun

    def beats(self, name: str, now_s: float, phase: str = "ready", slow: int = 0) -> None:
        self[name].progress.beat(now_s, phase, busy=False)
        self[name].members[0].facts = {"slow": slow}

    def judge(self, now_s: float) -> None:
        """What the supervisor does at each turn."""
        for charge in self.roster.slow():
            self.roster.step_down(charge, ladder.SLOW, now_s)
        self.roster.hand_over(now_s)
        for charge in list(self.roster):
            if charge.is_running and charge.drained:  # it ends in good order
                charge.members, charge.start_s = [], max(now_s, charge.start_s)
                if charge.leaves:
                    self.roster.forget(charge)

    def die(self, name: str, why: str, now_s: float) -> None:
        self[name].members = []
        self.roster.step_down(self[name], why, now_s)


@pytest.fixture
def small() -> Tiers:
    """The same engine at two sizes, and another one."""
    made = Tiers(
        Plan("engine-a", "engine", 1, {}, {"name": "a", "drawn": None}),
        plan("engine-a-small", drawn=[336, 576]),
        plan("engine-b", e="b"),
    )
    assert made.start(0.0) == ["engine-a"]
    return made


@pytest.fixture
def gang() -> Tiers:
    """Two ranks, one rank, one rank smaller, and what needs no card."""
    two = Plan("engine-x", "engine", 1, {}, {"name": "x", "engine": "x"}, ranks=2, place=CARDS)
    one = Plan("engine-x-1", "engine", 1, {}, {"name": "x-1", "engine": "x"}, place=CARDS)
    less = Plan("engine-x-1-s", "engine", 1, {}, {"name": "x-1-s", "engine": "x", "drawn": [1, 2]}, place=CARDS)
    made = Tiers(two, one, less, plan("engine-b", engine="b"))
    assert made.start(0.0) == ["engine-x"]
    return made


def test_a_slow_engine_works_on_until_the_next_tier_can_speak(small: Tiers) -> None:
    small.beats("engine-a", 5.0, slow=2)
    small.judge(5.0)
    assert small.start(5.0) == [] and not small["engine-a"].lowered, "two slow steps are a hiccup"
    small.beats("engine-a", 6.0, slow=3)
    small.judge(6.0)
    assert small.start(6.0, "loading") == ["engine-a-small"]
    small.judge(7.0)
    assert small.running() == ["engine-a", "engine-a-small"], "the next one loads yet"
    small.beats("engine-a-small", 8.0)
    small.judge(8.0)
    assert small.running() == ["engine-a-small"]
    assert small.roster.tier("a-small", 8.5)["why"] == ladder.SLOW and small.roster.tier("a-small", 8.5)["lowered"]


def test_a_slow_step_while_another_engine_loads_is_no_fault(small: Tiers) -> None:
    small.beats("engine-a", 6.0, slow=3)
    small.judge(6.0)
    small.start(6.0)
    small.judge(7.0)
    assert small.start(7.0 + TRIAL_S, "warming") == ["engine-a"], "a trial"
    small.beats("engine-a-small", 8.0 + TRIAL_S, slow=9)
    small.judge(8.0 + TRIAL_S)
    assert not small["engine-a-small"].lowered
    small.beats("engine-a", 9.0 + TRIAL_S)
    small.judge(8.0 + TRIAL_S)
    assert small["engine-a-small"].lowered == ladder.SLOW


def test_it_climbs_back_when_the_higher_tier_has_worked_for_a_minute(small: Tiers) -> None:
    small.beats("engine-a", 6.0, slow=3)
    small.judge(6.0)
    small.start(6.0)
    small.judge(6.0)
    assert small.start(5.0 + TRIAL_S) == [] and small.start(6.0 + TRIAL_S) == ["engine-a"]
    assert small.running() == ["engine-a", "engine-a-small"]
    small.roster.steady(small["engine-a"], 6.0 + TRIAL_S + STEADY_S)
    small.judge(6.0 + TRIAL_S + STEADY_S)
    assert small.running() == ["engine-a"] and not small["engine-a"].lowered and not small["engine-a"].trials
    assert not small.roster.tier("a", 200.0)["lowered"]


def test_each_trial_that_fails_doubles_the_wait_up_to_an_hour(small: Tiers) -> None:
    now_s, waits = 0.0, []
    for _ in range(9):
        small.die("engine-a", ladder.SLOW, now_s)
        waits.append(small["engine-a"].start_s - now_s)
        now_s = small["engine-a"].start_s
        assert "engine-a" in small.start(now_s)
    assert waits == [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_a_tier_that_fails_as_well_is_passed_over_while_it_rests(small: Tiers) -> None:
    small.die("engine-a", ladder.MEMORY, 10.0)
    assert small.start(10.0) == ["engine-a-small"]
    small.die("engine-a-small", ladder.MEMORY, 15.0)
    assert small.start(15.0) == ["engine-b"]
    assert small.start(10.0 + TRIAL_S) == ["engine-a"], "the highest first"
    small.die("engine-a", ladder.MEMORY, 11.0 + TRIAL_S)
    assert small.running() == ["engine-b"] and small["engine-a-small"].start_s == 15.0 + TRIAL_S


def test_the_lightest_tier_is_kept_however_slow(small: Tiers) -> None:
    for name in ("engine-a", "engine-a-small"):
        small.die(name, ladder.SLOW, 1.0)
    assert small.start(1.0) == ["engine-b"]
    small.beats("engine-b", 5.0, slow=99)
    small.judge(5.0)
    small.judge(6.0)
    assert small.running() == ["engine-b"] and not small["engine-b"].lowered and small["engine-b"].yields_s is None


@pytest.mark.parametrize(
    ("why", "below"),
    [
        (ladder.MEMORY, "engine-x-1"),
        (ladder.CARD, "engine-x-1"),
        (ladder.CRASHES, "engine-x-1"),
        (ladder.SLOW, "engine-x-1-s"),
    ],
)
def test_fewer_ranks_help_where_a_card_fails_and_not_where_steps_are_slow(gang: Tiers, why: str, below: str) -> None:
    gang.die("engine-x", why, 1.0)
    assert gang.start(1.0) == [below, "engine-b"], "and somebody speaks while it loads"


def test_a_slow_gang_gives_its_cards_away_when_another_speaks(gang: Tiers) -> None:
    gang.beats("engine-x", 6.0, slow=3)
    gang.judge(6.0)
    assert gang.start(6.0, "loading") == ["engine-b"], "its cards are taken"
    gang.judge(7.0)
    assert gang.running() == ["engine-x", "engine-b"]
    gang.beats("engine-b", 8.0)
    gang.judge(8.0)
    assert gang.running() == ["engine-b"] and gang.start(8.0) == ["engine-x-1-s"]


# ── tiers that say what they need of a card ──────────────────────────────────────────────────────


def weighty(*needs_gb: float, there_gb: float = 80.0, last: bool = True) -> Tiers:
    """Engines x, y, … on the same cards, and one that needs none below them."""
    found = [
        Plan(f"engine-{name}", "engine", 1, {}, {"name": name, "engine": name}, place=CARDS, needs_gb=need)
        for name, need in zip("xyz", needs_gb, strict=False)
    ]
    made = Tiers(*(replace(one, there_gb=there_gb) for one in found), *([plan("engine-b", engine="b")] if last else []))
    assert made.start(0.0) == ["engine-x"]
    return made


def slow(tiers: Tiers, name: str, now_s: float) -> None:
    tiers.beats(name, now_s, slow=ladder.SLOW_STEPS)
    tiers.judge(now_s)


def test_a_tier_that_fits_the_card_beside_the_slow_one_loads_there_and_then_takes_over() -> None:
    tiers = weighty(43.0, 8.0)
    slow(tiers, "engine-x", 6.0)
    assert tiers.start(6.0, "loading") == ["engine-y"], "and nobody is called to speak meanwhile"
    tiers.judge(7.0)
    assert tiers.running() == ["engine-x", "engine-y"] and not tiers["engine-x"].drained
    tiers.beats("engine-y", 8.0)
    tiers.judge(8.0)
    assert tiers.running() == ["engine-y"]


def test_the_higher_tier_is_tried_beside_the_one_on_air_where_both_fit() -> None:
    tiers = weighty(43.0, 8.0)
    slow(tiers, "engine-x", 6.0)
    tiers.start(6.0)
    tiers.judge(6.0)
    due_s = 6.0 + TRIAL_S
    assert tiers.start(due_s) == ["engine-x"] and not tiers["engine-y"].drained
    tiers.roster.steady(tiers["engine-x"], due_s + STEADY_S)
    tiers.judge(due_s + STEADY_S)
    assert tiers.running() == ["engine-x"]


def test_a_trial_that_fails_beside_the_one_on_air_calls_nobody_else() -> None:
    tiers = weighty(43.0, 8.0)
    slow(tiers, "engine-x", 6.0)
    tiers.start(6.0)
    tiers.judge(6.0)
    tiers.start(6.0 + TRIAL_S, "loading")
    tiers.die("engine-x", ladder.MEMORY, 7.0 + TRIAL_S)
    assert tiers.start(7.0 + TRIAL_S) == [] and tiers.running() == ["engine-y"]


@pytest.mark.parametrize(
    ("needs_gb", "there_gb"), [((43.0, 43.0), 80.0), ((43.0, 0.0), 80.0), ((0.0, 8.0), 80.0), ((43.0, 8.0), 0.0)]
)
def test_a_tier_that_does_not_fit_or_does_not_say_so_waits_until_the_slow_one_has_gone(
    needs_gb: tuple[float, float], there_gb: float
) -> None:
    tiers = weighty(*needs_gb, there_gb=there_gb)
    slow(tiers, "engine-x", 6.0)
    assert tiers.start(6.0) == ["engine-b"]
    tiers.judge(7.0)
    assert tiers.running() == ["engine-b"] and tiers.start(7.0) == ["engine-y"]


def test_without_an_engine_that_needs_no_card_the_loop_is_shown_while_cards_change_hands() -> None:
    tiers = weighty(43.0, 43.0, last=False)
    slow(tiers, "engine-x", 6.0)
    assert tiers.running() == [] and tiers.start(6.0) == ["engine-y"]
    beside = weighty(43.0, 8.0, last=False)
    slow(beside, "engine-x", 6.0)
    assert beside.running() == ["engine-x"], "the loop is not needed where both fit"
    beside.start(6.0, "loading")
    beside.judge(7.0)
    assert beside.running() == ["engine-x", "engine-y"]


def test_what_an_engine_was_seen_to_take_counts_where_it_is_more_than_it_says() -> None:
    tiers = weighty(43.0, 8.0)
    slow(tiers, "engine-x", 6.0)
    tiers["engine-x"].members[0].facts = {"notes": {"memory_gb": 75.0}}
    assert tiers.start(6.0) == []


def test_the_next_tier_waits_until_the_last_rank_of_one_without_memory_has_gone() -> None:
    tiers = weighty(43.0, 8.0)
    tiers.roster.step_down(tiers["engine-x"], ladder.MEMORY, 6.0)
    assert tiers.start(6.0) == ["engine-b"], "one of its ranks is still there"
    tiers["engine-x"].members = []
    assert tiers.start(6.5) == ["engine-y"]


def test_three_that_fit_by_twos_do_not_all_run() -> None:
    tiers = weighty(40.0, 30.0, 30.0)
    tiers.die("engine-x", ladder.CRASHES, 5.0)
    assert tiers.start(5.0) == ["engine-y", "engine-b"]
    tiers.roster.steady(tiers["engine-y"], 20.0)
    tiers.judge(20.0)
    slow(tiers, "engine-y", 30.0)
    assert tiers.start(30.0, "loading") == ["engine-z"]
    assert tiers.start(5.0 + TRIAL_S) == [] and tiers.running() == ["engine-y", "engine-z"]
