"""Playout: the infallible process. It owns the air clock, the encoder and the journal of what was heard.

In: segments from engines, cuts from the director, panic and drain from the supervisor. Out: demands,
FLV tags for the pushers, reports. Three threads: the clock (streams.air), the encoder
(streams.transmitter), and this one, which owns every socket and waits on all of them at once; two more
carry tags to the pushers and reports to the disk. Nothing upstream is ever waited for: live → hold →
slate. It opens no network address, and knows neither Redis nor an avatar.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import structlog
import zmq

from pipeline import link
from pipeline.clock import Clock, RealClock
from pipeline.errors import BadInput, BroadcasterError, WireError
from pipeline.heap import Tidy
from pipeline.journal import Journal
from pipeline.lifeline import Lifeline
from pipeline.media import AIR_SAMPLES, FPS
from pipeline.wire import Cut, Drain, EngineBye, EngineHello, NewHold, Panic, Report, Retarget, Segment, decode_any
from streams.air import Air
from streams.buffer import Buffer
from streams.chronicle import Chronicle
from streams.encoder import EncoderSettings
from streams.handover import Handover
from streams.holdloop import HoldLoop
from streams.notice import notice
from streams.outputs import Outputs
from streams.overlay import Overlay
from streams.pending import Pending
from streams.programme import HOLD, LIVE, Programme
from streams.reports import Reporter
from streams.slate import slate
from streams.transmitter import FramePool, Transmitter

POLL_MS = 100  # the longest wait; the clock's tick ends it 25 times a second
MESSAGES_MAX = 16  # of one socket in a row: a flood must not keep the others from being heard
FADE_OUT_SLOTS = 12  # 480 ms of slate and silence end the show
FLUSH_MAX_S = 3.0  # for pushers to send what waits
HAND_OVER_S = 0.3  # the same where another playout follows: viewers wait meanwhile
LOG_FIRST, LOG_EACH = 10, 100  # of drops that repeat: the first ones, then every hundredth
WHY_MAX = 300  # characters of a reason that an engine gives

log = structlog.get_logger()


class PlayoutSpec(msgspec.Struct, frozen=True):
    """engines: names in order of preference. picture: for the slate, "" = none. width, height: pixels, even.

    ack: any | all | the name of an output. outputs: names of those that exist. uncounted: names of those that get
    everything and whose state is nobody's business. bitrate_kbps: of the picture; sound adds 128.
    """

    room: str
    runtime_dir: str
    state_dir: str
    width: int
    height: int
    bitrate_kbps: int
    preset: str
    label_text: str
    label_corner: Literal["top-left", "top-right", "bottom-left", "bottom-right"]
    outputs: list[str]
    ack: str
    when_no_output: Literal["go_on", "pause"]
    engines: list[str]
    picture: str = ""
    uncounted: list[str] = []


class PlayoutFailed(BroadcasterError):
    """A thread of playout ended: the process must, too."""

    retryable = True


def run(spec: PlayoutSpec, lifeline: Lifeline) -> None:
    """The process: on air until drained. LineClosed, PlayoutFailed or OSError (no sockets) end it at once."""
    lifeline.beat("loading")
    playout = Playout(spec, lifeline, RealClock())
    try:
        playout.open()
        playout.serve()
    finally:
        playout.close()


class Playout:
    """The I/O thread."""

    def __init__(self, spec: PlayoutSpec, lifeline: Lifeline, clock: Clock) -> None:
        self._spec = spec
        self._lifeline = lifeline
        self._clock = clock
        self._context: zmq.Context[Any] = zmq.Context()
        self._identities: dict[str, bytes] = {}  # of engines, on the frames socket
        self._loop = ""  # file of the hold loop
        self._source = ""
        self._engine = ""
        self._refused: dict[str, str] = {}  # engines that do not draw this room for now, and why
        self._skipped = 0
        self._unusable = 0  # messages that could not be read
        self._notice = ""  # text of the panic
        self._drain: Drain | None = None
        self._draining = False
        self._tidy = Tidy(clock)

    def open(self) -> None:
        """Bind the sockets, take up where the journal ends, start the threads."""
        spec = self._spec
        directory = Path(spec.runtime_dir)
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._frames = link.bind(self._context, directory, link.FRAMES)
        self._control = link.bind(self._context, directory, link.CONTROL)
        self._outputs = Outputs(directory, spec.outputs, self._clock, spec.uncounted)
        self._outputs.open()
        self._outputs.start()  # so that the pushers tell what they sent while the rest is built
        self._build()
        self._poller = zmq.Poller()
        for source in (self._frames, self._control, self._lifeline.fileno(), self._air.ticks):
            self._poller.register(source, zmq.POLLIN)
        self._obey()  # a panic that goes on shows from the first picture
        self._handover.start()
        self._transmitter.start()
        self._chronicle.start(self._outputs, spec.ack, spec.when_no_output, lambda: self._transmitter.encoded_sample)
        self._air.start()

    def serve(self) -> None:
        """Until drained. Whatever comes in, the clock's thread goes on."""
        while self._drain is None:
            self._turn()
        self._finish(self._drain)

    def close(self) -> None:
        """Give the sockets back; the threads are daemons and end with the process."""
        self._context.destroy(linger=0)

    def _build(self) -> None:
        spec, clock = self._spec, self._clock
        journal = Journal(Path(spec.state_dir) / "journal")
        pool = FramePool(spec.width, spec.height)
        # above the epochs of every playout that ran since this machine started
        epoch = clock.now_ns() // 1_000_000
        reporter = Reporter(timeline=0)
        pending = Pending(Path(spec.state_dir) / "pending.json")
        self._chronicle = Chronicle(journal, pending, reporter, clock)
        begin = self._chronicle.open()
        reporter.timeline = begin.timeline
        self._first_slot = begin.slot
        self._transmitter = Transmitter(
            EncoderSettings(spec.width, spec.height, spec.bitrate_kbps, spec.preset),
            self._outputs,
            pool,
            clock,
            begin.slot,
            self._beat,
        )
        self._handover = Handover(Path(spec.runtime_dir), spec.width, spec.height, clock)
        left = self._handover.open()
        programme = Programme(slate(spec.picture, spec.width, spec.height), left.picture)
        programme.hold = left.hold
        self._air = Air(
            clock,
            Buffer(spec.engines, spec.width, spec.height, epoch, begin.timeline),
            programme,
            Overlay(spec.width, spec.height, spec.label_text, spec.label_corner),
            reporter,
            self._transmitter,
            pool,
            begin.slot,
            self._handover.keep,
        )
        self._chronicle.inherit(self._outputs, spec.ack, spec.when_no_output)
        self._chronicle.put(_opened(begin.slot, begin.timeline))
        log.info("playout.opened", slot=begin.slot, timeline=begin.timeline)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _turn(self) -> None:
        """Wait for a tick or a message, hear everybody, ask for what is needed."""
        self._poller.poll(POLL_MS)
        try:
            os.eventfd_read(self._air.ticks)
        except BlockingIOError:
            pass
        self._obey()
        self._hear_engines()
        self._hear_director()
        self._ask()
        self._tell()
        self._tidy()
        for thread in (
            self._air.thread,
            self._transmitter.thread,
            self._outputs.thread,
            self._chronicle.thread,
            self._handover.thread,
        ):
            if thread is not None and thread.failed is not None:
                raise PlayoutFailed(f"{thread.name}: {thread.failed}")

    def _obey(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Drain):
                self._drain = message
            elif isinstance(message, Panic):
                self._panic(message)
            elif isinstance(message, Retarget):
                self._outputs.retarget(message.outputs)
                self._chronicle.ack = message.ack
                log.info("outputs.changed", outputs=message.outputs, ack=message.ack)

    def _panic(self, order: Panic) -> None:
        """Slate and mute first, then the words; a repeated order changes nothing."""
        changed = self._air.panic(order.on)
        if order.on and order.text != self._notice:
            self._air.notice(notice(self._air.slate, order.text) if order.text else None)
            self._notice, changed = order.text, True
        if changed:
            log.warning("panic.switched", on=order.on, text=order.text)

    def _hear_engines(self) -> None:
        for _ in range(MESSAGES_MAX):
            parts = link.receive(self._frames)
            if parts is None:
                return
            try:
                message = decode_any(parts[1]) if len(parts) > 1 else None
                if isinstance(message, Segment):
                    self._air.accept(message, parts[2:])
                elif isinstance(message, EngineHello):
                    self._welcome(message, bytes(parts[0]))
                elif isinstance(message, NewHold):
                    if message.hold and message.engine in self._identities:
                        self._hold(message.engine, message.hold)
                elif isinstance(message, EngineBye):
                    self._part(message)
                else:
                    raise WireError(f"{type(message).__name__} from an engine")
            except WireError as error:
                if self._is_told():
                    log.warning("segment.dropped", reason=str(error), peer=_name(parts), dropped=self._unusable)

    def _part(self, bye: EngineBye) -> None:
        if not self._air.bye(bye):
            return
        why = {"why": bye.why[:WHY_MAX]} if bye.why else {}
        log.info("engine.left", engine=bye.engine, incarnation=bye.incarnation, **why)
        if bye.why:
            self._refused[bye.engine] = bye.why[:WHY_MAX]

    def _welcome(self, hello: EngineHello, identity: bytes) -> None:
        new = self._air.hello(hello)
        self._identities[hello.engine] = identity
        if not new:
            return
        self._refused.pop(hello.engine, None)
        log.info("engine.joined", engine=hello.engine, incarnation=hello.incarnation, hop_frames=hello.hop_frames)
        if hello.hold:
            self._hold(hello.engine, hello.hold)

    def _hold(self, engine: str, path: str) -> None:
        if path == self._loop:
            return
        try:
            self._air.hold(HoldLoop(Path(path), self._spec.width, self._spec.height))
            self._handover.hold(path)
            self._loop = path
        except BadInput as error:
            log.warning("hold.unusable", engine=engine, reason=str(error))

    def _hear_director(self) -> None:
        for _ in range(MESSAGES_MAX):
            parts = link.receive(self._control)
            if parts is None:
                return
            try:
                message = decode_any(parts[1]) if len(parts) == 2 else None
                if not isinstance(message, Cut):
                    raise WireError(f"{type(message).__name__} from the director")
            except WireError as error:
                if self._is_told():
                    log.warning("control.dropped", reason=str(error), peer=_name(parts), dropped=self._unusable)
                continue
            if self._air.cut(message):
                log.info("programme.cut", timeline=message.timeline, utterance=message.utterance)

    def _is_told(self) -> bool:
        """Count a message that cannot be used; true when it is one of those to log."""
        self._unusable += 1
        return self._unusable <= LOG_FIRST or self._unusable % LOG_EACH == 0

    # ── what goes out ────────────────────────────────────────────────────────────────────────────

    def _ask(self) -> None:
        for demand, after in self._air.demands():
            buffers: Sequence[Any] = [] if after is None else [after]
            link.send(self._frames, demand, *buffers, to=self._identities[demand.engine])

    def _tell(self) -> None:
        """Log what changed; the clock's thread itself never writes a line."""
        facts = self._air.facts()
        if facts["slots"] and facts["source"] != self._source:
            self._source, slot = facts["source"], self._first_slot + facts["slots"]
            if self._source == LIVE:
                log.info("programme.live", slot=slot)
            elif self._source == HOLD:
                log.warning("programme.hold", slot=slot)
            else:
                log.warning("programme.slate", slot=slot)
        if facts["engine"] != self._engine:
            self._engine = facts["engine"]
            log.info("engine.chosen", engine=self._engine)
        if facts["skipped"] != self._skipped:
            log.warning("clock.skipped", slots=facts["skipped"] - self._skipped, in_all=facts["skipped"])
            self._skipped = facts["skipped"]

    def _beat(self) -> None:
        """From the encoder's thread, after a picture came out."""
        facts = self._air.facts()
        facts["encoded"] = self._transmitter.encoded
        facts["rebuilt"] = self._transmitter.rebuilt
        facts["unusable"] = self._unusable
        facts["reports_refused"] = self._chronicle.failed
        facts["media_s"] = round((facts["slots"] + facts["skipped"]) / FPS, 1)
        if self._refused:
            facts["refused"] = dict(self._refused)
        facts["outputs"] = {
            name: {
                "state": state.state,
                "connects": state.connects,
                "dropped": state.dropped,
                "audio_ms": state.audio_ms,
                "connected": state.connected,
            }
            for name, state in self._outputs.states().items()
        }
        self._lifeline.beat("draining" if self._draining else "ready", **facts)

    def _finish(self, drain: Drain) -> None:
        """Fade to slate and silence, flush the encoder, let the pushers send what waits, close the journal.

        Where another playout follows it goes on from the last picture: nothing fades, and nothing is waited for that
        can be left to it.
        """
        self._draining = True
        if not drain.follows:
            self._air.drain()
            last = self._air.slots + FADE_OUT_SLOTS
            while self._air.slots < last and self._air.thread.failed is None:
                self._turn()
        self._air.finish()
        flush_s = HAND_OVER_S if drain.follows else min(FLUSH_MAX_S, max(0.5, drain.grace_s - 1.0))
        self._transmitter.finish(flush_s)
        self._outputs.close(flush_s)
        self._chronicle.close()
        log.info("playout.closed", slots=self._air.slots, encoded=self._transmitter.encoded)


def _opened(slot: int, timeline: int) -> Report:
    return Report(
        seq=0, what="opened", utterance="", frame=slot, sample=slot * AIR_SAMPLES, wall_s=0.0, timeline=timeline
    )


def _name(parts: Sequence[memoryview]) -> str:
    """Who sent these parts."""
    return repr(bytes(parts[0])[:32])
