"""What the command line says when something is wrong: one clear line, exit status 2."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.terminal import typed

ROOT = Path(__file__).parents[2]


def program(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "broadcaster.cli", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60
    )


@pytest.fixture
def config(tmp_path: Path) -> str:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump({"room": "shop", "state_dir": str(tmp_path / "var")}))
    return str(path)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("say", "x", "--mode", "nwo"), "mode: 'nwo' is none of append, insert, now"),
        (("say", "x", "--lane", "vip"), "lane: 'vip'"),
        (("say", " "), "text: it is empty"),
        (("say", "x", "--ttl", "0"), "ttl_s"),
        (("say", "x"), "room shop is not on air"),
        (("status",), "room shop is not on air"),
    ],
)
def test_what_cannot_be_said_is_refused_before_it_is_pushed(
    config: str, arguments: tuple[str, ...], words: str
) -> None:
    done = typed(*arguments, "--config", config)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_room_must_be_named() -> None:
    done = program("status")
    assert done.returncode == 2 and "--config FILE, or --room NAME with --redis URL" in done.stderr


def test_a_second_demo_touches_nothing_of_the_first(tmp_path: Path) -> None:
    recording = tmp_path / "demo.mp4"
    recording.write_bytes(b"the first one's")
    with (tmp_path / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = program("demo", "--seconds", "5", "--out", str(tmp_path))
    assert done.returncode == 2 and "another demo is on air" in done.stderr
    assert recording.read_bytes() == b"the first one's"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("run",), "Missing argument 'config'"),
        (("say", "x", "--laen", "live"), "No such option: --laen"),
        (("pancake",), "No such command 'pancake'"),
        (("panic", "Back soon", "--off"), "with --off there is none"),
        (("panic", "x" * 121), "up to 120 characters"),
    ],
)
def test_what_is_typed_wrong_is_an_error_like_any_other(arguments: tuple[str, ...], words: str) -> None:
    done = typed(*arguments)
    assert done.returncode == 2 and done.stderr.startswith("error: ") and words in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_orders_to_a_room_that_is_not_on_air_are_refused(config: str) -> None:
    for order in ("panic", "reload"):
        done = typed(order, "--config", config)
        assert done.returncode == 2 and "room shop is not on air" in done.stderr


def test_a_check_names_the_key_of_every_file_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    tree = {
        "room": "shop",
        "state_dir": "/proc/no/var",
        "avatar": {"image": "/no/host.png"},
        "script": {"file": "/no/shop.md"},
        "outputs": [{"name": "archive", "url": "file:/proc/no/a.mp4"}],
    }
    path.write_text(yaml.safe_dump(tree))
    done = typed("config", "check", str(path))
    assert done.returncode == 2
    for key in ("avatar.image", "script.file", "state_dir", "outputs.archive.url"):
        assert f"{path}: {key}: " in done.stderr
