"""One process in the supervisor's charge: a child, or a rank of one; its line, and what is known of it.

In: a plan, and what this rank is told beside its section. Out: a process that is started, asked and killed, never
waited for. It decides nothing.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from broadcaster.children import Plan
from broadcaster.watch import Progress
from pipeline.lifeline import PR_SET_PDEATHSIG, Lifeline
from pipeline.wire import Spec


@dataclass(eq=False, slots=True)
class Member:
    rank: int
    process: subprocess.Popen[bytes]
    exit_fd: int
    line: Lifeline | None
    progress: Progress
    facts: dict[str, Any] = field(default_factory=dict)
    stopped_since_s: float | None = None  #: when it was first seen stopped; None while it runs

    @staticmethod
    def start(
        plan: Plan, environment: Mapping[str, str] | None, now_s: float, *, rank: int = 0, standby: bool = False
    ) -> Member:
        """Start the process, which waits for `begin`; OSError when the program cannot be run."""
        line, theirs = Lifeline.pair()
        ours = not plan.foreign
        try:
            process = subprocess.Popen(
                plan.command_of_standby if standby else plan.command,
                stdin=theirs.fileno() if ours else subprocess.DEVNULL,
                stdout=None if ours else subprocess.DEVNULL,
                preexec_fn=None if ours else _end_with_parent,
                start_new_session=True,  # a Ctrl-C reaches the supervisor alone
                env=environment,
            )
        except OSError:
            line.close()
            raise
        finally:
            theirs.close()
        progress = Progress(started_s=now_s, beat_s=now_s)
        if not ours:
            line.close()
            progress.beat(now_s, "running", busy=False)
        return Member(rank, process, os.pidfd_open(process.pid), line if ours else None, progress)

    def begin(self, plan: Plan, place: Mapping[str, Any], now_s: float) -> None:
        """Give it its section, and what this rank is told beside it."""
        if self.line is not None:
            self.progress = Progress(started_s=now_s, beat_s=now_s)
            self.line.send(Spec(child=plan.name, kind=plan.kind, spec={**plan.spec, **place}))

    @property
    def pid(self) -> int:
        return self.process.pid

    def ask_for_stacks(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGUSR1)

    def kill(self) -> None:
        """Kill it and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def reap(self) -> int:
        """Its exit status, once `exit_fd` is readable."""
        code = self.process.wait()
        os.close(self.exit_fd)
        return code

    def forget(self) -> None:
        """Give up the line and the descriptor of one that nobody reaps by it."""
        os.close(self.exit_fd)
        if self.line is not None:
            self.line.close()
            self.line = None

    def is_stopped(self, traced: bool = True) -> bool:
        """Whether the kernel holds the process in state T (SIGSTOP), or in t, by a debugger."""
        try:
            state = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        return state == "T" or (traced and state == "t")

    def stopped_s(self, now_s: float) -> float:
        """For how long it has been seen stopped by a signal; 0 while it runs. To be asked again and again."""
        if not self.is_stopped(traced=False):
            self.stopped_since_s = None
            return 0.0
        if self.stopped_since_s is None:
            self.stopped_since_s = now_s
        return now_s - self.stopped_since_s

    def status(self, now_s: float) -> dict[str, Any]:
        return {
            "rank": self.rank,
            "pid": self.pid,
            "phase": self.progress.phase,
            "beat_age_s": round(now_s - self.progress.beat_s, 2),
        }


def _end_with_parent() -> None:
    """For programs that know no lifeline: the kernel ends them with us, in good order."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
