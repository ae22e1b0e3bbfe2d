"""The shipped unit: systemd reads it, shuts off what a room does not need, and restarts a room that hangs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import yaml

from broadcaster import units
from pipeline.errors import ConfigError
from tests import systemd_user
from tests.conftest import lack, need
from tests.recording import inspect

ANALYZE = "systemd-analyze"


def rooms(tmp_path: Path, **config: object) -> Path:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({"room": "shop", **config}))
    return path


def installed(tmp_path: Path, config: Path, gpu: bool) -> Path:
    """The unit with its drop-ins, below a directory; returns the one of the units."""
    plan = units.plan("shop", config, units.this_program(), gpu=gpu)
    units.write(plan, tmp_path / "root")
    return tmp_path / "root/etc/systemd/system"


def whole(directory: Path) -> str:
    """A unit with its drop-ins as one text, as systemd reads them."""
    parts = [directory / "broadcaster@.service", *sorted((directory / "broadcaster@shop.service.d").iterdir())]
    return "\n".join(part.read_text() for part in parts)


@pytest.mark.parametrize(("gpu", "most"), [(False, 2.0), (True, 2.5)])
def test_systemd_has_nothing_to_say_about_the_unit_and_little_is_exposed(
    tmp_path: Path, gpu: bool, most: float
) -> None:
    analyze = need(ANALYZE)
    units_dir = installed(tmp_path, rooms(tmp_path), gpu)
    unit = tmp_path / "broadcaster@shop.service"
    unit.write_text(whole(units_dir))
    verified = subprocess.run([analyze, "verify", str(unit)], capture_output=True, text=True)
    assert verified.stderr == "" and verified.returncode == 0
    judged = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={round(most * 10)}", str(unit)],
        capture_output=True,
        text=True,
    )
    assert judged.returncode == 0, judged.stdout[-200:]


def test_what_a_room_names_is_in_its_drop_in(tmp_path: Path) -> None:
    outputs = [
        {"name": "live", "url": "rtmp://a.example/app/${LIVE_KEY}"},
        {"name": "rec", "url": "file:/srv/rec/shop.mp4"},
        {"name": "web", "url": "hls:/srv/web"},
    ]
    config = rooms(tmp_path, outputs=outputs, state_dir="/home/shop/state")
    plan = units.plan("shop", config, units.this_program())
    text = next(file.text for file in plan.files if file.path.name == "room.conf")
    assert f"LoadCredential=LIVE_KEY:{tmp_path}/shop.keys/LIVE_KEY\n" in text
    assert "ReadWritePaths=-/srv/rec\n" in text and "ReadWritePaths=-/srv/web\n" in text
    assert "BindPaths=-/home/shop/state\n" in text, "homes are hidden from the unit: it is let through"
    assert plan.missing == [tmp_path / "shop.keys" / "LIVE_KEY"]
    assert not any(file.path.name == "gpu.conf" for file in plan.files), "the portrait engine needs no card"


def test_installing_again_changes_nothing_and_a_new_output_its_drop_in_alone(tmp_path: Path) -> None:
    config = rooms(tmp_path)
    plan = units.plan("shop", config, units.this_program())
    assert len(units.write(plan, tmp_path / "root")) == len(plan.files)
    assert units.write(plan, tmp_path / "root") == []
    config = rooms(tmp_path, outputs=[{"name": "rec", "url": "file:/srv/rec.mp4"}])
    changed = units.write(units.plan("shop", config, units.this_program()), tmp_path / "root")
    assert [path.name for path in changed] == ["room.conf"]


@pytest.mark.parametrize(
    ("room", "tree", "says"),
    [
        ("a b", {"room": "a b"}, "a unit's name takes"),
        ("shop", {"room": "other"}, "its room is 'other', not 'shop'"),
        ("shop", {"room": "shop", "outptus": []}, "did you mean 'outputs'"),
    ],
)
def test_a_room_that_cannot_be_a_unit_is_refused(tmp_path: Path, room: str, tree: dict[str, object], says: str) -> None:
    path = tmp_path / "room.yaml"
    path.write_text(yaml.safe_dump(tree))
    with pytest.raises(ConfigError, match=says):
        units.plan(room, path, units.this_program())


@pytest.mark.timeout(180)
def test_a_room_that_hangs_is_restarted_by_systemd_and_a_stop_ends_it_in_order(short_dir: Path) -> None:
    need("systemd")
    if reason := systemd_user.why_not():
        lack(reason)
    home = short_dir / "home"
    config = home / ".config/broadcaster/shop.yaml"
    config.parent.mkdir(parents=True)
    tree = {
        "room": "shop",
        "state_dir": str(short_dir / "state"),
        "avatar": {"size": [224, 384]},
        "voice": {"chain": ["espeak"], "name": "en", "rate": 2.0},
        "script": {"file": str(short_dir / "script.md")},
        "control": {"listen": "127.0.0.1:0"},
        "outputs": [{"name": "rec", "url": f"file:{short_dir}/rec.mp4"}],
    }
    config.write_text(yaml.safe_dump(tree))
    (short_dir / "script.md").write_text("Good evening and welcome. We are on air.\n")
    seen = json.loads(systemd_user.run_beside("tests.systemd_scenario", home, 150).splitlines()[-1])
    assert "in place" in seen["install"], seen["install"]
    assert seen["ready_s"] < 15, "ready with its first frame"
    assert seen["pids"][0] != seen["pids"][1] and seen["again_s"] < 3 * (3 + 3)
    assert seen["reload"] == ""
    assert seen["aired"] >= 2, "voice, queue and engine work with all that the unit shuts off"
    assert seen["stopped"]["Result"] == "success", "its children ended before it, in order"
    lives = [inspect(path, pictures=False) for path in sorted(short_dir.glob("rec*.mp4"))]
    assert len(lives) == 2, "the hung one's recording can be read, and the next one's"
    assert all(life.decode_errors == 0 and life.frames > 0 for life in lives)
