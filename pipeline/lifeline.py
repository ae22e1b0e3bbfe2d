"""The line between the supervisor and one child: its section first, beats up, commands down.

An AF_UNIX SOCK_SEQPACKET pair whose child end is the child's standard input, so that nothing secret
is in argv or environment and the end of either side is seen by the other. Nothing here blocks: a
beat that finds the line full is dropped, since the next one says more.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import socket

from pipeline.errors import BroadcasterError, WireError
from pipeline.wire import Beat, Message, Note, Spec, decode_any, encode

MESSAGE_MAX_BYTES = 160 * 1024  # below the kernel's default limit for one packet
SPEC_WAIT_S = 10.0  # the supervisor sends it before it does anything else
PR_SET_PDEATHSIG = 1


class LineClosed(BroadcasterError):
    """The other end is gone: a child exits, the supervisor reaps."""


class Lifeline:
    """One end of the line. Used by one thread at a time, but for `beat` and `note`, which any may call."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._socket.setblocking(False)
        self._early: list[Message] = []  # came together with the section

    @staticmethod
    def pair() -> tuple[Lifeline, socket.socket]:
        """The supervisor's end, and the socket to hand to the child as its standard input."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Lifeline(ours), theirs

    @staticmethod
    def of_child() -> Lifeline:
        """The child's end: its standard input. Also asks the kernel to kill us with our parent."""
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() == 1:
            raise LineClosed("the supervisor was gone before this child began")
        return Lifeline(socket.socket(fileno=os.dup(0)))

    def fileno(self) -> int:
        return self._socket.fileno()

    def spec(self, wait_s: float | None = SPEC_WAIT_S) -> Spec:
        """Wait for the first message, the child's section; LineClosed when none comes. None: as long as it takes."""
        select.select([self._socket], [], [], wait_s)
        messages = self.poll()
        if messages and isinstance(messages[0], Spec):
            self._early = messages[1:]
            return messages[0]
        raise LineClosed("no section came down the lifeline: children are started by the supervisor")

    def send(self, message: Message) -> bool:
        """Send now or not at all; true when it was taken."""
        data = encode(message)
        if len(data) > MESSAGE_MAX_BYTES:
            raise WireError(f"{type(message).__name__} of {len(data)} bytes is too long for the lifeline")
        try:
            self._socket.send(data)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return False
        return True

    def beat(self, phase: str, busy: bool = False, **facts: object) -> None:
        self.send(Beat(phase=phase, busy=busy, facts=facts))

    def note(self, level: str, event: str, **fields: object) -> None:
        self.send(Note(level=level, event=event, fields=fields))

    def poll(self) -> list[Message]:
        """All messages that have come, oldest first; LineClosed when the other end is gone."""
        messages, self._early = self._early, []
        while True:
            try:
                data = self._socket.recv(MESSAGE_MAX_BYTES)
            except BlockingIOError:
                return messages
            except ConnectionResetError:
                data = b""
            if not data:
                if messages:
                    return messages
                raise LineClosed("the other end of the lifeline is gone")
            messages.append(decode_any(data))

    def close(self) -> None:
        self._socket.close()
