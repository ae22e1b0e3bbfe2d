"""Alarms over simulated hours: what is raised when, what is cleared when, and which child is started anew for it."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from broadcaster.monitor.acts import APART_S, NEXT_S, PATIENCE_MAX_S, PATIENCE_S, REARM_S, REMEDIES, Acts
from broadcaster.monitor.alarms import RULES, Alarm, Judge, changes
from broadcaster.monitor.symptoms import Found, Ought, symptoms

RUNBOOK = Path(__file__).parents[2] / "docs" / "runbook.md"
KBPS = 3128.0
WALL_S = 1_700_000_000.0
HOUR_S = 3600


def child(kind: str, phase: str, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "phase": phase, "pid": 1, "starts": 1, "beat_age_s": 0.3, "facts": facts}


HEALTHY: dict[str, Any] = {
    "ready": True,
    "panic": False,
    "tier": {"on_air": "portrait", "wanted": "portrait", "lowered": False},
    "children": {
        "director": child("director", "ready", redis="up", due=True, on_air="a", voices={"edge": "well"}),
        "engine-portrait": child("engine", "ready"),
        "playout": child("playout", "ready", source="live", engine="portrait", speaking="a"),
        "pusher-main": child("pusher", "live"),
        "pusher-archive": child("pusher", "live"),
        "pusher-preview": child("pusher", "idle"),
        "probe": child(
            "probe", "live", frames=9, freeze_s=0.0, black_s=0.0, silence_s=0.4, av_offset_ms=3, kbps=3120, label=True
        ),
        "monitor": child("monitor", "ready"),
        "redis": {"kind": "redis", "phase": "running", "pid": 2, "starts": 1, "beat_age_s": 9999.0},
    },
}


class Room:
    """A status that is judged each second. `probe` counts on while what it measures holds."""

    def __init__(self) -> None:
        self.status = copy.deepcopy(HEALTHY)
        self.judge, self.acts = Judge(), Acts()
        self.now_s = 0
        self.news: list[tuple[int, str, str, bool]] = []
        self.done: list[tuple[int, str]] = []
        self.more: Found = {}
        self.holds: dict[str, float] = {}  #: of the probe: since when

    def facts(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.status["children"][name]["facts"]
        return found

    def run(self, seconds: int, each: Callable[[], None] = lambda: None) -> None:
        for _ in range(seconds):
            self.now_s += 1
            each()
            for what, since_s in self.holds.items():
                self.facts("probe")[what] = self.now_s - since_s
            found = symptoms(self.status, Ought(KBPS)) | self.more
            for one in self.judge.look(self.now_s, WALL_S + self.now_s, found):
                self.news.append((self.now_s, one.alarm.name, one.alarm.of, one.raised))
            act = self.acts.due(self.now_s, self.judge.standing, self.status)
            if act is not None:
                self.done.append((self.now_s, act.child))

    def hold(self, what: str) -> None:
        self.holds[what] = self.now_s

    def release(self, what: str) -> None:
        del self.holds[what]
        self.facts("probe")[what] = 0.0

    def raised(self) -> list[tuple[int, str]]:
        return [(at_s, name) for at_s, name, _, raised in self.news if raised]


@pytest.fixture
def room() -> Room:
    return Room()


def test_eight_hours_without_a_fault_raises_nothing(room: Room) -> None:
    room.run(8 * HOUR_S)
    assert room.news == [] and room.done == []


FAULTS: list[tuple[str, Callable[[Room], None], Callable[[Room], None], tuple[int, int], str]] = [
    # alarm, how it begins, how it ends, raised within (seconds), what is started anew
    ("frozen", lambda r: r.hold("freeze_s"), lambda r: r.release("freeze_s"), (10, 11), "engine-portrait"),
    ("black", lambda r: r.hold("black_s"), lambda r: r.release("black_s"), (3, 4), "playout"),
    ("silent", lambda r: r.hold("silence_s"), lambda r: r.release("silence_s"), (15, 16), "director"),
    (
        "av_offset",
        lambda r: r.facts("probe").update(av_offset_ms=-120.0),
        lambda r: r.facts("probe").update(av_offset_ms=1.0),
        (10, 12),
        "playout",
    ),
    (
        "bitrate_low",
        lambda r: r.facts("probe").update(kbps=900),
        lambda r: r.facts("probe").update(kbps=3100),
        (15, 17),
        "",
    ),
    (
        "label_missing",
        lambda r: r.facts("probe").update(label=False),
        lambda r: r.facts("probe").update(label=True),
        (3, 5),
        "playout",
    ),
    (
        "output_down",
        lambda r: r.status["children"]["pusher-main"].update(phase="backing-off"),
        lambda r: r.status["children"]["pusher-main"].update(phase="live"),
        (60, 62),
        "",
    ),
    (
        "redis_down",
        lambda r: r.facts("director").update(redis="down"),
        lambda r: r.facts("director").update(redis="up"),
        (5, 7),
        "",
    ),
    (
        "voices_down",
        lambda r: r.facts("director").update(voices={"edge": "resting", "espeak": "resting"}),
        lambda r: r.facts("director").update(voices={"edge": "resting", "espeak": "well"}),
        (5, 7),
        "",
    ),
    (
        "tier_lowered",
        lambda r: r.status["tier"].update(on_air="pattern", lowered=True, why="slow"),
        lambda r: r.status["tier"].update(on_air="portrait", lowered=False),
        (10, 12),
        "",
    ),
    (
        "child_braked",
        lambda r: r.status["children"]["pusher-archive"].update(braked=True),
        lambda r: r.status["children"]["pusher-archive"].update(braked=False),
        (0, 1),
        "",
    ),
    (
        "off_air_far_end",
        lambda r: r.more.update({("off_air_far_end", "main"): "main is sent, but not shown"}),
        lambda r: r.more.update({("off_air_far_end", "main"): ""}),
        (0, 1),
        "pusher-main",
    ),
    ("disk_low", lambda r: r.more.update({("disk_low", "var"): "0.5 GB"}), lambda r: r.more.clear(), (10, 12), ""),
    (
        "gpu_throttled",
        lambda r: r.more.update({("gpu_throttled", "gpu 0"): "hot"}),
        lambda r: r.more.update({("gpu_throttled", "gpu 0"): ""}),
        (30, 32),
        "",
    ),
    ("gpu_fault", lambda r: r.more.update({("gpu_fault", "0"): "Xid"}), lambda r: r.more.clear(), (0, 1), ""),
]


@pytest.mark.parametrize(("name", "begin", "end", "within", "anew"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_a_fault_is_raised_in_time_acted_upon_once_and_cleared(
    room: Room,
    name: str,
    begin: Callable[[Room], None],
    end: Callable[[Room], None],
    within: tuple[int, int],
    anew: str,
) -> None:
    room.run(900)
    begin(room)
    room.run(within[0] - 1)
    assert room.news == [], "too early"
    room.run(within[1] - within[0] + 1)
    assert [found[1] for found in room.raised()] == [name]
    assert [found[1] for found in room.done] == ([anew] if anew else [])
    end(room)
    room.run(61)
    assert room.judge.standing == [] and len(room.news) == 2
    room.run(900)
    assert len(room.news) == 2 and len(room.done) == bool(anew)


def test_a_fault_shorter_than_its_rule_says_nothing_however_often_it_comes(room: Room) -> None:
    for _ in range(200):
        room.hold("freeze_s")
        room.run(9)
        room.release("freeze_s")
        room.status["children"]["pusher-main"]["phase"] = "backing-off"
        room.run(50)
        room.status["children"]["pusher-main"]["phase"] = "live"
        room.run(5)
    assert room.news == [] and room.done == []


def test_an_alarm_that_flickers_stands_all_the_while(room: Room) -> None:
    room.facts("probe")["label"] = False
    room.run(10)

    def flicker() -> None:
        room.facts("probe")["label"] = room.now_s % 3 == 0

    room.run(HOUR_S, flicker)
    assert len(room.news) == 1


def test_the_pause_that_an_upgrade_makes_is_no_silence(room: Room) -> None:
    room.status |= {"upgrade": "engine-portrait", "hush": True}
    room.hold("silence_s")
    room.run(120)
    assert room.news == []


@pytest.mark.parametrize("what", ["freeze_s", "black_s", "silence_s"])
@pytest.mark.parametrize("on_purpose", ["panic", "slate"])
def test_what_stands_still_or_is_dark_on_purpose_is_no_alarm_until_the_programme_is_back(
    room: Room, what: str, on_purpose: str
) -> None:
    if on_purpose == "panic":
        room.status["panic"] = True
    room.facts("playout")["source"] = "slate"
    room.hold(what)
    room.run(2 * HOUR_S)
    room.status["panic"] = False
    room.facts("playout")["source"] = "live"
    room.run(1)  # what the probe measures still counts from the slate
    room.release(what)
    room.run(60)
    assert room.news == []


def test_silence_is_no_alarm_while_nothing_is_to_be_said(room: Room) -> None:
    room.facts("playout")["speaking"] = ""
    room.facts("director").update(due=False, on_air="")
    room.hold("silence_s")
    room.run(3 * HOUR_S)
    assert room.news == []
    room.facts("director")["due"] = True
    room.run(9)
    assert room.news == []
    room.run(3)
    assert room.raised()[0][1] == "silent"


def test_without_any_voice_the_director_is_left_alone(room: Room) -> None:
    room.facts("director")["voices"] = {"edge": "resting"}
    room.hold("silence_s")
    room.run(HOUR_S)
    assert {name for _, name in room.raised()} == {"voices_down", "silent"} and room.done == []


def test_a_remedy_that_does_not_help_is_followed_by_the_next_and_then_by_none(room: Room) -> None:
    room.hold("freeze_s")
    room.run(3 * HOUR_S)
    (first_s, first), (second_s, second) = room.done
    assert (first, second) == ("engine-portrait", "playout") and NEXT_S <= second_s - first_s <= NEXT_S + 2
    assert len(room.raised()) == 1


def test_a_fault_that_comes_back_at_once_has_no_second_remedy_before_it_was_away_for_long(room: Room) -> None:
    for _ in range(5):
        room.hold("black_s")
        room.run(20)
        room.release("black_s")
        room.run(60)
    assert [name for _, name in room.done] == ["playout", "engine-portrait"]
    room.run(int(REARM_S))
    room.hold("black_s")
    room.run(20)
    assert [name for _, name in room.done] == ["playout", "engine-portrait", "playout"]


def test_two_alarms_at_once_have_one_child_at_a_time_started_anew(room: Room) -> None:
    room.hold("black_s")
    room.hold("silence_s")
    room.hold("freeze_s")
    room.run(100)
    times = [at_s for at_s, _ in room.done]
    assert len(times) >= 3 and all(later - earlier >= APART_S for earlier, later in itertools.pairwise(times))


def test_a_child_that_is_on_its_way_already_is_not_started_anew(room: Room) -> None:
    room.status["children"]["engine-portrait"]["phase"] = "loading"
    room.hold("freeze_s")
    room.run(120)
    assert [name for _, name in room.raised()] == ["frozen"] and room.done == []
    room.status["children"]["engine-portrait"]["phase"] = "ready"
    room.run(2)
    assert [name for _, name in room.done] == ["engine-portrait"]


def test_during_an_upgrade_nothing_else_is_started_anew(room: Room) -> None:
    room.status["upgrade"] = "engine"
    room.hold("freeze_s")
    room.run(60)
    assert [name for _, name in room.raised()] == ["frozen"] and room.done == []
    del room.status["upgrade"]
    room.run(1)
    assert [name for _, name in room.done] == ["engine-portrait"]


def test_a_probe_that_is_away_neither_raises_nor_clears(room: Room) -> None:
    room.hold("freeze_s")
    room.run(20)
    room.status["children"]["probe"]["beat_age_s"] = 30.0
    room.hold("black_s")
    room.run(HOUR_S)
    assert [name for _, name in room.raised()] == ["frozen"] and len(room.news) == 1
    del room.status["children"]["probe"]["facts"]
    room.holds.clear()
    room.run(60)
    assert len(room.news) == 1


def test_a_room_without_a_probe_is_judged_by_all_else(room: Room) -> None:
    del room.status["children"]["probe"]
    room.facts("director")["redis"] = "down"
    room.run(HOUR_S)
    assert [name for _, name in room.raised()] == ["redis_down"]


def test_an_output_that_another_machine_pushes_is_not_down(room: Room) -> None:
    room.status["children"]["pusher-main"]["phase"] = "held"
    room.run(HOUR_S)
    assert room.news == []


def test_an_output_that_was_removed_is_not_down_any_more(room: Room) -> None:
    room.status["children"]["pusher-main"]["phase"] = "connecting"
    room.run(100)
    del room.status["children"]["pusher-main"]
    room.run(1)
    assert [news[1:] for news in room.news] == [("output_down", "main", True), ("output_down", "main", False)]


@pytest.mark.parametrize(
    ("alarm", "of", "anew"),
    [("memory_growing", "director", "director"), ("gpu_memory_growing", "gpu 0", "engine-portrait")],
)
def test_what_leaks_is_started_anew_at_a_quiet_moment(room: Room, alarm: str, of: str, anew: str) -> None:
    room.more[alarm, of] = "it grew"
    room.run(int(PATIENCE_S) - 10)
    assert [name for _, name in room.raised()] == [alarm] and room.done == []
    room.facts("playout")["speaking"] = ""
    room.facts("director").update(due=False, on_air="")
    room.run(1)
    assert room.done == [], "a pause between two words is no quiet moment"
    room.run(5)
    assert [name for _, name in room.done] == [anew]


def test_in_a_room_that_never_is_quiet_a_pause_between_sentences_must_do_in_the_end(room: Room) -> None:
    room.more["memory_growing", "playout"] = "it grew"

    def talk() -> None:
        room.facts("playout")["speaking"] = "" if room.now_s % 7 == 0 else "a"

    room.run(int(PATIENCE_S) + 10, talk)
    assert [name for _, name in room.done] == ["playout"] and room.done[0][0] % 7 == 0


def test_in_a_room_without_pauses_it_is_done_after_two_hours(room: Room) -> None:
    room.more["memory_growing", "director"] = "it grew"
    room.run(int(PATIENCE_MAX_S))
    assert room.done == []
    room.run(10)
    assert [name for _, name in room.done] == ["director"]


def test_a_queue_that_grows_is_told_of_and_left_alone(room: Room) -> None:
    room.more["memory_growing", "redis"] = "it grew"
    room.run(3 * HOUR_S)
    assert [name for _, name in room.raised()] == ["memory_growing"] and room.done == []


def test_a_new_monitor_goes_on_with_what_stood_and_what_was_tried(room: Room) -> None:
    room.hold("black_s")
    room.run(30)
    kept, tried = room.judge.standing, room.acts.tried
    room.judge, room.acts = Judge(kept), Acts(tried)
    room.run(200)
    assert len(room.raised()) == 1 and [name for _, name in room.done] == ["playout", "engine-portrait"]
    room.release("black_s")
    room.run(10)
    assert room.news[-1][1:] == ("black", "", False)


def test_changes_of_two_lists_are_news() -> None:
    one, two = Alarm("frozen", "", 5.0, "x"), Alarm("output_down", "main", 6.0, "y")
    again = Alarm("frozen", "", 9.0, "z")
    assert changes([one], [one]) == []
    told = [(news.alarm, news.raised) for news in changes([one], [again, two])]
    assert told == [(one, False), (again, True), (two, True)]


def test_every_alarm_has_its_row_in_the_runbook_and_no_other() -> None:
    section = RUNBOOK.read_text(encoding="utf-8").partition("\n## Alarms\n")[2].partition("\n| event |")[0]
    rows = [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(rows) == sorted(RULES) and set(REMEDIES) <= set(RULES)
