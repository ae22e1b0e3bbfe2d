"""Processes that begin with their modules read: forked from one that has read them and done nothing else.

A director takes a second of a core to read its modules, supervisor and playout most of one, and tests start a hundred
of them. `python -m tests.process.nursery`, one for a process of tests, reads them once, when the first is asked for; it
has no thread, no loop and no connection of its own that a child could share. `started` gives a child what
`subprocess.Popen` would: a session, standard input and error, an environment, arguments.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import traceback
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
AHEAD = ("broadcaster.web.server", "streams.playout")  # what a director reads once it runs, and a playout
REQUEST_BYTES = 1 << 16
ANSWER_S = 60.0  # the modules, on a busy machine
DEVNULL = subprocess.DEVNULL


class Child:
    """As much of `subprocess.Popen` as tests need."""

    def __init__(self, nursery: Nursery, pid: int) -> None:
        self._nursery = nursery
        self.pid = pid

    def poll(self) -> int | None:
        """The exit status, negative for a signal; None while it runs."""
        return self._nursery.ended(self.pid)

    def wait(self, timeout_s: float | None = None) -> int:
        deadline = time.monotonic() + (timeout_s or ANSWER_S)
        while (status := self._nursery.ended(self.pid, 0.05)) is None:
            if time.monotonic() > deadline:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout_s or ANSWER_S)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """The tests' end."""

    def __init__(self) -> None:
        self._line, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._line.settimeout(ANSWER_S)
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.nursery"],
            stdin=theirs.fileno(),
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        theirs.close()
        self._ended: dict[int, int] = {}
        atexit.register(self.close)

    def start(
        self, module: str, arguments: Sequence[str], stdin: int, stderr: int | None, environment: dict[str, str]
    ) -> Child:
        given = {"module": module, "arguments": arguments, "environment": environment, "silent": stderr == DEVNULL}
        socket.send_fds(self._line, [json.dumps(given).encode()], [stdin, 2 if stderr in (None, DEVNULL) else stderr])
        while "pid" not in (answer := self._answer()):
            self._note(answer)
        return Child(self, answer["pid"])

    def ended(self, pid: int, wait_s: float = 0.0) -> int | None:
        """The exit status of a child, as soon as it is known."""
        while pid not in self._ended and select.select([self._line], [], [], wait_s)[0]:
            self._note(self._answer())
        return self._ended.get(pid)

    def close(self) -> None:
        self._line.close()
        self._process.wait(10)

    def _answer(self) -> dict[str, int]:
        data = self._line.recv(REQUEST_BYTES)
        assert data, "the nursery has died"
        answer: dict[str, int] = json.loads(data)
        return answer

    def _note(self, answer: dict[str, int]) -> None:
        self._ended[answer["ended"]] = answer["status"]


@cache
def nursery() -> Nursery:
    return Nursery()


def started(module: str, stdin: int, stderr: int | None, environment: dict[str, str], *arguments: str) -> Child:
    """`module`'s main() in a process of its own. stderr: as subprocess takes it."""
    return nursery().start(module, arguments, stdin, stderr, environment)


# ── the process that forks ───────────────────────────────────────────────────────────────────────


def main() -> int:
    line = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    woken, waking = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who interrupts the tests ends them, and they us
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waking, warn_on_full_buffer=False)
    watched: list[Any] = [line, woken]
    while True:
        ready, _, _ = select.select(watched, [], [])
        if woken in ready:
            os.read(woken, 4096)
            _bury(line)
        if line in ready:
            request, fds, _, _ = socket.recv_fds(line, REQUEST_BYTES, 2)
            if not request:
                return 0
            given = json.loads(request)
            for module in (given["module"], *AHEAD):
                importlib.import_module(module)
            pid = os.fork()
            if pid == 0:
                _live(given, fds, [line.detach(), woken, waking])
            for fd in fds:
                os.close(fd)
            line.send(json.dumps({"pid": pid}).encode())


def _bury(line: socket.socket) -> None:
    """Tell of all children that have ended."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if not pid:
            return
        line.send(json.dumps({"ended": pid, "status": os.waitstatus_to_exitcode(status)}).encode())


def _live(given: dict[str, Any], fds: list[int], ours: list[int]) -> None:
    """The child's whole life."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.setsid()
        os.dup2(fds[0], 0)
        os.dup2(os.open(os.devnull, os.O_WRONLY) if given["silent"] else fds[1], 2)
        for fd in (*fds, *ours):
            os.close(fd)
        os.environ.clear()
        os.environ.update(given["environment"])
        sys.argv = [given["module"], *given["arguments"]]
        status = importlib.import_module(given["module"]).main()
    except SystemExit as ended:
        status = int(ended.code or 0)
    except BaseException:  # noqa: BLE001  the top of a process
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    sys.exit(main())
