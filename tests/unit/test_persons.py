"""One person makes way for another: at the frame of the mark, without a jump, and taken back with the rest."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from pipeline import persons
from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import MODELS, AvatarEngine, Job, Made, MotionState, load_engine
from pipeline.engines.pattern import PatternEngine, read_counter
from pipeline.engines.portrait.engine import PortraitEngine
from pipeline.media import AIR_SAMPLES, DRIVE_HZ, PERSON, WORD, Mark
from pipeline.persons import FADE_FRAMES, Cast, Scene, mixed, seen, share
from pipeline.worker import WorkerSpec
from tests.people import write_people
from tests.tinymodel import write_head_dir, write_model_dir

SIZE = (224, 384)
SEED = 3
MOTION = 0.8  # mean change of luma from frame to frame that a face makes at most


def voice(samples: int) -> Pcm:
    """A buzz in syllables of a quarter second, 16 kHz."""
    time = np.arange(samples) / DRIVE_HZ
    buzz = np.sign(np.sin(2 * np.pi * 130 * time)) + np.sin(2 * np.pi * 700 * time)
    made: Pcm = (6000 * buzz * np.maximum(np.sin(2 * np.pi * 2 * time), 0) ** 2).astype(np.int16)
    return made


def call(name: str, frame: int, utterance: str = "u") -> Mark:
    return Mark(frame * AIR_SAMPLES, PERSON, utterance, 0, name)


class Play:
    """One room: hop after hop of one speech."""

    def __init__(self, engine: AvatarEngine, cast: Cast, avatars: Mapping[str, Avatar]) -> None:
        self.engine, self.cast, self.avatars = engine, cast, avatars
        self.scene = cast.begun()
        self.at = 0
        self.told: list[Mark] = []
        self.drawn = 0  #: pictures' hops that the last hop took

    @property
    def samples(self) -> int:
        return self.engine.format(self.avatars["host"]).hop_drive_samples

    def job(self, state: MotionState, at: int, marks: tuple[Mark, ...] = ()) -> Job:
        sound = voice((at + 1) * self.samples)
        return Job(state, sound[-self.samples :], silence(0), marks)

    def hop(self, *calls: Mark, has_time: bool = True) -> Frames:
        act = self.cast.act(self.scene, self.job(None, self.at, calls), has_time=has_time)
        made = act.made(self.engine.step(act.jobs))
        self.told = act.marks([], opens=False)
        self.scene, self.drawn = made.state, len(act.jobs)
        self.at += 1
        return made.frames

    def alone(self, state: MotionState, hops: int) -> Frames:
        """What the engine draws of one person from here on."""
        made: list[Made] = []
        for at in range(self.at, self.at + hops):
            made += self.engine.step([self.job(state, at)])
            state = made[-1].state
        return np.concatenate([one.frames for one in made])

    def apart(self, name: str) -> float:
        """How much the luma of who is in the picture and of somebody else differs."""
        ours, other = self.alone(self.scene.state, 1), self.alone(self.beside(name), 1)
        return float(np.abs(luma(ours) - luma(other)).mean())

    def beside(self, name: str) -> MotionState:
        """The state in which somebody would come now."""
        return self.engine.open(self.avatars[name], SEED, beside=self.scene.state)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return write_people(tmp_path_factory.mktemp("people"))


@pytest.fixture(scope="module")
def avatars(files: dict[str, str]) -> dict[str, Avatar]:
    return {name: load_avatar(Path(path), SIZE) for name, path in files.items()}


@pytest.fixture(scope="module")
def spec(files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> WorkerSpec:
    folder = str(tmp_path_factory.mktemp("room"))
    return WorkerSpec("portrait", "portrait", folder, folder, files["host"], *SIZE, SEED, persons=files)


@pytest.fixture(scope="module")
def engine() -> PortraitEngine:
    return PortraitEngine()


@pytest.fixture(scope="module")
def cast(engine: PortraitEngine, spec: WorkerSpec, avatars: dict[str, Avatar]) -> Cast:
    made = Cast(spec, engine, avatars["host"])
    made.open(lambda: None)
    return made


@pytest.fixture
def play(engine: PortraitEngine, cast: Cast, avatars: dict[str, Avatar]) -> Play:
    made = Play(engine, cast, avatars)
    made.hop()
    return made


def luma(frames: Frames) -> npt.NDArray[np.float64]:
    return frames[:, : frames.shape[1] * 2 // 3].astype(float)


def steps(frames: Frames) -> npt.NDArray[np.float64]:
    """How much each frame differs from the one before it."""
    return np.asarray(np.abs(np.diff(luma(frames), axis=0)).mean(axis=(1, 2)))


def largest_share() -> float:
    """Of one step of the fade."""
    return float(np.diff([0, *map(share, range(FADE_FRAMES)), 1]).max())


# ── the change ───────────────────────────────────────────────────────────────────────────────────


def test_who_is_called_comes_at_the_frame_of_the_mark_and_both_are_alive_meanwhile(play: Play) -> None:
    old, new = play.alone(play.scene.state, 3), play.alone(play.beside("anna"), 3)
    frames = np.concatenate([play.hop(call("anna", 3)), play.hop(), play.hop()])
    assert np.array_equal(frames[:3], old[:3]), "until then nobody else is seen"
    assert np.array_equal(frames[3 + FADE_FRAMES :], new[3 + FADE_FRAMES :]), "and then nobody else"
    for step in range(FADE_FRAMES):
        expected = share(step) * luma(new)[3 + step] + (1 - share(step)) * luma(old)[3 + step]
        assert np.abs(luma(frames)[3 + step] - expected).max() <= 1
    assert play.scene.person == "anna" and not play.scene.is_fading


@pytest.mark.parametrize("has_time", [True, False])
@pytest.mark.parametrize("frame", [0, 2, 3])
def test_no_jump_is_seen(play: Play, frame: int, has_time: bool) -> None:
    assert play.scene.last is not None
    apart = play.apart("anna")
    seen_frames = [play.scene.last[None], play.hop(call("anna", frame), has_time=has_time)]
    seen_frames += [play.hop(has_time=has_time) for _ in range(4)]
    frames = np.concatenate(seen_frames)
    assert apart > 5 * (largest_share() * apart + MOTION), "a cut would be seen"
    assert steps(frames).max() <= largest_share() * apart + MOTION
    means = luma(frames).mean(axis=(1, 2))
    assert play.scene.person == "anna" and means[-1] < means[0] - 10
    assert np.diff(means).max() < 0.5, "the light falls from one to the other, and never flickers"


def test_what_was_heard_goes_on_with_the_other_person(play: Play) -> None:
    play.hop(call("anna", 0))
    twin = play.scene.fade
    assert twin is not None and twin.leaving == "host"
    anna, host = play.scene.state, twin.state
    assert host is not None
    assert anna.past == host.past and anna.frame == host.frame and anna.lips == host.lips
    assert anna.digest != host.digest


def test_where_two_would_be_late_the_last_picture_stands_and_the_change_lies_at_the_nearer_end(play: Play) -> None:
    last = play.scene.last
    assert last is not None
    new = play.alone(play.beside("anna"), 1)
    early = play.hop(call("anna", 1), has_time=False)
    assert play.drawn == 1 and [mark.at for mark in play.told] == [0]
    assert np.array_equal(early, mixed([last] * 5, new, 0, 0))
    for _ in range(2):
        play.hop(has_time=False)
    anna = play.alone(play.scene.state, 1)
    late = play.hop(call("bert", 4), has_time=False)
    assert np.array_equal(late, anna) and play.told == [] and play.scene.person == "anna"
    play.hop(has_time=False)
    assert play.scene.person == "bert" and play.told == [call("bert", 0)]


def test_who_leaves_stands_still_from_where_there_is_no_time_left(play: Play) -> None:
    play.hop(call("anna", 0))
    assert play.drawn == 2 and play.scene.fade is not None
    still, new = play.scene.fade.still, play.alone(play.scene.state, 1)
    frames = play.hop(has_time=False)
    assert np.array_equal(frames, mixed([still] * 5, new, 5, 0)) and play.drawn == 1
    assert not play.scene.is_fading


# ── what is taken back ───────────────────────────────────────────────────────────────────────────


def test_a_roll_back_to_before_the_change_shows_the_old_person(play: Play) -> None:
    before = play.scene
    old = play.alone(before.state, 1)
    play.hop(call("anna", 0))
    play.hop()
    play.scene, play.at = before, play.at - 2
    assert np.array_equal(play.hop(), old) and play.scene.person == "host"


def test_a_hop_that_was_seen_to_before_the_mark_has_not_changed_the_person(play: Play) -> None:
    old = play.alone(play.scene.state, 2)
    play.hop(call("anna", 3))
    play.scene = seen(play.scene, 2)
    assert play.scene.person == "host"
    assert np.array_equal(play.hop(), old[5:])


def test_a_hop_that_was_seen_into_the_fade_goes_on_with_it(play: Play) -> None:
    play.hop(call("anna", 1))
    after = play.scene
    assert after.fade is not None and after.fade.done(5) == 4
    old, new = play.alone(after.fade.state, 1), play.alone(after.state, 1)
    play.scene = seen(after, 3)
    assert np.array_equal(play.hop(), mixed(list(old), new, 2, 0))


def test_a_call_that_was_not_seen_is_not_waited_for(play: Play) -> None:
    play.hop(call("anna", 0))
    play.hop(call("bert", 3))
    assert play.scene.wanted == call("bert", 3)
    assert seen(play.scene, 3).wanted is None and seen(play.scene, 4).wanted == call("bert", 3)


# ── who is called ────────────────────────────────────────────────────────────────────────────────


def test_a_name_that_is_nobodys_leaves_the_picture_as_it_is(play: Play) -> None:
    old = play.alone(play.scene.state, 1)
    assert np.array_equal(play.hop(call("nobody", 2)), old)
    assert play.told == [msgspec.structs.replace(call("nobody", 2), text="host")], "what became of it is told"


def test_of_two_calls_in_a_hop_the_last_one_counts(play: Play) -> None:
    play.hop(call("anna", 0, "first"), call("bert", 2, "second"))
    assert play.scene.person == "bert"
    assert [(mark.utterance, mark.text) for mark in play.told] == [("first", "host"), ("second", "bert")]


def test_who_is_called_during_a_fade_comes_after_it(play: Play) -> None:
    apart = play.apart("anna")
    frames = [play.hop(call("anna", 2)), play.hop(call("bert", 0))]
    assert play.scene.person == "anna" and play.told == []
    frames += [play.hop(), play.hop()]
    assert play.scene.person == "bert" and play.told == [call("bert", 0)]
    frames += [play.hop(), play.hop()]
    assert steps(np.concatenate(frames)).max() <= largest_share() * apart + MOTION


def test_a_call_for_who_is_there_changes_nothing_and_is_told(play: Play) -> None:
    old = play.alone(play.scene.state, 1)
    assert np.array_equal(play.hop(call("host", 2)), old)
    assert play.told == [call("host", 2)] and play.drawn == 1


def test_the_first_hop_of_an_epoch_says_who_is_there_and_other_marks_stay_in_order(play: Play) -> None:
    words = [Mark(0, WORD, "u", 0, "one"), Mark(4 * AIR_SAMPLES, WORD, "u", 0, "two")]
    act = play.cast.act(play.scene, play.job(None, play.at, (call("anna", 2),)), has_time=True)
    marks = act.marks([words[0], call("anna", 2), words[1]], opens=True)
    assert marks == [Mark(0, PERSON, text="host"), words[0], call("anna", 2), words[1]]


def test_a_room_with_one_person_says_nothing_of_persons(spec: WorkerSpec, avatars: dict[str, Avatar]) -> None:
    alone = Cast(msgspec.structs.replace(spec, persons={}), PatternEngine(), avatars["host"])
    scene = Scene("host", PatternEngine().open(avatars["host"], SEED))
    act = alone.act(scene, Job(None, silence(3200), silence(0), (call("anna", 2),)), has_time=True)
    assert len(act.jobs) == 1 and act.marks([call("anna", 2)], opens=True) == []


# ── what is kept ─────────────────────────────────────────────────────────────────────────────────


def test_who_was_put_out_of_memory_is_fetched_between_two_hops(
    spec: WorkerSpec, avatars: dict[str, Avatar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engines.portrait.engine.AVATARS_KEPT", 2)
    small = PortraitEngine()
    cast = Cast(spec, small, avatars["host"])
    cast.open(lambda: None)
    play = Play(small, cast, avatars)
    assert small.is_open(avatars["host"]) and not small.is_open(avatars["anna"])
    play.hop(call("anna", 0))
    assert play.scene.person == "host" and play.told == []
    cast.prepare(play.scene)
    assert small.is_open(avatars["anna"]) and small.is_open(avatars["host"])
    play.hop()
    assert play.scene.person == "anna" and play.told == [call("anna", 0)]


def test_a_room_failed_whose_picture_the_persons_of_another_room_had_put_out_of_memory(
    spec: WorkerSpec, avatars: dict[str, Avatar], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engines.portrait.engine.AVATARS_KEPT", 2)
    small = PortraitEngine()
    cast = Cast(spec, small, avatars["host"])
    cast.open(lambda: None)
    play = Play(small, cast, avatars)
    before = play.hop()
    for name in ("anna", "bert"):
        small.open(avatars[name], SEED)
    assert not small.is_open(avatars["host"])
    assert np.abs(luma(play.hop()[:1]) - luma(before[-1:])).mean() < MOTION


def test_an_engine_that_starts_again_begins_with_who_was_in_the_picture(
    play: Play, spec: WorkerSpec, engine: PortraitEngine, avatars: dict[str, Avatar], tmp_path: Path
) -> None:
    here = msgspec.structs.replace(spec, runtime_dir=str(tmp_path))

    def opened(spec: WorkerSpec, engine: AvatarEngine) -> Cast:
        made = Cast(spec, engine, avatars["host"])
        made.open(lambda: None)
        return made

    first = opened(here, engine)
    assert first.left() is None and first.begun().person == "host"
    play.hop(call("anna", 0))
    first.keep(play.scene)
    again = opened(here, engine)
    left = again.left()
    assert left is not None and (left.person, left.state) == ("anna", play.scene.state)
    assert again.hold(left) == first.hold(play.scene) != first.hold(Scene("host", None))
    other = opened(msgspec.structs.replace(here, engine="pattern", name="pattern"), PatternEngine())
    assert other.left() is None and other.begun().person == "anna", "another engine has no pose of anybody"
    assert not other.has_moved()
    first.keep(Scene("bert", engine.open(avatars["bert"], SEED)))
    assert other.has_moved() and other.begun().person == "bert"
    (tmp_path / persons.FILE).write_text("gone since")
    assert opened(here, engine).begun().person == "host"


def test_a_picture_that_cannot_be_drawn_is_left_out(
    spec: WorkerSpec, avatars: dict[str, Avatar], tmp_path: Path
) -> None:
    (tmp_path / "carl.png").write_bytes(Path(spec.persons["anna"]).read_bytes())  # no points
    named = {"host": spec.persons["host"], "carl": str(tmp_path / "carl.png"), "dora": str(tmp_path / "dora.png")}
    engine = PortraitEngine()
    cast = Cast(msgspec.structs.replace(spec, persons=named), engine, avatars["host"])
    cast.open(lambda: None)
    play = Play(engine, cast, avatars)
    play.hop(call("carl", 0), call("dora", 1))
    assert play.scene.person == "host"


# ── other engines ────────────────────────────────────────────────────────────────────────────────


def test_the_counter_of_the_pattern_runs_on_through_a_change(avatars: dict[str, Avatar], spec: WorkerSpec) -> None:
    engine = PatternEngine()
    cast = Cast(msgspec.structs.replace(spec, engine="pattern"), engine, avatars["host"])
    cast.open(lambda: None)
    play = Play(engine, cast, avatars)
    frames = np.concatenate([play.hop(), play.hop(call("anna", 2)), play.hop(), play.hop()])
    assert [read_counter(frame) for frame in frames] == list(range(20)) and play.scene.person == "anna"


@pytest.mark.parametrize(
    "name",
    [
        "flashhead-lite",
        pytest.param("flashhead-pro", marks=pytest.mark.long),
        pytest.param("flashtalk", marks=pytest.mark.long),
    ],
)
def test_an_engine_of_long_hops_changes_late_in_one_and_ends_the_fade_in_the_next(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (write_model_dir if name == "flashtalk" else write_head_dir)(tmp_path / MODELS[name])
    rows, columns = np.mgrid[0:128, 0:128]
    for person, low in (("host", rows), ("anna", 255 - rows)):
        Image.fromarray(np.stack([low, columns, low], 2).astype(np.uint8)).save(tmp_path / f"{person}.png")
    files = {person: str(tmp_path / f"{person}.png") for person in ("host", "anna")}
    avatars = {person: load_avatar(Path(path), (64, 64)) for person, path in files.items()}
    options: dict[str, Any] = {"weights": tmp_path / MODELS[name], "cache": tmp_path / "cache", "device": "cpu"}
    engine = load_engine(name, **options)
    monkeypatch.setattr(persons, "baked_hold", lambda spec, engine, avatar: f"{avatar.name}.i420")  # it takes long
    room = str(tmp_path)
    cast = Cast(WorkerSpec(name, name, room, room, files["host"], 64, 64, SEED, persons=files), engine, avatars["host"])
    cast.open(lambda: None)
    play = Play(engine, cast, avatars)
    play.hop()
    hop = engine.format(avatars["host"]).hop_frames
    at = hop - 4
    old, new = play.alone(play.scene.state, 1), play.alone(play.beside("anna"), 2)
    frames = np.concatenate([play.hop(call("anna", at)), play.hop()])
    assert play.drawn == 2 and play.scene.person == "anna" and not play.scene.is_fading
    assert np.array_equal(frames[:at], old[:at]) and not np.array_equal(frames[at:hop], old[at:hop])
    assert np.array_equal(frames[at + FADE_FRAMES :], new[at + FADE_FRAMES :])
    assert seen(play.scene, hop) is play.scene
    engine.close()
