"""What `script preview` prints: an hour of a script, with times, as the room would read it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from broadcaster.cli.script import app
from broadcaster.script.load import parse
from broadcaster.script.preview import Room, begin_s, lines, rows
from pipeline.errors import ConfigError

NOON_S = datetime(2026, 5, 1, 12, tzinfo=UTC).timestamp()
ROOM = Room("UTC")
SCRIPT = """---
pause_s: 10
---
# Morning {dayparts=08:00-12:30}

Good {morning|day}, it is {time}. Welcome.

# Always

{speed=0.5} Twelve letters.
"""


def test_every_line_has_its_time_and_variables_are_those_of_it() -> None:
    found = list(rows(parse(SCRIPT, Path("s.md")), {}, ROOM, NOON_S, 1))
    assert [row.section for row in found[:3]] == ["Morning", "Always", "Morning"]
    assert found[0].at_s == NOON_S and found[0].text.endswith("it is 12:00. Welcome.")
    assert found[1].text == "(×0.5) Twelve letters." and found[1].source == "s.md:10"
    assert found[2].at_s - found[1].at_s == pytest.approx(10 + 15 / 14 / 0.5, abs=0.1)
    assert found[0].text.split(",")[0] != found[2].text.split(",")[0]


def test_a_daypart_ends_at_its_time() -> None:
    found = list(rows(parse(SCRIPT, Path("s.md")), {}, ROOM, NOON_S, 1))
    morning = [row.at_s for row in found if row.section == "Morning"]
    assert 0 <= NOON_S + 1800 - max(morning) < 60
    assert NOON_S + 3600 - 30 < found[-1].at_s < NOON_S + 3600


def test_times_at_which_nothing_may_be_said_are_one_row() -> None:
    text = "# Night {dayparts=12:30-12:31,12:45-13:00}\n\nwords\n"
    found = list(rows(parse(text, Path("s.md")), {}, ROOM, NOON_S, 1))
    assert [row.at_s - NOON_S for row in found if not row.text] == pytest.approx([0, 1860], abs=3)
    assert found[1].at_s == NOON_S + 1800


def test_the_same_seed_gives_the_same_hour_and_another_one_another() -> None:
    text = "---\norder: shuffle\n---\n" + "".join(f"# S{number}\n\nwords\n\n" for number in range(9))
    script = parse(text, Path("s.md"))
    hours = [list(lines(script, {}, Room("UTC", seed=seed), NOON_S, 0.1)) for seed in (4, 4, 5)]
    assert hours[0] == hours[1] != hours[2]
    assert "shuffled by seed 4" in hours[0][0]


def test_a_script_that_ends_says_nothing_after_it() -> None:
    found = list(rows(parse("one\n\ntwo\n", Path("s.txt")), {}, Room("UTC", loop=False), NOON_S, 1))
    assert [row.text for row in found] == ["one", "two", ""]


def test_the_time_to_begin_at_is_of_this_day_in_the_rooms_zone() -> None:
    assert begin_s("20:30", "Asia/Shanghai", NOON_S) == NOON_S + 1800
    assert begin_s(None, "UTC", 5.0) == 5.0
    for wrong in ("20", "25:00", "20:60", "8pm", "20:5"):
        with pytest.raises(ConfigError, match="20:00"):
            begin_s(wrong, "UTC", NOON_S)


def test_the_command_prints_a_script_with_its_products(tmp_path: Path) -> None:
    (tmp_path / "goods.csv").write_text("id,name,price\nmug,Mug,12\n")
    path = tmp_path / "shop.md"
    path.write_text("---\nproducts: goods.csv\n---\n# Mug {product=mug}\n\nIt costs {price}.\n")
    done = CliRunner().invoke(app, ["preview", str(path), "--at", "20:00", "--hours", "0.01"])
    assert done.exit_code == 0
    assert "20:00:00  # Mug" in done.output and "20:00:00      6  It costs 12." in done.output


def test_the_command_reads_it_as_the_room_would(tmp_path: Path) -> None:
    config, path = tmp_path / "room.yaml", tmp_path / "s.txt"
    config.write_text(
        f"room: shop\ntimezone: Asia/Tokyo\nvoice: {{rate: 2.0}}\nscript: {{file: {path}, loop: false}}\n"
    )
    path.write_text("Fourteen chars\n\nit is {time}\n")
    done = CliRunner().invoke(app, ["preview", str(path), "--at", "9:00", "--config", str(config)])
    assert "09:00 Asia/Tokyo" in done.output and "09:00:01      3  it is 9:00" in done.output
