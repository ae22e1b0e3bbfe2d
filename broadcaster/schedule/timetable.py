"""What the schedule does when: runs that come due, wait, begin, replace one another, end, or are skipped.

In: jobs, the record of an earlier director, the time, word of what became of the words. Out: programmes for the stage
(broadcaster.schedule.programmes), what to tell, and the record. It says nothing itself, reads no clock and does no I/O.

The rules
* A run is cued up to a minute before its time, so that its first words are spoken ahead and nothing overruns them.
* What was planned up to a moment is decided once: a clock that is set back brings nothing again, one that is set
  forward makes the newest run late and the others skipped. A run may begin `misfire_s` late, then it is skipped.
* One run is on at a time. What comes meanwhile waits (queue), is skipped (skip), or ends it at the next sentence end
  (replace, unless its priority is lower; nothing replaces the goodbye of a stop). Of those that wait, the higher
  priority goes first, then the earlier one. A job waits once.
* While the channel is stopped only a job that starts it runs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec
import structlog

from broadcaster.diary import EARLY_S
from broadcaster.rundown import FORESEEN_S
from broadcaster.schedule.jobs import Job, Run
from broadcaster.schedule.record import Known, Record
from broadcaster.schedule.triggers import Trigger
from pipeline.errors import ConfigError, ScriptError

STARTED = "schedule.started"
ENDED = "schedule.ended"
SKIPPED = "schedule.skipped"

CLOCK_WRONG_S = 86_400.0  # decided so far ahead of the clock: it was wrong then; what it decided does not count
WAITING_MAX = 100  # runs; a job waits once, by its time and by hand

log = structlog.get_logger()

Tell = Callable[[str, Run, Mapping[str, str | int]], None]


class Stage(Protocol):
    """Where programmes are said."""

    def cue(self, run: Run) -> bool:
        """Have its first words begin at its time, or now when that is over; false while the file is being read.

        ScriptError when it cannot be used.
        """

    def begun(self, run: Run) -> bool:
        """Its first sentence was given away."""

    def over(self, run: Run) -> bool:
        """Its last one was heard, or there is nothing left that could be."""

    def strike(self, run: Run) -> None:
        """Say no more of it; a sentence on air is finished."""


class Timetable:
    """tell: takes the name of an event, its run, and facts. `keep` is called before words leave the process."""

    def __init__(self, jobs: Sequence[Job], record: Record, stage: Stage, tell: Tell, now_s: float) -> None:
        self._stage = stage
        self._tell = tell
        self._known = dict(record.known)
        self._waiting = list(record.waiting)
        self._cued: Run | None = None
        self._unusable: Run | None = None  # told of; tried again when its time has come
        self.on = record.on
        self.off = record.off
        self._jobs: dict[str, Job] = {}
        self._triggers: dict[str, Trigger] = {}
        self._next: dict[str, float | None] = {}
        self.take(jobs, now_s)

    # ── what is planned ──────────────────────────────────────────────────────────────────────────

    @property
    def closing(self) -> bool:
        """The goodbye of a stop is on."""
        return self.on is not None and self.on.job.action == "stop"

    def jobs(self) -> list[Job]:
        return list(self._jobs.values())

    def take(self, jobs: Sequence[Job], now_s: float) -> None:
        """These are the jobs from now on. One that is new, or planned anew, counts from now; a date always counts."""
        self._jobs, self._triggers, known = {}, {}, {}
        for job in jobs:
            try:
                self._triggers[job.name] = job.trigger()
            except ConfigError as error:  # it was checked before; a zone may be gone from the machine since
                log.error("schedule.unusable", job=job.name, reason=str(error))
                continue
            self._jobs[job.name] = job
            before = self._known.get(job.name)
            if before is None or before.digest != job.digest:
                since_s = 0.0 if job.date else max(now_s, before.decided_s if before else 0.0)
                before = Known(job.digest, since_s, before.began_s if before else None)
            known[job.name] = before
        self._known = known
        self._next = {name: self._after(name) for name in self._jobs}
        gone = [run for run in self._waiting if run.job.name not in self._jobs]
        for run in gone:
            self._drop(run)
        if self._cued is not None and self._jobs.get(self._cued.job.name) != self._cued.job:
            self._uncue()

    def record(self) -> Record:
        return Record(dict(self._known), self.on, tuple(self._waiting), self.off)

    def next_s(self, name: str) -> float | None:
        return self._next.get(name)

    # ── time passes ──────────────────────────────────────────────────────────────────────────────

    def tick(self, now_s: float) -> None:
        self._heed_clock(now_s)
        if self.on is not None and self._stage.over(self.on):
            self._end(self.on, "aired")
        self.note()
        for job in self._planned_by(now_s + EARLY_S):
            self._arrive(job, now_s)
        for run in [run for run in self._waiting if now_s > run.latest_s]:
            self._drop(run)
            self._skip(run, f"more than {run.job.misfire_s:g} s late; {self._obstacle()}")
        self._put_on(now_s)

    def note(self) -> None:
        """Call it when sentences were given away, before they leave: a run that began is on."""
        if self._cued is not None and self._stage.begun(self._cued):
            self._begin(self._cued)

    def run(self, name: str, now_s: float) -> Run:
        """A run at once, by hand; ConfigError says why not."""
        job = self._jobs.get(name)
        if job is None:
            names = ", ".join(self._jobs)
            raise ConfigError(f"there is no job {name}; {f'choose from {names}' if names else 'the schedule is empty'}")
        if self.off and job.action != "start":
            raise ConfigError(f"{name}: the channel is stopped; a job with `action: start` starts it")
        if self.on is not None and job.overlap == "skip":
            raise ConfigError(f"{name}: {self.on.job.name} is on, and its overlap is skip")
        if any(run.job.name == name for run in self._waiting) or len(self._waiting) >= WAITING_MAX:
            raise ConfigError(f"{name}: it waits already")
        run = Run(job, float(int(now_s)), by_hand=True)
        if run == self.on:
            raise ConfigError(f"{name}: it began this second")
        self._waiting.append(run)
        return run

    def abandon(self, why: str) -> None:
        """What was on cannot go on."""
        if self.on is not None:
            self._end(self.on, why)

    def pass_over(self, now_s: float) -> None:
        """Another broadcaster has the room: what is planned is its to run."""
        self.abandon("another broadcaster has the room")
        self._waiting.clear()
        self._uncue()
        for name, known in self._known.items():
            if (next_s := self._next[name]) is not None and next_s <= now_s + EARLY_S:
                self._decide(name, max(now_s, known.decided_s))

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────

    def _arrive(self, job: Job, now_s: float) -> None:
        """Its time has come, once or more often while nobody looked: the newest counts."""
        oldest_s = self._next[job.name]
        assert oldest_s is not None
        if oldest_s < now_s - job.misfire_s:
            self._decide(job.name, max(oldest_s, now_s - job.misfire_s - 1))
            if (self._next[job.name] or now_s + 1) > now_s + EARLY_S:
                self._skip(Run(job, oldest_s), f"more than {job.misfire_s:g} s late; nobody could look after it")
                return
        newest_s, missed = self._next[job.name], 0
        assert newest_s is not None
        while (next_s := self._triggers[job.name].after(newest_s)) is not None and next_s <= now_s + EARLY_S:
            newest_s, missed = next_s, missed + 1
        self._decide(job.name, newest_s)
        if oldest_s != newest_s:
            self._skip(Run(job, oldest_s), "a later run of it is due as well")
        run = Run(job, newest_s)
        if run == self.on:
            return
        if self.off and not self._opens(run):
            if job.action != "stop":
                self._skip(run, "the channel is stopped")
        elif self.on is not None and job.overlap == "skip":
            self._skip(run, f"{self.on.job.name} is on")
        elif any(other.job.name == job.name for other in self._waiting):
            self._skip(run, "an earlier run of it still waits")
        else:
            self._waiting.append(run)

    def _put_on(self, now_s: float) -> None:
        """Cue what may begin, or comes next; what needs no words is done at once."""
        while (run := self._due()) is not None and not run.job.script:
            self._drop(run)
            self._begin(run)
            self._end(run, "done")
        has_come = run is not None
        run = run or self._coming(now_s)
        if run is None or run != self._cued:
            self._uncue()
        if run is None:
            return
        if has_come and run.job.action == "start":
            self.off = False
        if run == self._cued or (run == self._unusable and not has_come):
            return
        try:
            self._cued = run if self._stage.cue(run) else None
        except ScriptError as error:
            self._unusable = run
            if has_come:
                self._drop(run)
                self._skip(run, str(error))
            else:
                log.warning("schedule.unusable", job=run.job.name, reason=str(error))

    def _due(self) -> Run | None:
        """The first of those that wait, if it may begin."""
        waiting = sorted(self._waiting, key=lambda run: (*_rank(run.job), run.planned_s))
        return next((run for run in waiting if self._may_begin(run)), None)

    def _coming(self, now_s: float) -> Run | None:
        """The next one whose words are to be ready, if it is to begin at its time."""
        coming = (Run(job, self._next[job.name] or 0.0) for job in self._planned_by(now_s + FORESEEN_S))
        return next((run for run in coming if run.job.script and self._may_begin(run)), None)

    def _opens(self, run: Run) -> bool:
        """Whether the channel is open for this run: it starts it, or another one that waits does."""
        return any(other.job.action == "start" for other in (run, *self._waiting))

    def _may_begin(self, run: Run) -> bool:
        on = self.on
        return on is None or (
            run.job.overlap == "replace"
            and run.job.priority >= on.job.priority
            and run.planned_s > on.planned_s
            and on.job.action != "stop"
        )

    def _begin(self, run: Run) -> None:
        if self.on is not None:
            self._end(self.on, f"replaced by {run.job.name}")
        self._waiting = [other for other in self._waiting if other != run]
        if self._cued != run:
            self._uncue()
        self._cued, self.on = None, run
        if run.job.action == "start":
            self.off = False
        if (known := self._known.get(run.job.name)) is not None:
            self._known[run.job.name] = msgspec.structs.replace(known, began_s=run.planned_s)
            if not run.by_hand:
                self._decide(run.job.name, max(known.decided_s, run.planned_s))
        self._tell(STARTED, run, {})

    def _end(self, run: Run, how: str) -> None:
        self.on = None
        self._stage.strike(run)
        if run.job.action == "stop":
            self.off = True
        self._tell(ENDED, run, {"how": how})

    def _skip(self, run: Run, reason: str) -> None:
        self._tell(SKIPPED, run, {"reason": reason})

    def _drop(self, run: Run) -> None:
        """It waits no more."""
        self._waiting = [other for other in self._waiting if other != run]
        if self._cued == run:
            self._uncue()

    def _uncue(self) -> None:
        if self._cued is not None:
            self._stage.strike(self._cued)
            self._cued = None

    # ── small things ─────────────────────────────────────────────────────────────────────────────

    def _heed_clock(self, now_s: float) -> None:
        for name, known in self._known.items():
            if known.decided_s > now_s + CLOCK_WRONG_S:
                log.warning("schedule.clock_was_wrong", job=name, decided_s=known.decided_s)
                self._decide(name, now_s)

    def _decide(self, name: str, moment_s: float) -> None:
        self._known[name] = msgspec.structs.replace(self._known[name], decided_s=moment_s)
        self._next[name] = self._after(name)

    def _after(self, name: str) -> float | None:
        return self._triggers[name].after(self._known[name].decided_s)

    def _planned_by(self, moment_s: float) -> list[Job]:
        """Jobs with a run up to that moment, the first of them first."""
        found = [(next_s, name) for name, next_s in self._next.items() if next_s is not None and next_s <= moment_s]
        ordered = sorted(found, key=lambda one: (one[0], *_rank(self._jobs[one[1]]), one[1]))
        return [self._jobs[name] for _, name in ordered]

    def _obstacle(self) -> str:
        return f"{self.on.job.name} is on" if self.on is not None else "nothing could begin"


def _rank(job: Job) -> tuple[bool, int]:
    """Who goes first: what starts the channel, then the higher priority."""
    return (job.action != "start", -job.priority)
