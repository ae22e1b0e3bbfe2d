"""One child in the supervisor's charge: its processes now (one, or the ranks of a gang), and what is known of it.

In: a plan. Out: processes that are started, asked, drained and killed together, never waited for. It decides nothing:
when to start or kill is the supervisor's matter.
"""

from __future__ import annotations

import signal
from dataclasses import dataclass, field
from typing import Any

from broadcaster import gang
from broadcaster.children import Plan
from broadcaster.member import Member
from broadcaster.standby import Standby
from broadcaster.watch import BackOff, Progress
from pipeline.wire import Drain, Message

DRAIN_S = {0: 8.0, 1: 1.0, 2: 2.0, 3: 2.0, 4: 3.0}  # by stage: the sentence, the step, the fade, the FIN, the log
KILL_AFTER_S = 1.0  # beyond the grace
RECYCLE_EVERY_S = 60.0  # what a new process did not mend, a third one will not


@dataclass(eq=False, slots=True)
class Charge:
    plan: Plan
    members: list[Member] = field(default_factory=list)  #: the processes that are there
    progress: Progress = field(default_factory=lambda: Progress(0.0, 0.0))  #: of rank 0, also when it is gone
    back_off: BackOff = field(default_factory=BackOff)
    start_s: float = 0.0  #: when to start it next, monotonic
    starts: int = 0
    trials: int = 0  #: how often it was stepped down from since it last worked for a minute
    lowered: str = ""  #: why a tier below it is to work in its place, "" = none is
    yields_s: float | None = None  #: since when it works on only until that one does
    heard_s: float = 0.0  #: of one that works elsewhere: when playout showed it last, or could not say
    fault: str = ""  #: what its last words say of the machine (broadcaster.ladder)
    settled: bool = False  #: it has worked for a minute since it was started
    kill_s: float | None = None  #: when to send SIGKILL
    first_code: int | None = None  #: exit status of the process that ended first
    drained: bool = False  #: asked to end, so its end is no death
    leaves: bool = False  #: not started again, and forgotten once it has ended
    standby: Standby = field(default_factory=Standby)
    stood_by: bool = False  #: the process that is there was its standby
    recycled_s: float = -RECYCLE_EVERY_S  #: when the monitor had it started anew last

    @property
    def is_running(self) -> bool:
        """Whether any process of it is there."""
        return bool(self.members)

    @property
    def grace_s(self) -> float:
        """What it has to end in good order."""
        return self.plan.grace_s or DRAIN_S[self.plan.stage]

    @property
    def works(self) -> bool:
        """Whether it is at work, here or elsewhere."""
        return (self.is_running or self.plan.elsewhere) and self.progress.working_since_s is not None

    @property
    def lead(self) -> Member | None:
        """The process that is on the wires."""
        return next((member for member in self.members if member.rank == 0), None)

    @property
    def pid(self) -> int | None:
        return self.lead.pid if self.lead else None

    @property
    def facts(self) -> dict[str, Any]:
        return self.lead.facts if self.lead else {}

    def start(self, now_s: float) -> None:
        """Start all processes; OSError when the program cannot be run: then none is left but those to be reaped."""
        environment = gang.surroundings(self.plan.ranks)
        self.kill_s, self.first_code, self.drained, self.settled = None, None, False, False
        self.yields_s, self.fault = None, ""
        self.starts += 1
        ready = self.standby.take()
        self.stood_by = ready is not None
        for place in gang.places(self.plan.ranks):
            try:
                member = ready or Member.start(self.plan, environment, now_s, rank=place.get("rank", 0))
            except OSError:
                self.kill(now_s)
                raise
            member.begin(self.plan, place, now_s)
            self.members.append(member)
            self.progress = self.members[0].progress

    def stand_by(self, now_s: float) -> None:
        """Have a process ready to follow this one, where the plan says so."""
        if self.kill_s is None:
            self.standby.keep(self.plan, self.progress.worked_s(now_s) or 0.0, now_s)

    def send(self, message: Message) -> None:
        """Tell the process that is on the wires; the others hear of it from there."""
        if self.lead is not None and self.lead.line is not None:
            self.lead.line.send(message)

    def drain(self, now_s: float, grace_s: float | None = None, *, follows: bool = False) -> None:
        """Ask it to finish what is begun, within its stage's grace or this one; a second after it, it is killed.

        follows: another takes over at once.
        """
        grace_s = self.grace_s if grace_s is None else grace_s
        if self.plan.foreign:
            self.members[0].process.send_signal(signal.SIGTERM)
        self.send(Drain(grace_s=grace_s, follows=follows))
        self.drained = True
        self.kill_s = now_s + grace_s + KILL_AFTER_S

    def dump(self, now_s: float, within_s: float) -> None:
        """Have every process show its stacks, and be killed then; one that is stopped is killed at once."""
        for member in self.members:
            if member.is_stopped():
                member.kill()
            else:
                member.ask_for_stacks()
        self.kill_s = now_s + within_s

    def kill(self, now_s: float) -> None:
        """Kill all its processes and what they started; tried again a second later while one lives."""
        self.kill_s = now_s + KILL_AFTER_S
        for member in self.members:
            member.kill()

    def reap(self, member: Member) -> int:
        """The exit status of a process, once its `exit_fd` is readable. When it was the last, the child has ended."""
        code = member.reap()
        self.members.remove(member)
        if self.first_code is None:
            self.first_code = code
        if not self.members:
            self.kill_s = None
        return code

    def silent(self, now_s: float) -> Member | None:
        """A process that has been silent beyond its deadline."""
        if self.plan.foreign:
            return None
        late = [m for m in self.members if gang.overdue_s(m.progress, self.progress, now_s, self.plan.phases) > 0]
        return late[0] if late else None

    def stopped(self, now_s: float, after_s: float) -> Member | None:
        """A process of an engine that was stopped so long ago: its deadline may be minutes away while it loads."""
        if self.plan.kind != "engine":
            return None
        held = [member for member in self.members if member.stopped_s(now_s) >= after_s]
        return held[0] if held else None

    def may_be_recycled(self, now_s: float) -> bool:
        """Whether it is at work, nobody is ending it, and the last time is a minute ago."""
        at_work = self.is_running and not self.plan.foreign and self.progress.working_since_s is not None
        return at_work and self.kill_s is None and now_s - self.recycled_s >= RECYCLE_EVERY_S

    def status(self, now_s: float, held: bool) -> dict[str, Any]:
        away = "held" if held else "down"
        return {
            "pid": self.pid,
            "kind": self.plan.kind,
            "phase": self.progress.phase if self.lead or self.plan.elsewhere else away,
            "starts": self.starts,
            "beat_age_s": round(now_s - self.progress.beat_s, 2),
            **({"braked": True} if self.back_off.braked else {}),
            **({"lowered": self.lowered} if self.lowered else {}),
            **({"ranks": [member.status(now_s) for member in self.members]} if self.plan.ranks > 1 else {}),
            **({"facts": self.facts} if self.facts else {}),
        }
