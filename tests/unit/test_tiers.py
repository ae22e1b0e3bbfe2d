"""What is asked of an engine's tiers in a configuration, and what becomes of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from broadcaster import children, gpus
from broadcaster.children import Plan
from broadcaster.config import parse
from broadcaster.tiers import changes, ladder
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
        ([{"memory_gb": 8}], "avatar.tiers.0: a tier says what is lighter in it"),
        ([{"size": [336, 576], "memory_gb": 8}], "avatar: tiers.0.memory_gb: the engine 'portrait' has none"),
        ([{"ranks": 1, "memory_gb": 0}], "avatar.tiers.0.memory_gb: more than 0"),
    ],
)
def test_tiers_that_cannot_be_are_refused_by_name(written: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"room": "shop", "avatar": {"tiers": written}}, "c.yaml")
    assert words in str(caught.value)


def test_a_tier_with_weights_needs_them_as_the_room_does() -> None:
    with pytest.raises(ConfigError, match=r"avatar\.weights: the engine 'flashtalk' needs them"):
        parse({"room": "shop", "avatar": {"tiers": [{"engine": "flashtalk"}]}}, "c.yaml")


# ── engines of several models ────────────────────────────────────────────────────────────────────


@pytest.fixture
def models(tmp_path: Path) -> dict[str, str]:
    found = {model: str(tmp_path / model) for model in ("flashtalk", "flashhead")}
    for place in found.values():
        Path(place).mkdir()
    return found


LADDER = [{"engine": "flashhead-pro"}, {"engine": "flashhead-lite"}, {"engine": "portrait"}]


def test_each_tier_gets_the_weights_of_its_model_and_what_its_engine_understands(
    tmp_path: Path, models: dict[str, str]
) -> None:
    found = tiers(tmp_path, engine="flashtalk", weights=models, offload=True, prompt="A host.", tiers=LADDER)
    told = [tier.spec.get("options", {}) for tier in found]
    assert [options.get("weights") for options in told] == [models["flashtalk"], *[models["flashhead"]] * 2, None]
    assert [options.get("prompt") for options in told] == ["A host.", None, None, None]
    assert ["offload" in options for options in told] == [True, False, False, False]
    assert [tier.name for tier in found][1:] == ["engine-flashhead-pro-1", "engine-flashhead-lite-1", "engine-portrait"]


def test_one_path_is_for_every_engine_as_it_always_was(tmp_path: Path) -> None:
    found = tiers(tmp_path, engine="flashhead-pro", tiers=[{"engine": "flashhead-lite"}])
    assert {tier.spec["options"]["weights"] for tier in found} == {str(tmp_path)}


def test_an_engine_that_was_made_for_other_steps_than_the_one_above_takes_its_own(tmp_path: Path) -> None:
    written: list[dict[str, Any]] = [{"engine": "flashhead-pro"}, {"steps": 2}, {"engine": "flashhead-lite"}]
    found = tiers(tmp_path, engine="flashhead-pretrained", tiers=written)
    assert [tier.spec["options"]["steps"] for tier in found] == [20, 4, 2, 2]


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ({"flashtalk": "."}, "avatar.weights.flashhead: the engine 'flashhead-pro' needs them (avatar.tiers.0): "),
        ({"flashhead": "."}, "avatar.weights.flashtalk: the engine 'flashtalk' needs them: the directory that"),
        ({"flashtalk": ".", "flashhead": "/nowhere"}, "avatar.weights.flashhead: /nowhere is not there"),
        ({"flashhaed": "."}, "avatar.weights: there is no model 'flashhaed'; choose from flashhead, flashtalk"),
        ({"flashtalk": 5}, "avatar.weights: write a directory or file, or one for each model, as {flashtalk: "),
        (["."], "avatar.weights: write a directory or file, or one for each model"),
    ],
)
def test_weights_that_are_missing_or_nobodys_are_refused_by_name(weights: Any, words: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse({"room": "shop", "avatar": {"engine": "flashtalk", "weights": weights, "tiers": LADDER}}, "c.yaml")
    assert words in str(caught.value)


def test_a_tier_needs_the_memory_that_it_says_and_not_that_of_the_one_above(
    tmp_path: Path, models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "memory_gb", lambda _device: 80.0)
    written = [{"engine": "flashhead-pro", "memory_gb": 9}, *LADDER[1:]]
    avatar = {"engine": "flashtalk", "weights": models, "memory_gb": 43, "tiers": written}
    found = tiers(tmp_path, **avatar)
    assert [tier.needs_gb for tier in found] == [43, 9, 0, 0]
    assert [tier.there_gb for tier in found] == [80, 80, 80, 0]
    assert {tier.place for tier in found[:-1]} == {children.CARDS}
    told = list(changes(ladder(parse({"room": "shop", "avatar": avatar}, "c.yaml").avatar, 1), 80.0))
    assert told == [
        "flashhead-pro-1 loads beside flashtalk: 52 of 80 GB",
        "flashhead-lite-1 loads when flashhead-pro-1 has ended, and viewers see portrait meanwhile: "
        "memory_gb does not say that both fit a GPU",
    ]
    avatar["tiers"] = [{"engine": "flashhead-pro", "memory_gb": 40}]
    (line,) = changes(ladder(parse({"room": "shop", "avatar": avatar}, "c.yaml").avatar, 1), 80.0)
    assert "viewers see the hold loop meanwhile: 43 + 40 GB are more than 80" in line


def test_nobody_asks_for_the_memory_of_a_card_where_no_tier_says_what_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gpus, "memory_gb", lambda _device: pytest.fail("nvidia-smi takes seconds"))
    assert {tier.needs_gb for tier in tiers(tmp_path, engine="flashtalk", ranks=2)} == {0.0}


def test_a_tier_may_be_drawn_a_little_out_of_shape_which_nobody_sees_on_air(tmp_path: Path) -> None:
    written = [{"engine": "flashhead-lite", "size": [416, 704]}]
    found = tiers(tmp_path, engine="flashhead-pro", size=[416, 720], tiers=written)
    assert found[1].spec["drawn"] == [416, 704]
