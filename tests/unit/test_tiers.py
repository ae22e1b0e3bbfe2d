"""What is asked of an engine's tiers in a configuration, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broadcaster import children
from broadcaster.children import Plan
from broadcaster.config import parse
from pipeline.errors import ConfigError


def tiers(directory: Path, **avatar: Any) -> list[Plan]:
    config = parse({"room": "shop", "avatar": {"weights": str(directory), **avatar}}, "c.yaml")
    top = next(plan for plan in children.plan(config, directory) if plan.kind == "engine")
    return [top, *top.below]


def test_the_same_engine_draws_smaller_and_the_room_sees_one_size(tmp_path: Path) -> None:
    found = tiers(tmp_path, engine="portrait", tiers=[{"size": [336, 576]}, {"size": [224, 384]}])
    assert [tier.name for tier in found] == ["engine-portrait", "engine-portrait-336x576", "engine-portrait-224x384"]
    assert [tier.spec["drawn"] for tier in found] == [None, [336, 576], [224, 384]]
    assert {(tier.spec["width"], tier.spec["height"]) for tier in found} == {(448, 768)}
    assert [tier.spec.get("must_keep_up", False) for tier in found] == [True, True, False]


def test_what_a_tier_leaves_out_is_as_in_the_one_above(tmp_path: Path) -> None:
    written = [{"ranks": 2}, {"steps": 2}, {"size": [336, 576]}, {"engine": "portrait"}]
    found = tiers(tmp_path, engine="flashtalk", ranks=4, tiers=written)
    assert [tier.name.removeprefix("engine-") for tier in found] == [
        "flashtalk",
        "flashtalk-2",
        "flashtalk-2-2steps",
        "flashtalk-2-336x576-2steps",
        "portrait-336x576",
    ]
    assert [tier.ranks for tier in found] == [4, 2, 2, 2, 1]
    assert [tier.spec.get("options", {}).get("steps") for tier in found] == [4, 4, 2, 2, None]
    assert [tier.place for tier in found] == [children.CARDS] * 4 + [""]


def test_an_engine_that_only_fewer_ranks_stand_below_is_not_asked_to_keep_up(tmp_path: Path) -> None:
    found = tiers(tmp_path, engine="flashtalk", ranks=2, tiers=[{"ranks": 1}])
    assert [tier.spec.get("must_keep_up", False) for tier in found] == [False, False]


def test_a_room_may_have_no_tiers_below_its_own(tmp_path: Path) -> None:
    assert [tier.name for tier in tiers(tmp_path, engine="pattern", tiers=[])] == ["engine-pattern"]
    assert [tier.name for tier in tiers(tmp_path, engine="portrait")] == ["engine-portrait"]


def test_a_tier_that_is_already_there_is_left_out(tmp_path: Path) -> None:
    found = tiers(
        tmp_path, engine="portrait", tiers=[{"size": [448, 768]}, {"size": [336, 576]}, {"engine": "portrait"}]
    )
    assert [tier.name for tier in found] == ["engine-portrait", "engine-portrait-336x576"]


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ([{}], "avatar.tiers.0: a tier says what is lighter in it"),
        ([{"engine": "protrait"}], "avatar.tiers.0.engine: unknown engine 'protrait'; choose from portrait"),
        ([{"size": [337, 576]}], "avatar.tiers.0.size: 337 px: each side must be even"),
        ([{"size": [896, 1536]}], "avatar: tiers.0.size: no larger than avatar.size, [448, 768]"),
        (
            [{"size": [336, 480]}],
            "avatar: tiers.0.size: it has not the shape of avatar.size, [448, 768]; [336, 576] has",
        ),
        ([{"size": [336, 576]}, {"ranks": 2}], "avatar: tiers.1.ranks: the engine 'portrait' has none; leave it out"),
        ([{"ranks": 0}], "avatar.tiers.0.ranks: at least 1"),
        ([{"sise": [336, 576]}], "avatar.tiers.0.sise: unknown key; did you mean 'size'?"),
        ("lighter", "avatar.tiers: "),
    ],
)
def test_tiers_that_cannot_be_are_refused_by_name(written: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"room": "shop", "avatar": {"tiers": written}}, "c.yaml")
    assert words in str(caught.value)


def test_a_tier_with_weights_needs_them_as_the_room_does() -> None:
    with pytest.raises(ConfigError, match=r"avatar\.weights: the engine 'flashtalk' needs them"):
        parse({"room": "shop", "avatar": {"tiers": [{"engine": "flashtalk"}]}}, "c.yaml")
