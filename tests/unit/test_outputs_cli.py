"""`broadcaster outputs …` for a room that is off the air: it begins with what was changed, and no key is shown."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

from broadcaster.cli.app import app
from broadcaster.config import load
from broadcaster.lockfile import locked
from pipeline.errors import BroadcasterError

KEY = "sk_live_77aa"


class Room:
    def __init__(self, directory: Path) -> None:
        self.path = directory / "room.yaml"
        self.state_dir = directory / "var"
        outputs = [{"name": "main", "url": "rtmp://h/live/one"}]
        self.path.write_text(yaml.safe_dump({"room": "shop", "state_dir": str(self.state_dir), "outputs": outputs}))

    def run(self, *arguments: str, typed: str = "") -> Result:
        return CliRunner().invoke(app, ["outputs", *arguments, "--config", str(self.path)], input=typed)

    def urls(self) -> dict[str, str]:
        return {output.name: output.url.get_secret_value() for output in load(self.path).outputs}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_it_begins_with_what_was_changed_and_the_file_is_left_alone(room: Room) -> None:
    filed = room.path.read_text()
    room.path.chmod(0o400)
    done = room.run(
        "add", "second", "--set", "session_hours=8", "--backup", typed=f"rtmp://h/live/{KEY}\nrtmp://i/live/2\n"
    )
    assert done.exit_code == 0 and "the room is off air: it begins with this" in done.output and KEY not in done.output
    assert room.run("refresh-url", "main", typed="rtmp://h/live/new\n").exit_code == 0
    assert room.urls() == {"main": "rtmp://h/live/new", "second": f"rtmp://h/live/{KEY}"}
    assert load(room.path).outputs[1].session_hours == 8
    listed = room.run("list").output
    assert "main             rtmp://h  (another URL, on air)" in listed and KEY not in listed
    assert room.run("remove", "main").exit_code == 0 and list(room.urls()) == ["second"]
    assert "`broadcaster outputs restore main` brings it back" in room.run("list").output
    assert room.run("restore", "--all").exit_code == 0
    assert room.urls() == {"main": "rtmp://h/live/one"} and room.path.read_text() == filed


@pytest.mark.parametrize(
    ("arguments", "typed", "words"),
    [
        (("add", "second", "rtmp://h/live/secret"), "", "can be read by every user"),
        (("add", "second"), "", "the URL is missing"),
        (("add", "second", "--backup"), "rtmp://h/live/2\n", "the backup URL is missing"),
        (("add", "second", "--set", "url=rtmp://h/live/2"), "", "URLs come on standard input"),
        (("add", "second", "--set", "keep_days"), "rtmp://h/live/2\n", "write KEY=VALUE"),
        (("add", "second", "--set", "keep_dais=3"), "rtmp://h/live/2\n", "did you mean 'keep_days'?"),
        (("restore",), "", "say which"),
        (("remove", "mian"), "", "choose from main"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_would_be_right(
    room: Room, arguments: tuple[str, ...], typed: str, words: str
) -> None:
    done = room.run(*arguments, typed=typed)
    assert isinstance(done.exception, BroadcasterError) and words in str(done.exception)
    assert "secret" not in str(done.exception) and room.urls() == {"main": "rtmp://h/live/one"}


def test_a_reference_may_be_an_argument(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECOND_URL", f"rtmp://h/live/{KEY}")
    assert room.run("add", "second", "${SECOND_URL}").exit_code == 0
    assert room.urls()["second"].endswith(KEY) and KEY not in (room.state_dir / "outputs.json").read_text()


def test_a_room_that_somebody_else_holds_is_left_alone(room: Room) -> None:
    room.state_dir.mkdir()
    with locked(room.state_dir / "lock", "taken"):
        done = room.run("remove", "main")
    assert "another broadcaster is on air" in str(done.exception)


def test_a_room_that_was_killed_counts_as_off_air(room: Room) -> None:
    room.state_dir.mkdir()
    (room.state_dir / "run.json").write_text(json.dumps({"pid": os.getpid(), "runtime_dir": str(room.state_dir)}))
    assert "it begins with this" in room.run("remove", "main").output
