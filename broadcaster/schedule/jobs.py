"""A job of the schedule, and one run of it.

In: keys as the configuration or `broadcaster schedule add` gives them. Out: frozen values. Pure.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

from broadcaster.schedule import triggers
from broadcaster.utterance import SCHEDULE_PREFIX
from broadcaster.zone import zone_of
from pipeline.errors import ConfigError

Action = Literal["", "start", "stop"]
Overlap = Literal["queue", "skip", "replace"]


class Job(msgspec.Struct, frozen=True, omit_defaults=True):
    """script: file of the programme, "" when there is only an action. timezone: "" is the machine's.

    misfire_s: how late it may still begin. added: by hand, not by the configuration file.
    """

    name: str
    script: str = ""
    action: Action = ""
    cron: str = ""
    date: str = ""
    every: str = ""
    between: str = ""
    timezone: str = ""
    priority: int = 0
    overlap: Overlap = "queue"
    misfire_s: float = 300.0
    added: bool = False

    @property
    def digest(self) -> str:
        """Of when it is planned."""
        when = "\n".join((self.cron, self.date, self.every, self.between, self.timezone))
        return hashlib.sha256(when.encode()).hexdigest()[:16]

    def trigger(self) -> triggers.Trigger:
        """ConfigError when its time cannot be understood."""
        return triggers.make(self.cron, self.date, self.every, self.between, zone_of(self.timezone))

    def when(self) -> str:
        """For a person."""
        text = self.cron or self.date or f"every {self.every}{f', {self.between}' if self.between else ''}"
        return f"{text} {self.timezone}".rstrip()

    def what(self) -> str:
        return " ".join(part for part in (self.action, self.script) if part)


class Run(msgspec.Struct, frozen=True, omit_defaults=True):
    """The job as it was then, so that a run under way knows itself when the job is changed or gone.

    planned_s: Unix seconds. by_hand: ordered by a person, not by the clock.
    """

    job: Job
    planned_s: float
    by_hand: bool = False

    @property
    def id(self) -> str:
        """The same for every director."""
        stamp = datetime.fromtimestamp(self.planned_s, UTC).strftime("%Y%m%dT%H%M%SZ")
        return f"{self.job.name}:{stamp}{'-by-hand' if self.by_hand else ''}"

    @property
    def prefix(self) -> str:
        """What the ids of its utterances begin with."""
        return f"{SCHEDULE_PREFIX}{self.id}:"

    @property
    def latest_s(self) -> float:
        """Until then it may begin."""
        return self.planned_s + self.job.misfire_s


def job_of(section: Mapping[str, Any], timezone: str, added: bool = False) -> Job:
    """From a section of the configuration; ConfigError when it is none. timezone: for a job without its own."""
    given = {key: value for key, value in section.items() if value is not None}
    given["timezone"] = given.get("timezone") or timezone
    try:
        return msgspec.convert(given | {"added": added}, Job)
    except msgspec.ValidationError as error:
        raise ConfigError(f"job {section.get('name')}: {error}") from None


def verify_new(job: Job, now_s: float) -> None:
    """The same for a job that is added at this moment: its date is not over."""
    verify(job)
    if job.date and job.trigger().after(now_s) is None:
        raise ConfigError(f"job {job.name}: date: {job.date} is over in {job.timezone or 'the zone of this machine'}")


def verify(job: Job) -> None:
    """ConfigError when it has nothing to do, or no time to do it at. Its file is not looked at."""
    try:
        if not (job.script or job.action):
            raise ConfigError("nothing to do: give script, action or both")
        job.trigger()
    except ConfigError as error:
        raise ConfigError(f"job {job.name}: {error}") from None
