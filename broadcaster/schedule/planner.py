"""The director's schedule: the timetable, driven by the director's tick, with its files read, kept and told of.

In: the jobs of the configuration, changes by hand, the clock, the show. Out: programmes on air at their time, events,
and the record that the next director goes on from. Nothing here runs by itself, and nothing waits: files of programmes
are read beside the loop, while they are not due yet.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from broadcaster.events import Event
from broadcaster.handmade import Kept
from broadcaster.schedule import kept, record
from broadcaster.schedule.jobs import Job, Run, job_of, verify_new
from broadcaster.schedule.programmes import Source
from broadcaster.schedule.record import Record
from broadcaster.schedule.timetable import SKIPPED, STARTED, Timetable
from broadcaster.script.model import Script
from broadcaster.script.place import Place
from broadcaster.show import Show
from broadcaster.unwritten import Unwritten
from broadcaster.utterance import Lane, Utterance
from pipeline.clock import Clock
from pipeline.errors import ConfigError, ScriptError
from pipeline.wire import ChangeSchedule

NEXT_TOLD = 3  # in the status

log = structlog.get_logger()


class Planner:
    """filed: the configuration's jobs. read: reads a script file, ScriptError when it cannot be used. fetch: the same
    beside the loop, None while it is at it. reading: of a run's script, at a place.
    """

    def __init__(
        self,
        show: Show,
        state_dir: Path,
        filed: Sequence[Mapping[str, Any]],
        timezone: str,
        clock: Clock,
        read: Callable[[Path], Script],
        fetch: Callable[[str, Path], Script | None],
        reading: Callable[[Run, Script, Place], Source],
        put: Callable[[Event], None],
    ) -> None:
        self._show = show
        self._state_dir = state_dir
        self._filed = filed
        self._timezone = timezone
        self._clock = clock
        self._read = read
        self._fetch = fetch
        self._reading = reading
        self._put = put
        self._kept: Kept = {}
        self._unwritten = Unwritten()

    def open(self, begun: Sequence[Utterance]) -> None:
        """Go on where an earlier director was. begun: utterances that it left begun."""
        known = self._written = record.load(self._state_dir)
        self._show.programmes.fetch = self._opened
        self._timetable = Timetable(self._jobs(), known, self._show.programmes, self._tell, self._clock.wall_s())
        if known.on is not None and known.on.job.script:
            try:
                script = self._read(Path(known.on.job.script))
                source = self._reading(known.on, script, self._show.programmes.place_of(known.on))
                self._show.programmes.go_on(known.on, source, begun)
            except ScriptError as error:
                self._timetable.abandon(str(error))
        self._set_floor()
        self.keep()

    # ── time passes ──────────────────────────────────────────────────────────────────────────────

    def tick(self) -> None:
        now_s = self._clock.wall_s()
        if self._show.elsewhere:
            self._timetable.pass_over(now_s)
        else:
            self._timetable.tick(now_s)
        self._show.programmes.tidy()
        self._set_floor()
        self.keep()

    def keep(self) -> None:
        """Note what began, and write the record if it is another one: before any word of it leaves."""
        self._timetable.note()
        found = self._timetable.record()
        if found != self._written:
            self._unwritten.watch(lambda: self._write(found))

    def _write(self, found: Record) -> None:
        record.save(self._state_dir, found)
        self._written = found

    def _set_floor(self) -> None:
        """Stopped, a person alone is heard; in a goodbye nothing below it begins any more."""
        self._show.floor = (
            Lane.LIVE if self._timetable.off else Lane.SCHEDULED if self._timetable.closing else Lane.SCRIPT
        )

    def _jobs(self) -> list[Job]:
        """The file's with what was changed by hand; what does not fit is left out and told of."""
        try:
            self._kept = kept.load(self._state_dir)
            jobs, self._kept = kept.jobs(self._filed, self._kept, self._timezone)
        except ConfigError as error:
            log.error("schedule.unfit", reason=str(error))
            self._kept = {}
            return kept.jobs(self._filed, {}, self._timezone)[0]
        return jobs

    def _opened(self, run: Run) -> Source | None:
        script = self._fetch(run.id, Path(run.job.script))
        return self._reading(run, script, Place()) if script is not None else None

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def check(self, order: ChangeSchedule) -> None:
        """Look at a job that is to be added, and at its file, which may take a while; BadInput says what is wrong."""
        if order.what == "add":
            job = job_of({**order.given, "name": order.name}, self._timezone)
            verify_new(job, self._clock.wall_s())
            if job.script:
                self._read(Path(job.script))

    def obey(self, order: ChangeSchedule) -> list[str]:
        """Do what was ordered, for a person to read; BadInput says why not."""
        now_s = self._clock.wall_s()
        if order.what == "run":
            run = self._timetable.run(order.name, now_s)
            return [f"{run.id}: {'it waits' if self._timetable.on else 'it begins at the next sentence end'}"]
        if order.what not in kept.DONE:
            raise ConfigError(f"{order.what!r} is no order of the schedule")
        changes = kept.changed(self._kept, self._filed, order.what, order.name, order.given)
        jobs, standing = kept.jobs(self._filed, changes, self._timezone)
        try:
            kept.save(self._state_dir, standing)
        except OSError as error:
            raise ConfigError(f"{self._state_dir / kept.FILE}: {error.strerror}; nothing was changed") from error
        self._kept = standing
        self._timetable.take(jobs, now_s)
        self.keep()
        log.info("schedule.changed", what=order.what, job=order.name)
        return [kept.told(order.what, order.name)]

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def facts(self) -> dict[str, Any]:
        """For the status."""
        coming = sorted(
            (next_s, job.name) for job in self._timetable.jobs() if (next_s := self._timetable.next_s(job.name))
        )
        return {
            "on": self._timetable.on.job.name if self._timetable.on else "",
            "off": self._timetable.off,
            "next": [{"job": name, "at": round(next_s)} for next_s, name in coming[:NEXT_TOLD]],
        }

    def _tell(self, name: str, run: Run, facts: Mapping[str, str | int]) -> None:
        told: dict[str, str | int] = {"job": run.job.name, "run": run.id, "planned": round(run.planned_s), **facts}
        if name == SKIPPED:
            log.warning("schedule.skipped", **told)
        elif name == STARTED:
            log.info("schedule.started", **told)
        else:
            log.info("schedule.ended", **told)
        self._put(Event(name, "", facts=told))
