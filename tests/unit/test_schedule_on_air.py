"""Programmes as viewers hear them: to the second, once, line after line, over deaths of the director."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from broadcaster.continuity import Continuity
from broadcaster.events import Event
from broadcaster.rundown import Rundown
from broadcaster.schedule import record
from broadcaster.schedule.jobs import Run
from broadcaster.schedule.planner import Planner
from broadcaster.schedule.timetable import ENDED, SKIPPED, STARTED
from broadcaster.script.load import load
from broadcaster.script.model import Script
from broadcaster.script.place import Place
from broadcaster.script.reading import Reading
from broadcaster.show import Show
from broadcaster.supply import Supply
from broadcaster.timeline import Timeline
from broadcaster.utterance import Lane, Utterance
from pipeline.clock import FakeClock
from pipeline.media import AIR_HZ
from pipeline.wire import ChangeSchedule
from tests.unit import test_show as room_of
from tests.unit.test_show import HOP, Room, split, utterance

ZONE = ZoneInfo("Europe/Berlin")
EIGHT_S = datetime(2026, 6, 10, 20, tzinfo=ZONE).timestamp()
SCRIPT = "# Shop\n\nOne. Two. Three.\n\nFour. Five.\n\nSix.\n"
PROGRAMME = "# Evening\n\nGood evening. Welcome.\n\nSecond line. Third sentence.\n\nLast line.\n"
WORDS = ["0:00", "0:01", "0:10", "0:11", "0:20"]  # sentences of it, as lap, line and sentence


class Planned(room_of.Director):
    """A director with a schedule."""

    def __init__(self, room: Station, saved: Continuity) -> None:
        self.room = room
        reading = Reading(room.script, split, True, saved.place) if room.script else None
        self.show = Show(Rundown(), reading, saved, room.clock, self._emit, room.settling.__contains__)
        self.supply = Supply(self.show, Timeline(2_400, 4_800), room.clock, saved.timeline)
        self.show.cut, self.show.speech_of = self._cut, self._speech_of
        self.show.forget = lambda identity: None
        self.planner = Planner(
            self.show,
            room.state_dir,
            room.jobs,
            "Europe/Berlin",
            room.clock,
            load,
            room.fetch,
            programme,
            room.happened,
        )
        self.planner.open(saved.on_air)
        for report in room.journal[saved.seen :]:
            self.show.report(report, replayed=True)
            self.supply.catch_up(report.timeline, has_notes=bool(saved.seen))
        self.read = len(room.journal)
        self.show.after_replay()
        self.show.top_up()
        self.planner.tick()
        for entry in list(room.pending.values()):
            self.show.accept(entry)
        self.show.opened = True
        self.show.left_behind_is_read()
        self.save()

    def save(self) -> None:
        self.planner.keep()
        super().save()


def programme(run: Run, script: Script, place: Place) -> Reading:
    return Reading(script, split, False, place, prefix=run.prefix, lane=Lane.SCHEDULED)


class Station(Room):
    def __init__(
        self, tmp_path: Path, jobs: list[dict[str, Any]], text: str = "", begin_s: float = EIGHT_S - 80
    ) -> None:
        self.state_dir = tmp_path
        self.jobs = jobs
        self.file = tmp_path / "evening.md"
        self.file.write_text(PROGRAMME, encoding="utf-8")
        for job in jobs:
            if job.get("script") == "evening.md":
                job["script"] = str(self.file)
        self.schedule: list[Event] = []
        self.clock = FakeClock(wall_s=begin_s)
        keep = self.clock
        room_of.FakeClock, kept = (lambda: keep), room_of.FakeClock  # type: ignore[assignment,misc]
        try:
            super().__init__(text, samples=3 * AIR_HZ)
        finally:
            room_of.FakeClock = kept  # type: ignore[misc]

    def fetch(self, run: str, path: Path) -> Script | None:
        return load(path)

    def happened(self, event: Event) -> None:
        self.schedule.append(event)

    @property
    def planner(self) -> Planner:
        assert isinstance(self.director, Planned)
        return self.director.planner

    def step(self) -> None:
        """A hop of air."""
        if not self.buffer:
            self.render()
        self.air()
        self.clock.advance(HOP / AIR_HZ)
        self.director.read_reports()
        self.planner.tick()
        self.director.show.tick()

    def on_air(self, seconds: float) -> None:
        for _ in range(round(seconds * AIR_HZ / HOP)):
            self.step()

    def first_word_s(self) -> float:
        return next(r.wall_s for r in self.journal if r.what == "sentence" and r.utterance.startswith("schedule:"))

    def programme(self) -> list[str]:
        """Sentences of programmes that were heard."""
        return [f"{name.split(':', 3)[3]}{index}" for name, index in self.heard if name.startswith("schedule:")]

    def happenings(self, name: str) -> list[str]:
        return [str(event.facts["job"]) for event in self.schedule if event.name == name]


@pytest.fixture(autouse=True)
def planned_directors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room_of, "Director", Planned)


def evening(**more: object) -> dict[str, Any]:
    return {"name": "evening", "script": "evening.md", "cron": "0 20 * * *", **more}


def test_the_first_word_of_a_programme_is_on_air_at_its_second(tmp_path: Path) -> None:
    for offset in range(0, 40, 7):
        (tmp_path / str(offset)).mkdir()
        station = Station(tmp_path / str(offset), [evening()], SCRIPT, EIGHT_S - 80 - offset / 10)
        station.on_air(130)
        assert abs(station.first_word_s() - EIGHT_S) <= 1.0
        assert station.programme() == WORDS


def test_without_anything_before_it_the_first_word_is_on_time_as_well(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()])
    station.on_air(130)
    assert abs(station.first_word_s() - EIGHT_S) <= 0.5
    assert station.programme() == WORDS


def test_the_script_goes_on_where_it_was_after_the_programme(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()], SCRIPT)
    station.on_air(200)
    kinds = [name.partition(":")[0] for name, _ in station.heard]
    begin = kinds.index("schedule")
    assert kinds[begin : begin + 5] == ["schedule"] * 5
    before, after = station.heard[begin - 1], station.heard[begin + 5]
    assert before[0].startswith("script:") and after[0].startswith("script:") and before != after
    assert len(set(station.heard)) == len(station.heard)
    assert station.happenings(STARTED) == station.happenings(ENDED) == ["evening"]


def test_a_reply_gets_in_between_two_lines_of_a_programme(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()])
    station.on_air(82)
    station.say(utterance("r", 1, "reply"))
    station.on_air(60)
    names = [name for name, _ in station.heard]
    assert names[2] == "r" and station.programme() == WORDS


@pytest.mark.parametrize("every", [1, 3, 10, 37])
def test_directors_that_die_again_and_again_say_each_sentence_once(tmp_path: Path, every: int) -> None:
    station = Station(tmp_path, [evening()], SCRIPT, EIGHT_S - 15)
    for number in range(250):
        station.step()
        if number % every == 0:
            station.kill_director()
    assert station.programme() == WORDS
    # one that has just begun does not know how much of the sentence on air is over
    assert abs(station.first_word_s() - EIGHT_S) <= 3.5
    assert station.happenings(STARTED) == ["evening"]
    assert set(station.happenings(ENDED)) == {"evening"}


@pytest.mark.parametrize("after_s", [79.9, 80.5, 83.0, 86.9, 90.0, 95.0])
def test_a_director_without_its_notes_says_no_line_of_a_programme_twice(tmp_path: Path, after_s: float) -> None:
    station = Station(tmp_path, [evening()])
    station.on_air(after_s)
    station.saved = Continuity()
    station.kill_director()
    station.on_air(60)
    assert sorted(set(station.programme())) == WORDS
    assert len(station.programme()) == len(WORDS)


def test_the_record_is_written_before_the_first_word_leaves(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()])
    seen: list[bool] = []

    def look(_chunk: object) -> None:
        known = record.load(tmp_path)
        seen.append(known.on is not None and known.known["evening"].decided_s == EIGHT_S)

    station.on_air(60)
    station.on_chunk = look
    station.on_air(22)
    assert seen and all(seen)


@pytest.mark.parametrize("by_s", [3600.0, -3600.0])
@pytest.mark.parametrize("at_s", [30.0, 85.0, 140.0])
def test_a_clock_that_is_set_an_hour_has_nothing_said_twice(tmp_path: Path, by_s: float, at_s: float) -> None:
    station = Station(tmp_path, [evening(misfire_s=4000)])
    station.on_air(at_s)
    station.clock.step_wall(by_s)
    station.kill_director()
    station.on_air(30)
    station.clock.step_wall(-by_s)
    station.on_air(200)
    assert station.programme() == WORDS


def test_replace_ends_the_other_at_a_sentence_end_and_its_rest_is_gone(tmp_path: Path) -> None:
    second = {"name": "news", "script": "evening.md", "date": "2026-06-10T20:00:05", "overlap": "replace"}
    station = Station(tmp_path, [evening(), second], SCRIPT)
    station.on_air(140)
    names = [name.split(":")[1] for name, _ in station.heard if name.startswith("schedule:")]
    assert names.count("news") == 5 and 1 <= names.count("evening") < 5
    assert names == sorted(names)  # evening, then news, never back
    assert [event.facts["how"] for event in station.schedule if event.name == ENDED] == ["replaced by news", "aired"]


def test_a_queued_programme_begins_when_the_first_is_over(tmp_path: Path) -> None:
    second = {"name": "news", "script": "evening.md", "date": "2026-06-10T20:00:05"}
    station = Station(tmp_path, [evening(), second], SCRIPT)
    station.on_air(140)
    names = [name.split(":")[1] for name, _ in station.heard if name.startswith("schedule:")]
    assert names == ["evening"] * 5 + ["news"] * 5


def test_after_a_goodbye_nothing_is_said_but_by_a_person_until_the_channel_starts(tmp_path: Path) -> None:
    jobs = [
        {"name": "close", "script": "evening.md", "date": "2026-06-10T20:00:00", "action": "stop"},
        {"name": "open", "date": "2026-06-10T20:02:00", "action": "start"},
    ]
    station = Station(tmp_path, jobs, SCRIPT)
    station.on_air(110)
    assert station.programme() == WORDS
    assert station.heard[-1][0].startswith("schedule:close")
    station.kill_director()
    station.on_air(20)
    station.say(utterance("live", 1, "live"))
    station.say(utterance("command", 1))
    station.on_air(20)
    after = [name for name, _ in station.heard[station.heard.index(("live", 0)) :]]
    assert after == ["live"]
    station.on_air(60)
    assert [name.split(":")[0] for name, _ in station.heard[station.heard.index(("live", 0)) + 1 :]][:3] == [
        "command",
        "script",
        "script",
    ]
    began = next(r.wall_s for r in station.journal if r.what == "sentence" and r.utterance == "command")
    assert abs(began - EIGHT_S - 120) <= 1.0


def test_a_presenter_is_heard_on_a_closed_channel_however_much_waits_before_the_words(tmp_path: Path) -> None:
    jobs = [{"name": "close", "date": "2026-06-10T20:00:00", "action": "stop"}]
    station = Station(tmp_path, jobs, begin_s=EIGHT_S - 5)
    station.on_air(10)
    for number in range(6):
        station.say(utterance(f"order{number}", mode="insert"))
    station.say(utterance("live", 1, "live"))
    assert ("live", 0) in station.director.show.planned()
    station.on_air(20)
    assert station.heard == [("live", 0)]


def test_a_programme_that_replaces_another_does_not_wait_for_the_end_of_its_first_line(tmp_path: Path) -> None:
    jobs = [
        {"name": "long", "script": str(tmp_path / "long.md"), "date": "2026-06-10T20:00:00"},
        {"name": "evening", "script": "evening.md", "date": "2026-06-10T20:00:10", "overlap": "replace"},
    ]
    (tmp_path / "long.md").write_text("# Long\n\n" + " ".join(f"Sentence {n}." for n in range(30)) + "\n")
    station = Station(tmp_path, jobs, begin_s=EIGHT_S - 30)
    station.on_air(60)
    began_s = next(r.wall_s for r in station.journal if r.utterance.startswith("schedule:evening"))
    assert EIGHT_S + 10 <= began_s < EIGHT_S + 14


def test_a_line_of_a_replaced_programme_stays_ended_over_a_death_of_the_director(tmp_path: Path) -> None:
    jobs = [
        {"name": "long", "script": str(tmp_path / "long.md"), "date": "2026-06-10T20:00:00"},
        {"name": "evening", "script": "evening.md", "date": "2026-06-10T20:00:10", "overlap": "replace"},
    ]
    (tmp_path / "long.md").write_text("# Long\n\n" + " ".join(f"Sentence {n}." for n in range(30)) + "\n")
    station = Station(tmp_path, jobs, begin_s=EIGHT_S - 30)
    for _ in range(round(50 * AIR_HZ / HOP)):
        while len(station.buffer) < 3 and station.render():
            pass
        if station.planner.facts()["on"] == "evening":
            break
        station.step()
    assert station.open and station.open[0].startswith("schedule:long")
    station.kill_director()
    station.on_air(40)
    names = [name.split(":")[1] for name, _ in station.heard]
    assert names == sorted(names, reverse=True) and names.count("evening") == len(WORDS)


def test_a_programme_whose_file_was_edited_is_said_as_it_stands_then(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()])
    station.on_air(5)
    station.file.write_text("Only this.", encoding="utf-8")
    station.on_air(120)
    assert station.programme() == ["0:00"]


def test_a_programme_whose_file_is_gone_is_skipped_with_its_reason(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()], SCRIPT)
    station.file.unlink()
    station.on_air(100)
    assert station.happenings(SKIPPED) == ["evening"]
    assert "evening.md" in str(next(event.facts["reason"] for event in station.schedule if event.name == SKIPPED))


def test_a_programme_whose_file_is_gone_in_the_middle_ends_with_its_reason(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()], SCRIPT)
    station.on_air(84)
    station.file.unlink()
    station.kill_director()
    station.on_air(60)
    assert "evening.md" in str(next(event.facts["how"] for event in station.schedule if event.name == ENDED))
    assert [name for name, _ in station.heard][-1].startswith("script:")


def test_orders_add_run_and_remove_jobs_and_outlive_the_director(tmp_path: Path) -> None:
    station = Station(tmp_path, [])
    given = {"script": str(station.file), "cron": "0 3 * * *"}
    assert station.planner.obey(ChangeSchedule("add", "news", given)) == ["job news: added"]
    station.kill_director()
    station.planner.obey(ChangeSchedule("run", "news"))
    station.on_air(30)
    assert station.programme() == WORDS
    assert [fact["job"] for fact in station.planner.facts()["next"]] == ["news"]
    station.planner.obey(ChangeSchedule("remove", "news"))
    station.kill_director()
    assert station.planner.facts()["next"] == []


def test_an_id_of_the_schedule_is_nobody_elses() -> None:
    from broadcaster.utterance import check
    from pipeline.errors import MessageError

    with pytest.raises(MessageError, match="belong to the schedule"):
        check({"text": "x", "id": "schedule:evening:now"})


def test_a_line_of_a_programme_names_its_job_and_its_place_in_the_file(tmp_path: Path) -> None:
    station = Station(tmp_path, [evening()])
    station.on_air(81)
    found = station.director.show.coming(3)
    sources = {one.source for one, _ in found if isinstance(one, Utterance)}
    assert any(source.startswith(f"schedule evening {station.file}:") for source in sources)
