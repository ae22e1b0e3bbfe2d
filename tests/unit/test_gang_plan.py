"""A gang of ranks as one child: what each is told, when one is silent, and the ladder of tiers below it."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from broadcaster import children, gang, gpus
from broadcaster.charge import Charge
from broadcaster.children import Plan
from broadcaster.config import Config, parse
from broadcaster.member import Member
from broadcaster.roster import Roster
from broadcaster.watch import STEADY_S, TRIAL_S, Progress
from pipeline.errors import ConfigError

PHASES = {"loading": 60.0, "warming": 60.0, "ready": 2.5}


def room(model: Path, **avatar: Any) -> Config:
    return parse({"room": "shop", "avatar": {"engine": "flashtalk", "weights": str(model), **avatar}}, "c.yaml")


# ── what a rank is told ──────────────────────────────────────────────────────────────────────────


def test_ranks_are_told_who_they_are_and_one_meeting_point() -> None:
    told = gang.places(3)
    assert [one["rank"] for one in told] == [0, 1, 2] and {one["world"] for one in told} == {3}
    assert len({(one["master_address"], one["master_port"]) for one in told}) == 1
    assert told[0]["master_address"] == "127.0.0.1" and told[0]["master_port"] > 1023


def test_a_child_of_one_process_is_told_nothing_more() -> None:
    assert gang.places(1) == [{}] and gang.surroundings(1) is None


def test_ranks_share_the_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(12)))
    assert [(gang.surroundings(ranks) or {})["OMP_NUM_THREADS"] for ranks in (2, 5, 16)] == ["6", "2", "1"]
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert gang.surroundings(2) is None, "what the operator set stays"


# ── silence ──────────────────────────────────────────────────────────────────────────────────────


def working(now_s: float, step_s: float = 1.0) -> Progress:
    """Rank 0 that warmed up and waits for work."""
    lead = Progress(started_s=0, beat_s=0)
    for start_s in (now_s - 9.0, now_s - 6.0, now_s - 3.0):
        lead.beat(start_s, "warming", busy=True)
        lead.beat(start_s + step_s, "warming", busy=False)
    lead.beat(now_s, "ready", busy=False)
    return lead


def test_a_follower_may_be_silent_as_long_as_rank_0_loads() -> None:
    lead, follower = Progress(started_s=0, beat_s=0), Progress(started_s=0, beat_s=0)
    lead.beat(50, "warming", busy=False)
    follower.beat(10, "following", busy=False)
    assert gang.overdue_s(follower, lead, 109, PHASES) < 0 < gang.overdue_s(follower, lead, 111, PHASES)


def test_a_follower_that_waited_long_is_not_late_when_rank_0_gets_to_work() -> None:
    lead, follower = working(100.0), Progress(started_s=0, beat_s=0)
    follower.beat(60, "following", busy=False)
    assert gang.overdue_s(follower, lead, 102.4, PHASES) < 0 < gang.overdue_s(follower, lead, 102.6, PHASES)


def test_a_silent_follower_is_late_while_rank_0_goes_on_beating() -> None:
    lead, follower = working(100.0), Progress(started_s=0, beat_s=0)
    follower.beat(100, "following", busy=False)
    for now in (101.0, 102.0, 102.6):
        lead.beat(now, "ready", busy=False)
    assert gang.overdue_s(lead, lead, 102.6, PHASES) < 0 < gang.overdue_s(follower, lead, 102.6, PHASES)


def test_a_follower_in_a_long_step_is_not_late() -> None:
    lead, follower = working(100.0, step_s=2.0), Progress(started_s=0, beat_s=0)
    follower.beat(100, "following", busy=False)
    lead.beat(100.8, "ready", busy=True)
    assert gang.overdue_s(follower, lead, 106.7, PHASES) < 0 < gang.overdue_s(follower, lead, 106.9, PHASES)
    lead.beat(106.7, "ready", busy=False)
    assert gang.overdue_s(follower, lead, 106.8, PHASES) < 0, "its own beat may be a moment behind"


# ── the plan ─────────────────────────────────────────────────────────────────────────────────────


def test_the_ladder_has_half_the_ranks_each_time_and_then_no_card(tmp_path: Path, short_dir: Path) -> None:
    plans = {plan.name: plan for plan in children.plan(room(tmp_path, ranks=8), short_dir)}
    top = plans["engine-flashtalk"]
    assert [(tier.name, tier.ranks) for tier in (top, *top.below)] == [
        ("engine-flashtalk", 8),
        ("engine-flashtalk-4", 4),
        ("engine-flashtalk-2", 2),
        ("engine-flashtalk-1", 1),
        ("engine-portrait", 1),
    ]
    assert {tier.place for tier in (top, *top.below[:-1])} == {children.CARDS} and top.below[-1].place == ""
    assert [tier.spec.get("must_keep_up", False) for tier in (top, *top.below)] == [True] * 4 + [False]
    names = ["flashtalk", "flashtalk-4", "flashtalk-2", "flashtalk-1", "portrait"]
    assert plans["playout"].spec["engines"] == names == [tier.spec["name"] for tier in (top, *top.below)]
    assert {tier.spec["engine"] for tier in (top, *top.below[:-1])} == {"flashtalk"}, "one state for all of them"


def test_the_engine_is_made_with_what_the_room_says(tmp_path: Path, short_dir: Path) -> None:
    config = room(tmp_path, device="cpu", steps=2, prompt="A host.", strategy="ring", attention="sage", offload=True)
    top = next(plan for plan in children.plan(config, short_dir) if plan.kind == "engine")
    assert top.spec["options"] == {
        "weights": str(tmp_path),
        "device": "cpu",
        "strategy": "ring",
        "steps": 2,
        "sage": True,
        "offload": True,
        "prompt": "A host.",
    }
    assert "options" not in top.below[-1].spec


def test_auto_means_one_rank_for_each_gpu(tmp_path: Path, short_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for cards, ranks in ((0, [1]), (1, [1]), (3, [3, 1]), (8, [8, 4, 2, 1])):
        monkeypatch.setattr(gpus, "count", lambda cards=cards: cards)
        top = next(plan for plan in children.plan(room(tmp_path, ranks="auto"), short_dir) if plan.kind == "engine")
        assert [tier.ranks for tier in (top, *top.below) if tier.place] == ranks


@pytest.mark.parametrize(
    ("avatar", "words"),
    [
        ({"weights": None}, "avatar.weights: the engine 'flashtalk' needs them"),
        ({"weights": "/nowhere/at/all"}, "avatar.weights: /nowhere/at/all is not there"),
        ({"ranks": 0}, "avatar.ranks: write a number from 1 to 64, or auto"),
        ({"ranks": "many"}, "avatar.ranks: write a number from 1 to 64, or auto"),
        ({"device": "tpu"}, "avatar.device: choose from"),
        ({"steps": 0}, "avatar.steps: at least 1"),
        ({"engine": "portrait", "ranks": 2}, "avatar.ranks: the engine 'portrait' works in one process"),
        ({"engine": "portrait", "memory_gb": 8}, "avatar.memory_gb: the engine 'portrait' uses no GPU"),
    ],
)
def test_what_cannot_be_is_refused_by_name(tmp_path: Path, avatar: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        room(tmp_path, **avatar)
    assert words in str(caught.value)


# ── counting cards ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("visible", "present", "counted"),
    [(None, 8, 8), ("0,1,2,3", 8, 4), ("", 8, 0), ("-1", 8, 0), ("0,1,-1,2", 8, 2), ("0,1,2,3", 3, 3), (None, 0, 0)],
)
def test_cards_are_counted_as_the_driver_shows_them(
    visible: str | None, present: int, counted: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(present):
        (tmp_path / f"0000:{number:02x}:00.0").mkdir()
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert gpus.count() == counted


def test_cards_are_counted_by_the_tool_where_the_driver_tells_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\necho 'GPU 0: NVIDIA H100'\necho 'GPU 1: NVIDIA H100'\n")
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpus.count() == 2
    tool.unlink()
    monkeypatch.setenv("PATH", str(tmp_path))
    assert gpus.count() == 0


def test_the_memory_of_the_smallest_gpu_counts_or_that_of_the_host_where_engines_compute_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = tmp_path / "nvidia-smi"
    tool.write_text('#!/bin/sh\ncase "$1" in *memory.total) echo 81559; echo 24564;; esac\n')
    tool.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(gpus, "DRIVER", tmp_path)  # one entry: the tool
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert gpus.memory_gb("auto") == pytest.approx(25.757, abs=0.001)
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpus.memory_gb("auto") == 0
    host_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    assert gpus.memory_gb("cpu") == host_gb
    monkeypatch.setattr(gpus, "DRIVER", tmp_path / "none")
    tool.unlink()
    assert gpus.memory_gb("auto") == host_gb


# ── the ladder ───────────────────────────────────────────────────────────────────────────────────


class Ladder:
    """Two tiers on the same cards and one that needs none; their processes only pretend."""

    def __init__(self) -> None:
        bridge = Plan("engine-portrait", "engine", 1, PHASES, {})
        lower = Plan("engine-x-1", "engine", 1, PHASES, {}, understudy=bridge, place="x")
        top = Plan("engine-x", "engine", 1, PHASES, {}, understudy=lower, place="x", ranks=2)
        self.roster = Roster([top])

    def __getitem__(self, name: str) -> Charge:
        return next(charge for charge in self.roster if charge.plan.name == name)

    def names(self) -> list[str]:
        return [charge.plan.name for charge in self.roster]

    def start_due(self, now_s: float) -> list[str]:
        """Start what is due; each gets to work at once."""
        begun = []
        for charge in self.roster.due(now_s):
            charge.members = [cast(Member, SimpleNamespace(rank=0, line=None))]
            charge.progress = Progress(now_s, now_s)
            charge.progress.beat(now_s, "ready", busy=False)
            charge.drained = charge.settled = False
            begun.append(charge.plan.name)
        return begun

    def die(self, name: str, now_s: float) -> None:
        """An end in a crash loop."""
        charge = self[name]
        charge.members, charge.back_off.braked = [], True
        self.roster.slow_down(charge, now_s, first=False)

    def end(self, name: str, now_s: float) -> None:
        """The end of a child that was asked to."""
        charge = self[name]
        assert charge.drained
        charge.members, charge.start_s = [], now_s
        if charge.leaves:
            self.roster.forget(charge)


@pytest.fixture
def ladder() -> Ladder:
    made = Ladder()
    assert made.start_due(0.0) == ["engine-x"]
    made.die("engine-x", 10.0)
    return made


def test_in_a_crash_loop_fewer_ranks_work_and_somebody_speaks_while_they_load(ladder: Ladder) -> None:
    assert ladder.start_due(10.0) == ["engine-x-1", "engine-portrait"]
    ladder.roster.steady(ladder["engine-x-1"], 10.0 + STEADY_S)
    assert ladder["engine-portrait"].leaves and not ladder["engine-x"].leaves


def test_the_higher_tier_is_tried_when_the_lower_one_works_and_another_speaks(ladder: Ladder) -> None:
    ladder.start_due(10.0)
    ladder.roster.steady(ladder["engine-x-1"], 10.0 + STEADY_S)
    ladder.end("engine-portrait", 71.0)
    due_s = 10.0 + TRIAL_S
    assert ladder.start_due(due_s - 1) == [] and not ladder["engine-x-1"].drained
    assert ladder.start_due(due_s + 1) == [] and ladder.start_due(due_s + 2) == ["engine-portrait"]
    assert not ladder["engine-x-1"].drained
    assert ladder.start_due(due_s + 3) == [] and ladder["engine-x-1"].drained, "its cards are asked for"
    ladder.end("engine-x-1", due_s + 4)
    assert ladder.start_due(due_s + 4) == ["engine-x"], "the lower one waits while the cards are taken"
    ladder.roster.steady(ladder["engine-x"], due_s + 4 + STEADY_S)
    assert ladder.names() == ["engine-x", "engine-portrait"] and ladder["engine-portrait"].leaves


def test_a_tier_that_fails_its_trial_gives_the_cards_back_and_waits_longer(ladder: Ladder) -> None:
    ladder.start_due(10.0)
    first_wait_s = ladder["engine-x"].start_s - 10.0
    ladder.start_due(75.0)
    ladder.end("engine-x-1", 76.0)
    assert ladder.start_due(76.0) == ["engine-x"]
    ladder.die("engine-x", 80.0)
    assert ladder["engine-x"].start_s - 80.0 == 2 * first_wait_s
    assert ladder.start_due(80.0) == ["engine-x-1"]


def test_a_tier_that_does_not_work_either_is_followed_by_the_one_below(ladder: Ladder) -> None:
    ladder.start_due(10.0)
    ladder.die("engine-x-1", 20.0)
    assert ladder.names() == ["engine-x", "engine-x-1", "engine-portrait"]
    assert ladder.start_due(50.0) == []
    assert ladder.start_due(200.0) == ["engine-x"], "the highest first"


def test_all_tiers_stay_when_the_configuration_is_read_again(ladder: Ladder) -> None:
    ladder.start_due(10.0)
    lost_a_card = Plan("engine-x", "engine", 1, PHASES, {}, place="x", ranks=1)
    ladder.roster.become({"engine-x": lost_a_card}, [], 11.0)
    assert ladder.names() == ["engine-x", "engine-x-1", "engine-portrait"]
    assert ladder["engine-x"].plan.ranks == 2 and not any(charge.leaves for charge in ladder.roster)
