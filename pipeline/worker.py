"""One engine on the wires: speech comes from the director, segments go to playout, on demand.

The loop answers one demand at a time: with the speech that is there, or, when playout's buffer would
run dry, with silence; speech that comes late serves the next demand. A new epoch takes back what was
rendered and not seen. It never knows Redis, RTMP or wall time, and a dead peer only makes it wait. Of an engine on
several ranks this is rank 0; the others run pipeline.follower. A tier that draws smaller than the room's size has its
pictures enlarged here, so that playout sees one size.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
import zmq

from pipeline import follower, link
from pipeline.arrays import Frames, Pcm, silence, view_frames
from pipeline.avatar import Avatar, load_avatar
from pipeline.carryover import CarryOver
from pipeline.clock import NS, SLOT_NS, Clock, RealClock
from pipeline.engine import AvatarEngine, Job, MotionState
from pipeline.enlarge import resized
from pipeline.errors import EngineError, TooSlow, WireError
from pipeline.keepsakes import Poses, baked_hold
from pipeline.lifeline import Lifeline
from pipeline.media import MediaFormat, Position, is_open_after
from pipeline.spoken import Speech, read
from pipeline.tempo import Tempo
from pipeline.wire import Demand, Drain, EngineBye, EngineHello, Segment, SpeechDemand, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

AHEAD_SAMPLES = 19_200  # 400 ms at 48 kHz: speech known in advance that an engine may look at
MARGIN_NS = 60_000_000  # kept in hand for the wire and a busy machine when silence is put off
HELLO_EVERY_NS = NS // 2  # while playout asks for nothing: it may be new, and not know of us
POLL_MS = 200  # the longest wait; the lifeline wants an ear four times a second
WARMING_STEPS = 3  # the first steps have other shapes and cold caches
ASK_AGAIN_NS = NS // 2  # a director that died may have taken the question with it
LEAVING_NS = 300_000_000  # of the grace: for what follows the last segment
LINGER_MS = 200  # for the last words to reach the others; one that is gone is not waited for longer

log = structlog.get_logger()


class WorkerSpec(msgspec.Struct, frozen=True):
    """name: the engine's id on the wires. image: "" = the shipped presenter. options: what the engine is made with.

    width, height: on air, pixels. drawn: what the engine draws, None = the same. rtf_max: a step that takes so many
    times its media, or longer, is too slow. must_keep_up: there is a lighter tier, so an engine whose steps are all too
    slow while it warms up does not go on air.
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
    drawn: tuple[int, int] | None = None
    rtf_max: float = 1.0
    must_keep_up: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Of what the engine draws."""
        return self.drawn or (self.width, self.height)


def run(spec: WorkerSpec, lifeline: Lifeline) -> None:
    """The process: load, warm up, serve until drained. EngineError and LineClosed end it."""
    lifeline.beat("loading")
    if spec.rank:
        follower.run(spec, lifeline)
        return
    avatar = load_avatar(Path(spec.image) if spec.image else None, spec.size, (spec.width, spec.height))
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
        self._poses = Poses(spec, engine, avatar)
        self._pose: MotionState | None = None  # the one that was found, until the first demand
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
        self._tempo = Tempo(self._format.hop_frames, spec.rtf_max)
        self._segments = 0
        self._notes: dict[str, float] = {}  # what the engine said of its last step: stages, drift
        self._in_sentence = False  # what was rendered ends in the middle of one
        self._ends_ns: int | None = None  # when to leave at the latest, once asked to

    def open(self) -> None:
        """Warm the engine up, bake what is missing, take up the last pose, and knock at the doors."""
        self._lifeline.beat("warming")
        self._warm_up()
        self._hold = baked_hold(self._spec, self._engine, self._avatar)
        self._pose = self._poses.left()
        self._carry = CarryOver(self._engine.open(self._avatar, self._spec.seed) if self._pose is None else self._pose)
        directory = Path(self._spec.runtime_dir)
        self._frames_socket = link.connect(self._context, directory, link.FRAMES, self._spec.name)
        self._speech_socket = link.connect(self._context, directory, link.SPEECH, self._spec.name)
        self._poller = zmq.Poller()
        for socket in (self._frames_socket, self._speech_socket, self._lifeline.fileno()):
            self._poller.register(socket, zmq.POLLIN)
        log.info("engine.ready", engine=self._spec.engine, render_ms=self._tempo.render_ns // 1_000_000)

    def serve(self, others: Callable[[], None] = _nobody) -> None:
        """Until drained. others: tells the other ranks that we are there; EngineError when one is gone."""
        while not self._is_done():
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
        link.send(self._frames_socket, EngineBye(engine=self._spec.name, incarnation=self._incarnation))

    def close(self) -> None:
        self._context.destroy(linger=LINGER_MS)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def _hear_lifeline(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Drain):
                self._ends_ns = self._clock.now_ns() + int(message.grace_s * NS) - LEAVING_NS

    def _hear_director(self) -> None:
        while parts := link.receive(self._speech_socket):
            try:
                speech = read(parts, self._incarnation, self._format.hop_air_samples)
            except WireError as error:
                log.warning("chunk.dropped", reason=str(error))
                continue
            if speech.chunk.credit == self._asked and speech.chunk.timeline >= self._timeline:
                self._speech = speech
                self._after = speech.chunk.until
                self._asked_ns = 0

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
        spec = self._spec
        if len(buffers) != 1 or len(buffers[0]) % (spec.width * spec.height * 3 // 2):
            raise WireError("`after` is not whole frames of this size")
        return resized(view_frames(buffers[0], spec.width, spec.height), self._format.width, self._format.height)

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
        if self._epoch == 0:
            self._begin(after)
        elif demand.shown >= 0 and not self._carry.rewind(demand.shown):
            log.warning("epoch.unknown", shown=demand.shown, newest=self._carry.sequence)
        elif demand.shown < 0 and after is not None and self._follows():
            self._carry = CarryOver(self._engine.open(self._avatar, self._spec.seed, after), self._carry.sequence)
        if demand.timeline != self._timeline:
            self._timeline = demand.timeline
            self._after = None
            self._in_sentence = False
            if self._speech is not None and self._speech.chunk.timeline < demand.timeline:
                self._speech = None
            self._asked_ns = 0
        self._epoch = demand.epoch
        self._demand = None
        self._last_sent = None

    def _begin(self, after: Frames | None) -> None:
        """The first demand: go on from the pose that this engine showed last, also on another tier and a moment ago.

        One that carries pictures over follows those on air, when they are another engine's.
        """
        if self._poses.has_moved():
            self._pose = self._poses.left()
        if self._pose is not None and (after is None or not self._follows()):
            self._carry = CarryOver(self._pose)
        elif after is not None:
            self._carry = CarryOver(self._engine.open(self._avatar, self._spec.seed, after))
        self._pose = None

    def _follows(self) -> bool:
        """Whether the frames on air go before its own pose: it carries pictures over, and they are another engine's."""
        return self._format.overlap_frames > 0 and not self._poses.is_latest()

    # ── what is decided ──────────────────────────────────────────────────────────────────────────

    def _is_done(self) -> bool:
        """Asked to leave, and at the end of a sentence: one that is broken off would be said again from its start."""
        return self._ends_ns is not None and (not self._in_sentence or self._clock.now_ns() >= self._ends_ns)

    def _must_render(self) -> bool:
        return self._clock.now_ns() >= self._silence_ns()

    def _silence_ns(self) -> int:
        """When to stop waiting for speech: the buffer lasts, less the time to render and a margin."""
        assert self._demand is not None
        return self._demanded_ns + self._demand.slack_frames * SLOT_NS - self._tempo.render_ns - MARGIN_NS

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
                width=self._spec.width,
                height=self._spec.height,
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
        self._check(made.frames)
        frames = resized(made.frames, self._spec.width, self._spec.height)
        took_ns = self._clock.now_ns() - began_ns
        self._tempo.took(took_ns)
        sequence = self._carry.made(made.state)
        self._send(self._segment(demand, speech, sequence, took_ns, made.notes), frames, air)
        self._poses.keep(made.state)
        if speech is not None:
            self._in_sentence = is_open_after(speech.marks_of_hop, self._in_sentence)
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
            width=self._spec.width,
            height=self._spec.height,
            speech=speech is not None,
            render_ms=took_ns // 1_000_000,
            marks=[] if speech is None else speech.marks_of_hop,
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
        self._lifeline.beat(
            "ready",
            busy=busy,
            segments=self._segments,
            rtf=round(self._tempo.rtf, 3),
            slow=self._tempo.slow,
            epoch=self._epoch,
            hop_frames=self._format.hop_frames,
            speech_waits=self._speech is not None,
            **({"notes": self._notes} if self._notes else {}),
        )

    def _warm_up(self) -> None:
        state = self._engine.open(self._avatar, self._spec.seed)
        took_ns = []
        for _ in range(WARMING_STEPS):
            hop = silence(self._format.hop_drive_samples)
            self._lifeline.beat("warming", busy=True)
            began_ns = self._clock.now_ns()
            made = self._engine.step([Job(state, hop, silence(0))])[0]
            self._check(made.frames)
            resized(made.frames, self._spec.width, self._spec.height)
            state = made.state
            took_ns.append(self._clock.now_ns() - began_ns)
            self._lifeline.beat("warming")
        self._tempo.warmed(took_ns)
        if self._spec.must_keep_up and self._tempo.slow:
            raise TooSlow(
                f"{self._spec.name}: the fastest of {WARMING_STEPS} steps took {self._tempo.rtf_of(min(took_ns)):.2f} "
                f"times the media it made; less than {self._spec.rtf_max:g} is asked for (avatar.rtf_max)"
            )
