"""A directory of pictures: who is in it, what they are called, and what is said of files that will not do."""

from __future__ import annotations

from pathlib import Path

import pytest

from broadcaster import children
from broadcaster.checks import check
from broadcaster.config import Config, parse
from pipeline.errors import ConfigError
from pipeline.personfiles import PERSONS_MAX, persons
from pipeline.shipped import PRESENTER
from tests.people import write_people


def files(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        (folder / name).touch()
    return folder


def room(tmp_path: Path, folder: Path, **avatar: object) -> Config:
    state = {"room": "shop", "state_dir": str(tmp_path / "var"), "voice": {"chain": ["edge"]}}
    return parse({**state, "avatar": {"persons": str(folder), "size": [224, 384], **avatar}}, "c.yaml")


def test_persons_are_called_as_their_files_and_the_rooms_own_comes_first(tmp_path: Path) -> None:
    folder = files(tmp_path / "p", "Bert Big.JPG", "anna.png", "anna.json", "小美.webp", "notes.txt", ".hidden.png")
    assert list(persons(None, folder)) == ["host", "anna", "bert big", "小美"]
    assert persons(None, folder)["host"] == PRESENTER
    assert persons(folder / "anna.png", None) == {"anna": folder / "anna.png"}


def test_a_baked_file_goes_before_the_picture_that_it_was_made_of(tmp_path: Path) -> None:
    folder = files(tmp_path / "p", "anna.png", "anna.avatar", "host.png")
    assert persons(None, files(tmp_path / "q", "anna.jpg", "anna.avatar"))["anna"].suffix == ".avatar"
    own = persons(folder / "host.png", folder)
    assert list(own) == ["host", "anna"] and own["anna"].suffix == ".avatar", "the room's own picture is no second host"
    assert persons(folder / "anna.png", folder)["anna"].suffix == ".png", "the room's own is as it was configured"


@pytest.mark.parametrize(
    ("names", "wrong"),
    [
        (["anna.png", "anna.jpg"], r"anna\.png: .*anna\.jpg is called 'anna' as well"),
        (["host.png"], r"host\.png: .*host\.png is called 'host' as well"),
        (["-.png"], "nobody can be called '-'"),
        (["a[1].png"], "nobody can be called"),
        ([f"p{number}.png" for number in range(PERSONS_MAX)], f"{PERSONS_MAX + 1} persons; {PERSONS_MAX} at most"),
    ],
)
def test_files_that_cannot_be_told_apart_or_called_are_named(tmp_path: Path, names: list[str], wrong: str) -> None:
    with pytest.raises(ConfigError, match=wrong):
        persons(None, files(tmp_path / "p", *names))


def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere: No such file or directory; a directory of pictures is needed"):
        persons(None, tmp_path / "nowhere")


def test_engine_and_director_are_told_who_there_is(tmp_path: Path) -> None:
    folder = files(tmp_path / "p", "anna.png")
    plans = {plan.kind: plan for plan in children.plan(room(tmp_path, folder), tmp_path)}
    assert plans["director"].spec["persons"] == ["host", "anna"]
    assert plans["engine"].spec["persons"] == {"host": str(PRESENTER), "anna": str(folder / "anna.png")}
    alone = {plan.kind: plan for plan in children.plan(parse({"room": "shop"}, "c.yaml"), tmp_path)}
    assert alone["engine"].spec["persons"] == {} and alone["director"].spec["persons"] == ["host"]


def test_the_check_names_a_picture_that_the_engine_cannot_draw(tmp_path: Path) -> None:
    folder = tmp_path / "p"
    write_people(folder, {"anna": 0.5})
    assert "persons: host, anna" in check(room(tmp_path, folder), "c.yaml")
    (folder / "anna.json").unlink()
    with pytest.raises(ConfigError, match=r"avatar\.persons: .*p/anna\.png: anna: no points file anna\.json"):
        check(room(tmp_path, folder), "c.yaml")
    assert "persons: host, anna" in check(room(tmp_path, folder, engine="pattern"), "c.yaml")


def test_the_check_names_a_script_that_calls_nobody_of_the_room(tmp_path: Path) -> None:
    (tmp_path / "s.md").write_text("Hello. [person anna] I am Anna.\n")
    config = parse({"room": "shop", "script": {"file": str(tmp_path / "s.md")}, "voice": {"chain": ["edge"]}}, "c.yaml")
    with pytest.raises(ConfigError, match=r"script\.file: .*s\.md:1:8: unknown person 'anna'"):
        check(config, "c.yaml")
