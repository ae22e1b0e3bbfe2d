"""The fan-out of playout: every tag to every pusher, and what each of them says was sent.

In: headers and tags, from the encoder's thread. Out: a byte stream for each pusher (streams.tagline):
headers, the tags since the last key frame, then what comes. `publish` never waits: a thread of this
module owns the sockets, and each pusher has a bounded queue of its own (streams.backlog), so that a
slow one harms nobody else. It encodes nothing and opens no network address.
"""

from __future__ import annotations

import os
import selectors
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import structlog

from pipeline.clock import NS, Clock
from pipeline.errors import WireError
from pipeline.wire import Headers, PusherHello, Sent, Tag, decode_any
from streams.backlog import Backlog
from streams.flv import AUDIO
from streams.tagline import SOCKET_NAME, Unframer, framed
from streams.watched import Watched

NOTHING_MS = -1  #: audio_ms before anything was sent
NONE_LIVE_S = 5.0  # so long without an output, and `go_on` takes encoded for heard
SELECT_S = 0.25
SHORT_OF_DESCRIPTORS_S = 0.01  # a quarter of a slot: tags go on to those who are connected
READ_BYTES = 16 * 1024
SEND_BUFFER_BYTES = 64 * 1024  # what the kernel holds is out of our hands: a fifth of a second at 3 Mb/s
REPLAY_MAX_BYTES = 16 * 1024 * 1024  # ten seconds at 12 Mb/s: an encoder that makes no key frames is replayed no more

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OutputState:
    """How one output is. `state`: idle | connecting | live | backing-off.

    `audio_ms`: media time up to which audio was handed to the destination, −1 before the first.
    `connects`: how often it went live. `dropped`: tags. `connected`: its pusher is on the line. `told`: it said how
    it is, since it is on the line. Before the first headers `audio_ms` is of the last playout, which counts on
    the same time line.
    """

    state: str = "idle"
    audio_ms: int = NOTHING_MS
    connects: int = 0
    dropped: int = 0
    connected: bool = False
    told: bool = False

    @property
    def live(self) -> bool:
        return self.connected and self.state == "live"


def heard_ms(
    states: Mapping[str, OutputState], ack: str, when_no_output: str, encoded_ms: int, none_live_for_s: float
) -> int:
    """Media time up to which the outputs that count have sent the audio; −1 for nothing.

    `ack`: any → the furthest live output; all → the last of all outputs, live or not; a name → that
    output. Without outputs, what is encoded is heard. When none has been live for 5 s, `go_on` takes
    what is encoded for heard and `pause` stays at what was heard last. A file counts like any output.
    The value can step back when an output is lost or returns: the caller keeps the largest it saw.
    """
    if not states:
        return encoded_ms
    live = [state.audio_ms for state in states.values() if state.live]
    if not live and none_live_for_s >= NONE_LIVE_S and when_no_output == "go_on":
        return encoded_ms
    everything = [state.audio_ms for state in states.values()]
    if ack == "any":
        return max(live or everything)
    if ack == "all":
        return min(everything)
    return states[ack].audio_ms if ack in states else NOTHING_MS  # that output is being taken away


class _Line:
    """One pusher on the socket. The I/O thread alone touches it, but for `backlog`, which the lock guards."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.unframer = Unframer()
        self.backlog = Backlog()
        self.output = ""
        self.rest = memoryview(b"")  # of the message being sent
        self.cut = False  # lost: to be closed by the I/O thread
        self.ending = False  # its output was taken away: what waits is sent, nothing more
        self.writing = False  # the selector watches for room


class Outputs:
    """`publish`, `set_headers` and `states` from any thread; `open`, `start`, `retarget` and `close` from the owner's.

    `names`: the outputs there are. `uncounted`: further ones that get all tags, and whose state nobody asks for.
    """

    def __init__(self, runtime_dir: Path, names: Sequence[str], clock: Clock, uncounted: Sequence[str] = ()) -> None:
        self._path = runtime_dir / SOCKET_NAME
        self._clock = clock
        self._lock = threading.Lock()
        self._uncounted = frozenset(uncounted)
        self._states = {name: OutputState() for name in (*names, *uncounted)}
        self._lost = dict.fromkeys(self._states, 0)  # tags dropped by or for pushers that are gone
        self._lines: dict[str, _Line] = {}  # by output name
        self._leaving: list[_Line] = []  # of outputs that were taken away
        self._headers: Headers | None = None
        self._replay: list[tuple[Tag, bytes]] = []  # since the last key frame
        self._replay_bytes = 0
        self._audio_ms = NOTHING_MS
        self._live_ns = clock.now_ns()  # when an output was live last
        self._stop_ns: int | None = None
        self._selector = selectors.DefaultSelector()
        self.thread: Watched | None = None
        self._listener: socket.socket | None = None
        self._wake = -1

    def open(self) -> None:
        """Bind the socket, for us alone; OSError when the directory refuses it."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._path.unlink(missing_ok=True)  # of a playout that was killed
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self._path))
        self._path.chmod(0o600)
        self._listener.listen(64)
        self._listener.setblocking(False)
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wake, selectors.EVENT_READ)

    def start(self) -> None:
        self.thread = Watched("outputs", self._serve)
        self.thread.start()

    def set_headers(self, headers: Headers) -> None:
        """What every connection begins with; pushers on the line start over when it is new."""
        with self._lock:
            if headers == self._headers:
                return
            if self._headers is None:  # from here on only what we publish counts
                self._states = {name: replace(state, audio_ms=NOTHING_MS) for name, state in self._states.items()}
            self._headers = headers
            self._replay, self._replay_bytes = [], 0
            for line in self._lines.values():
                line.backlog.begin(framed(headers), [])
        self._poke()

    def publish(self, tag: Tag) -> None:
        """Queue one tag for all pushers; returns at once, whatever they do."""
        data = framed(tag)
        with self._lock:
            self._keep(tag, data)
            if self._headers is not None:
                for line in self._lines.values():
                    if not line.backlog.push(tag, data):
                        line.cut = True
        self._poke()

    def retarget(self, names: Sequence[str]) -> None:
        """These are the outputs from now on. One that went gets what waits for it, and then the end of its line."""
        with self._lock:
            kept = {*names, *self._uncounted}
            for name in [name for name in self._states if name not in kept]:
                del self._states[name], self._lost[name]
                if line := self._lines.pop(name, None):
                    line.ending = True
                    self._leaving.append(line)
            for name in [name for name in names if name not in self._states]:
                self._states[name], self._lost[name] = OutputState(), 0
        self._poke()

    def states(self) -> dict[str, OutputState]:
        """Of the outputs that count."""
        with self._lock:
            return {name: replace(state, dropped=self._dropped(name)) for name, state in self._counted()}

    def none_live_for_s(self) -> float:
        """For how long no output has been live; 0 while one is."""
        with self._lock:
            now_ns = self._clock.now_ns()
            if any(state.live for _, state in self._counted()):
                self._live_ns = now_ns
            return (now_ns - self._live_ns) / NS

    def close(self, flush_s: float) -> None:
        """Give the pushers up to `flush_s` to send what waits, then hang up: they see the end of the stream.

        Nothing may be published any more.
        """
        if self._listener is None:
            return
        self._stop_ns = self._clock.now_ns() + int(flush_s * NS)
        self._poke()
        if self.thread is not None:
            self.thread.join()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, _Line):
                key.data.socket.close()
        self._selector.close()
        self._listener.close()
        self._listener = None
        self._path.unlink(missing_ok=True)
        wake, self._wake = self._wake, -1
        os.close(wake)

    def _counted(self) -> list[tuple[str, OutputState]]:
        return [(name, state) for name, state in self._states.items() if name not in self._uncounted]

    def _dropped(self, name: str) -> int:
        line = self._lines.get(name)
        return self._lost[name] + self._states[name].dropped + (line.backlog.dropped if line else 0)

    def _keep(self, tag: Tag, data: bytes) -> None:
        """Remember the tags since the last key frame for the next pusher to connect."""
        if tag.kind == AUDIO:
            self._audio_ms = tag.ms
        if tag.key:
            self._replay, self._replay_bytes = [], 0
        elif not self._replay:
            return
        self._replay.append((tag, data))
        self._replay_bytes += len(data)
        if self._replay_bytes > REPLAY_MAX_BYTES:
            self._replay, self._replay_bytes = [], 0

    def _poke(self) -> None:
        if self._wake < 0:  # not open: nobody is on the line
            return
        try:
            os.eventfd_write(self._wake, 1)
        except BlockingIOError:  # the counter is full: it wakes anyway
            pass

    # ── the I/O thread ───────────────────────────────────────────────────────────────────────────

    def _serve(self) -> None:
        while not self._finished():
            for key, events in self._selector.select(SELECT_S if self._stop_ns is None else SELECT_S / 10):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.data is None:
                    os.eventfd_read(self._wake)
                elif events & selectors.EVENT_READ:
                    self._read(key.data)
            for line in self._all_lines():
                self._write(line)
        for line in self._all_lines():
            self._hang_up(line)

    def _finished(self) -> bool:
        if self._stop_ns is None:
            return False
        if self._clock.now_ns() >= self._stop_ns:
            return True
        with self._lock:
            counted = [line for line in self._lines.values() if line.output not in self._uncounted] + self._leaving
            idle = all(not line.backlog and not line.rest for line in counted)
            return idle and all(state.audio_ms >= self._audio_ms for _, state in self._counted() if state.live)

    def _all_lines(self) -> list[_Line]:
        with self._lock:
            return [*self._lines.values(), *self._leaving]

    def _accept(self) -> None:
        assert self._listener is not None
        try:
            sock, _ = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError:  # no descriptor is left: it waits in the listener's queue, and is asked for again and again
            time.sleep(SHORT_OF_DESCRIPTORS_S)
            return
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._selector.register(sock, selectors.EVENT_READ, _Line(sock))

    def _read(self, line: _Line) -> None:
        try:
            data = line.socket.recv(READ_BYTES)
            messages = [decode_any(message) for message in line.unframer.feed(data)]
        except BlockingIOError:
            return
        except OSError:  # killed, or hung up in this round
            data, messages = b"", []
        except WireError as error:
            log.warning("pusher.garbled", output=line.output, error=str(error))
            data, messages = b"", []
        if not data:
            self._hang_up(line)
        for message in messages:
            if isinstance(message, PusherHello):
                self._welcome(line, message)
            elif isinstance(message, Sent):
                self._account(line, message)

    def _welcome(self, line: _Line, hello: PusherHello) -> None:
        if not line.output and (older := self._lines.get(hello.output)):
            self._hang_up(older)
        with self._lock:
            known = hello.output in self._states and not line.output
            if known:
                line.output = hello.output
                if self._headers is not None:
                    line.backlog.begin(framed(self._headers), self._replay)
                self._lines[line.output] = line
                self._states[line.output] = replace(self._states[line.output], connected=True, told=False, state="idle")
        if known:
            log.info("pusher.connected", output=hello.output, pid=hello.pid)
        else:
            log.warning("pusher.refused", output=hello.output, pid=hello.pid)
            self._hang_up(line)

    def _account(self, line: _Line, sent: Sent) -> None:
        output = line.output
        with self._lock:
            if self._lines.get(output) is not line:
                return
            known = self._states[output]
            ours = self._headers is None or sent.audio_ms <= self._audio_ms
            self._states[output] = replace(
                known,
                told=True,
                state=sent.state,
                audio_ms=max(known.audio_ms, sent.audio_ms if ours else NOTHING_MS),
                connects=sent.connects,
                dropped=sent.dropped,
            )
            if self._states[output].live and output not in self._uncounted:
                self._live_ns = self._clock.now_ns()

    def _write(self, line: _Line) -> None:
        """Send what waits until the socket is full."""
        if line.cut:
            log.warning("pusher.cut_off", output=line.output)
            self._hang_up(line)
            return
        try:
            while self._load(line):
                line.rest = line.rest[line.socket.send(line.rest) :]
        except BlockingIOError:
            self._watch(line, for_room=True)
        except OSError:
            self._hang_up(line)
        else:
            self._watch(line, for_room=False)
            if line.ending:
                self._hang_up(line)

    def _load(self, line: _Line) -> bool:
        """Whether there is something to send."""
        if not line.rest:
            with self._lock:
                line.rest = memoryview(line.backlog.pop() or b"")
        return bool(line.rest)

    def _watch(self, line: _Line, for_room: bool) -> None:
        if line.writing != for_room:
            line.writing = for_room
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if for_room else 0)
            self._selector.modify(line.socket, events, line)

    def _hang_up(self, line: _Line) -> None:
        """Close this line; the state of its output remembers what was heard."""
        try:
            self._selector.unregister(line.socket)
        except (KeyError, ValueError):  # hung up before, in the same round
            return
        line.socket.close()
        with self._lock:
            if line in self._leaving:
                self._leaving.remove(line)
            if self._lines.get(line.output) is not line:
                return
            self._lost[line.output] = self._dropped(line.output)
            del self._lines[line.output]
            state = self._states[line.output]
            self._states[line.output] = replace(state, connected=False, told=False, state="idle", dropped=0)
        log.info("pusher.gone", output=line.output)
