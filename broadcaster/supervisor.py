"""Starts the children, watches their progress, starts the dead again, obeys the operator, stops all in order.

In: a plan of children, orders, signals. Out: processes that run, a status each second, and word to systemd. It never
blocks, never touches media, Redis or the network, and imports none of the libraries that do.

The children are those of a room, or those of a house: rooms, each with a supervisor of its own, and their engine.
"""

from __future__ import annotations

import contextlib
import selectors
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from broadcaster import ladder
from broadcaster.changes import Changes
from broadcaster.charge import DRAIN_S, Charge
from broadcaster.children import Plan
from broadcaster.emergency import Emergency
from broadcaster.errands import Errands
from broadcaster.gate import Gate
from broadcaster.member import Member
from broadcaster.notify import Notifier
from broadcaster.orders import Order, Orders, Reply
from broadcaster.reader import Reloader
from broadcaster.roster import Roster
from broadcaster.tenancy import Tenancy
from broadcaster.watch import STEADY_S
from pipeline.clock import NS, Clock
from pipeline.errors import WireError
from pipeline.lifeline import Lifeline, LineClosed
from pipeline.wire import Act, Beat, ChangeSchedule, Done, Message, Note, Panic, Reload, Status

TICK_S = 0.1
STATUS_EVERY_S = 1.0
NEWS_AFTER_S = 0.1  # between two statuses when there is something that people wait for
DUMP_S = 0.6  # between the request for stacks and SIGKILL: a gang is to be gone a second after it was found wanting
STOPPED_S = 2.0  # how long a rank may be stopped: no collective of the others waits less than that
AWAY_S = 1.0  # between two looks at the children; the loop takes a tenth of that
ENCODED_WITHIN_S = 2.0  # systemd is petted while playout encoded a frame within this
LIVE = "live"  # as playout names what is on air

log = structlog.get_logger()


class Supervisor:
    """One thread. `run` returns the exit status of the program. Without a reloader there is nothing to read again.

    house: the line to the house that the room is in, if any.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        clock: Clock,
        notifier: Notifier,
        runtime_dir: Path,
        reloader: Reloader | None = None,
        seconds: float | None = None,
        house: Lifeline | None = None,
    ) -> None:
        self._roster = Roster(plans)
        self._clock = clock
        self._notifier = notifier
        self._seconds = seconds
        self._selector = selectors.DefaultSelector()
        self._orders = Orders(runtime_dir, self._obey)
        self._emergency = Emergency(runtime_dir)
        self._gate = Gate(self._now())
        self._changes = Changes(self._roster, reloader, self)
        self._errands = Errands(lambda order: self.tell("director", order))
        self._tenancy = Tenancy(house, self._signalled, self._changes.order) if house else None
        self._signals: list[int] = []
        self._stage: int | None = None  #: of the shutdown; None while on air
        self._stage_ends_s = 0.0
        self._ready_s: float | None = None
        self._encoded: dict[str, int] = {}  # by playout, of which a house has several
        self._encoded_s = 0.0
        self._status_s = 0.0
        self._news = False  #: something is otherwise than the last status told
        self._judged_s = self._now()

    def run(self) -> int:
        self._orders.open(self._selector)
        if self._tenancy:
            self._tenancy.open(self._selector)
        with self._signals_heard():
            while not self._finished():
                self._start_due()
                self._tell_status()
                for key, _ in self._selector.select(TICK_S):
                    handle: Callable[[], None] = key.data
                    handle()
                self._heed_signals()
                self._judge()
                if self._stage is None:
                    self._changes.turn(self._now())
                self._errands.turn(self._now())
                self._advance_shutdown()
        self._orders.close()
        self._emergency.forget()
        log.info("supervisor.stopped")
        self._selector.close()
        return 0

    def status(self) -> dict[str, Any]:
        """How all children are: name → pid, phase, starts, age of the last beat, facts."""
        now = self._now()
        return {
            "ready": self._ready_s is not None,
            "on_air_s": round(now - self._ready_s, 1) if self._ready_s is not None else 0.0,
            "panic": self._emergency.panic.on,
            **self._changes.facts(),
            "tier": self._roster.tier(self._of_air("engine") or "", now),
            "children": {charge.plan.name: charge.status(now, self._is_held(charge)) for charge in self._roster},
        }

    # ── starting ─────────────────────────────────────────────────────────────────────────────────

    def _start_due(self) -> None:
        if self._stage is not None:
            return
        now = self._now()
        for charge in self._roster.due(now):
            if not self._is_held(charge):
                self._start(charge)

    def _is_held(self, charge: Charge) -> bool:
        """Whether another machine has the room, and so what goes to the network."""
        return charge.plan.gated and not self._gate.is_open(self._now())

    def _start(self, charge: Charge) -> None:
        now = self._now()
        self._news = True
        try:
            charge.start(now)
        except OSError as error:
            log.error("child.unstartable", child=charge.plan.name, reason=str(error))
            if not charge.is_running:
                charge.start_s = now + charge.back_off.after_death(now, None)
        for member in charge.members:
            self._watch(charge, member)
        if not charge.is_running:
            return
        if charge.plan.kind == "playout" and self._emergency.panic.on:
            charge.send(self._emergency.panic)
        ranks = {"ranks": [member.pid for member in charge.members]} if charge.plan.ranks > 1 else {}
        stood_by = {"stood_by": True} if charge.stood_by else {}
        log.info("child.started", child=charge.plan.name, pid=charge.pid, starts=charge.starts, **stood_by, **ranks)

    def _watch(self, charge: Charge, member: Member) -> None:
        self._selector.register(member.exit_fd, selectors.EVENT_READ, lambda: self._reap(charge, member))
        if member.line is not None:
            self._selector.register(member.line, selectors.EVENT_READ, lambda: self._listen(charge, member))

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    def _listen(self, charge: Charge, member: Member) -> None:
        if member.line is None:
            return
        try:
            for message in member.line.poll():
                self._hear(charge, member, message)
        except WireError as error:
            log.warning("beat.dropped", child=charge.plan.name, reason=str(error))
        except LineClosed:
            self._forget_line(member)  # its end is noticed by its exit, or by its silence

    def _hear(self, charge: Charge, member: Member, message: Message) -> None:
        if isinstance(message, Note):
            rank = {"rank": member.rank} if charge.plan.ranks > 1 else {}
            getattr(log, message.level, log.info)(message.event, child=charge.plan.name, **rank, **message.fields)
            if charge.plan.kind == "engine":
                charge.fault = charge.fault or ladder.FAULTS.get(str(message.fields.get("error")), "")
        elif isinstance(message, Done) and charge.plan.kind == "director":
            self._errands.done(message)
        elif isinstance(message, Act) and charge.plan.kind == "monitor":
            self._recycle(message)
        elif isinstance(message, Beat):
            self._news |= _is_news(charge, member, message)
            member.progress.beat(self._now(), message.phase, message.busy)
            member.facts = message.facts
            if charge.plan.kind in ("playout", "room"):
                self._follow_air(charge.plan.name, message)
            elif charge.plan.kind == "director":
                self._follow_lease(message)

    def _follow_air(self, name: str, beat: Beat) -> None:
        """READY after the first encoded frame; the watchdog is petted while any are encoded, in a house by any room."""
        encoded, now = beat.facts.get("encoded", 0), self._now()
        self._emergency.hear(beat.facts.get("source"), now)
        if encoded != self._encoded.get(name, 0):
            self._encoded[name], self._encoded_s = encoded, now
        if encoded and self._ready_s is None:
            self._ready_s = now
            self._notifier.send(READY=1, STATUS="on air")
            log.info("air.ready")

    def _follow_lease(self, beat: Beat) -> None:
        """Take the outputs that go to the network off, while another machine has the room."""
        gated = [charge for charge in self._roster if charge.plan.gated]
        now = self._now()
        if not self._gate.hear(beat.facts.get("lease"), now) or not gated:
            return
        is_open = self._gate.is_open(now)
        log.warning("gate.switched", lease=self._gate.lease, pushing=is_open)
        if not is_open and self._stage is None:
            for charge in gated:
                if charge.is_running:
                    charge.drain(now, 0.0)  # the other machine is on air already

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    def _judge(self) -> None:
        now = self._now()
        self._forgive_absence(now)
        for charge in self._roster:
            if charge.plan.elsewhere:
                self._follow_shared(charge, now)
            if not charge.is_running:
                continue
            if charge.kill_s is not None:
                if now >= charge.kill_s:
                    charge.kill(now)
            elif (late := charge.silent(now) or charge.stopped(now, STOPPED_S)) is not None:
                self._dump(charge, late, now)
            elif charge.yields_s is None and not charge.settled and (charge.progress.worked_s(now) or 0.0) >= STEADY_S:
                self._roster.steady(charge, now)
        if self._stage is None:
            if not self._changes.upgrading:
                for charge in self._roster:
                    charge.stand_by(now)
            for charge in self._roster.slow():
                self._roster.step_down(charge, ladder.SLOW, now)
            self._roster.hand_over(now)
        self._emergency.hear(self._of_air("source"), now)
        if self._ready_s is not None and now - self._encoded_s < ENCODED_WITHIN_S:
            self._notifier.send(WATCHDOG=1)
        if self._seconds is not None and self._ready_s is not None and now - self._ready_s >= self._seconds:
            self._signals.append(signal.SIGTERM)
            self._seconds = None

    def _follow_shared(self, charge: Charge, now: float) -> None:
        """The engine of the house is at work for this room as long as playout shows its pictures."""
        if self._stage is not None:
            return
        name, source = charge.plan.spec["name"], self._of_air("source")
        is_heard = None if not source or self._emergency.panic.on else source == LIVE and self._of_air("engine") == name
        self._roster.follow(charge, is_heard, (self._of_air("refused") or {}).get(name, ""), now)

    def _of_air(self, fact: str) -> Any:
        """What playout said last; None while it is away."""
        return next((charge.facts.get(fact) for charge in self._roster.of_kind("playout")), None)

    def _forgive_absence(self, now: float) -> None:
        """A machine that slept, or a supervisor that was stopped, heard no beat: nobody is judged by that time."""
        away_s, self._judged_s = now - self._judged_s, now
        if away_s < AWAY_S:
            return
        log.warning("supervisor.away", away_s=round(away_s, 1))
        for charge in self._roster:
            for member in charge.members:
                member.progress.forgive(away_s, now)

    def _dump(self, charge: Charge, late: Member, now: float) -> None:
        """Ask for the stacks, then kill; a stopped process can answer nothing and is killed at once."""
        log.error(
            "child.hung",
            child=charge.plan.name,
            phase=late.progress.phase,
            busy=late.progress.busy,
            stopped=late.is_stopped(),
            silent_s=round(now - late.progress.beat_s, 1),
            **({"rank": late.rank} if charge.plan.ranks > 1 else {}),
        )
        charge.dump(now, DUMP_S)

    def _recycle(self, act: Act) -> None:
        """Start a child anew that beats but does not do its work, as the monitor found."""
        now = self._now()
        charge = next((charge for charge in self._roster if charge.plan.name == act.child), None)
        idle = self._stage is None and not self._changes.upgrading
        if idle and charge is not None and charge.may_be_recycled(now):
            log.warning("child.recycled", child=act.child, why=act.why)
            charge.recycled_s = now
            charge.dump(now, DUMP_S)
        else:
            log.info("act.ignored", child=act.child, why=act.why)

    def _reap(self, charge: Charge, member: Member) -> None:
        self._listen(charge, member)  # its last words
        self._selector.unregister(member.exit_fd)
        self._forget_line(member)
        code = charge.reap(member)
        if charge.is_running:
            self._lose(charge, member, code)
        else:
            self._bury(charge)

    def _lose(self, charge: Charge, member: Member, code: int) -> None:
        """A rank ended before the others: they end with it."""
        if charge.kill_s is None:
            log.error("gang.broken", child=charge.plan.name, rank=member.rank, code=code)
            charge.dump(self._now(), DUMP_S)

    def _bury(self, charge: Charge) -> None:
        """A child has ended with all its processes: forget it, or say when it is started again."""
        now, code = self._now(), charge.first_code
        self._news = True
        if charge.leaves:
            self._roster.forget(charge)
        if self._stage is not None or charge.drained or charge.leaves:
            charge.start_s = max(now, charge.start_s)
            log.info("child.stopped", child=charge.plan.name, code=code)
            return
        was_braked = charge.back_off.braked
        wait_s = charge.back_off.after_death(now, charge.progress.worked_s(now))
        charge.start_s = now + wait_s
        log.warning("child.died", child=charge.plan.name, code=code, restart_in_s=wait_s)
        if charge.back_off.braked:
            self._roster.slow_down(charge, now, first=not was_braked)
        elif charge.fault:
            self._roster.step_down(charge, charge.fault, now)

    def _forget_line(self, member: Member) -> None:
        if member.line is not None:
            self._selector.unregister(member.line)
            member.line.close()
            member.line = None

    # ── orders ───────────────────────────────────────────────────────────────────────────────────

    def _obey(self, order: Order, reply: Reply) -> None:
        if isinstance(order, Panic):
            log.warning("panic.ordered", on=order.on, text=order.text)
            self.tell("playout", self._emergency_message(order, reply))
            self.tell("director", Status(facts=self.status()))
        elif isinstance(order, ChangeSchedule):
            self._errands.order(order, reply, self._now())
        else:
            self._changes.order(order, reply)

    def _emergency_message(self, panic: Panic, reply: Reply) -> Panic:
        if refused := self._emergency.order(panic, reply, self._now()):
            log.error("panic.unwritten", reason=refused)
        return self._emergency.panic

    def tell(self, kind: str, message: Message) -> None:
        for charge in self._roster.of_kind(kind):
            charge.send(message)

    # ── what changes lend (broadcaster.changes.Room) ─────────────────────────────────────────────

    def reading(self, begins: bool) -> None:
        """Tell systemd that the configuration is read, or was."""
        if begins:
            self._notifier.send(RELOADING=1, MONOTONIC_USEC=self._clock.now_ns() // 1000)
        else:
            self._notifier.send(READY=1)

    def hushed(self) -> None:
        self.tell("director", Status(facts=self.status()))

    def panicked(self) -> bool:
        return self._emergency.panic.on

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _tell_status(self) -> None:
        now = self._now()
        if now >= self._status_s + (NEWS_AFTER_S if self._news else STATUS_EVERY_S):
            self._status_s, self._news = now, False
            status = Status(facts=self.status())
            for kind in ("director", "monitor"):
                self.tell(kind, status)
            if self._tenancy:
                phase = "loading" if self._ready_s is None else "ready" if self._stage is None else "draining"
                self._tenancy.tell(phase, sum(self._encoded.values()), status.facts["tier"])

    # ── stopping ─────────────────────────────────────────────────────────────────────────────────

    @contextlib.contextmanager
    def _signals_heard(self) -> Any:
        """Signals only append to a list; a socket wakes the loop."""
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        kept_fd = signal.set_wakeup_fd(wake.fileno())
        handlers = {
            number: signal.signal(number, lambda number, _frame: self._signals.append(number))
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
        }
        self._selector.register(woken, selectors.EVENT_READ, lambda: woken.recv(64) and None)
        try:
            yield
        finally:
            signal.set_wakeup_fd(kept_fd)
            for number, handler in handlers.items():
                signal.signal(number, handler)
            wake.close()
            woken.close()

    def _heed_signals(self) -> None:
        while self._signals:
            number = self._signals.pop()
            if number == signal.SIGHUP:
                self._changes.order(Reload())
                self.tell("room", Reload())
            elif self._stage is None:
                log.info("supervisor.stopping", signal=signal.Signals(number).name)
                self._notifier.send(STOPPING=1)
                self._enter_stage(0)
            elif number == signal.SIGINT:  # a second Ctrl-C: no more grace
                self._stage_ends_s = self._now()

    def _signalled(self, number: int) -> None:
        self._signals.append(number)

    def _enter_stage(self, stage: int) -> None:
        """Drain the children of this stage: words first, packets last, so that nothing is cut short."""
        if self._stage is None:
            self._changes.abandon()
            for charge in self._roster:
                charge.standby.dismiss()
        self._stage = stage
        running = self._roster.running(stage)
        self._stage_ends_s = self._now() + max([DRAIN_S[stage], *(charge.grace_s for charge in running)])
        for charge in running:
            charge.drain(self._now())

    def _advance_shutdown(self) -> None:
        while self._stage is not None and self._stage in DRAIN_S and not self._roster.running(self._stage):
            if self._stage + 1 not in DRAIN_S:
                self._stage += 1
                return
            self._enter_stage(self._stage + 1)
        if self._stage in DRAIN_S and self._now() >= self._stage_ends_s:
            for charge in self._roster.running(self._stage):
                charge.kill(self._now())

    def _finished(self) -> bool:
        return self._stage is not None and self._stage not in DRAIN_S

    def _now(self) -> float:
        return self._clock.now_ns() / NS


def _is_news(charge: Charge, member: Member, beat: Beat) -> bool:
    """Whether a child is in another phase, or viewers see another source, or an output is in another state."""
    if beat.phase != member.progress.phase:
        return True
    return charge.plan.kind == "playout" and _air(beat.facts) != _air(member.facts)


def _air(facts: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """What playout says is on air, and how its outputs are."""
    return facts.get("source"), {name: output["state"] for name, output in facts.get("outputs", {}).items()}
