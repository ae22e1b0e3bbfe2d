"""The configuration read again: what changes on air, what needs a restart, and what refuses."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml

from broadcaster import child, children, outputs_kept, reload
from broadcaster.config import load
from broadcaster.reader import READ_WITHIN_S, Reloader
from broadcaster.reload import Outcome, Question, changes, in_force
from pipeline.wire import ChangeOutput
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
        self.in_force = in_force(load(self.path), self.tree["outputs"])

    def write(self, **changes: Any) -> None:
        self.path.write_text(yaml.safe_dump(self.tree | changes))

    def change(self, what: str, name: str, **given: Any) -> Outcome:
        """Change an output of what is in force."""
        return self.take(reload.answer(self.path, self.directory, self.question(ChangeOutput(what, name, given))))

    def question(self, change: ChangeOutput) -> Question:
        return Question("me", self.in_force, change)

    def take(self, found: Outcome) -> Outcome:
        self.in_force = found.in_force or self.in_force
        return found

    def sections(self, found: Outcome | None = None) -> set[tuple[str, Any]]:
        """Each pusher's name and what it is told."""
        plans = found.plans if found else children.plan(load(self.path), self.directory, "me")
        return {(plan.name, tuple(plan.spec.items())) for plan in plans if plan.kind == "pusher"}

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


def test_alarms_are_taken_up_by_another_monitor_and_their_addresses_never_shown(room: Room) -> None:
    room.write(alarms={"webhook": f"https://chat.example/{KEY}", "playback": {"main": f"https://cdn/{KEY}"}})
    found = room.read_again()
    assert found.applied == ["alarms.playback.main", "alarms.webhook"] and found.need_restart == []
    (monitor,) = [plan for plan in found.plans if plan.kind == "monitor"]
    assert monitor.renewable and monitor.spec["webhook"].endswith(KEY) and KEY not in str(found.lines())


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
    found = reloader.outcome(now_s=READ_WITHIN_S + 1)
    assert found is not None and "without an outcome" in found.reasons[0] and not reloader.is_running


def test_one_output_is_changed_and_nothing_else_is_looked_at(room: Room) -> None:
    room.path.write_text("half edi")
    found = room.change("url", "main", url="rtmp://h/live/new")
    assert (found.applied, found.only, found.reasons) == (["outputs.main.url"], ["pusher-main", "monitor"], [])
    assert outputs_kept.load(room.directory / "var")["main"].what == "url"
    assert found.in_force is not None and found.in_force.filed == room.in_force.filed
    found = room.change("add", "archive", url=f"file:{room.directory}/a.mp4", keep_days=3)
    assert (found.applied, found.only) == (["outputs.archive"], ["pusher-archive", "monitor"])
    assert [plan.spec["url"] for plan in found.plans if plan.kind == "pusher"][:1] == ["rtmp://h/live/new"]
    assert room.change("restore", "").only == ["pusher-archive", "pusher-main", "monitor"]
    assert not (room.directory / "var" / outputs_kept.FILE).exists()


def test_an_output_that_comes_or_goes_leaves_the_sections_of_all_other_pushers_as_they_are(room: Room) -> None:
    """Else they would reconnect."""
    many = [{"name": f"o{number}", "url": f"rtmp://h/live/{number}", "session_hours": 8} for number in range(5)]
    room.write(outputs=many)
    room.in_force = in_force(load(room.path), many)
    before = room.sections()
    assert room.sections(room.change("remove", "o1")) == before - {one for one in before if one[0] == "pusher-o1"}
    more = room.sections(room.change("add", "more", url="rtmp://h/live/9"))
    assert {one for one in more if one[0] != "pusher-more"} >= {one for one in before if one[0] != "pusher-o1"}


@pytest.mark.parametrize(
    ("what", "given", "words"),
    [
        ("add", {"url": "http://h/x"}, "output more: url: scheme 'http': use one of rtmp"),
        (
            "add",
            {"url": "rtmp://h/live/2", "keep_day": 3},
            "output more: keep_day: unknown key; did you mean 'keep_days'?",
        ),
        ("add", {"url": "file:/proc/nowhere/a.mp4"}, "outputs.more.url: /proc/nowhere cannot be written"),
        ("add", {"url": "${NOT_SET_ANYWHERE}"}, "${NOT_SET_ANYWHERE} is set neither"),
        ("remove", {}, "there is no output more; choose from main"),
    ],
)
def test_a_change_that_cannot_go_on_air_is_refused_and_not_kept(
    room: Room, what: str, given: dict[str, Any], words: str
) -> None:
    found = room.change(what, "more", **given)
    assert words in found.reasons[0] and found.plans == []
    assert not (room.directory / "var" / outputs_kept.FILE).exists()


def test_the_output_that_counts_as_aired_cannot_be_taken_away(room: Room) -> None:
    room.write(ack="main")
    room.in_force = in_force(load(room.path), room.tree["outputs"])
    found = room.change("remove", "main")
    assert "ack: 'main' is neither any, all nor an output" in found.reasons[0]


def test_a_change_that_the_disk_refuses_is_made_and_said_to_be_lost_at_the_next_start(room: Room) -> None:
    (room.directory / "var").mkdir()
    (room.directory / "var" / f"{outputs_kept.FILE}.part").mkdir()
    found = room.change("url", "main", url="rtmp://h/live/new")
    assert found.applied == ["outputs.main.url"] and "the next start knows nothing of it" in found.lines()[1]


def test_a_reload_keeps_what_was_changed_on_air_until_the_file_says_something_else(room: Room) -> None:
    room.change("url", "main", url="rtmp://h/live/new")
    room.write(outputs=[*room.tree["outputs"], {"name": "second", "url": "rtmp://h/live/2"}])
    found = room.take(room.read_again())
    assert found.applied == ["outputs.second"] and found.notes == []
    room.write(outputs=[{"name": "main", "url": "rtmp://h/live/filed"}])
    found = room.take(room.read_again())
    assert found.applied == ["outputs.main.url", "outputs.second"]
    assert "the file says something else now" in found.notes[0]
    assert not (room.directory / "var" / outputs_kept.FILE).exists()
    assert room.read_again().lines() == ["nothing changed"]


def test_a_message_with_a_url_does_not_show_it_in_an_outcome(room: Room) -> None:
    assert KEY not in repr(room.in_force)
    found = room.change("add", "more", url=f"rtmp://h/{KEY}")
    assert found.reasons and KEY not in str(found.reasons)


def test_an_upgrade_is_tried_with_the_new_code_before_anything_is_touched(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question("me", room.in_force, rehearse=True)
    assert reload.answer(room.path, room.directory, question).reasons == []
    monkeypatch.setitem(child.KINDS, "director", "broadcaster.nowhere:Spec")
    reasons = reload.answer(room.path, room.directory, question).reasons
    assert reasons == [
        "director: the new code does not start: ModuleNotFoundError: No module named 'broadcaster.nowhere'"
    ]
    monkeypatch.setitem(child.KINDS, "director", "pipeline.wire:PusherHello")
    assert "ValidationError" in reload.answer(room.path, room.directory, question).reasons[0]


def test_an_upgrade_does_not_take_up_an_edited_file_by_the_way(room: Room) -> None:
    room.write(voice={"name": "zh"})
    found = reload.answer(room.path, room.directory, Question("me", room.in_force, rehearse=True))
    assert found.reasons == ["the file was edited (voice.name): `broadcaster reload` first"]


def test_a_key_that_only_the_new_code_knows_is_no_change(room: Room) -> None:
    tree = dict(room.in_force.tree)
    del tree["encoder"], tree["preview"]
    tree["outputs"] = [{key: value for key, value in one.items() if key != "segment_s"} for one in tree["outputs"]]
    room.in_force = msgspec.structs.replace(room.in_force, tree=tree)
    assert room.read_again().lines() == ["nothing changed"]


def test_the_reader_stays_for_the_next_question_and_another_takes_over_when_it_left(room: Room) -> None:
    reloader = Reloader(room.path, room.directory, "me", room.in_force)
    same = ChangeOutput("restore", "")
    reader = [outcome_of(reloader, same) and reloader.reader_pid for _ in range(2)]
    assert reader[0] == reader[1] is not None
    os.kill(reader[0], signal.SIGKILL)
    assert outcome_of(reloader, same).lines() == ["nothing changed"] and reloader.reader_pid != reader[0]
    reloader.close()
    assert reloader.reader_pid is None


def test_changes_are_dotted_keys_and_lists_are_values() -> None:
    assert changes({"a": {"b": [1, 2], "c": 1}}, {"a": {"b": [2, 1], "c": 1}, "d": None, "e": 0}) == ["a.b", "e"]


def outcome_of(reloader: Reloader, change: ChangeOutput | None = None) -> Outcome:
    found: list[Outcome] = []
    reloader.start(0.0, change)
    until(lambda: [found.append(one) for one in [reloader.outcome(0.0)] if one is not None], 30)
    return found[0]
