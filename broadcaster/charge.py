"""One child in the supervisor's charge: its process now, its line, and what is known of it.

In: a plan. Out: a process that is started, asked, drained and killed, never waited for. It decides nothing: when to
start or kill is the supervisor's matter.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broadcaster.children import Plan
from broadcaster.watch import BackOff, Progress
from pipeline.lifeline import PR_SET_PDEATHSIG, Lifeline
from pipeline.wire import Drain, Spec

DRAIN_S = {0: 8.0, 1: 1.0, 2: 2.0, 3: 2.0, 4: 3.0}  # by stage: the sentence, the step, the fade, the FIN, the log
KILL_AFTER_S = 1.0  # beyond the grace


@dataclass(slots=True)
class Charge:
    plan: Plan
    process: subprocess.Popen[bytes] | None = None
    line: Lifeline | None = None
    exit_fd: int = -1
    progress: Progress = field(default_factory=lambda: Progress(0.0, 0.0))
    back_off: BackOff = field(default_factory=BackOff)
    start_s: float = 0.0  #: when to start it next, monotonic
    starts: int = 0
    kill_s: float | None = None  #: when to send SIGKILL
    drained: bool = False  #: asked to end, so its end is no death
    leaves: bool = False  #: not started again, and forgotten once it has ended
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def start(self, now_s: float) -> None:
        """Start the process; OSError when the program cannot be run."""
        line, theirs = Lifeline.pair()
        ours = not self.plan.foreign
        try:
            self.process = subprocess.Popen(
                self.plan.command,
                stdin=theirs.fileno() if ours else subprocess.DEVNULL,
                stdout=None if ours else subprocess.DEVNULL,
                preexec_fn=None if ours else _end_with_parent,
                start_new_session=True,  # a Ctrl-C reaches the supervisor alone
            )
        except OSError:
            line.close()
            raise
        finally:
            theirs.close()
        self.exit_fd = os.pidfd_open(self.process.pid)
        self.progress = Progress(started_s=now_s, beat_s=now_s)
        self.starts += 1
        self.kill_s, self.drained = None, False
        if ours:
            self.line = line
            line.send(Spec(child=self.plan.name, kind=self.plan.kind, spec=dict(self.plan.spec)))
        else:
            line.close()
            self.progress.beat(now_s, "running", busy=False)

    def drain(self, now_s: float, grace_s: float | None = None) -> None:
        """Ask it to finish what is begun, within its stage's grace or this one; a second after it, it is killed."""
        assert self.process is not None
        grace_s = DRAIN_S[self.plan.stage] if grace_s is None else grace_s
        if self.line is not None:
            self.line.send(Drain(grace_s=grace_s))
        else:
            self.process.send_signal(signal.SIGTERM)
        self.drained = True
        self.kill_s = now_s + grace_s + KILL_AFTER_S

    def ask_for_stacks(self) -> None:
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGUSR1)

    def kill(self, now_s: float) -> None:
        """Kill it and all that it started; tried again a second later while it lives."""
        assert self.process is not None
        self.kill_s = now_s + KILL_AFTER_S
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Its exit status, once `exit_fd` is readable."""
        assert self.process is not None
        code = self.process.wait()
        os.close(self.exit_fd)
        self.process, self.facts, self.kill_s = None, {}, None
        return code

    def is_stopped(self) -> bool:
        """Whether the kernel holds the process in state T (SIGSTOP)."""
        try:
            return Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0] in ("T", "t")
        except OSError:
            return False

    def status(self, now_s: float, held: bool) -> dict[str, Any]:
        away = "held" if held else "down"
        return {
            "pid": self.pid,
            "kind": self.plan.kind,
            "phase": self.progress.phase if self.process else away,
            "starts": self.starts,
            "beat_age_s": round(now_s - self.progress.beat_s, 2),
            **({"braked": True} if self.back_off.braked else {}),
            **({"facts": self.facts} if self.facts else {}),
        }


def _end_with_parent() -> None:
    """For programs that know no lifeline: the kernel ends them with us, in good order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
