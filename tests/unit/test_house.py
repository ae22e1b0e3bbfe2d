"""A house: its file, the plans of its children, and what a room does whose engine is the house's."""

from __future__ import annotations

import re
import selectors
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from PIL import Image

from broadcaster import checks, children, house, units
from broadcaster.config import load, parse
from broadcaster.config_house import House, SharedSection, is_house, load_house
from broadcaster.ladder import GONE, GONE_S
from broadcaster.reference import HOUSE_REFERENCE, entries
from broadcaster.report import describe
from broadcaster.room import runtime_dir_of
from broadcaster.roster import Roster
from broadcaster.tenancy import Tenancy
from broadcaster.watch import STEADY_S
from pipeline.errors import ConfigError
from pipeline.lifeline import Lifeline
from pipeline.wire import Beat, Drain, Reload
from pipeline.worker import WorkerSpec
from tests.tinymodel import write_head_dir

DEFAULT = re.compile(r"Default: (\S+)\.(?=\s|$)")
PORTS = {"shop": 8801, "news": 8802, "talk": 8803}


def write(directory: Path, engine: dict[str, Any], **changed: dict[str, Any]) -> Path:
    """A house of three rooms. changed: keys of one."""
    for name, port in PORTS.items():
        room: dict[str, Any] = {
            "room": name,
            "state_dir": str(directory / "var" / name),
            "control": {"listen": f"127.0.0.1:{port}"},
            "avatar": {"engine": "shared", "size": [224, 384]},
        }
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(room | changed.get(name, {})))
    path = directory / "house.yaml"
    tree = {"rooms": [f"{name}.yaml" for name in PORTS], "state_dir": str(directory / "var/house"), "engine": engine}
    path.write_text(yaml.safe_dump(tree))
    return path


@pytest.fixture
def made(tmp_path: Path) -> House:
    return load_house(write(tmp_path, {"engine": "pattern"}, news={"avatar": {"engine": "shared", "size": [384, 224]}}))


# ── the file ─────────────────────────────────────────────────────────────────────────────────────


def test_a_house_is_known_by_its_rooms(made: House) -> None:
    assert is_house(made.path) and not is_house(made.rooms[0].path)
    assert [room.config.room for room in made.rooms] == list(PORTS)


def test_an_order_for_one_room_says_that_a_house_has_several(made: House) -> None:
    for look in (load, runtime_dir_of):
        with pytest.raises(ConfigError, match="house of several rooms; here the file of one of them is needed"):
            look(made.path)


@pytest.mark.parametrize(
    ("engine", "changed", "text"),
    [
        ({}, {"news": {"room": "shop"}}, "shop.yaml and .*news.yaml have the same room, shop: each needs its own"),
        ({}, {"news": {"state_dir": "{}/var/shop"}}, "news.yaml have the same state_dir, .*var/shop"),
        ({}, {"news": {"state_dir": "{}/var/house"}}, "the house and .*news.yaml have the same state_dir"),
        ({}, {"talk": {"control": {"listen": "127.0.0.1:8801"}}}, "talk.yaml have the same control.listen, 127"),
        ({}, {"talk": {"romm": 1}}, "talk.yaml: romm: unknown key; did you mean 'room'"),
        ({"engine": "flashead-lite"}, {}, "engine.engine: unknown engine 'flashead-lite'; choose from portrait"),
        ({"engine": "flashhead-lite"}, {}, "engine.weights: the engine 'flashhead-lite' needs them"),
        ({"engine": "portrait", "rank": 2}, {}, "engine.rank: unknown key; did you mean 'ranks'"),
        ({"engine": "portrait", "ranks": 2}, {}, "engine.ranks: the engine 'portrait' works in one process"),
        ({}, {name: {"avatar": {}} for name in PORTS}, "none has `avatar.engine: shared`"),
        ({}, {"shop": {"avatar": {"engine": "shared", "tiers": [{"size": [168, 288]}]}}}, "tiers.0.engine: say which"),
    ],
)
def test_what_is_wrong_with_a_house_is_said(
    engine: dict[str, Any], changed: dict[str, Any], text: str, tmp_path: Path
) -> None:
    filled = yaml.safe_load(yaml.safe_dump(changed).replace("{}/", f"{tmp_path}/"))
    with pytest.raises(ConfigError) as caught:
        load_house(write(tmp_path, {"engine": "pattern"} | engine, **filled))
    assert re.search(text, str(caught.value)), caught.value


def test_rooms_whose_page_finds_a_port_by_itself_are_not_in_each_others_way(tmp_path: Path) -> None:
    anywhere = {"control": {"listen": "127.0.0.1:0"}}
    assert load_house(write(tmp_path, {}, shop=anywhere, news=anywhere))


def test_a_size_that_the_engine_cannot_draw_is_told_with_its_room(tmp_path: Path) -> None:
    weights = write_head_dir(tmp_path / "model")
    odd = {"avatar": {"engine": "shared", "size": [200, 384]}}
    found = load_house(
        write(tmp_path, {"engine": "flashhead-lite", "weights": str(weights), "device": "cpu"}, news=odd)
    )
    with pytest.raises(ConfigError, match=r"news\.yaml: with the engine flashhead-lite of .*avatar size 200x384"):
        checks.check_house(found)


def test_a_person_of_a_room_whom_the_engine_of_the_house_cannot_draw_is_told_with_the_room(tmp_path: Path) -> None:
    (tmp_path / "people").mkdir()
    Image.new("RGB", (300, 400)).save(tmp_path / "people" / "wall.png")
    room = {"avatar": {"engine": "shared", "persons": str(tmp_path / "people")}}
    found = load_house(write(tmp_path, {"engine": "portrait"}, news=room))
    with pytest.raises(ConfigError, match=r"news\.yaml: with the engine portrait of .*wall: no points file"):
        checks.check_house(found)


def test_the_reference_of_a_house_says_every_key_and_its_default() -> None:
    documented = {entry.name: entry.text for entry in entries(HOUSE_REFERENCE.read_text(encoding="utf-8"))}
    engine = {f"engine.{name}": field.default for name, field in SharedSection.model_fields.items()}
    assert set(documented) == {"rooms", "state_dir", "engine", *engine}
    for key, default in engine.items():
        written = DEFAULT.search(documented[key])
        assert written and yaml.safe_load(written[1]) == default, key


def test_a_house_is_a_unit_with_all_that_its_rooms_need(made: House, tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    plan = units.plan("all", made.path, units.Program(Path("/opt/bin/broadcaster"), ()))
    drop_in = next(file.text for file in plan.files if file.path.name == "room.conf")
    assert f"run {made.path}" in drop_in and str(tmp_path / "var") in drop_in
    assert any(file.path.name == "gpu.conf" for file in plan.files)
    assert "broadcaster@all" in plan.name


# ── its children ─────────────────────────────────────────────────────────────────────────────────


def test_the_children_of_a_house_are_its_rooms_and_one_engine_that_ends_after_them(made: House) -> None:
    plans = house.plan(made)
    assert [(plan.name, plan.stage) for plan in plans] == [
        ("room-shop", 0),
        ("room-news", 0),
        ("room-talk", 0),
        ("engine-shared", 1),
    ]
    spec = msgspec.convert(dict(plans[-1].spec), WorkerSpec)
    assert [(seat.room, seat.size, seat.name, seat.engine) for seat in spec.seats] == [
        ("shop", (224, 384), "shared", "pattern"),
        ("news", (384, 224), "shared", "pattern"),
        ("talk", (224, 384), "shared", "pattern"),
    ]
    assert [seat.runtime_dir for seat in spec.seats] == [plan.spec["runtime_dir"] for plan in plans[:3]]


def test_under_systemd_each_room_has_a_directory_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RUNTIME_DIRECTORY", "/run/broadcaster/all")
    found = load_house(write(tmp_path, {}))
    assert [str(room.runtime_dir) for room in found.rooms] == [f"/run/broadcaster/all/{name}" for name in PORTS]


def test_a_house_ends_its_rooms_and_has_them_read_their_files_again() -> None:
    house_end, theirs = Lifeline.pair()
    stops: list[int] = []
    reloads: list[Reload] = []
    tenancy = Tenancy(Lifeline(theirs), stops.append, reloads.append)
    with selectors.DefaultSelector() as selector:
        tenancy.open(selector)

        def hear() -> None:
            for key, _ in selector.select(0):
                key.data()

        tenancy.tell("ready", 7, {"on_air": "shared"})
        beat = house_end.poll()[0]
        assert isinstance(beat, Beat) and (beat.phase, beat.facts["encoded"]) == ("ready", 7)
        house_end.send(Reload())
        hear()
        assert len(reloads) == 1 and not stops
        house_end.send(Drain(18.0))
        hear()
        assert stops == [signal.SIGTERM]
        house_end.close()
        hear()
        hear()
        assert stops == [signal.SIGTERM] * 2, "a house that is gone is said to be gone once"
    theirs.close()


# ── a room whose engine is the house's ───────────────────────────────────────────────────────────


@pytest.fixture
def roster() -> Roster:
    config = parse({"room": "shop", "avatar": {"engine": "shared"}}, "shop.yaml")
    return Roster(children.plan(config, Path("/run/shop")))


def follow(roster: Roster, is_heard: bool | None, now_s: float, refused: str = "") -> list[str]:
    """Names of the engines that are to run here, after another look."""
    shared = next(charge for charge in roster if charge.plan.elsewhere)
    roster.follow(shared, is_heard, refused, now_s)
    return [charge.plan.name for charge in roster.due(now_s) if charge.plan.kind == "engine"]


def test_playout_takes_the_houses_engine_before_the_rooms_own() -> None:
    config = parse({"room": "shop", "avatar": {"engine": "shared"}}, "shop.yaml")
    plans = {plan.kind: plan for plan in children.plan(config, Path("/run/shop"))}
    assert plans["playout"].spec["engines"] == ["shared", "portrait"]
    assert plans["engine"].elsewhere and not plans["engine"].below[0].elsewhere


def test_as_long_as_the_houses_engine_is_shown_the_room_draws_nothing_itself(roster: Roster) -> None:
    assert not any(follow(roster, True, now_s / 10) for now_s in range(1000))
    assert roster.tier("shared", 100.0) == {"on_air": "shared", "wanted": "shared", "lowered": False}


def test_a_houses_engine_that_is_gone_is_stood_in_for_until_it_has_been_there_for_a_minute(roster: Roster) -> None:
    follow(roster, True, 10.0)
    assert not follow(roster, False, 10.0 + GONE_S - 0.1), "a new process of it may be there in a moment"
    assert follow(roster, False, 10.0 + GONE_S) == ["engine-portrait"]
    tier = roster.tier("portrait", 20.0)
    assert tier == {"on_air": "portrait", "wanted": "shared", "lowered": True, "why": GONE}
    assert f"portrait draws in the place of shared: {GONE}" in describe({"ready": True, "tier": tier})
    assert follow(roster, True, 30.0) == ["engine-portrait"]
    assert follow(roster, True, 30.0 + STEADY_S - 1) == ["engine-portrait"]
    assert follow(roster, True, 30.0 + STEADY_S) == []
    assert follow(roster, False, 200.0) == ["engine-portrait"], "and again"


def test_a_room_that_the_houses_engine_refuses_does_not_wait_and_says_why(roster: Roster) -> None:
    follow(roster, True, 10.0)
    assert follow(roster, False, 10.1, refused="the engine has no time for it") == ["engine-portrait"]
    assert roster.tier("portrait", 11.0)["why"] == "the engine has no time for it"


def test_a_playout_that_says_nothing_accuses_nobody(roster: Roster) -> None:
    assert not any(follow(roster, None, float(now_s)) for now_s in range(100))
    assert not follow(roster, False, 100.0)
    assert follow(roster, False, 99.0 + GONE_S) == ["engine-portrait"]
