"""Who is in the picture, and how one person makes way for another without a jump.

In: the room's persons, hops whose marks call them. Out: jobs for an engine's step, and out of what it made the hop's
pictures, their scene and what became of each call. It decides when somebody comes; the engine draws.

Both are drawn, hearing the same, from the frame of the mark on, and mixed in the picture over FADE_FRAMES; what is left
of that at the hop's end goes on in the next one. Where two would be drawn too slowly the last picture of who leaves
stands still instead, and the change lies at the nearer end of the hop. A fade is never broken off: who is called
meanwhile comes after it. What carries over is a value, so a roll-back takes a change back as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import msgspec
import structlog

from pipeline.arrays import Frame, Frames
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import AvatarEngine, Job, Made, MotionState
from pipeline.errors import BadInput
from pipeline.keepsakes import Poses, baked_hold
from pipeline.media import AIR_SAMPLES, PERSON, Mark
from pipeline.wholefile import write_whole

if TYPE_CHECKING:
    from pipeline.worker import WorkerSpec

FADE_FRAMES = 10  # 400 ms: shorter is seen as a cut, longer as two faces in one
FILE = "person"  # in the runtime directory: the name of who is in the picture, for all engines of the room
TOLD_MAX = 100  # names that are not the room's: each is told of once

log = structlog.get_logger()


# ── a scene ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Fade:
    """leaving: who leaves, with `state` after the hop; None: `still` stands, which is the last picture else.

    before: frames of it that were done when the hop began. at: the hop's frame at which it begins, or goes on.
    """

    leaving: str
    state: MotionState | None
    still: Frame
    before: int
    at: int

    def done(self, frames: int) -> int:
        """Frames of it that are over after so many of the hop."""
        return min(FADE_FRAMES, self.before + max(0, frames - self.at))


@dataclass(frozen=True, slots=True)
class Scene:
    """What carries over from one hop into the next. state: of `person` after the hop. fade: as it was in the hop.

    frames: of the hop, as many as go on air. last: its last picture; None before the first hop. wanted: the call of who
    comes as soon as it can be, `at` as it was in the hop, 0 when it is older.
    """

    person: str
    state: MotionState
    frames: int = 0
    last: Frame | None = None
    fade: Fade | None = None
    wanted: Mark | None = None

    @property
    def is_fading(self) -> bool:
        """Whether the next hop begins inside a fade."""
        return self.fade is not None and self.fade.done(self.frames) < FADE_FRAMES


def seen(scene: Scene, frames: int) -> Scene:
    """The same when only so many frames of its hop were seen: what was to come after them has not begun."""
    if scene.wanted is not None and scene.wanted.at >= frames * AIR_SAMPLES:
        scene = replace(scene, wanted=None)
    fade = scene.fade
    if fade is None or frames >= scene.frames:
        return scene
    if fade.done(frames) == 0 and fade.state is not None:
        return replace(scene, person=fade.leaving, state=fade.state, frames=frames, last=fade.still, fade=None)
    return replace(scene, frames=frames)


# ── what a hop is to show ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Plan:
    """comes: who comes into the picture at frame `at`, or None. both: who leaves is drawn as well. wanted: who cannot
    come yet. settled: calls that are obeyed in this hop, or came to nothing.
    """

    comes: Mark | None = None
    at: int = 0
    both: bool = False
    wanted: Mark | None = None
    settled: tuple[Mark, ...] = ()


def planned(
    scene: Scene, calls: Sequence[Mark], hop_frames: int, is_ready: Callable[[str], bool], *, has_time: bool
) -> Plan:
    """calls: those of the hop, by time, of persons that are known. has_time: two persons can be drawn.

    Of several the last one counts: a person who is seen for less than a hop is not worth two fades.
    """
    if scene.wanted is not None:
        calls = [msgspec.structs.replace(scene.wanted, at=0), *calls]
    goes_on = has_time and scene.is_fading and scene.fade is not None and scene.fade.state is not None
    if not calls or calls[-1].text == scene.person:
        return Plan(both=goes_on, settled=tuple(calls))
    *passed, last = calls
    if not scene.is_fading and is_ready(last.text):
        at = last.at // AIR_SAMPLES
        if has_time:
            return Plan(last, at, both=True, settled=tuple(calls))
        if 2 * at < hop_frames:
            early = msgspec.structs.replace(last, at=0)
            return Plan(early, settled=(early, *passed))
    return Plan(both=goes_on, wanted=last, settled=tuple(passed))


def share(frame: int) -> float:
    """Of who comes, in this frame of a fade, 0 …: smooth at both ends, above 0 and below 1."""
    along = (frame + 1) / (FADE_FRAMES + 1)
    return along * along * (3 - 2 * along)


def mixed(old: Sequence[Frame] | Frames, new: Frames, before: int, at: int) -> Frames:
    """A hop of which `new` takes the place of `old` from frame `at` on, the fade being at its frame `before` there."""
    frames = new.copy()
    for index in range(len(new)):
        if index < at:
            frames[index] = old[index]
        elif (step := before + index - at) < FADE_FRAMES:
            part = share(step)
            cv2.addWeighted(new[index], part, old[index], 1 - part, 0, dst=frames[index])
    return frames


# ── the cast of a room ───────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Act:
    """One hop of a room, to be drawn. jobs: for the engine's step, in which other rooms' jobs may lie beside them.

    alone: there is nobody else, so nothing is told of who is there.
    """

    scene: Scene
    plan: Plan
    jobs: tuple[Job, ...]
    alone: bool = False

    def made(self, drawn: Sequence[Made]) -> Made:
        """Out of what the engine made of the jobs: the hop's pictures, and the scene as its state."""
        new = drawn[0]
        leaves = drawn[1] if self.plan.both else None
        fade, frames = self._fade(leaves), new.frames
        if fade is not None:
            old: Sequence[Frame] | Frames = [fade.still] * len(frames) if leaves is None else leaves.frames
            frames = mixed(old, frames, fade.before, fade.at)
        person = self.plan.comes.text if self.plan.comes else self.scene.person
        after = Scene(person, new.state, len(frames), frames[-1].copy(), fade, self.plan.wanted)
        return Made(frames, after, new.notes)

    def marks(self, hop: Sequence[Mark], *, opens: bool) -> list[Mark]:
        """The hop's marks as they go on air: a call where it is obeyed, with the name of who is in the picture then.

        opens: it is the first hop of an epoch, which begins with who is there.
        """
        told = [msgspec.structs.replace(call, text=self._person_at(call.at)) for call in self.plan.settled]
        if opens and not self.alone:
            told.insert(0, Mark(0, PERSON, text=self._person_at(0)))
        others = [mark for mark in hop if mark.kind != PERSON]
        return sorted([*told, *others], key=lambda mark: mark.at) if told else others

    def _person_at(self, sample: int) -> str:
        comes = self.plan.comes
        return self.scene.person if comes is None or sample < self.plan.at * AIR_SAMPLES else comes.text

    def _fade(self, leaves: Made | None) -> Fade | None:
        """The fade of this hop, if there is one. leaves: what was drawn of who leaves."""
        scene, plan, going_on = self.scene, self.plan, self.scene.fade
        state = leaves.state if leaves else None
        still = leaves.frames[-1].copy() if leaves else None
        if plan.comes is not None:
            still = scene.last if still is None else still
            return None if still is None else Fade(scene.person, state, still, 0, plan.at)
        if going_on is None or not scene.is_fading:
            return None
        still = going_on.still if still is None else still
        return Fade(going_on.leaving, state, still, going_on.done(scene.frames), 0)


class Cast:
    """The persons of one room on one engine. One thread, the engine's.

    spec.persons: names and files, the room's own first; {}: `avatar` alone.
    """

    def __init__(self, spec: WorkerSpec, engine: AvatarEngine, avatar: Avatar) -> None:
        self._spec = spec
        self._engine = engine
        self._hop = engine.format(avatar).hop_frames
        self._own = next(iter(spec.persons), avatar.name)
        self._avatars = {self._own: avatar}
        self._holds: dict[str, str] = {}
        self._poses = Poses(spec, engine, avatar)
        self._path = Path(spec.runtime_dir) / FILE
        self._written = ""  # who is kept as being in the picture
        self._unknown: set[str] = set()
        self._has_others = len(spec.persons) > 1

    # ── at the start ─────────────────────────────────────────────────────────────────────────────

    def open(self, beat: Callable[[], None]) -> None:
        """Read, bake and open everybody, and bake the hold loops that are missing, so that nothing is late on air.

        Who cannot be drawn by this engine is left out, and told of. beat: called between persons.
        """
        for name, path in self._spec.persons.items():
            if name == self._own:
                continue
            try:
                avatar = load_avatar(
                    Path(path), self._spec.size, self._spec.crop, (self._spec.width, self._spec.height)
                )
                self._engine.format(avatar)
                self._engine.open(avatar, self._spec.seed)
            except BadInput as error:
                log.warning("person.unusable", person=name, reason=str(error))
                continue
            self._avatars[name] = avatar
            beat()
        for name, avatar in self._avatars.items():
            self._holds[name] = baked_hold(self._spec, self._engine, avatar)
            beat()
        self._engine.open(self._avatars[self._remembered()], self._spec.seed)  # the newest makes room for nobody

    def left(self) -> Scene | None:
        """The pose of who was in the picture last, on whatever engine; None where this engine has none of them."""
        person = self._remembered()
        self._written = person
        state = self._poses.left(self._avatars[person])
        return None if state is None else Scene(person, state)

    def has_moved(self) -> bool:
        """Whether another process has shown pictures since `left` was asked."""
        return self._poses.has_moved() or self._remembered() != self._written

    def is_latest(self) -> bool:
        """Whether no other engine of the room has shown pictures since this one did."""
        return self._poses.is_latest()

    def begun(self, after: Frames | None = None) -> Scene:
        """Who was in the picture last, from the beginning. after: frames on air."""
        person = self._remembered()
        self._written = person
        return Scene(person, self._engine.open(self._avatars[person], self._spec.seed, after))

    def forget(self) -> None:
        """The next pose begins from the picture: what was kept led nowhere."""
        self._poses.forget()

    # ── on air ───────────────────────────────────────────────────────────────────────────────────

    def act(self, scene: Scene, job: Job, *, has_time: bool) -> Act:
        """The next hop. job: the room's, its state apart. has_time: whether two persons can be drawn in time."""
        calls = self._calls(job.marks)
        known = [call for call in calls if call.text in self._avatars]
        plan = planned(scene, known, self._hop, self._is_ready, has_time=has_time)
        if len(known) < len(calls):  # of a name that is nobody's, who is in the picture stays there
            plan = replace(plan, settled=(*plan.settled, *(call for call in calls if call not in known)))
        states = [scene.state, scene.fade.state if scene.fade else None]
        for name in {scene.person, scene.fade.leaving if scene.fade else scene.person}:
            self._have(name)  # another room's persons may have put them out of memory
        if plan.comes is not None:
            avatar = self._avatars[plan.comes.text]
            states = [self._engine.open(avatar, self._spec.seed, beside=scene.state), scene.state]
            log.info("person.comes", person=plan.comes.text, leaves=scene.person, live=plan.both)
        jobs = tuple(replace(job, state=state) for state in states[: 1 + plan.both])
        return Act(scene, plan, jobs, alone=not self._has_others)

    def prepare(self, scene: Scene) -> None:
        """Between two hops: have in memory who is wanted and was put out of it."""
        if scene.wanted is not None:
            self._have(scene.wanted.text)

    def _have(self, name: str) -> None:
        """Have them in memory."""
        if not self._is_ready(name):
            self._engine.open(self._avatars[name], self._spec.seed)

    def hold(self, scene: Scene) -> str:
        """Path of the loop that fits the picture; "" for none."""
        return self._holds.get(scene.person, "")

    def keep(self, scene: Scene) -> None:
        """For the next process: who is in the picture, and in which pose."""
        if scene.person != self._written and self._has_others:
            try:
                write_whole(self._path, scene.person.encode())
            except OSError as error:
                log.warning("pose.unsaved", reason=str(error))
            self._written = scene.person  # a disk that refuses is asked again at the next change
        self._poses.keep(scene.state)

    def _calls(self, marks: Sequence[Mark]) -> list[Mark]:
        """Those of the hop, by time; none where there is nobody else."""
        end = self._hop * AIR_SAMPLES if self._has_others else 0
        found = [mark for mark in marks if mark.kind == PERSON and 0 <= mark.at < end]
        for name in {mark.text for mark in found} - self._avatars.keys() - self._unknown:
            if len(self._unknown) < TOLD_MAX:
                self._unknown.add(name)
                log.warning("person.unknown", person=name, known=list(self._avatars))
        return sorted(found, key=lambda mark: mark.at)

    def _is_ready(self, name: str) -> bool:
        return self._engine.is_open(self._avatars[name])

    def _remembered(self) -> str:
        """Who was in the picture last, where this engine can draw that; else the room's own."""
        try:
            name = self._path.read_text(encoding="utf-8", errors="replace") if self._has_others else ""
        except OSError:
            name = ""
        return name if name in self._avatars else self._own
