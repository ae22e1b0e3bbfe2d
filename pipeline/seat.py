"""One room at an engine: its sockets, what its playout asks for, the speech it is given, the pose that carries over.

In: messages of the room's playout and director. Out: a job when a segment is due, and the segment once it was drawn.
Speech that is there goes first; when playout's buffer would run dry, silence does, and speech that comes late serves
the next demand. A new epoch takes back what was rendered and not seen. A seat never has the engine draw: which room is
drawn when is the loop's affair (pipeline.worker), and what is wrong with a room is no other room's. A dead peer only
makes it wait.

A room may be put aside: it says farewell to its playout with the reason, so that another tier draws, and is silent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from pipeline import link
from pipeline.arrays import Frames, Pcm, silence, view_frames
from pipeline.avatar import Avatar
from pipeline.carryover import CarryOver
from pipeline.clock import NS, SLOT_NS, Clock
from pipeline.engine import AvatarEngine, Job, Made
from pipeline.enlarge import resized
from pipeline.errors import EngineError, TooSlow, WireError
from pipeline.media import MediaFormat, Position, is_open_after
from pipeline.persons import Act, Cast, Scene, seen
from pipeline.schedule import Waiting
from pipeline.spoken import Speech, read
from pipeline.tempo import Tempo
from pipeline.wire import Demand, EngineBye, EngineHello, NewHold, Segment, SpeechDemand, decode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pipeline.worker import WorkerSpec

AHEAD_SAMPLES = 19_200  # 400 ms at 48 kHz: speech known in advance that an engine may look at
MARGIN_NS = 60_000_000  # kept in hand for the wire and a busy machine when silence is put off
HELLO_EVERY_NS = NS // 2  # while playout asks for nothing: it may be new, and not know of us
WARMING_STEPS = 3  # the first steps have other shapes and cold caches
ASK_AGAIN_NS = NS // 2  # a director that died may have taken the question with it
ABSENT_NS = 10 * NS  # a playout that asked for nothing so long is away: its room needs no time
AHEAD_HOPS = 3  # given beyond real time: two fill a buffer that was dry, and one is on its way
MESSAGES_MAX = 16  # of one socket in a row: a flood must not keep other rooms from being heard
LINGER_MS = 200  # for the last words to reach the others; one that is gone is not waited for longer
LOG_FIRST, LOG_EACH = 10, 100  # of messages that cannot be used: the first ones, then every hundredth

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Begun:
    """What a hop was made of, until its segment is there. speech: None = silence."""

    demand: Demand
    speech: Speech | None
    air: Pcm


class Seat:
    """One thread: that of the loop."""

    def __init__(self, spec: WorkerSpec, engine: AvatarEngine, avatar: Avatar, clock: Clock) -> None:
        self._spec = spec
        self._engine = engine
        self._avatar = avatar
        self._clock = clock
        self._log = log.bind(room=spec.room) if spec.room else log
        self._format: MediaFormat = engine.format(avatar)
        self._incarnation = clock.now_ns()
        self._cast = Cast(spec, engine, avatar)
        self._pose: Scene | None = None  # the one that was found, until the first demand
        self._hold = ""
        # what playout wants
        self._demand: Demand | None = None
        self._demanded_ns = 0
        self._heard_ns = -HELLO_EVERY_NS  # when playout last asked, or we knocked
        self._asked_us_ns = -ABSENT_NS  # when playout last asked
        self._epoch = 0
        self._timeline = 0
        self._last_sent: tuple[Segment, Frames, Pcm] | None = None
        self._begun: Begun | None = None
        # what the director gave
        self._speech: Speech | None = None
        self._asked = 0  # credit of the newest question
        self._asked_ns = 0
        self._after: Position | None = None
        # account
        self._tempo = Tempo(self._format.hop_frames, spec.rtf_max)
        self._given_ns = 0  # up to when what it was given lasts, were it shown as soon as it came
        self._segments = 0
        self._unusable = 0  # messages that could not be read
        self._notes: dict[str, float] = {}  # what the engine said of its last step: stages, drift
        # its place
        self.in_sentence = False  #: what was rendered ends in the middle of one
        self.admitted = False  #: it has a share of the engine's time
        self.aside = ""  #: why it was put aside, "" = it was not
        self.again_ns = 0  #: when to ask whether it may come back
        self.failures = 0  #: steps that failed for it alone, of late
        self.failed_ns = 0  #: the last one
        self.left = False  #: it said farewell, and nothing more comes

    @property
    def room(self) -> str:
        return self._spec.room

    @property
    def sockets(self) -> tuple[Any, Any]:
        return self._frames_socket, self._speech_socket

    def open(self, context: Any, beat: Callable[[bool], None]) -> None:
        """Warm the engine up for this room, bake what is missing, take up the last pose, and find the doors.

        beat: progress, with whether a step is outstanding. TooSlow, AvatarError, EngineError.
        """
        self._warm_up(beat)
        self._cast.open(lambda: beat(False))
        self._pose = self._cast.left()
        self._carry = CarryOver(self._cast.begun() if self._pose is None else self._pose)
        self._hold = self._cast.hold(self._carry.state)
        directory = Path(self._spec.runtime_dir)
        self._frames_socket = link.connect(context, directory, link.FRAMES, self._spec.name)
        self._speech_socket = link.connect(context, directory, link.SPEECH, self._spec.name)
        self._log.info("engine.ready", engine=self._spec.engine, render_ms=self._tempo.render_ns // 1_000_000)

    # ── what comes in ────────────────────────────────────────────────────────────────────────────

    def hear(self, since_ns: int) -> None:
        """Take what has come. since_ns: what has come may have come as early as that."""
        self._hear_director()
        self._hear_playout(since_ns)

    def _hear_director(self) -> None:
        for _ in range(MESSAGES_MAX):
            parts = link.receive(self._speech_socket)
            if parts is None:
                return
            try:
                speech = read(parts, self._incarnation, self._format.hop_air_samples)
            except WireError as error:
                if self._is_told():
                    self._log.warning("chunk.dropped", reason=str(error))
                continue
            if self.is_away:
                continue
            if speech.chunk.credit == self._asked and speech.chunk.timeline >= self._timeline:
                self._speech = speech
                self._after = speech.chunk.until
                self._asked_ns = 0

    def _hear_playout(self, since_ns: int) -> None:
        for _ in range(MESSAGES_MAX):
            parts = link.receive(self._frames_socket)
            if parts is None:
                return
            try:
                demand = decode(parts[0], Demand)
                after = self._read_frames(parts[1:]) if demand.after else None
            except WireError as error:
                if self._is_told():
                    self._log.warning("demand.dropped", reason=str(error))
                continue
            if demand.incarnation == self._incarnation and not self.is_away:
                self._heard_ns = self._asked_us_ns = self._clock.now_ns()
                self._take_demand(demand, after, since_ns)

    def _is_told(self) -> bool:
        """Count a message that cannot be used; true when it is one of those to log."""
        self._unusable += 1
        return self._unusable <= LOG_FIRST or self._unusable % LOG_EACH == 0

    def _read_frames(self, buffers: Sequence[memoryview]) -> Frames:
        spec = self._spec
        if len(buffers) != 1 or len(buffers[0]) % (spec.width * spec.height * 3 // 2):
            raise WireError("`after` is not whole frames of this size")
        return resized(view_frames(buffers[0], spec.width, spec.height), self._format.width, self._format.height)

    def _take_demand(self, demand: Demand, after: Frames | None, since_ns: int) -> None:
        if demand.epoch != self._epoch:
            self._begin_epoch(demand, after)
        elif self._last_sent is not None and self._last_sent[0].credit == demand.credit:
            self._send(*self._last_sent)  # it was lost on the way
            return
        self._carry.shown(demand.shown)
        if self._demand is None or self._demand.credit != demand.credit:
            self._demanded_ns = since_ns
        self._demand = demand

    def _begin_epoch(self, demand: Demand, after: Frames | None) -> None:
        """Playout began anew or cut: take back what was not seen, and speech that is void."""
        if self._epoch == 0:
            self._begin(after)
        elif demand.shown >= 0 and not self._carry.rewind(demand.shown, lambda scene: seen(scene, demand.shown_frames)):
            self._log.warning("epoch.unknown", shown=demand.shown, newest=self._carry.sequence)
        elif demand.shown < 0 and after is not None and self._follows():
            self._carry = CarryOver(self._cast.begun(after), self._carry.sequence)
        if demand.timeline != self._timeline:
            self._timeline = demand.timeline
            self._after = None
            self.in_sentence = False
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
        moved = self._cast.has_moved()
        if moved:
            self._pose = self._cast.left()
        if self._pose is not None and (after is None or not self._follows()):
            self._carry = CarryOver(self._pose)
        elif after is not None or moved:
            self._carry = CarryOver(self._cast.begun(after))
        self._pose = None

    def _follows(self) -> bool:
        """Whether the frames on air go before its own pose: it carries pictures over, and they are another engine's."""
        return self._format.overlap_frames > 0 and not self._cast.is_latest()

    # ── what is decided ──────────────────────────────────────────────────────────────────────────

    @property
    def is_away(self) -> bool:
        """Whether it takes no part, by its own will or ours."""
        return self.left or bool(self.aside)

    @property
    def is_present(self) -> bool:
        """Whether its playout asks for segments."""
        if self.is_away:
            return False
        return self._demand is not None or self._clock.now_ns() < self._asked_us_ns + ABSENT_NS

    @property
    def load(self) -> float:
        """The share of the engine's time that it takes while it is there."""
        return self._tempo.load

    @property
    def render_ns(self) -> int:
        """What its next step may take."""
        return self._tempo.render_ns

    @property
    def rtf(self) -> float:
        return self._tempo.rtf

    @property
    def slow(self) -> int:
        return self._tempo.slow

    @property
    def segments(self) -> int:
        return self._segments

    def is_due(self, lead_ns: int) -> bool:
        """Whether its next segment is to be drawn now. lead_ns: from the beginning of a step until its own is there."""
        if self._demand is None:
            return False
        return self._speech is not None or self._clock.now_ns() >= self._silence_ns(lead_ns)

    def waiting(self, number: int) -> Waiting:
        """What the schedule has to know of it, for one that is due."""
        media, now = self._format, self._clock.now_ns()
        return Waiting(
            seat=number,
            shape=(media.width, media.height, media.hop_frames),
            dry_ns=self._dry_ns() - MARGIN_NS,
            takes_ns=self._tempo.render_ns,
            is_ahead=self._given_ns > now + AHEAD_HOPS * self._tempo.media_ns,
        )

    def wait_ms(self, lead_ns: int, most_ms: int) -> int:
        """How long nothing has to be done for it."""
        if self._demand is None:
            return most_ms
        if self._speech is not None:
            return 0
        return max(0, min(most_ms, (self._silence_ns(lead_ns) - self._clock.now_ns()) // 1_000_000 + 1))

    def _silence_ns(self, lead_ns: int) -> int:
        """When to stop waiting for speech: the buffer lasts, less the time until a segment is there, and a margin."""
        return self._dry_ns() - lead_ns - MARGIN_NS

    def _dry_ns(self) -> int:
        assert self._demand is not None
        return self._demanded_ns + self._demand.slack_frames * SLOT_NS

    # ── what is done ─────────────────────────────────────────────────────────────────────────────

    def tend(self) -> None:
        """Keep both peers knowing of us."""
        if not self.is_away:
            self._knock()
            self._tell_hold()
            self._ask_for_speech()

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

    def _tell_hold(self) -> None:
        """Who came into the picture, or is back in it, is who moves on hold."""
        if (hold := self._cast.hold(self._carry.state)) != self._hold:
            news = NewHold(engine=self._spec.name, incarnation=self._incarnation, hold=hold)
            if link.send(self._frames_socket, news):
                self._hold = hold

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

    def begin(self) -> Act:
        """Take the demand and what speech is there; `finish` follows, or `reset`, or nothing more."""
        assert self._demand is not None
        demand, self._demand = self._demand, None
        speech, self._speech = self._speech, None
        self._ask_for_speech()
        air, job = self._job(speech)
        self._begun = Begun(demand, speech, air)
        return self._cast.act(self._carry.state, job, has_time=self._has_time(demand))

    def _has_time(self, demand: Demand) -> bool:
        """Whether two persons can be drawn at once before playout's buffer runs dry."""
        until_ns = self._demanded_ns + demand.slack_frames * SLOT_NS - MARGIN_NS
        return self._clock.now_ns() + 2 * self._tempo.render_ns <= until_ns

    def fitted(self, made: Made) -> Frames:
        """The pictures at the room's size."""
        return resized(made.frames, self._spec.width, self._spec.height)

    def finish(self, act: Act, made: Made, frames: Frames, took_ns: int, each_ns: int) -> None:
        """Send the segment that was begun. took_ns: of the whole step; each_ns: of one job of it."""
        assert self._begun is not None
        begun, self._begun = self._begun, None
        self._tempo.took(each_ns)  # of two persons, one: both are drawn for half a second, and seldom
        sequence = self._carry.made(made.state)
        self._send(self._segment(begun, act, sequence, took_ns, made.notes), frames, begun.air)
        self._cast.keep(made.state)
        self._cast.prepare(made.state)
        if begun.speech is not None:
            self.in_sentence = is_open_after(begun.speech.marks_of_hop, self.in_sentence)
        self._given_ns = max(self._given_ns, self._clock.now_ns()) + self._tempo.media_ns
        self._segments += 1
        self._notes = {name: round(float(value), 3) for name, value in made.notes.items()}

    def _job(self, speech: Speech | None) -> tuple[Pcm, Job]:
        hop = self._format.hop_drive_samples
        if speech is None:
            return silence(self._format.hop_air_samples), Job(self._carry.state, silence(hop), silence(0))
        return speech.air, Job(self._carry.state, speech.drive[:hop], speech.drive[hop:], speech.chunk.marks)

    def _segment(self, begun: Begun, act: Act, sequence: int, took_ns: int, notes: Mapping[str, float]) -> Segment:
        speech = begun.speech
        media = self._format
        return Segment(
            engine=self._spec.name,
            incarnation=self._incarnation,
            epoch=begun.demand.epoch,
            credit=begun.demand.credit,
            sequence=sequence,
            timeline=self._timeline if speech is None else speech.chunk.timeline,
            hop_frames=media.hop_frames,
            width=self._spec.width,
            height=self._spec.height,
            speech=speech is not None,
            render_ms=took_ns // 1_000_000,
            marks=act.marks([] if speech is None else speech.marks_of_hop, opens=self._last_sent is None),
            notes={name: float(value) for name, value in notes.items()},
        )

    def _send(self, segment: Segment, frames: Frames, air: Pcm) -> None:
        self._last_sent = (segment, frames, air)
        link.send(self._frames_socket, segment, frames, air)

    def checked(self, made: Made) -> Made:
        """The same; EngineError when its pictures are not what the engine promised."""
        expected = (self._format.hop_frames, self._format.rows, self._format.width)
        if made.frames.shape != expected or not made.frames.flags.c_contiguous:
            raise EngineError(f"{self._spec.engine} made frames of shape {made.frames.shape}, not {expected}")
        return made

    def facts(self) -> dict[str, Any]:
        """For the beat."""
        return {
            "segments": self._segments,
            "rtf": round(self._tempo.rtf, 3),
            "slow": self._tempo.slow,
            "epoch": self._epoch,
            "hop_frames": self._format.hop_frames,
            "speech_waits": self._speech is not None,
            **({"notes": self._notes} if self._notes else {}),
            **({"aside": self.aside} if self.aside else {}),
        }

    # ── coming and going ─────────────────────────────────────────────────────────────────────────

    def leave(self) -> None:
        """Say farewell, for good."""
        self._say_bye("")
        self.left, self._demand = True, None

    def put_aside(self, why: str, again_ns: int) -> None:
        """Have another tier draw the room, and ask again at that time whether it may come back."""
        self._say_bye(why)
        self._forget()
        self.admitted, self.aside, self.again_ns = False, why, again_ns

    def take_back(self) -> None:
        """Knock at its doors again, as one that knows nothing."""
        self._forget()
        self.aside = ""

    def reset(self) -> None:
        """What was done for it failed: begin anew from the picture, as one that knows nothing. EngineError."""
        self._cast.forget()
        self._carry = CarryOver(self._cast.begun())
        self._pose = None
        self._forget()

    def calm(self) -> Job:
        """A job that has to go well: silence, from the picture."""
        return Job(
            self._engine.open(self._avatar, self._spec.seed), silence(self._format.hop_drive_samples), silence(0)
        )

    def _say_bye(self, why: str) -> None:
        bye = EngineBye(engine=self._spec.name, incarnation=self._incarnation, why=why)
        link.send(self._frames_socket, bye)

    def _forget(self) -> None:
        """Be another incarnation: playout and director begin anew with it."""
        self._incarnation = max(self._incarnation + 1, self._clock.now_ns())
        self._demand, self._begun, self._last_sent = None, None, None
        self._heard_ns = -HELLO_EVERY_NS
        self._epoch = self._timeline = 0
        self._speech, self._after = None, None
        self._asked = self._asked_ns = 0
        self.in_sentence = False

    def _warm_up(self, beat: Callable[[bool], None]) -> None:
        state = self._engine.open(self._avatar, self._spec.seed)
        took_ns = []
        for _ in range(WARMING_STEPS):
            hop = silence(self._format.hop_drive_samples)
            beat(True)
            began_ns = self._clock.now_ns()
            made = self._engine.step([Job(state, hop, silence(0))])[0]
            self.fitted(self.checked(made))
            state = made.state
            took_ns.append(self._clock.now_ns() - began_ns)
            beat(False)
        self._tempo.warmed(took_ns)
        if self._spec.must_keep_up and self._tempo.slow:
            raise TooSlow(
                f"{self._spec.name}: the fastest of {WARMING_STEPS} steps took {self._tempo.rtf_of(min(took_ns)):.2f} "
                f"times the media it made; less than {self._spec.rtf_max:g} is asked for (avatar.rtf_max)"
            )
