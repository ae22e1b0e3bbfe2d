"""One engine on the wires: speech comes from the director, segments go to playout, on demand.

The loop answers one demand at a time: with the speech that is there, or, when playout's buffer would
run dry, with silence; speech that comes late serves the next demand. A new epoch takes back what was
rendered and not seen. It never knows Redis, RTMP or wall time, and a dead peer only makes it wait. Of an engine on
several ranks this is rank 0; the others run pipeline.follower.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import structlog
import zmq

from pipeline import follower, link
from pipeline.arrays import Frames, Pcm, silence, view_frames, view_pcm
from pipeline.avatar import Avatar, load_avatar
from pipeline.carryover import CarryOver
from pipeline.clock import NS, SLOT_NS, Clock, RealClock
from pipeline.engine import AvatarEngine, Job, MotionState
from pipeline.errors import EngineError, WireError
from pipeline.lifeline import Lifeline
from pipeline.media import AIR_PER_DRIVE, ENDS, Mark, MediaFormat, Position
from pipeline.wire import AudioChunk, Demand, Drain, EngineHello, Segment, SpeechDemand, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

AHEAD_SAMPLES = 19_200  # 400 ms at 48 kHz: speech known in advance that an engine may look at
MARGIN_NS = 60_000_000  # kept in hand for the wire and a busy machine when silence is put off
RENDER_FIRST_NS = 100_000_000  # a guess until the first step was timed
HELLO_EVERY_NS = NS // 2  # while playout asks for nothing: it may be new, and not know of us
POLL_MS = 200  # the longest wait; the lifeline wants an ear four times a second
WARMING_STEPS = 3  # the first steps have other shapes and cold caches
ASK_AGAIN_NS = NS // 2  # a director that died may have taken the question with it

log = structlog.get_logger()


class WorkerSpec(msgspec.Struct, frozen=True):
    """name: the engine's id on the wires. image: "" = the shipped presenter. options: what the engine is made with.

    rank, world: which of how many processes this is; of several, the master address is where rank 0 meets the others.
    """

    name: str
    engine: str
    runtime_dir: str
    state_dir: str
    image: str
    width: int
    height: int
    seed: int
    options: dict[str, Any] = {}
    rank: int = 0
    world: int = 1
    master_address: str = ""
    master_port: int = 0


@dataclass(frozen=True, slots=True)
class Speech:
    """A chunk with its sound, not yet rendered."""

    chunk: AudioChunk
    air: Pcm
    drive: Pcm  # hop and ahead


def run(spec: WorkerSpec, lifeline: Lifeline) -> None:
    """The process: load, warm up, serve until drained. EngineError and LineClosed end it."""
    lifeline.beat("loading")
    if spec.rank:
        follower.run(spec, lifeline)
        return
    avatar = load_avatar(Path(spec.image) if spec.image else None, (spec.width, spec.height))
    pulse = follower.Pulse(lifeline)
    with follower.equipped(spec, pulse) as (engine, gang):
        worker = Worker(spec, engine, avatar, lifeline, RealClock())
        try:
            pulse.phase = "warming"
            worker.open()
            pulse.phase = "ready"
            worker.serve(gang.alive if gang else _nobody)
        finally:
            worker.close()


def _nobody() -> None:
    """There are no other ranks to be told that we are there."""


class Worker:
    """One room's engine. One thread."""

    def __init__(
        self, spec: WorkerSpec, engine: AvatarEngine, avatar: Avatar, lifeline: Lifeline, clock: Clock
    ) -> None:
        self._spec = spec
        self._engine = engine
        self._avatar = avatar
        self._lifeline = lifeline
        self._clock = clock
        self._format: MediaFormat = engine.format(avatar)
        self._incarnation = clock.now_ns()
        self._context: zmq.Context[Any] = zmq.Context()
        self._state_path = Path(spec.runtime_dir) / f"{spec.engine}.state"  # of all its tiers: on fewer ranks, too
        self._hold = ""
        # what playout wants
        self._demand: Demand | None = None
        self._demanded_ns = 0
        self._heard_ns = -HELLO_EVERY_NS  # when playout last asked, or we knocked
        self._epoch = 0
        self._timeline = 0
        self._last_sent: tuple[Segment, Frames, Pcm] | None = None
        # what the director gave
        self._speech: Speech | None = None
        self._asked = 0  # credit of the newest question
        self._asked_ns = 0
        self._after: Position | None = None
        # account
        self._render_ns = RENDER_FIRST_NS
        self._segments = 0
        self._notes: dict[str, float] = {}  # what the engine said of its last step: stages, drift
        self._draining = False

    def open(self) -> None:
        """Warm the engine up, bake what is missing, take up the last pose, and knock at the doors."""
        self._lifeline.beat("warming")
        self._warm_up()
        self._hold = str(self._baked_hold())
        self._carry = CarryOver(self._first_state())
        directory = Path(self._spec.runtime_dir)
        self._frames_socket = link.connect(self._context, directory, link.FRAMES, self._spec.name)
        self._speech_socket = link.connect(self._context, directory, link.SPEECH, self._spec.name)
        self._poller = zmq.Poller()
        for socket in (self._frames_socket, self._speech_socket, self._lifeline.fileno()):
            self._poller.register(socket, zmq.POLLIN)
        log.info("engine.ready", engine=self._spec.engine, render_ms=self._render_ns // 1_000_000)

    def serve(self, others: Callable[[], None] = _nobody) -> None:
        """Until drained. others: tells the other ranks that we are there; EngineError when one is gone."""
        while not self._draining:
            others()
            self._knock()
            self._ask_for_speech()
            self._poller.poll(self._wait_ms())
            self._hear_lifeline()
            self._hear_director()
            self._hear_playout()
            if self._demand is not None and (self._speech is not None or self._must_render()):
                self._render(self._demand)
            self._beat(busy=False)

    def close(self) -> None:
        self._context.destroy(linger=0)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _hear_lifeline(self) -> None:
        self._draining = any(isinstance(message, Drain) for message in self._lifeline.poll())

    def _hear_director(self) -> None:
        while parts := link.receive(self._speech_socket):
            try:
                speech = self._read_speech(parts)
            except WireError as error:
                log.warning("chunk.dropped", reason=str(error))
                continue
            if speech.chunk.credit == self._asked and speech.chunk.timeline >= self._timeline:
                self._speech = speech
                self._after = speech.chunk.until
                self._asked_ns = 0

    def _read_speech(self, parts: list[memoryview]) -> Speech:
        chunk = decode(parts[0], AudioChunk)
        if chunk.incarnation != self._incarnation:
            raise WireError("for an earlier incarnation")
        if len(parts) != 3 or chunk.hop_samples != self._format.hop_air_samples:
            raise WireError(f"{len(parts) - 1} buffers, {chunk.hop_samples} samples")
        if len(parts[1]) % 2 or len(parts[2]) % 2:
            raise WireError("half a sample")
        air, drive = view_pcm(parts[1]), view_pcm(parts[2])
        expected = (chunk.hop_samples + chunk.ahead_samples) // AIR_PER_DRIVE
        if len(air) != chunk.hop_samples or len(drive) != expected:
            raise WireError(f"{len(air)} air and {len(drive)} driving samples instead of {expected}")
        return Speech(chunk, air, drive)

    def _hear_playout(self) -> None:
        while parts := link.receive(self._frames_socket):
            try:
                demand = decode(parts[0], Demand)
                after = self._read_frames(parts[1:]) if demand.after else None
            except WireError as error:
                log.warning("demand.dropped", reason=str(error))
                continue
            if demand.incarnation == self._incarnation:
                self._heard_ns = self._clock.now_ns()
                self._take_demand(demand, after)

    def _read_frames(self, buffers: Sequence[memoryview]) -> Frames:
        if len(buffers) != 1 or len(buffers[0]) % self._format.frame_bytes:
            raise WireError("`after` is not whole frames of this size")
        return view_frames(buffers[0], self._format.width, self._format.height)

    def _take_demand(self, demand: Demand, after: Frames | None) -> None:
        if demand.epoch != self._epoch:
            self._begin_epoch(demand, after)
        elif self._last_sent is not None and self._last_sent[0].credit == demand.credit:
            self._send(*self._last_sent)  # it was lost on the way
            return
        self._carry.shown(demand.shown)
        if self._demand is None or self._demand.credit != demand.credit:
            self._demanded_ns = self._clock.now_ns()
        self._demand = demand

    def _begin_epoch(self, demand: Demand, after: Frames | None) -> None:
        """Playout began anew or cut: take back what was not seen, and speech that is void."""
        if self._epoch == 0 and after is not None and not self._state_path.exists():
            self._carry = CarryOver(self._engine.open(self._avatar, self._spec.seed, after))
        elif demand.shown >= 0 and not self._carry.rewind(demand.shown):
            log.warning("epoch.unknown", shown=demand.shown, newest=self._carry.sequence)
        if demand.timeline != self._timeline:
            self._timeline = demand.timeline
            self._after = None
            if self._speech is not None and self._speech.chunk.timeline < demand.timeline:
                self._speech = None
            self._asked_ns = 0
        self._epoch = demand.epoch
        self._demand = None
        self._last_sent = None

    # ── what is decided ──────────────────────────────────────────────────────────────────────────

    def _must_render(self) -> bool:
        return self._clock.now_ns() >= self._silence_ns()

    def _silence_ns(self) -> int:
        """When to stop waiting for speech: the buffer lasts, less the time to render and a margin."""
        assert self._demand is not None
        return self._demanded_ns + self._demand.slack_frames * SLOT_NS - self._render_ns - MARGIN_NS

    def _wait_ms(self) -> int:
        if self._demand is None:
            return POLL_MS
        if self._speech is not None:
            return 0
        return max(0, min(POLL_MS, (self._silence_ns() - self._clock.now_ns()) // 1_000_000 + 1))

    # ── what is done ─────────────────────────────────────────────────────────────────────────────

    def _knock(self) -> None:
        """Say hello to a playout that asks for nothing."""
        now = self._clock.now_ns()
        if now < self._heard_ns + HELLO_EVERY_NS:
            return
        self._heard_ns = now
        media = self._format
        link.send(
            self._frames_socket,
            EngineHello(
                engine=self._spec.name,
                incarnation=self._incarnation,
                width=media.width,
                height=media.height,
                hop_frames=media.hop_frames,
                overlap_frames=media.overlap_frames,
                hold=self._hold,
            ),
        )

    def _ask_for_speech(self) -> None:
        """Keep one question open at the director, and put it again when it was not answered for long."""
        now = self._clock.now_ns()
        if self._speech is not None or self._epoch == 0 or (self._asked_ns and now < self._asked_ns + ASK_AGAIN_NS):
            return
        self._asked += 1
        self._asked_ns = now
        link.send(
            self._speech_socket,
            SpeechDemand(
                engine=self._spec.name,
                incarnation=self._incarnation,
                credit=self._asked,
                timeline=self._timeline,
                hop_samples=self._format.hop_air_samples,
                ahead_samples=AHEAD_SAMPLES,
                after=self._after,
            ),
        )

    def _render(self, demand: Demand) -> None:
        speech, self._speech = self._speech, None
        self._demand = None
        self._ask_for_speech()
        air, job = self._job(speech)
        self._beat(busy=True)
        began_ns = self._clock.now_ns()
        made = self._engine.step([job])[0]
        took_ns = self._clock.now_ns() - began_ns
        self._render_ns = max(took_ns, (self._render_ns * 15 + took_ns) // 16)  # quick to rise, slow to fall
        self._check(made.frames)
        sequence = self._carry.made(made.state)
        self._send(self._segment(demand, speech, sequence, took_ns, made.notes), made.frames, air)
        self._save(made.state)
        self._segments += 1
        self._notes = {name: round(float(value), 3) for name, value in made.notes.items()}

    def _job(self, speech: Speech | None) -> tuple[Pcm, Job]:
        hop = self._format.hop_drive_samples
        if speech is None:
            return silence(self._format.hop_air_samples), Job(self._carry.state, silence(hop), silence(0))
        return speech.air, Job(self._carry.state, speech.drive[:hop], speech.drive[hop:], speech.chunk.marks)

    def _segment(
        self, demand: Demand, speech: Speech | None, sequence: int, took_ns: int, notes: Mapping[str, float]
    ) -> Segment:
        media = self._format
        return Segment(
            engine=self._spec.name,
            incarnation=self._incarnation,
            epoch=demand.epoch,
            credit=demand.credit,
            sequence=sequence,
            timeline=self._timeline if speech is None else speech.chunk.timeline,
            hop_frames=media.hop_frames,
            width=media.width,
            height=media.height,
            speech=speech is not None,
            render_ms=took_ns // 1_000_000,
            marks=[] if speech is None else _marks_of_hop(speech.chunk),
            notes={name: float(value) for name, value in notes.items()},
        )

    def _send(self, segment: Segment, frames: Frames, air: Pcm) -> None:
        self._last_sent = (segment, frames, air)
        link.send(self._frames_socket, segment, frames, air)

    def _check(self, frames: Frames) -> None:
        expected = (self._format.hop_frames, self._format.rows, self._format.width)
        if frames.shape != expected or not frames.flags.c_contiguous:
            raise EngineError(f"{self._spec.engine} made frames of shape {frames.shape}, not {expected}")

    def _beat(self, busy: bool) -> None:
        media_ns = self._format.hop_frames * SLOT_NS
        self._lifeline.beat(
            "ready",
            busy=busy,
            segments=self._segments,
            rtf=round(self._render_ns / media_ns, 3),
            epoch=self._epoch,
            hop_frames=self._format.hop_frames,
            speech_waits=self._speech is not None,
            **({"notes": self._notes} if self._notes else {}),
        )

    # ── what outlives the process ────────────────────────────────────────────────────────────────

    def _warm_up(self) -> None:
        state = self._engine.open(self._avatar, self._spec.seed)
        for _ in range(WARMING_STEPS):
            hop = silence(self._format.hop_drive_samples)
            self._lifeline.beat("warming", busy=True)
            began_ns = self._clock.now_ns()
            state = self._engine.step([Job(state, hop, silence(0))])[0].state
            self._render_ns = self._clock.now_ns() - began_ns
            self._lifeline.beat("warming")

    def _first_state(self) -> MotionState:
        """The pose the last process left, else a new one."""
        try:
            return self._engine.restore(self._avatar, self._state_path.read_bytes())
        except FileNotFoundError:
            pass
        except (OSError, EngineError) as error:
            log.warning("state.unreadable", reason=str(error))
            self._state_path.unlink(missing_ok=True)
        return self._engine.open(self._avatar, self._spec.seed)

    def _save(self, state: MotionState) -> None:
        _write_whole(self._state_path, self._engine.save(state))

    def _baked_hold(self) -> Path:
        media = self._format
        path = Path(self._spec.state_dir).resolve() / "cache" / hold_name(self._spec, self._avatar.digest, media)
        if not path.exists() or path.stat().st_size % media.frame_bytes:
            log.info("hold.baking", path=str(path))
            path.parent.mkdir(parents=True, exist_ok=True)
            _write_whole(path, np.ascontiguousarray(self._engine.hold(self._avatar, self._spec.seed)).data)
        return path


def hold_name(spec: WorkerSpec, digest: str, media: MediaFormat) -> str:
    """The file of a hold loop: another engine, picture or size, another prompt or model, another loop."""
    made_with = hashlib.sha256(msgspec.json.encode(spec.options, order="sorted")).hexdigest()[:8]
    drawn_by = f"{spec.engine}-{made_with}" if spec.options else spec.engine
    return f"hold-{drawn_by}-{digest[:16]}-{media.width}x{media.height}.i420"


def _marks_of_hop(chunk: AudioChunk) -> list[Mark]:
    """The marks whose sound is in the hop; an end belongs to the last sample before it."""
    return [mark for mark in chunk.marks if mark.at - (mark.kind in ENDS) < chunk.hop_samples]


def _write_whole(path: Path, data: bytes | memoryview) -> None:
    """Write so that a reader, or the next process, sees all of it or the file before."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    part.write_bytes(data)
    part.replace(path)
