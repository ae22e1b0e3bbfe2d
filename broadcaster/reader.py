"""The process that reads the configuration again, from the supervisor's side: asked, and never waited for.

In: a question. Out: an outcome, later. Both travel in memory files, so that no secret is in argv, environment or on a
disk. The process stays for a few seconds after an answer: of changes that follow one another closely only the first
pays for its start. One that is gone meanwhile is replaced without a word.
"""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from broadcaster.reload import InForce, Outcome, Question
from pipeline.wire import ChangeOutput

READ_WITHIN_S = 60.0  # pictures and voices are tried as well
LINGER_S = 5.0  # for the next question; then it is not worth its memory
DONE = b"!"


class Reloader:
    """The supervisor's side. Nothing here waits for the other process."""

    def __init__(self, path: Path, runtime_dir: Path, owner: str, in_force: InForce) -> None:
        self.path = path
        self.in_force = in_force
        self._runtime_dir = runtime_dir
        self._owner = owner
        self._process: subprocess.Popen[bytes] | None = None
        self._line: socket.socket | None = None
        self._asked_fd = self._said_fd = -1
        self._used = False  # it has answered before, so it may be about to leave
        self._ends_s = 0.0

    @property
    def is_running(self) -> bool:
        """Whether a question is open."""
        return self._said_fd >= 0

    @property
    def reader_pid(self) -> int | None:
        """Of the process that is there, busy or not."""
        return self._process.pid if self._process else None

    def start(self, now_s: float, change: ChangeOutput | None = None, rehearse: bool = False) -> None:
        """Begin to read; OSError when no process can be started. rehearse: with the code that is installed now."""
        if rehearse:
            self.close()
        question = Question(self._owner, self.in_force, change, rehearse)
        self._asked_fd, self._said_fd = _memory("reload-question"), _memory("reload-outcome")
        self._ends_s = now_s + READ_WITHIN_S
        try:
            os.write(self._asked_fd, msgspec.msgpack.encode(question))
            self._ask()
        except OSError:
            self._forget()
            raise

    def outcome(self, now_s: float) -> Outcome | None:
        """What it found, once; None while it reads."""
        assert self._line is not None and self._process is not None
        try:
            done = self._line.recv(1) == DONE
        except BlockingIOError:
            if now_s < self._ends_s:
                return None
            done = False
        except OSError:
            done = False
        if not done and now_s < self._ends_s:  # it hung up
            if self._process.poll() is None:
                return None
            if self._used:  # it left while it was asked
                with contextlib.suppress(OSError):
                    self._ask_anew()
                    return None
        found = self._found(done)
        if found.in_force is not None:
            self.in_force = found.in_force
        return found

    def tidy(self) -> None:
        """Bury the process once it has left."""
        if self._process is not None and self._process.poll() is not None:
            self.close()

    def close(self) -> None:
        """Let the process go."""
        if self._line is not None:
            self._line.close()
        if self._process is not None and self._process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        self._process, self._line, self._used = None, None, False

    def _ask(self) -> None:
        """Put the question to the process that is there, else to a new one; OSError when there can be none."""
        if self._line is not None:
            with contextlib.suppress(OSError):
                socket.send_fds(self._line, [b"?"], [self._asked_fd, self._said_fd])
                return
        self._ask_anew()

    def _ask_anew(self) -> None:
        self.close()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "broadcaster.reload", str(self.path), str(self._runtime_dir)],
                stdin=theirs.fileno(),
                start_new_session=True,
            )
        self._line = ours
        socket.send_fds(ours, [b"?"], [self._asked_fd, self._said_fd])

    def _found(self, done: bool) -> Outcome:
        """What stands in the memory file; the process is let go when it did not come to an end."""
        code = self._process.poll() if self._process else None
        if not done:
            self.close()
        self._used = done
        os.lseek(self._said_fd, 0, os.SEEK_SET)
        with os.fdopen(os.dup(self._said_fd), "rb") as said:
            data = said.read()
        self._forget()
        try:
            return msgspec.msgpack.decode(data, type=Outcome)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return Outcome(reasons=[f"{self.path}: reading it ended with status {code} and without an outcome"])

    def _forget(self) -> None:
        for fd in (self._asked_fd, self._said_fd):
            os.close(fd)
        self._asked_fd = self._said_fd = -1


def serve(answer: Callable[[bytes], bytes]) -> None:
    """The other process's side: answer what is asked on standard input, until nobody asks any more."""
    with socket.socket(fileno=os.dup(0)) as line:
        while select.select([line], [], [], LINGER_S)[0]:
            data, fds, _, _ = socket.recv_fds(line, 1, 2)
            if not data:
                return
            asked_fd, said_fd = fds
            with os.fdopen(asked_fd, "rb") as asked, os.fdopen(said_fd, "wb") as said:
                asked.seek(0)
                said.seek(0)
                said.write(answer(asked.read()))
            line.send(DONE)


def _memory(name: str) -> int:
    return os.memfd_create(name, os.MFD_CLOEXEC)
