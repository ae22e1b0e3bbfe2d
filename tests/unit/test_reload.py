"""The configuration read again: what changes on air, what needs a restart, and what refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from broadcaster import children, reload
from broadcaster.config import load
from broadcaster.reload import Outcome, Question, Reloader, changes, in_force
from tests.station import until

KEY = "sk_live_55cc"
SCRIPT = "# One\n\nHello there.\n"


class Room:
    """A configuration file, and what reading it again finds."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.path = directory / "room.yaml"
        self.script = directory / "script.md"
        self.script.write_text(SCRIPT)
        self.tree: dict[str, Any] = {
            "room": "shop",
            "state_dir": str(directory / "var"),
            "script": {"file": str(self.script)},
            "outputs": [{"name": "main", "url": f"rtmp://h/live/{KEY}"}],
        }
        self.write()
        self.in_force = in_force(load(self.path))

    def write(self, **changes: Any) -> None:
        self.path.write_text(yaml.safe_dump(self.tree | changes))

    def read_again(self) -> Outcome:
        return reload.read_again(self.path, self.directory, Question("me", self.in_force))


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


def test_an_unchanged_file_changes_nothing(room: Room) -> None:
    found = room.read_again()
    assert found.lines() == ["nothing changed"] and found.renew == []
    assert found.plans == children.plan(load(room.path), room.directory, "me")


def test_outputs_and_voice_are_taken_up_and_a_new_size_waits_for_a_restart(room: Room) -> None:
    outputs = [*room.tree["outputs"], {"name": "archive", "url": f"file:{room.directory}/a.mp4"}]
    room.write(outputs=outputs, voice={"name": "zh"}, avatar={"size": [640, 640]}, ack="archive")
    found = room.read_again()
    assert found.applied == ["ack", "outputs.archive", "voice.name"]
    assert found.need_restart == ["avatar.size"]
    plans = {plan.name: plan for plan in found.plans}
    assert "pusher-archive" in plans and plans["director"].spec["voice_name"] == "zh"
    assert plans["playout"].spec["width"] == 448 and plans["playout"].spec["outputs"] == ["main", "archive"]
    assert plans["director"].spec["owner"] == "me"


def test_a_new_key_of_an_output_is_told_by_name_and_never_shown(room: Room) -> None:
    room.write(outputs=[{"name": "main", "url": "rtmp://h/live/other"}])
    found = room.read_again()
    assert found.applied == ["outputs.main.url"] and KEY not in str(found.lines())


def test_a_script_that_was_edited_begins_anew_without_a_changed_key(room: Room) -> None:
    room.script.write_text(SCRIPT + "\nAnd more.\n")
    found = room.read_again()
    assert found.applied == ["the text of script.file"] and found.renew == ["director"]


@pytest.mark.parametrize(
    "change", [{"lable": {}}, {"script": {"file": "/nowhere.md"}}, {"avatar": {"image": "/no.png"}}]
)
def test_a_file_that_cannot_go_on_air_is_refused_with_its_reasons(room: Room, change: dict[str, Any]) -> None:
    room.write(**change)
    found = room.read_again()
    assert len(found.reasons) == 1 and next(iter(change)) in found.reasons[0] and found.plans == []


def test_the_reader_is_a_process_of_its_own_and_remembers_what_is_in_force(room: Room) -> None:
    reloader = Reloader(room.path, room.directory, "me", room.in_force)
    room.write(voice={"name": "zh"})
    assert outcome_of(reloader).applied == ["voice.name"]
    assert outcome_of(reloader).applied == []
    room.path.unlink()
    assert "No such file" in outcome_of(reloader).reasons[0]


def test_a_reader_that_hangs_is_given_up(room: Room) -> None:
    reloader = Reloader(room.path, room.directory, "me", room.in_force)
    reloader.start(now_s=0)
    found = reloader.outcome(now_s=reload.READ_WITHIN_S + 1)
    assert found is not None and "without an outcome" in found.reasons[0] and not reloader.is_running


def test_changes_are_dotted_keys_and_lists_are_values() -> None:
    assert changes({"a": {"b": [1, 2], "c": 1}}, {"a": {"b": [2, 1], "c": 1}, "d": None, "e": 0}) == ["a.b", "e"]


def outcome_of(reloader: Reloader) -> Outcome:
    found: list[Outcome] = []
    reloader.start(0.0)
    until(lambda: [found.append(one) for one in [reloader.outcome(0.0)] if one is not None], 30)
    return found[0]
