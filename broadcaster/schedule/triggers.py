"""When a job is planned: times of the wall clock in a zone, also on nights in which an hour is missing or comes twice.

In: `cron`, `date` or `every` as a person writes them, and the name of a zone. Out: one planned moment after another, as
Unix seconds. A local time that does not exist that night is planned at the next moment that does; one that comes
twice, at its first. It reads no clock and starts nothing: APScheduler lends its triggers, not its scheduler.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Protocol

from apscheduler.triggers.cron import CronTrigger
from apscheduler.triggers.interval import IntervalTrigger

from pipeline.errors import ConfigError

EVERY_MIN_S = 10
DAY_S = 86_400
TWICE_MAX = 4 * 60  # planned minutes that an hour which comes twice, or more, can hold
DAYS_LOOKED = 3  # an interval begins anew each day
UNITS = {"s": 1, "m": 60, "h": 3600}
EVERY = re.compile(r"(\d{1,6})\s*([smh])")
BETWEEN = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat", "sun")  # as crontab counts them; the library does not


class Trigger(Protocol):
    def after(self, moment_s: float) -> float | None:
        """The first planned moment after this one; None when there is none any more."""


def moment(local: datetime, zone: tzinfo) -> float:
    """Unix seconds of a time without a zone, as its people read it; see above for the two odd nights."""
    first, second = (local.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if _read(first, zone) == local:
        return first
    early, late = int(second), int(first)  # before and after the missing hour
    jump = _offset(late, zone)
    while late - early > 1:
        middle = (early + late) // 2
        early, late = (early, middle) if _offset(middle, zone) == jump else (middle, late)
    return float(late)


class Cron:
    """minute hour day month weekday, as crontab(5) writes them."""

    def __init__(self, text: str, zone: tzinfo) -> None:
        fields = text.split()
        if len(fields) != 5:
            raise ConfigError(f"cron: {text!r} has {len(fields)} fields; write five, minute hour day month weekday")
        if fields[2] != "*" and fields[4] != "*":
            raise ConfigError(f"cron: {text!r} names days of the month and of the week: make two jobs of it")
        try:
            # UTC, for it knows no odd nights; a weekday goes by its name
            self._trigger = CronTrigger.from_crontab(" ".join([*fields[:4], _weekdays(fields[4])]), timezone=UTC)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"cron: {text!r}: {error}; as `0 20 * * mon-fri`") from None
        self._zone = zone

    def after(self, moment_s: float) -> float | None:
        local = _read(moment_s, self._zone)
        for _ in range(TWICE_MAX):
            found = self._trigger.get_next_fire_time(None, local.replace(tzinfo=UTC))
            if found is None:
                return None
            local = found.replace(tzinfo=None)
            if (planned := moment(local, self._zone)) > moment_s:
                return planned
            local += timedelta(seconds=1)
        return None


class Once:
    """One moment: a local time, or one with its offset."""

    def __init__(self, text: str, zone: tzinfo) -> None:
        try:
            when = datetime.fromisoformat(text)
            self._moment_s = moment(when, zone) if when.tzinfo is None else when.timestamp()
        except (ValueError, OverflowError):
            raise ConfigError(f"date: {text!r} is no time; as 2026-12-24T20:00:00") from None

    def after(self, moment_s: float) -> float | None:
        return self._moment_s if self._moment_s > moment_s else None


class Every:
    """So often, counted anew each day from midnight or from the begin of the part of the day that it is kept to."""

    def __init__(self, text: str, between: str, zone: tzinfo) -> None:
        match = EVERY.fullmatch(text.strip())
        self._every_s = int(match[1]) * UNITS[match[2]] if match else 0
        if not EVERY_MIN_S <= self._every_s <= DAY_S:
            raise ConfigError(f"every: {text!r} is none of {EVERY_MIN_S}s to 24h; as 30m")
        self._zone = zone
        self._begin, self._end = _part(between)

    def after(self, moment_s: float) -> float | None:
        day = _read(moment_s, self._zone).date() - timedelta(days=1)
        found = (self._on(day + timedelta(days=step), moment_s) for step in range(DAYS_LOOKED + 1))
        return next((planned for planned in found if planned is not None), None)

    def _on(self, day: date, moment_s: float) -> float | None:
        """The first after that moment of those which begin on this day."""
        begin_s = moment(datetime.combine(day, self._begin), self._zone)
        last = day if self._end > self._begin else day + timedelta(days=1)
        end_s = moment(datetime.combine(last, self._end), self._zone)
        trigger = IntervalTrigger(seconds=self._every_s, start_date=_utc(begin_s), end_date=_utc(end_s), timezone=UTC)
        found = trigger.get_next_fire_time(None, _utc(math.floor(moment_s) + 1))
        return found.timestamp() if found is not None and found.timestamp() < end_s else None


def make(cron: str, date: str, every: str, between: str, zone: tzinfo) -> Trigger:
    """The one that is written; ConfigError when none or several are, or it can never come."""
    given = [name for name, text in (("cron", cron), ("date", date), ("every", every)) if text]
    if len(given) != 1:
        raise ConfigError(f"{' and '.join(given) or 'no time'}: give one of cron, date and every")
    if between and not every:
        raise ConfigError("between: only with every")
    if cron:
        trigger = Cron(cron, zone)
        if trigger.after(0) is None:
            raise ConfigError(f"cron: {cron!r} never comes")
        return trigger
    return Once(date, zone) if date else Every(every, between, zone)


def _weekdays(field: str) -> str:
    """By their names; ValueError when there is no such day."""
    if field == "*":
        return field
    days: set[int] = set()
    for item in field.lower().split(","):
        span, _, step = item.partition("/")
        first, _, last = span.replace("*", "0-6").partition("-")
        begin, end = _weekday(first), _weekday(last or first)
        if end < begin:
            end += len(WEEKDAYS)
        days |= {day % len(WEEKDAYS) for day in range(begin, end + 1, int(step or 1))}
    return ",".join(WEEKDAYS[day] for day in sorted(days))


def _weekday(text: str) -> int:
    if text not in WEEKDAYS and text not in tuple("01234567"):
        raise ValueError(f"weekday {text!r} is none of 0 to 7, sun to sat")
    return WEEKDAYS.index(text) if text in WEEKDAYS else int(text)


def _part(between: str) -> tuple[time, time]:
    """Of each day; all of it when nothing is written."""
    if not between:
        return time(), time()
    match = BETWEEN.fullmatch(between.replace(" ", ""))
    if match is None:
        raise ConfigError(f"between: {between!r} is no part of a day; as 10:00-22:00")
    return time(int(match[1]), int(match[2])), time(int(match[3]), int(match[4]))


def _read(moment_s: float, zone: tzinfo) -> datetime:
    """What a clock in that zone shows."""
    return datetime.fromtimestamp(moment_s, zone).replace(tzinfo=None, fold=0)


def _offset(moment_s: float, zone: tzinfo) -> timedelta | None:
    return datetime.fromtimestamp(moment_s, zone).utcoffset()


def _utc(moment_s: float) -> datetime:
    return datetime.fromtimestamp(moment_s, UTC)
