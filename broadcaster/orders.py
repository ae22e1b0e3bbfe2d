"""Orders to a running room: one message, one answer, without Redis and without the director.

In: messages on `supervisor.sock` in the room's runtime directory, which only its user may enter. Out: answers, some of
them later, when it is known what became of the order. The supervisor's side never waits; the other side, the command
line's, waits for the answer. A room is found by its configuration, or because it is the only one on this machine.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from broadcaster.names import HOUSE
from pipeline.errors import BroadcasterError, ConfigError, WireError
from pipeline.wire import Answer, ChangeOutput, ChangeSchedule, Panic, Reload, decode, decode_any, encode
from pipeline.wire import Upgrade as UpgradeOrder

SOCKET = "supervisor.sock"
HOUSES = Path("/run/broadcaster")  # where systemd's units have their directories, those of houses with rooms below
ORDER_MAX_BYTES = 8 * 1024
ANSWER_MAX_BYTES = 64 * 1024
WAITING_MAX = 16  # connections at once; the oldest goes for one more
CONNECT_S = 1.0
TEXT_MAX = 120  # characters on the slate
PANIC_WAIT_S = 4.0  # the answer says what is on air, two seconds later at the latest
ERRAND_WAIT_S = 25.0  # the director's answer
RELOAD_WAIT_S = 75.0  # pictures, voices and script are tried first
STEP_WAIT_S = 660.0  # an upgrade tells of each step; the longest is an engine that loads

Order = Panic | Reload | ChangeOutput | ChangeSchedule | UpgradeOrder
Reply = Callable[[Answer], None]


def slate_text(text: str, off: bool) -> str:
    """A line for the slate; ConfigError says why it cannot be one."""
    line = " ".join(text.split())
    if off and line:
        raise ConfigError("a text stands on the slate; with --off there is none")
    if len(line) > TEXT_MAX or not line.isprintable():
        raise ConfigError(f"the slate takes one printable line of up to {TEXT_MAX} characters; these are {len(line)}")
    return line


class Unanswered(BroadcasterError):
    """The room did not answer an order."""


class Orders:
    """The supervisor's side. `obey(order, reply)` is called for each order; `reply` may be called later, once."""

    def __init__(self, runtime_dir: Path, obey: Callable[[Order, Reply], None]) -> None:
        self._path = runtime_dir / SOCKET
        self._obey = obey
        self._waiting: dict[socket.socket, None] = {}  # oldest first

    def open(self, selector: selectors.BaseSelector) -> None:
        """Listen; each entry of the selector is a function without arguments."""
        self._selector = selector
        self._path.unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        self._listener.bind(str(self._path))
        self._listener.listen(WAITING_MAX)
        selector.register(self._listener, selectors.EVENT_READ, self._accept)

    def close(self) -> None:
        for connection in list(self._waiting):
            self._hang_up(connection)
        self._selector.unregister(self._listener)
        self._listener.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:  # it hung up meanwhile, or there are no descriptors left
            return
        if len(self._waiting) >= WAITING_MAX:
            self._hang_up(next(iter(self._waiting)))
        connection.setblocking(False)
        self._waiting[connection] = None
        self._selector.register(connection, selectors.EVENT_READ, lambda: self._read(connection))

    def _read(self, connection: socket.socket) -> None:
        try:
            data = connection.recv(ORDER_MAX_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:  # it hung up, with or without its answer
            self._hang_up(connection)
            return
        try:
            order = decode_any(data)
            if not isinstance(order, Panic | Reload | ChangeOutput | ChangeSchedule | UpgradeOrder):
                raise WireError(f"{type(order).__name__} is no order")
        except WireError as error:
            self._answer(connection, Answer(False, [str(error)]))
            return
        self._obey(order, lambda answer: self._answer(connection, answer))

    def _answer(self, connection: socket.socket, answer: Answer) -> None:
        if connection in self._waiting:
            with contextlib.suppress(OSError):
                connection.send(encode(answer))
            if not answer.more:
                self._hang_up(connection)

    def _hang_up(self, connection: socket.socket) -> None:
        self._waiting.pop(connection)
        self._selector.unregister(connection)
        connection.close()


def give(
    runtime_dir: Path, order: Order, timeout_s: float, meanwhile: Callable[[Answer], None] = lambda _: None
) -> Answer:
    """Give an order and wait for the answer. ConfigError when the room is not on air, Unanswered when it is mute.

    timeout_s: the longest silence. meanwhile: gets the answers that come before the last one.
    """
    data = encode(order)
    if len(data) > ORDER_MAX_BYTES:
        raise ConfigError(f"an order may have {ORDER_MAX_BYTES} bytes; this one has {len(data)}")
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as line:
        line.settimeout(CONNECT_S)
        try:
            line.connect(str(runtime_dir / SOCKET))
        except OSError as error:
            raise ConfigError(f"the room is not on air: nobody listens in {runtime_dir} ({error.strerror})") from error
        try:
            line.sendall(data)
            line.settimeout(timeout_s)
            while data := line.recv(ANSWER_MAX_BYTES):
                answer = decode(data, Answer)
                if not answer.more:
                    return answer
                meanwhile(answer)
        except OSError as error:
            raise Unanswered(f"no answer from the room in {runtime_dir} within {timeout_s:g} s") from error
    raise Unanswered(f"the room in {runtime_dir} ended before it answered")


def rooms_on_air() -> list[Path]:
    """Runtime directories of this user's running rooms on this machine."""
    found = [path.parent for directory in _homes() for path in sorted(directory.glob(f"*/{SOCKET}"))]
    found += [path.parent for path in sorted(HOUSES.glob(f"*/*/{SOCKET}")) if path.parent.name != HOUSE]
    return [directory for directory in found if listens(directory)]


def the_room_on_air() -> Path:
    """The runtime directory of the only running room; ConfigError lists them when it is not the only one."""
    found = rooms_on_air()
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError("no room of this user is on air on this machine: name it with --config FILE")
    raise ConfigError(f"several rooms are on air: {', '.join(path.name for path in found)}; say which: --config FILE")


def _homes() -> Sequence[Path]:
    """Where runtime directories are: ours, and those that systemd makes."""
    homes = [Path(tempfile.gettempdir()) / f"broadcaster-{os.getuid()}", Path(f"/run/user/{os.getuid()}"), Path("/run")]
    homes.append(HOUSES)
    return [home for home in homes if home.is_dir()]


def listens(runtime_dir: Path) -> bool:
    """Whether a room takes orders there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as probe:
        probe.settimeout(CONNECT_S)
        try:
            probe.connect(str(runtime_dir / SOCKET))
        except OSError:
            return False
    return True
