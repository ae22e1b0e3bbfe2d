"""When jobs are planned, also on the two nights on which the clocks change."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from broadcaster import zone as zones
from broadcaster.schedule.triggers import Cron, Every, Once, Trigger, make, moment
from broadcaster.zone import zone_of
from pipeline.errors import ConfigError

BERLIN, NEW_YORK = ZoneInfo("Europe/Berlin"), ZoneInfo("America/New_York")
DAY_S = 86_400


def planned(trigger: Trigger, begin: str, days: float, zone: ZoneInfo = BERLIN) -> list[str]:
    """Local times with their offset, from a local time on."""
    moment_s = moment(datetime.fromisoformat(begin), zone)
    ends_s, found = moment_s + days * DAY_S, []
    while (following := trigger.after(moment_s)) is not None and following < ends_s:
        assert following > moment_s
        moment_s = following
        found.append(datetime.fromtimestamp(moment_s, zone).strftime("%d %H:%M:%S%z"))
    return found


def test_a_time_that_does_not_exist_that_night_is_the_next_moment_that_does_once() -> None:
    berlin = planned(Cron("30 2 * * *", BERLIN), "2026-03-28T12:00", 2.5)
    assert berlin == ["29 03:00:00+0200", "30 02:30:00+0200"]
    new_york = planned(Cron("30 2 * * *", NEW_YORK), "2026-03-07T12:00", 2.5, NEW_YORK)
    assert new_york == ["08 03:00:00-0400", "09 02:30:00-0400"]


def test_a_time_that_comes_twice_that_night_is_its_first() -> None:
    berlin = planned(Cron("30 2 * * *", BERLIN), "2026-10-24T12:00", 2.5)
    assert berlin == ["25 02:30:00+0200", "26 02:30:00+0100"]
    new_york = planned(Cron("30 1 * * *", NEW_YORK), "2026-10-31T12:00", 2.5, NEW_YORK)
    assert new_york == ["01 01:30:00-0400", "02 01:30:00-0500"]


def test_each_half_hour_of_the_two_nights_is_planned_once() -> None:
    spring = planned(Cron("*/30 * * * *", BERLIN), "2026-03-28T23:59", 1)
    assert len(spring) == len(set(spring)) == 48
    assert [time for time in spring if time.startswith("29 0")][:6] == [
        "29 00:00:00+0100",
        "29 00:30:00+0100",
        "29 01:00:00+0100",
        "29 01:30:00+0100",
        "29 03:00:00+0200",
        "29 03:30:00+0200",
    ]
    autumn = planned(Cron("*/30 * * * *", BERLIN), "2026-10-24T23:59", 1)
    assert [time[3:8] for time in autumn].count("02:30") == 1
    assert "25 02:30:00+0200" in autumn and "25 03:00:00+0100" in autumn


def test_an_interval_is_counted_in_time_that_passes_whatever_the_clocks_show() -> None:
    assert planned(Every("30m", "", BERLIN), "2026-03-29T01:00", 0.07) == [
        "29 01:30:00+0100",
        "29 03:00:00+0200",
        "29 03:30:00+0200",
    ]
    assert planned(Every("1h", "01:00-04:00", BERLIN), "2026-10-25T00:00", 0.9) == [
        "25 01:00:00+0200",
        "25 02:00:00+0200",
        "25 02:00:00+0100",
        "25 03:00:00+0100",
    ]


def test_an_interval_keeps_to_its_part_of_the_day_over_midnight() -> None:
    found = planned(Every("1h", "22:30-01:00", BERLIN), "2026-07-01T12:00", 1)
    assert found == ["01 22:30:00+0200", "01 23:30:00+0200", "02 00:30:00+0200"]


def test_an_interval_that_does_not_divide_the_day_begins_anew_at_midnight() -> None:
    found = planned(Every("7h", "", BERLIN), "2026-07-01T12:00", 1)
    assert found == ["01 14:00:00+0200", "01 21:00:00+0200", "02 00:00:00+0200", "02 07:00:00+0200"]


def test_a_date_is_local_unless_it_has_an_offset_and_comes_once() -> None:
    assert planned(Once("2026-03-29T02:30:00", BERLIN), "2026-03-01T00:00", 60) == ["29 03:00:00+0200"]
    assert planned(Once("2026-10-25T02:30:00", BERLIN), "2026-10-01T00:00", 60) == ["25 02:30:00+0200"]
    assert planned(Once("2026-12-24T20:00:00Z", BERLIN), "2026-12-01T00:00", 60) == ["24 21:00:00+0100"]


@pytest.mark.parametrize(
    ("field", "days"),
    [
        ("0", "Sun"),
        ("7", "Sun"),
        ("1-5", "Fri Mon Thu Tue Wed"),
        ("5-7", "Fri Sat Sun"),
        ("0-2", "Mon Sun Tue"),
        ("sat,sun", "Sat Sun"),
        ("0-6", "Fri Mon Sat Sun Thu Tue Wed"),
        ("*/2", "Sat Sun Thu Tue"),
        ("sat-mon", "Mon Sat Sun"),
    ],
)
def test_weekdays_are_counted_as_crontab_counts_them(field: str, days: str) -> None:
    trigger = Cron(f"0 9 * * {field}", BERLIN)
    moment_s, found = moment(datetime(2026, 7, 1), BERLIN), set()
    for _ in range(14):
        following = trigger.after(moment_s)
        assert following is not None
        moment_s = following
        found.add(datetime.fromtimestamp(moment_s, BERLIN).strftime("%a"))
    assert " ".join(sorted(found)) == days


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 20 * *", "has 4 fields"),
        ("0 25 * * *", "mon-fri`$"),
        ("a b * * *", "mon-fri`$"),
        ("0 9 * * 8", "weekday '8'"),
        ("0 9 * * ", "has 4 fields"),
        ("0 9 * * 1-x", "weekday 'x'"),
        ("0 9 * * 1,", "weekday ''"),
        ("0 9 * * */0", "mon-fri`$"),
        ("0 9 1 * 1", "two jobs"),
        ("0 9 31 2 *", "never comes"),
    ],
)
def test_a_cron_line_that_cannot_be_is_told_of_with_what_would_be_right(cron: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        make(cron, "", "", "", BERLIN)


@pytest.mark.parametrize("every", ["5s", "25h", "often", "1.5h", "30"])
def test_an_interval_that_cannot_be_is_told_of(every: str) -> None:
    with pytest.raises(ConfigError, match=r"every: .* as 30m"):
        make("", "", every, "", BERLIN)


@pytest.mark.parametrize("between", ["10-22", "25:00-26:00", "10:00"])
def test_a_part_of_the_day_that_cannot_be_is_told_of(between: str) -> None:
    with pytest.raises(ConfigError, match=r"between: .* as 10:00-22:00"):
        make("", "", "30m", between, BERLIN)


def test_a_zone_or_a_date_that_cannot_be_is_told_of() -> None:
    with pytest.raises(ConfigError, match="Europe/Berln"):
        zone_of("Europe/Berln")
    with pytest.raises(ConfigError, match="date: 'tomorrow'"):
        make("", "tomorrow", "", "", BERLIN)
    with pytest.raises(ConfigError, match="cron and every"):
        make("* * * * *", "", "30m", "", BERLIN)
    with pytest.raises(ConfigError, match="no time"):
        make("", "", "", "", BERLIN)


def test_a_machine_whose_zone_has_no_name_goes_by_its_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    def unnamed() -> None:
        raise ZoneInfoNotFoundError("XYZ-2")

    monkeypatch.setattr(zones.tzlocal, "get_localzone", unnamed)
    assert datetime.now(zone_of("")).utcoffset() == datetime.now().astimezone().utcoffset()
    with pytest.raises(ConfigError, match="there is no 'Mars/Olympus'"):
        zone_of("Mars/Olympus")
