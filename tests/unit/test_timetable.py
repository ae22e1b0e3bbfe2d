"""What the schedule decides, on a clock that runs fast, is set forward and back, and over restarts at any moment."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from broadcaster.schedule.jobs import Job, Run
from broadcaster.schedule.record import Record
from broadcaster.schedule.timetable import ENDED, SKIPPED, STARTED, Timetable
from broadcaster.schedule.triggers import moment
from pipeline.errors import ConfigError, ScriptError

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
HOUR_S, DAY_S = 3600.0, 86_400.0


def job(name: str, cron: str = "", **more: object) -> Job:
    fields: dict[str, object] = {"script": "x.md", "timezone": BERLIN, **more}
    return Job(name, cron=cron, **fields)  # type: ignore[arg-type]


class House:
    """A stage on which every programme lasts as long as it is told to, a wall clock, and the timetable of a process."""

    def __init__(self, jobs: list[Job], begin: str, zone: str = BERLIN) -> None:
        self.zone = ZoneInfo(zone)
        self.now_s = moment(datetime.fromisoformat(begin), self.zone)
        self.passed_s = 0.0
        self.jobs = jobs
        self.lasts_s = 60.0
        self.unusable = False
        self.silent = False  #: no voice works
        self.cued: dict[str, Run] = {}
        self.playing: dict[str, float] = {}  #: run → when it ends, in time that passed
        self.said: list[tuple[str, str]] = []  #: job, local time of its first word
        self.told: list[tuple[str, str, str]] = []  #: event, job, why or how
        self.record = Record()
        self.table = Timetable(jobs, self.record, self, self._tell, self.now_s)

    def cue(self, run: Run) -> bool:
        if self.unusable:
            raise ScriptError("x.md:1:1: nothing to say")
        self.cued[run.id] = run
        return True

    def begun(self, run: Run) -> bool:
        return run.id in self.playing

    def over(self, run: Run) -> bool:
        return self.passed_s >= self.playing.get(run.id, 0.0)

    def strike(self, run: Run) -> None:
        self.cued.pop(run.id, None)
        self.playing.pop(run.id, None)

    def go(self, seconds: float, step_s: float = 1.0) -> None:
        for _ in range(round(seconds / step_s)):
            self.now_s += step_s
            self.passed_s += step_s
            self.table.tick(self.now_s)
            self._play()

    def set_clock(self, by_s: float) -> None:
        self.now_s += by_s

    def restart(self) -> None:
        """The process ends at once and another one begins: what was cued and not begun is gone."""
        self.record = msgspec.json.decode(msgspec.json.encode(self.record), type=Record)
        self.cued.clear()
        self.table = Timetable(self.jobs, self.record, self, self._tell, self.now_s)

    def times(self, name: str) -> list[str]:
        return [time for other, time in self.said if other == name]

    def events(self, event: str) -> list[tuple[str, str]]:
        return [(name, why) for other, name, why in self.told if other == event]

    def _play(self) -> None:
        for run in list(self.cued.values()):
            may = not self.silent and (not self.table.off or run.job.action == "start")
            if may and run.planned_s <= self.now_s and run.id not in self.playing:
                local = datetime.fromtimestamp(self.now_s, self.zone)
                self.said.append((run.job.name, local.strftime("%d %H:%M:%S%z")))
                self.playing[run.id] = self.passed_s + self.lasts_s
                del self.cued[run.id]
        self.table.note()
        self.record = self.table.record()  # before the first word leaves

    def _tell(self, event: str, run: Run, facts: Mapping[str, str | int]) -> None:
        self.told.append((event, run.job.name, str(facts.get("reason") or facts.get("how") or "")))


# ── whole days ───────────────────────────────────────────────────────────────────────────────────


def test_a_plain_day_begins_each_programme_at_its_second() -> None:
    house = House([job("evening", "0 20 * * *"), job("hourly", "30 * * * *")], "2026-06-10T00:00:30")
    house.go(DAY_S, 2.0)
    assert house.times("evening") == ["10 20:00:00+0200"]
    assert house.times("hourly") == [f"10 {hour:02}:30:00+0200" for hour in range(24)]
    assert house.events(SKIPPED) == []
    assert len(house.events(STARTED)) == len(house.events(ENDED)) == 25


NIGHTS = {
    (BERLIN, "2026-03-28T18:00"): ["29 03:00:00+0200", "29 03:01:00+0200", "29 03:30:00+0200"],
    (BERLIN, "2026-10-24T18:00"): ["25 02:00:00+0200", "25 02:30:00+0200", "25 03:30:00+0100"],
    (NEW_YORK, "2026-03-07T18:00"): ["08 03:00:00-0400", "08 03:01:00-0400", "08 03:30:00-0400"],
    (NEW_YORK, "2026-10-31T18:00"): ["01 01:59:00-0400", "01 02:30:00-0500", "01 03:30:00-0500"],
}


def nightly(zone: str, begin: str) -> House:
    """A house on such a night: a programme at half past two, one in the hour that comes twice, one after it."""
    first = "0 2 * * *" if begin != "2026-10-31T18:00" else "59 1 * * *"
    jobs = [
        job("first", first, timezone=zone),
        job("middle", "30 2 * * *", timezone=zone),
        job("last", "30 3 * * *", timezone=zone),
    ]
    return House(jobs, begin, zone)


@pytest.mark.parametrize(("zone", "begin"), NIGHTS)
def test_on_a_night_on_which_the_clocks_change_each_programme_is_said_once(zone: str, begin: str) -> None:
    house = nightly(zone, begin)
    house.go(DAY_S, 2.0)
    assert [time for _, time in house.said] == NIGHTS[zone, begin]
    assert sorted(name for name, _ in house.said) == ["first", "last", "middle"]
    assert house.events(SKIPPED) == []


@pytest.mark.parametrize(("zone", "begin"), NIGHTS)
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in (1, 2))])
def test_such_a_night_with_restarts_says_each_programme_once(zone: str, begin: str, seed: int) -> None:
    dice = random.Random(seed)
    house = nightly(zone, begin)
    for _ in range(300):
        house.go(dice.uniform(1, 570), 3.0)
        house.restart()
    assert sorted(name for name, _ in house.said if name) == ["first", "last", "middle"]
    assert house.events(SKIPPED) == []


@pytest.mark.parametrize("seed", range(4))
def test_a_wall_clock_that_is_set_an_hour_forward_and_back_has_nothing_said_twice(seed: int) -> None:
    dice = random.Random(seed)
    house = House([job("show", "*/20 * * * *", misfire_s=120)], "2026-06-10T00:00:30")
    ahead = 0.0
    for _ in range(60):
        house.go(dice.uniform(200, 1800), 5.0)
        by_s = dice.choice([HOUR_S, 60.0, 17.0]) if ahead <= 0 else -ahead
        ahead += by_s
        house.set_clock(by_s)
        if dice.random() < 0.3:
            house.restart()
    assert len(house.said) > 30
    assert len({time[:8] for _, time in house.said}) == len(house.said)  # no planned minute twice


def test_a_clock_set_back_over_a_planned_time_does_not_bring_it_again() -> None:
    house = House([job("evening", "0 20 * * *")], "2026-06-10T19:59:00")
    house.go(300)
    house.set_clock(-HOUR_S)
    house.restart()
    house.go(2 * HOUR_S)
    assert house.times("evening") == ["10 20:00:00+0200"]


def test_a_clock_set_forward_over_planned_times_brings_the_newest_late_or_none() -> None:
    house = House([job("show", "0 * * * *", misfire_s=300)], "2026-06-10T19:30:00")
    house.set_clock(HOUR_S + 33 * 60)  # 21:03
    house.go(60)
    assert house.times("show") == ["10 21:03:01+0200"]
    assert house.events(SKIPPED) == [("show", "a later run of it is due as well")]
    house.set_clock(HOUR_S)  # 22:04
    house.set_clock(5 * 60)
    house.go(60)
    assert len(house.said) == 1
    assert house.events(SKIPPED)[1:] == [("show", "more than 300 s late; nobody could look after it")]


def test_a_clock_that_was_years_ahead_does_not_silence_the_schedule() -> None:
    house = House([job("show", "0 * * * *")], "2026-06-10T19:30:00")
    house.set_clock(9 * 365 * DAY_S)
    house.go(2 * HOUR_S, 5.0)
    house.set_clock(-9 * 365 * DAY_S)
    house.said.clear()
    house.go(2 * HOUR_S, 5.0)
    assert [time[:8] for time in house.times("show")] == ["10 22:00", "10 23:00"]


# ── restarts ─────────────────────────────────────────────────────────────────────────────────────


def test_a_programme_that_was_due_while_the_process_was_away_is_said_late() -> None:
    house = House([job("evening", "0 20 * * *", misfire_s=120)], "2026-06-10T19:58:00")
    house.go(90)
    house.now_s += 120  # nobody is there
    house.restart()
    house.go(5)
    assert house.times("evening") == ["10 20:01:31+0200"]


def test_beyond_its_grace_it_is_skipped_and_told_of_once() -> None:
    house = House([job("evening", "0 20 * * *", misfire_s=120)], "2026-06-10T19:58:00")
    house.go(90)
    house.now_s += 300
    house.restart()
    house.go(600)
    house.restart()
    house.go(600)
    assert house.said == []
    assert house.events(SKIPPED) == [("evening", "more than 120 s late; nobody could look after it")]


def test_a_restart_between_the_cue_and_the_first_word_loses_nothing() -> None:
    house = House([job("evening", "0 20 * * *")], "2026-06-10T19:58:00")
    for _ in range(20):
        house.go(7)
        house.restart()
    assert house.times("evening") == ["10 20:00:00+0200"]
    assert house.events(STARTED) == [("evening", "")]


def test_a_job_that_is_new_counts_from_now_but_a_date_is_a_promise() -> None:
    jobs = [job("evening", "0 20 * * *"), job("gala", date="2026-06-10T20:00:30"), job("past", date="2026-06-10T12:00")]
    house = House(jobs, "2026-06-10T20:01:00")
    house.go(60)
    assert house.times("gala") == ["10 20:01:01+0200"] and house.times("evening") == []
    assert [name for name, _ in house.events(SKIPPED)] == ["past"]


def test_a_job_that_is_planned_anew_does_not_run_for_a_time_that_is_over() -> None:
    house = House([job("evening", "0 21 * * *")], "2026-06-10T20:00:00")
    house.go(60)
    house.table.take([job("evening", "59 19 * * *")], house.now_s)
    house.go(600)
    assert house.said == []


# ── one at a time ────────────────────────────────────────────────────────────────────────────────


def overlapping(**second: object) -> House:
    house = House([job("long", "0 20 * * *"), job("second", "5 20 * * *", **second)], "2026-06-10T19:59:00")
    house.lasts_s = 600.0
    return house


def test_queue_waits_for_the_end_of_what_is_on() -> None:
    house = overlapping(misfire_s=900)
    house.go(1500)
    assert [time[:11] for _, time in house.said] == ["10 20:00:00", "10 20:10:00"]


def test_queue_waits_no_longer_than_its_grace() -> None:
    house = overlapping(misfire_s=60)
    house.go(1500)
    assert house.times("second") == []
    assert house.events(SKIPPED) == [("second", "more than 60 s late; long is on")]


def test_skip_gives_way_to_what_is_on() -> None:
    house = overlapping(overlap="skip")
    house.go(1500)
    assert house.times("second") == []
    assert house.events(SKIPPED) == [("second", "long is on")]


def test_replace_ends_what_is_on_at_its_time() -> None:
    house = overlapping(overlap="replace")
    house.go(1500)
    assert house.times("second") == ["10 20:05:00+0200"]
    assert house.events(ENDED) == [("long", "replaced by second"), ("second", "aired")]


def test_a_lower_priority_replaces_nothing() -> None:
    jobs = [job("long", "0 20 * * *", priority=2), job("second", "5 20 * * *", overlap="replace", priority=1)]
    house = House(jobs, "2026-06-10T19:59:00")
    house.lasts_s = 200.0 + 300.0
    house.go(1500)
    assert [time[:11] for _, time in house.said] == ["10 20:00:00", "10 20:08:20"]


def test_of_those_that_wait_the_higher_priority_goes_first() -> None:
    jobs = [
        job("long", "0 20 * * *"),
        job("a", "1 20 * * *", misfire_s=3600),
        job("b", "2 20 * * *", misfire_s=3600, priority=5),
        job("c", "2 20 * * *", misfire_s=3600),
    ]
    house = House(jobs, "2026-06-10T19:59:00")
    house.lasts_s = 300.0
    house.go(2400)
    assert [name for name, _ in house.said] == ["long", "b", "a", "c"]


def test_of_two_at_the_same_second_the_higher_priority_goes_first_and_replaces_the_other_never() -> None:
    jobs = [job("a", "0 20 * * *", overlap="replace"), job("b", "0 20 * * *", overlap="replace", priority=1)]
    house = House(jobs, "2026-06-10T19:59:00")
    house.go(600)
    assert [name for name, _ in house.said] == ["b", "a"]
    assert [how for _, how in house.events(ENDED)] == ["aired", "aired"]


def test_a_job_that_still_waits_is_not_said_twice() -> None:
    jobs = [job("long", "0 20 * * *"), job("often", every="1m", between="20:01-20:06", misfire_s=3600)]
    house = House(jobs, "2026-06-10T19:59:00")
    house.lasts_s = 400.0
    house.go(1500)
    assert len(house.times("often")) == 1
    assert ("often", "an earlier run of it still waits") in house.events(SKIPPED)


def test_a_programme_that_comes_next_gives_its_cue_back_to_one_that_is_started_by_hand() -> None:
    house = House([job("evening", "0 20 * * *", misfire_s=900), job("other", "0 3 * * *")], "2026-06-10T19:59:20")
    house.go(10)
    assert house.cued
    house.table.run("other", house.now_s)
    house.go(200)
    assert [name for name, _ in house.said] == ["other", "evening"]


# ── the channel's hours ──────────────────────────────────────────────────────────────────────────


def test_stop_says_its_goodbye_and_start_goes_on() -> None:
    jobs = [
        job("close", "0 22 * * *", action="stop"),
        job("late", "30 23 * * *"),
        job("open", "0 6 * * *", action="start", script=""),
        job("dawn", "0 6 * * *"),
    ]
    house = House(jobs, "2026-06-10T21:59:00")
    house.go(65)
    assert not house.table.off and house.table.closing
    house.go(120)
    assert house.table.off
    house.restart()
    house.go(DAY_S - 600)
    assert [name for name, _ in house.said] == ["close", "dawn"]
    assert house.times("dawn") == ["11 06:00:00+0200"]
    assert house.events(SKIPPED) == [("late", "the channel is stopped")]


def test_a_start_with_a_greeting_says_it_at_its_time() -> None:
    jobs = [job("close", "0 22 * * *", action="stop", script=""), job("open", "0 6 * * *", action="start")]
    house = House(jobs, "2026-06-10T21:59:00")
    house.go(120)
    assert house.table.off
    house.go(9 * HOUR_S)
    assert house.times("open") == ["11 06:00:00+0200"] and not house.table.off


def test_nothing_replaces_the_goodbye() -> None:
    jobs = [job("close", "0 22 * * *", action="stop"), job("b", "0 22 * * *", overlap="replace", priority=9)]
    jobs[1] = msgspec.structs.replace(jobs[1], cron="1 22 * * *")
    house = House(jobs, "2026-06-10T21:59:00")
    house.lasts_s = 120.0
    house.go(600)
    assert [name for name, _ in house.said] == ["close"]
    assert house.table.off


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────


def test_a_file_that_cannot_be_used_is_tried_again_at_its_time_and_then_skipped() -> None:
    house = House([job("evening", "0 20 * * *")], "2026-06-10T19:58:00")
    house.unusable = True
    house.go(110)
    assert house.events(SKIPPED) == []
    house.go(20)
    assert house.events(SKIPPED) == [("evening", "x.md:1:1: nothing to say")]


def test_a_file_that_is_mended_in_its_last_minute_is_said() -> None:
    house = House([job("evening", "0 20 * * *")], "2026-06-10T19:58:00")
    house.unusable = True
    house.go(110)
    house.unusable = False
    house.go(60)
    assert house.times("evening") == ["10 20:00:00+0200"]


def test_a_programme_that_no_voice_can_begin_is_skipped_after_its_grace() -> None:
    house = House([job("evening", "0 20 * * *", misfire_s=60)], "2026-06-10T19:59:00")
    house.silent = True
    house.go(200)
    house.silent = False
    house.go(200)
    assert house.said == [] and house.cued == {}
    assert house.events(SKIPPED) == [("evening", "more than 60 s late; nothing could begin")]


def test_a_job_that_is_removed_is_not_said_and_what_is_on_is_finished() -> None:
    house = House([job("evening", "0 20 * * *"), job("late", "2 20 * * *")], "2026-06-10T19:59:30")
    house.go(40)
    house.table.take([], house.now_s)
    house.go(300)
    assert [name for name, _ in house.said] == ["evening"]
    assert house.events(ENDED) == [("evening", "aired")]


def test_while_another_broadcaster_has_the_room_its_runs_are_not_ours() -> None:
    house = House([job("show", "0 * * * *", misfire_s=3600)], "2026-06-10T19:59:30")
    for _ in range(3000):
        house.now_s += 1
        house.table.pass_over(house.now_s)
    house.go(60)
    assert house.said == []
    house.go(HOUR_S)
    assert house.times("show") == ["10 21:00:00+0200"]


def test_by_hand_says_why_not() -> None:
    jobs = [job("a", "0 3 * * *"), job("b", "0 4 * * *", overlap="skip")]
    house = House(jobs, "2026-06-10T12:00:00")
    with pytest.raises(ConfigError, match="there is no job c; choose from a, b"):
        house.table.run("c", house.now_s)
    house.table.run("a", house.now_s)
    with pytest.raises(ConfigError, match="waits already"):
        house.table.run("a", house.now_s)
    house.go(5)
    with pytest.raises(ConfigError, match="a is on"):
        house.table.run("b", house.now_s)
    house.table.off = True
    with pytest.raises(ConfigError, match="the channel is stopped"):
        house.table.run("b", house.now_s)


def test_a_run_by_hand_leaves_the_jobs_own_times_alone() -> None:
    house = House([job("evening", "0 20 * * *")], "2026-06-10T19:50:00")
    house.table.run("evening", house.now_s)
    house.go(900)
    assert [time[:11] for time in house.times("evening")] == ["10 19:50:01", "10 20:00:00"]
