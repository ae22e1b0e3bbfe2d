"""A script that is edited on air: good versions are taken up once, broken ones are told of once and change nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from broadcaster.script.model import Script
from broadcaster.script.surroundings import Surroundings
from broadcaster.script.watch import CHANGED, REFUSED, Watch
from pipeline.clock import FakeClock

SCRIPT = "---\nproducts: goods.csv\n---\n# A {product=mug}\n\none {price}\n\ntwo\n"
GOODS = "id,name,price\nmug,Mug,12\n"


class Desk:
    """A watch with its files, and what it gave."""

    def __init__(self, directory: Path) -> None:
        self.path, self.goods = directory / "shop.md", directory / "goods.csv"
        self.times = 0
        self.write(self.goods, GOODS)
        self.write(self.path, SCRIPT)
        self.taken: list[Script] = []
        self.told: list[tuple[str, str]] = []
        self.clock = FakeClock(wall_s=datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp())
        self.watch = Watch(
            self.path, Surroundings(self.clock, "Asia/Shanghai", "zh-CN-Xiaoxiao"), self.taken.append, self._tell
        )

    def write(self, path: Path, text: str) -> None:
        path.write_text(text)
        self.times += 1
        os.utime(path, ns=(self.times * 10**9, self.times * 10**9))  # a file system may be too coarse to tell

    def look(self, times: int = 4) -> None:
        for _ in range(times):
            if version := self.watch.look():
                self.watch.judge(version)

    def _tell(self, name: str, facts: Mapping[str, str]) -> None:
        self.told.append((name, facts["text"]))


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    found = Desk(tmp_path)
    assert found.watch.open() is not None
    return found


def test_an_edit_is_taken_up_once(desk: Desk) -> None:
    desk.look()
    assert (desk.taken, desk.told) == ([], [])
    desk.write(desk.path, SCRIPT + "\nthree\n")
    desk.look(8)
    assert [len(script.sections[0].lines) for script in desk.taken] == [3]
    assert desk.told == [(CHANGED, str(desk.path))]


def test_a_file_that_is_still_being_written_is_left_alone(desk: Desk) -> None:
    for number in range(5):
        desk.write(desk.path, SCRIPT + f"\n{{half {number}\n")
        desk.look(1)
    desk.write(desk.path, SCRIPT + "\nwhole\n")
    desk.look()
    assert len(desk.taken) == 1 and [name for name, _ in desk.told] == [CHANGED]


def test_a_broken_version_is_told_of_once_with_its_lines_and_the_old_one_stays(desk: Desk) -> None:
    desk.write(desk.path, SCRIPT + "\nan open {brace\n\n{colour} of what\n")
    desk.look(5)
    desk.write(desk.path, SCRIPT + "\nan open {brace\n\n{colour} of what\n")  # saved again, as it was
    desk.look(5)
    assert desk.taken == [] and [name for name, _ in desk.told] == [REFUSED]
    text = desk.told[0][1]
    assert f"{desk.path}:10:9: " in text and f"{desk.path}:12:1: " in text
    assert desk.watch.values().of("price", "mug") == "12"
    desk.write(desk.path, SCRIPT + "\nall is well\n")
    desk.look()
    assert len(desk.taken) == 1


def test_a_broken_version_that_is_taken_back_changes_nothing(desk: Desk) -> None:
    desk.write(desk.path, SCRIPT + "\nan open {brace\n")
    desk.look()
    desk.write(desk.path, SCRIPT)
    desk.look()
    assert desk.taken == [] and [name for name, _ in desk.told] == [REFUSED]


def test_a_price_that_changes_is_said_without_touching_the_script(desk: Desk) -> None:
    desk.write(desk.goods, GOODS.replace("12", "11"))
    desk.look()
    assert desk.taken == [] and [name for name, _ in desk.told] == [CHANGED]
    assert desk.watch.values().of("price", "mug") == "11"


def test_a_broken_products_file_keeps_the_old_prices(desk: Desk) -> None:
    desk.write(desk.goods, GOODS.replace("12", "cheap"))
    desk.look()
    assert [name for name, _ in desk.told] == [REFUSED] and "goods.csv" in desk.told[0][1]
    assert desk.watch.values().of("price", "mug") == "12"


def test_a_script_that_goes_away_goes_on(desk: Desk) -> None:
    desk.path.unlink()
    desk.look(6)
    assert desk.taken == [] and [name for name, _ in desk.told] == [REFUSED]


def test_a_script_that_was_broken_at_the_start_is_taken_up_when_it_is_mended(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.write(desk.path, "an {open brace")
    assert desk.watch.open() is None
    desk.look()
    assert desk.told == []
    desk.write(desk.path, "mended")
    desk.look()
    assert [one.text for script in desk.taken for _, one in script.lines()] == ["mended"]


def test_a_script_begins_without_its_products_when_they_are_broken(tmp_path: Path) -> None:
    desk = Desk(tmp_path)
    desk.goods.unlink()
    assert desk.watch.open() is not None
    assert desk.watch.values().of("price", "mug") is None
    desk.write(desk.goods, GOODS)
    desk.look()
    assert desk.watch.values().of("price", "mug") == "12"


def test_variables_go_by_the_clock_of_the_room(desk: Desk) -> None:
    values = desk.watch.values()
    assert values.of("time") == "20:00" and values.of("weekday") == "星期五"
    assert values.of("viewers") is None
    desk.watch._surroundings.outside["viewers"] = "120"
    assert values.of("viewers") == "120"


async def test_another_file_is_read_from_at_once_even_if_it_says_the_same(desk: Desk, tmp_path: Path) -> None:
    other = tmp_path / "other.md"
    desk.write(other, SCRIPT)
    await desk.watch.turn_to(other)
    assert [script.path for script in desk.taken] == [other]
    desk.write(desk.path, SCRIPT + "\nthree\n")
    desk.look()
    assert len(desk.taken) == 1, "the first one is not looked at any more"
