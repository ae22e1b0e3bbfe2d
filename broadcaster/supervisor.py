"""Starts the children, watches their progress, starts the dead again, stops all in order.

In: a plan of children. Out: processes that run, a status each second, and word to systemd. It never
blocks, never touches media, Redis or the network, and imports none of the libraries that do.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import structlog

from broadcaster.children import Plan
from broadcaster.notify import Notifier
from broadcaster.watch import WORKING, BackOff, Progress
from pipeline.clock import NS, Clock
from pipeline.errors import WireError
from pipeline.lifeline import PR_SET_PDEATHSIG, Lifeline, LineClosed
from pipeline.wire import Beat, Drain, Message, Note, Spec, Status

TICK_S = 0.1
STATUS_EVERY_S = 1.0
DUMP_S = 1.0  # between the request for stacks and SIGKILL
DRAIN_S = {0: 8.0, 1: 1.0, 2: 2.0, 3: 2.0, 4: 3.0}  # by stage: the sentence, the step, the fade, the FIN, the log
KILL_AFTER_S = 1.0  # beyond the grace
ENCODED_WITHIN_S = 2.0  # systemd is petted while playout encoded a frame within this

log = structlog.get_logger()


@dataclass(slots=True)
class Child:
    """One child of the table: its process now, and what is known of it."""

    plan: Plan
    process: subprocess.Popen[bytes] | None = None
    line: Lifeline | None = None
    exit_fd: int = -1
    progress: Progress = field(default_factory=lambda: Progress(0.0, 0.0))
    back_off: BackOff = field(default_factory=BackOff)
    start_s: float = 0.0  #: when to start it next, monotonic
    starts: int = 0
    kill_s: float | None = None  #: when to send SIGKILL
    facts: dict[str, Any] = field(default_factory=dict)


class Supervisor:
    """One thread. `run` returns the exit status of the program."""

    def __init__(self, plans: Sequence[Plan], clock: Clock, notifier: Notifier, seconds: float | None = None) -> None:
        self._children = [Child(plan) for plan in plans]
        self._clock = clock
        self._notifier = notifier
        self._seconds = seconds
        self._selector = selectors.DefaultSelector()
        self._signals: list[int] = []
        self._stage: int | None = None  #: of the shutdown; None while on air
        self._stage_ends_s = 0.0
        self._ready_s: float | None = None
        self._encoded = 0
        self._encoded_s = 0.0
        self._status_s = 0.0

    def run(self) -> int:
        with self._signals_heard():
            while not self._finished():
                self._start_due()
                self._tell_status()
                for key, _ in self._selector.select(TICK_S):
                    handle: Callable[[], None] = key.data
                    handle()
                self._heed_signals()
                self._judge()
                self._advance_shutdown()
        log.info("supervisor.stopped")
        self._selector.close()
        return 0

    def status(self) -> dict[str, Any]:
        """How all children are: name → pid, phase, starts, age of the last beat, facts."""
        now = self._now()
        children = {
            child.plan.name: {
                "pid": child.process.pid if child.process else None,
                "kind": child.plan.kind,
                "phase": child.progress.phase if child.process else "down",
                "starts": child.starts,
                "beat_age_s": round(now - child.progress.beat_s, 2),
                **({"facts": child.facts} if child.facts else {}),
            }
            for child in self._children
        }
        on_air_s = round(now - self._ready_s, 1) if self._ready_s is not None else 0.0
        return {"ready": self._ready_s is not None, "on_air_s": on_air_s, "children": children}

    # ── starting ─────────────────────────────────────────────────────────────────────────────────

    def _start_due(self) -> None:
        if self._stage is not None:
            return
        now = self._now()
        for child in self._children:
            if child.process is None and now >= child.start_s:
                self._start(child)

    def _start(self, child: Child) -> None:
        now = self._now()
        line, theirs = Lifeline.pair()
        ours = not child.plan.foreign
        try:
            child.process = subprocess.Popen(
                child.plan.command,
                stdin=theirs.fileno() if ours else subprocess.DEVNULL,
                stdout=None if ours else subprocess.DEVNULL,
                preexec_fn=None if ours else _end_with_parent,
                start_new_session=True,  # a Ctrl-C reaches the supervisor alone
            )
        except OSError as error:
            child.start_s = now + child.back_off.after_death(now, worked=False)
            log.error("child.unstartable", child=child.plan.name, reason=str(error))
            line.close()
            return
        finally:
            theirs.close()
        child.exit_fd = os.pidfd_open(child.process.pid)
        child.progress = Progress(started_s=now, beat_s=now, phase="loading" if ours else "running")
        child.starts += 1
        child.kill_s = None
        self._selector.register(child.exit_fd, selectors.EVENT_READ, lambda: self._reap(child))
        if ours:
            child.line = line
            line.send(Spec(child=child.plan.name, kind=child.plan.kind, spec=dict(child.plan.spec)))
            self._selector.register(line, selectors.EVENT_READ, lambda: self._listen(child))
        else:
            line.close()
        log.info("child.started", child=child.plan.name, pid=child.process.pid, starts=child.starts)

    # ── listening ────────────────────────────────────────────────────────────────────────────────

    def _listen(self, child: Child) -> None:
        if child.line is None:
            return
        try:
            for message in child.line.poll():
                self._hear(child, message)
        except WireError as error:
            log.warning("beat.dropped", child=child.plan.name, reason=str(error))
        except LineClosed:
            self._forget_line(child)  # its end is noticed by its exit, or by its silence

    def _hear(self, child: Child, message: Message) -> None:
        if isinstance(message, Note):
            getattr(log, message.level, log.info)(message.event, child=child.plan.name, **message.fields)
        elif isinstance(message, Beat):
            child.progress.beat(self._now(), message.phase, message.busy)
            child.facts = message.facts
            if child.plan.kind == "playout":
                self._follow_air(message)

    def _follow_air(self, beat: Beat) -> None:
        """READY after the first encoded frame; the watchdog is petted while frames are encoded."""
        encoded, now = beat.facts.get("encoded", 0), self._now()
        if encoded != self._encoded:
            self._encoded, self._encoded_s = encoded, now
        if encoded and self._ready_s is None:
            self._ready_s = now
            self._notifier.send(READY=1, STATUS="on air")
            log.info("air.ready")

    # ── judging ──────────────────────────────────────────────────────────────────────────────────

    def _judge(self) -> None:
        now = self._now()
        for child in self._children:
            if child.process is None:
                continue
            if child.kill_s is not None:
                if now >= child.kill_s:
                    self._kill(child)
            elif not child.plan.foreign and child.progress.overdue_s(now, child.plan.phases) > 0:
                self._dump(child, now)
        if self._ready_s is not None and now - self._encoded_s < ENCODED_WITHIN_S:
            self._notifier.send(WATCHDOG=1)
        if self._seconds is not None and self._ready_s is not None and now - self._ready_s >= self._seconds:
            self._signals.append(signal.SIGTERM)
            self._seconds = None

    def _dump(self, child: Child, now: float) -> None:
        """Ask for the stacks, then kill; a stopped process can answer nothing and is killed at once."""
        assert child.process is not None
        stopped = _is_stopped(child.process.pid)
        log.error(
            "child.hung",
            child=child.plan.name,
            phase=child.progress.phase,
            busy=child.progress.busy,
            stopped=stopped,
            silent_s=round(now - child.progress.beat_s, 1),
        )
        if stopped:
            self._kill(child)
            return
        with contextlib.suppress(ProcessLookupError):
            child.process.send_signal(signal.SIGUSR1)
        child.kill_s = now + DUMP_S

    def _kill(self, child: Child) -> None:
        assert child.process is not None
        child.kill_s = self._now() + KILL_AFTER_S
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.process.pid, signal.SIGKILL)

    def _reap(self, child: Child) -> None:
        assert child.process is not None
        self._listen(child)  # its last words
        code = child.process.wait()
        now = self._now()
        self._selector.unregister(child.exit_fd)
        os.close(child.exit_fd)
        self._forget_line(child)
        wait_s = child.back_off.after_death(now, worked=child.progress.phase in WORKING)
        child.process, child.start_s, child.facts, child.kill_s = None, now + wait_s, {}, None
        if self._stage is None:
            log.warning("child.died", child=child.plan.name, code=code, restart_in_s=wait_s)
        else:
            log.info("child.stopped", child=child.plan.name, code=code)

    def _forget_line(self, child: Child) -> None:
        if child.line is not None:
            self._selector.unregister(child.line)
            child.line.close()
            child.line = None

    # ── telling ──────────────────────────────────────────────────────────────────────────────────

    def _tell_status(self) -> None:
        now = self._now()
        if now < self._status_s + STATUS_EVERY_S:
            return
        self._status_s = now
        status = Status(facts=self.status())
        for child in self._children:
            if child.plan.kind == "director" and child.line is not None:
                child.line.send(status)

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
            for number in (signal.SIGTERM, signal.SIGINT)
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
            if self._stage is None:
                log.info("supervisor.stopping", signal=signal.Signals(number).name)
                self._notifier.send(STOPPING=1)
                self._enter_stage(0)
            elif number == signal.SIGINT:  # a second Ctrl-C: no more grace
                self._stage_ends_s = self._now()

    def _enter_stage(self, stage: int) -> None:
        """Drain the children of this stage: words first, packets last, so that nothing is cut short."""
        grace_s = DRAIN_S[stage]
        self._stage = stage
        self._stage_ends_s = self._now() + grace_s
        for child in self._members(stage):
            assert child.process is not None
            if child.line is not None:
                child.line.send(Drain(grace_s=grace_s))
            else:
                child.process.send_signal(signal.SIGTERM)
            child.kill_s = self._stage_ends_s + KILL_AFTER_S

    def _advance_shutdown(self) -> None:
        while self._stage is not None and self._stage in DRAIN_S and not self._members(self._stage):
            if self._stage + 1 not in DRAIN_S:
                self._stage += 1
                return
            self._enter_stage(self._stage + 1)
        if self._stage in DRAIN_S and self._now() >= self._stage_ends_s:
            for child in self._members(self._stage):
                self._kill(child)

    def _members(self, stage: int) -> list[Child]:
        return [child for child in self._children if child.plan.stage == stage and child.process is not None]

    def _finished(self) -> bool:
        return self._stage is not None and self._stage not in DRAIN_S

    def _now(self) -> float:
        return self._clock.now_ns() / NS


def _end_with_parent() -> None:
    """For programs that know no lifeline: the kernel ends them with us, in good order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_stopped(pid: int) -> bool:
    """Whether the kernel holds the process in state T (SIGSTOP)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
    except OSError:
        return False
