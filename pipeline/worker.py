"""One engine on the wires of one room or several: speech comes from directors, segments go to playouts, on demand.

The loop hears every room (pipeline.seat), has the schedule say whose segments are due (pipeline.schedule), and answers
them with one step of the engine. It never knows Redis, RTMP or wall time, and a dead peer only makes a room wait. Of an
engine on several ranks this is rank 0; the others run pipeline.follower. A tier that draws smaller than the room's size
has its pictures enlarged here, so that playout sees one size.

Of several rooms none suffers from another. A step that fails is made again room by room; the room that fails alone
begins anew, and one that fails again and again is put aside for a minute. Only when the engine cannot even draw silence
for another room is the error its own, and ends the process. A room for which there is no time is refused while the
others go on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import structlog
import zmq

from pipeline import follower, schedule
from pipeline.arrays import Frames
from pipeline.avatar import Avatar, load_avatar
from pipeline.clock import NS, Clock, RealClock
from pipeline.crop import Crop
from pipeline.engine import AvatarEngine, Made
from pipeline.errors import AvatarError
from pipeline.lifeline import Lifeline
from pipeline.mishap import meaning
from pipeline.persons import Act
from pipeline.seat import LINGER_MS, Seat
from pipeline.wire import Drain

POLL_MS = 200  # the longest wait; the lifeline wants an ear four times a second
LEAVING_NS = 300_000_000  # of the grace: for what follows the last segment
FAILURES_MAX = 3  # for one room alone, each within REST_NS of the one before: a sentence that fails is said again
REST_NS = 60 * NS  # for a room that fails again and again: each of its steps takes time from the others
REFUSED_NS = 10 * NS  # between two looks whether there is time for a room that was refused

log = structlog.get_logger()


class RoomSpec(msgspec.Struct, frozen=True):
    """What differs from room to room at one engine; as in WorkerSpec. room: its name, for people."""

    room: str
    runtime_dir: str
    state_dir: str
    image: str
    width: int
    height: int
    seed: int
    crop: Crop = "none"
    persons: dict[str, str] = {}


class WorkerSpec(msgspec.Struct, frozen=True):
    """name: the engine's id on the wires. image: "" = the shipped presenter. options: what the engine is made with.

    persons: names and files of all who can be in the picture, the room's own first; {}: nobody else.

    width, height: on air, pixels. drawn: what the engine draws, None = the same. rtf_max: a step that takes so many
    times its media, or longer, is too slow. must_keep_up: there is a lighter tier, so an engine whose steps are all too
    slow while it warms up does not go on air.
    rank, world: which of how many processes this is; of several, the master address is where rank 0 meets the others.
    rooms: those that are served, where there are several; picture, size and directories of the wires are theirs then.
    room: the name of one of them.
    """

    name: str
    engine: str
    runtime_dir: str
    state_dir: str
    image: str = ""
    width: int = 0
    height: int = 0
    seed: int = 0
    options: dict[str, Any] = {}
    rank: int = 0
    world: int = 1
    master_address: str = ""
    master_port: int = 0
    drawn: tuple[int, int] | None = None
    crop: Crop = "none"
    rtf_max: float = 1.0
    must_keep_up: bool = False
    rooms: list[RoomSpec] = []
    room: str = ""
    persons: dict[str, str] = {}

    @property
    def size(self) -> tuple[int, int]:
        """Of what the engine draws."""
        return self.drawn or (self.width, self.height)

    @property
    def seats(self) -> list[WorkerSpec]:
        """The same for each room alone."""
        if not self.rooms:
            return [self]
        alone = msgspec.structs.replace(self, rooms=[])
        return [msgspec.structs.replace(alone, **msgspec.structs.asdict(room)) for room in self.rooms]


def run(spec: WorkerSpec, lifeline: Lifeline) -> None:
    """The process: load, warm up, serve until drained. EngineError and LineClosed end it."""
    lifeline.beat("loading")
    if spec.rank:
        follower.run(spec, lifeline)
        return
    pictures = pictured(spec)
    pulse = follower.Pulse(lifeline)
    with follower.equipped(spec, pulse) as (engine, gang):
        worker = Worker(pictures, engine, lifeline, RealClock())
        try:
            pulse.phase = "warming"
            worker.open()
            pulse.phase = "ready"
            worker.serve(gang.alive if gang else _nobody)
        finally:
            worker.close()


def pictured(spec: WorkerSpec) -> list[tuple[WorkerSpec, Avatar]]:
    """Each room with its avatar. AvatarError when there is none; of several, those that have one are served."""
    found, faults = [], []
    for seat in spec.seats:
        try:
            image = Path(seat.image) if seat.image else None
            found.append((seat, load_avatar(image, seat.size, seat.crop, (seat.width, seat.height))))
        except AvatarError as error:
            faults.append(error)
            if spec.rooms:
                log.error("room.left_out", room=seat.room, reason=str(error))
    if not found:
        raise faults[-1]
    return found


def _begin(seat: Seat, begun: list[tuple[Seat, Act]]) -> None:
    begun.append((seat, seat.begin()))


def _nobody() -> None:
    """There are no other ranks to be told that we are there."""


class Worker:
    """One engine and its rooms. One thread."""

    def __init__(
        self, pictures: Sequence[tuple[WorkerSpec, Avatar]], engine: AvatarEngine, lifeline: Lifeline, clock: Clock
    ) -> None:
        self._pictures = pictures
        self._engine = engine
        self._lifeline = lifeline
        self._clock = clock
        self._several = bool(pictures[0][0].room)
        self._seats: list[Seat] = []
        self._context: zmq.Context[Any] = zmq.Context()
        self._stepped_ns: int | None = None  # when the last step began, until the rooms are heard
        self._ends_ns: int | None = None  # when to leave at the latest, once asked to

    def open(self) -> None:
        """Warm the engine up for each room, and find their doors. Of several, one that cannot be is left out."""
        self._lifeline.beat("warming")
        fault: Exception | None = None
        for spec, avatar in self._pictures:
            if (fault := self._apart(partial(self._seat, spec, avatar))) is not None:
                log.error("room.left_out", room=spec.room, reason=str(fault))
        if not self._seats and fault is not None:
            raise fault
        self._poller = zmq.Poller()
        for socket in (self._lifeline.fileno(), *(socket for seat in self._seats for socket in seat.sockets)):
            self._poller.register(socket, zmq.POLLIN)

    def _seat(self, spec: WorkerSpec, avatar: Avatar) -> None:
        seat = Seat(spec, self._engine, avatar, self._clock)
        seat.open(self._context, lambda busy: self._lifeline.beat("warming", busy=busy))
        self._seats.append(seat)

    def serve(self, others: Callable[[], None] = _nobody) -> None:
        """Until drained. others: tells the other ranks that we are there; EngineError when one is gone."""
        while self.turn():
            others()

    def turn(self) -> bool:
        """Hear everybody, and make one step at most; false when there is nothing more to do."""
        self._let_go()
        if all(seat.left for seat in self._seats):
            return False
        for seat in self._seats:
            seat.tend()
        self._poller.poll(self._wait_ms())
        self._hear_lifeline()
        since_ns = self._clock.now_ns() if self._stepped_ns is None else self._stepped_ns
        self._stepped_ns = None
        for seat in self._seats:
            if (fault := self._apart(partial(seat.hear, since_ns))) is not None:
                self._fail(seat, fault)
        self._admit()
        self._render()
        self._beat(busy=False)
        return True

    def close(self) -> None:
        self._context.destroy(linger=LINGER_MS)

    # ── what is decided ──────────────────────────────────────────────────────────────────────────

    def _hear_lifeline(self) -> None:
        for message in self._lifeline.poll():
            if isinstance(message, Drain):
                self._ends_ns = self._clock.now_ns() + int(message.grace_s * NS) - LEAVING_NS

    def _let_go(self) -> None:
        """Once asked to leave: each room at the end of a sentence, for one that is broken off would be said again."""
        if self._ends_ns is None:
            return
        is_late = self._clock.now_ns() >= self._ends_ns
        for seat in self._seats:
            if not seat.left and (is_late or not seat.in_sentence):
                seat.leave()

    def _wait_ms(self) -> int:
        return min(seat.wait_ms(self._lead_ns(seat), POLL_MS) for seat in self._seats)

    def _lead_ns(self, seat: Seat) -> int:
        """How long before its buffer runs dry a room's silence is begun: all others may come before it."""
        return seat.render_ns + sum(other.render_ns for other in self._seats if other.admitted and other is not seat)

    def _admit(self) -> None:
        """Give a share of the engine's time to who is there, and take it from who is away."""
        if not self._several:
            return
        now = self._clock.now_ns()
        for seat in self._seats:
            if seat.left:
                continue
            if seat.aside and now >= seat.again_ns:
                seat.again_ns = now + REFUSED_NS
                if not self._refusal(seat):
                    seat.take_back()
            elif seat.admitted and not seat.is_present:
                seat.admitted = False
                log.info("room.absent", room=seat.room)
            elif seat.is_present and not seat.admitted:
                if why := self._refusal(seat):
                    log.warning("room.refused", room=seat.room, reason=why)
                    seat.put_aside(why, now + REFUSED_NS)
                else:
                    seat.admitted = True
                    log.info("room.admitted", room=seat.room, load=round(self._load, 3))

    @property
    def _load(self) -> float:
        """The real-time factor of all rooms together."""
        return sum(seat.load for seat in self._seats if seat.admitted)

    def _refusal(self, seat: Seat) -> str:
        return schedule.refusal(self._load, seat.load)

    # ── what is done ─────────────────────────────────────────────────────────────────────────────

    def _render(self) -> None:
        """Make the step that is due, if any."""
        due = [seat.waiting(number) for number, seat in enumerate(self._seats) if seat.is_due(self._lead_ns(seat))]
        if seats := [self._seats[number] for number in schedule.chosen(due, self._clock.now_ns())]:
            self._stepped_ns = self._clock.now_ns() if self._several else None
            begun: list[tuple[Seat, Act]] = []
            for seat in seats:
                if (fault := self._apart(partial(_begin, seat, begun))) is not None:
                    self._fail(seat, fault)
            if begun:
                self._draw(begun)

    def _draw(self, begun: Sequence[tuple[Seat, Act]]) -> None:
        """Have the engine make what these rooms have begun in one step, or each alone where that fails."""
        drawn: list[tuple[Made, Frames]] = []
        self._beat(busy=True)
        began_ns = self._clock.now_ns()
        fault = self._apart(lambda: drawn.extend(self._drawn(begun)))
        took_ns = self._clock.now_ns() - began_ns
        if fault is None:
            each_ns = took_ns // sum(len(act.jobs) for _, act in begun)
            for (seat, act), (made, frames) in zip(begun, drawn, strict=True):
                seat.finish(act, made, frames, took_ns, each_ns)
        elif len(begun) > 1:
            log.warning("step.split", rooms=[seat.room for seat, _ in begun], reason=str(fault))
            for one in begun:
                self._draw([one])
        else:
            self._fail(begun[0][0], fault)

    def _drawn(self, begun: Sequence[tuple[Seat, Act]]) -> list[tuple[Made, Frames]]:
        drawn = iter(self._engine.step([job for _, act in begun for job in act.jobs]))
        found = [(seat, act.made([seat.checked(next(drawn)) for _ in act.jobs])) for seat, act in begun]
        return [(made, seat.fitted(made)) for seat, made in found]

    def _fail(self, seat: Seat, fault: Exception) -> None:
        """What was done for this room alone failed: its own fault, unless the engine can draw nobody else, either."""
        if not any(self._is_drawn(other) for other in self._seats if other is not seat):
            raise fault
        now = self._clock.now_ns()
        seat.failures = seat.failures + 1 if seat.failures and now < seat.failed_ns + REST_NS else 1
        seat.failed_ns = now
        reason = f"{type(fault).__name__}: {fault}"
        if seat.failures < FAILURES_MAX and self._apart(seat.reset) is None:
            log.error("room.reset", room=seat.room, reason=reason, failures=seat.failures)
            return
        log.error("room.put_aside", room=seat.room, reason=reason, rest_s=REST_NS // NS)
        seat.put_aside(f"the engine fails at this room: {reason}", now + REST_NS)
        self._apart(seat.reset)
        seat.failures = 0

    def _is_drawn(self, seat: Seat) -> bool:
        """Whether the engine can draw silence for this room."""
        return self._apart(lambda: seat.checked(self._engine.step([seat.calm()])[0])) is None

    def _apart(self, work: Callable[[], object]) -> Exception | None:
        """Do something of some rooms. Returns what went wrong, unless that is the engine's: it ends the process.

        Ranks that met an error are not in step any more, so of a gang every error is the engine's.
        """
        try:
            work()
        except Exception as error:  # whatever one room brings about, the others are on air
            if not self._several or self._pictures[0][0].world > 1 or meaning(error) is not None:
                raise
            return error
        return None

    def _beat(self, busy: bool) -> None:
        self._lifeline.beat("ready", busy=busy, **(self._facts() if self._several else self._seats[0].facts()))

    def _facts(self) -> dict[str, Any]:
        """Of all rooms together, and of each."""
        return {
            "segments": sum(seat.segments for seat in self._seats),
            "rtf": round(self._load, 3),
            "slow": max(seat.slow for seat in self._seats),
            "rooms": {seat.room: {**seat.facts(), "admitted": seat.admitted} for seat in self._seats},
        }
