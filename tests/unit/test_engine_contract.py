"""What every avatar engine must hold to; runs over pipeline.engine.ENGINES, those with weights with tiny models.

The tiny models' weights are random, so what they draw is no face: of its motion nothing can be promised but that it is
finite, in range and the same again. Tests that judge motion say so in their names, and where they leave it out.
"""

import hashlib
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import ENGINES, MODELS, AvatarEngine, Job, Made, MotionState, load_engine
from pipeline.errors import ConfigError, EngineError
from pipeline.media import AIR_PER_DRIVE, CUE, DRIVE_HZ, PHONEME, WORD, Mark
from tests.tinymodel import write_head_dir, write_model_dir
from tts.markup import CUES

SIZE = (224, 384)
TINY_SIZE, OTHER_TINY_SIZE = (64, 64), (64, 96)
OTHER_SIZE = (256, 384)
OF_RANDOM_WEIGHTS = ("flashtalk", "flashhead-pro", "flashhead-lite")
ON_ANY_MACHINE = ("portrait", "pattern", *OF_RANDOM_WEIGHTS)
LONG = ("flashhead-pro",)  # its loop is the one that flashtalk is tested with, its model the one of lite
FOLLOWS_MARKS = ("portrait",)  # the others draw the same with marks and without
#: Mean change of luma from frame to frame that is a jump: motion of a face makes 0.5 at most, a counter's bits 9.
JUMP = {"portrait": 0.8, "pattern": 12.0}


@dataclass(frozen=True)
class Stage:
    """One engine with one avatar; `other` is the same picture at another size."""

    name: str
    engine: AvatarEngine
    avatar: Avatar
    other: Avatar
    options: dict[str, Any] = field(default_factory=dict)

    def fresh(self) -> AvatarEngine:
        return load_engine(self.name, **self.options)

    @property
    def hop(self) -> int:
        return self.engine.format(self.avatar).hop_drive_samples


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A picture without points, and what tiny engines share; the avatar is baked once for all tests."""
    folder = tmp_path_factory.mktemp("tiny")
    rows, columns = np.mgrid[0:192, 0:128]
    Image.fromarray(np.stack([rows, columns, 255 - rows], 2).astype(np.uint8)).save(folder / "face.png")
    write_model_dir(folder / "flashtalk")
    write_head_dir(folder / "flashhead")
    return folder / "face.png", {"cache": folder / "cache", "device": "cpu"}


@pytest.fixture(
    params=[pytest.param(name, marks=[pytest.mark.long] if name in LONG else []) for name in ON_ANY_MACHINE],
    scope="module",
)
def stage(request: pytest.FixtureRequest, host: Avatar) -> Iterator[Stage]:
    if request.param in OF_RANDOM_WEIGHTS:
        picture, shared = request.getfixturevalue("tiny")
        options = {"weights": picture.parent / MODELS[request.param], **shared}
        avatar, other = load_avatar(picture, TINY_SIZE), load_avatar(picture, OTHER_TINY_SIZE)
        made = Stage(request.param, load_engine(request.param, **options), avatar, other, options)
    else:
        made = Stage(request.param, load_engine(request.param), host, load_avatar(None, OTHER_SIZE))
    yield made
    made.engine.close()


def voice(samples: int) -> Pcm:
    """A buzz in syllables of a quarter second, 16 kHz."""
    time = np.arange(samples) / DRIVE_HZ
    buzz = np.sign(np.sin(2 * np.pi * 130 * time)) + np.sin(2 * np.pi * 700 * time)
    return (6000 * buzz * np.maximum(np.sin(2 * np.pi * 2 * time), 0) ** 2).astype(np.int16)


def run(engine: AvatarEngine, state: MotionState, sound: Pcm, hop: int, marks: Sequence[Mark] = ()) -> list[Made]:
    made: list[Made] = []
    for start in range(0, len(sound) // hop * hop, hop):
        moved = [mark.moved(-start * AIR_PER_DRIVE) for mark in marks if mark.at >= start * AIR_PER_DRIVE]
        job = Job(state, sound[start : start + hop], sound[start + hop : start + 2 * hop], moved)
        made += engine.step([job])
        state = made[-1].state
    return made


def pictures(made: Sequence[Made]) -> Frames:
    return np.concatenate([one.frames for one in made])


def random(stage: Stage) -> bool:
    """Whether its weights are random, so that nothing can be said of its motion."""
    return stage.name in OF_RANDOM_WEIGHTS


def steps_between(frames: Frames) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean change of luma from each frame to the next."""
    luma = frames[:, : frames.shape[1] * 2 // 3].astype(np.int16)
    return np.abs(np.diff(luma, axis=0)).mean(axis=(1, 2))


def test_every_engine_of_the_table_is_tested_here_or_needs_a_gpu() -> None:
    assert set(ON_ANY_MACHINE) <= set(ENGINES)
    with pytest.raises(ConfigError, match="portrait"):
        load_engine("protrait")


def test_options_that_an_engine_has_not_or_needs_are_named() -> None:
    with pytest.raises(ConfigError, match="engine portrait has no steps, weights"):
        load_engine("portrait", weights="x", steps=4)
    with pytest.raises(ConfigError, match="engine flashtalk needs weights"):
        load_engine("flashtalk", cache="x")


def test_frames_have_the_promised_shape(stage: Stage) -> None:
    promised = stage.engine.format(stage.avatar)
    assert (promised.width, promised.height) == stage.avatar.size
    made = run(stage.engine, stage.engine.open(stage.avatar, 1), voice(stage.hop), stage.hop)[0]
    assert made.frames.shape == (promised.hop_frames, promised.rows, promised.width)
    assert made.frames.dtype == np.uint8
    assert made.frames.flags.c_contiguous
    assert all(isinstance(value, float) for value in made.notes.values())
    hold = stage.engine.hold(stage.avatar, 1)
    assert hold.shape[1:] == made.frames.shape[1:]
    assert len(hold) >= 25


def test_two_steps_equal_one_run_over_a_restart(stage: Stage) -> None:
    hops, cut = (3, 2) if random(stage) else (6, 3)
    sound = voice(hops * stage.hop)
    marks = [Mark(at, PHONEME, text="m", span=4800) for at in range(0, len(sound) * 3, 9000)]
    marks += [Mark(at, CUE, text=name) for at, name in ((2000, "smile"), (9000, "look at card"), (40_000, "nod"))]
    whole = run(stage.engine, stage.engine.open(stage.avatar, 5), sound, stage.hop, marks)
    first = stage.engine.save(whole[cut - 1].state)
    other = stage.fresh()
    state = other.restore(stage.avatar, first)
    beyond = [mark.moved(-3 * cut * stage.hop) for mark in marks if mark.at >= 3 * cut * stage.hop]
    rest = run(other, state, sound[cut * stage.hop :], stage.hop, beyond)
    assert np.array_equal(pictures(rest), pictures(whole[cut:]))
    assert other.save(rest[-1].state) == stage.engine.save(whole[-1].state)


ELSEWHERE = """
import hashlib, pathlib, sys
import numpy as np
from pipeline.avatar import load_avatar
from pipeline.engine import Job, load_engine
picture, width, height, name, state, sound, *words = sys.argv[1:]
engine = load_engine(name, **dict(word.split("=") for word in words))
avatar = load_avatar(pathlib.Path(picture) if picture else None, (int(width), int(height)))
voice = np.load(sound)
state = engine.restore(avatar, pathlib.Path(state).read_bytes())
print(hashlib.sha256(engine.step([Job(state, voice, voice[:0])])[0].frames.tobytes()).hexdigest())
"""


def test_another_process_goes_on_from_a_saved_state(
    stage: Stage, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    state = run(stage.engine, stage.engine.open(stage.avatar, 5), voice(stage.hop), stage.hop)[-1].state
    (tmp_path / "state").write_bytes(stage.engine.save(state))
    np.save(tmp_path / "voice.npy", voice(stage.hop))
    picture = str(request.getfixturevalue("tiny")[0]) if random(stage) else ""
    words = [f"{name}={value}" for name, value in stage.options.items()]
    files = [str(tmp_path / "state"), str(tmp_path / "voice.npy")]
    command = [picture, *map(str, stage.avatar.size), stage.name, *files, *words]
    told = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, *command], capture_output=True, text=True, timeout=60, check=True
    )
    here = stage.engine.step([Job(state, voice(stage.hop), silence(0))])[0].frames
    assert told.stdout.split()[-1] == hashlib.sha256(here.tobytes()).hexdigest()


def test_a_state_survives_save_and_restore(stage: Stage) -> None:
    after = stage.engine.hold(stage.avatar, 1)[:1]
    for state in (stage.engine.open(stage.avatar, 5), stage.engine.open(stage.avatar, 5, after)):
        assert stage.engine.restore(stage.avatar, stage.engine.save(state)) == state


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a state", b"\x80"])
def test_other_bytes_are_no_state(stage: Stage, data: bytes) -> None:
    with pytest.raises(EngineError):
        stage.engine.restore(stage.avatar, data)


def test_a_state_of_another_size_goes_on_there_or_is_refused(stage: Stage) -> None:
    """Poses are latents of one size in a network; they are numbers in the others, and go on in a smaller picture."""
    sound = voice(3 * stage.hop)
    data = stage.engine.save(
        run(stage.engine, stage.engine.open(stage.avatar, 5), sound[: 2 * stage.hop], stage.hop)[-1].state
    )
    if stage.name in OF_RANDOM_WEIGHTS:
        with pytest.raises(EngineError):
            stage.engine.restore(stage.other, data)
        return
    wanted = run(stage.engine, stage.engine.open(stage.other, 5), sound, stage.hop)[-1].frames
    moved = stage.engine.restore(stage.other, data)
    assert np.array_equal(run(stage.engine, moved, sound[2 * stage.hop :], stage.hop)[-1].frames, wanted)


def test_a_state_of_another_picture_is_refused(stage: Stage, tmp_path: Path) -> None:
    if stage.name == "pattern":
        return  # it draws no picture
    data = stage.engine.save(stage.engine.open(stage.avatar, 5))
    picture = np.flip(stage.avatar.picture, 0) if stage.avatar.points is None else stage.avatar.picture // 2
    other = replace(stage.avatar, picture=picture, digest="another", source="another")
    with pytest.raises(EngineError):
        stage.engine.restore(other, data)


def test_same_seed_same_frames(stage: Stage) -> None:
    sound = voice((2 if random(stage) else 3) * stage.hop)
    one = run(stage.engine, stage.engine.open(stage.avatar, 5), sound, stage.hop)
    engine = stage.fresh()
    assert np.array_equal(pictures(one), pictures(run(engine, engine.open(stage.avatar, 5), sound, stage.hop)))


def test_another_seed_moves_otherwise(stage: Stage) -> None:
    if stage.name == "pattern":
        assert stage.engine.open(stage.avatar, 5) == stage.engine.open(stage.avatar, 6)  # it has no chance in it
        return
    sound = silence(stage.hop)
    one, other = (run(stage.engine, stage.engine.open(stage.avatar, seed), sound, stage.hop) for seed in (5, 6))
    assert not np.array_equal(pictures(one), pictures(other))


def test_silence_is_calm_and_never_still_or_with_random_weights_finite_and_in_range(stage: Stage) -> None:
    if random(stage):
        made = run(stage.engine, stage.engine.open(stage.avatar, 5), silence(2 * stage.hop), stage.hop)
        luma = pictures(made)[:, : stage.avatar.size[1]]
        assert luma.min() >= 16 and luma.max() <= 235 and luma.std() > 5
        assert all(np.isfinite(value) for one in made for value in one.notes.values())
        assert all(0 <= one.notes["drift_identity"] <= 2 and one.notes["drift_colour"] < 150 for one in made)
        assert steps_between(pictures(made)).min() > 0
        return
    frames = pictures(run(stage.engine, stage.engine.open(stage.avatar, 5), silence(10 * stage.hop), stage.hop))
    changes = steps_between(frames)
    assert changes.max() < JUMP[stage.name]
    assert changes.min() > 0


def test_jobs_of_one_step_are_independent(stage: Stage) -> None:
    sounds = [voice(stage.hop), silence(stage.hop), voice(2 * stage.hop)[stage.hop :]][: 2 if random(stage) else 3]
    jobs = [Job(stage.engine.open(stage.avatar, seed), sound, silence(0)) for seed, sound in enumerate(sounds)]
    together = stage.engine.step(jobs)
    assert len(together) == len(jobs)
    for job, made in zip(jobs, together, strict=True):
        assert np.array_equal(made.frames, stage.engine.step([job])[0].frames)
    assert list(stage.engine.step([])) == []


def test_marks_and_cues_of_any_kind_and_place_are_followed_or_ignored(stage: Stage) -> None:
    state = stage.engine.open(stage.avatar, 5)
    odd = [
        Mark(-5000, PHONEME, text="a", span=100),
        Mark(10**9, PHONEME, text="m", span=10**9),
        Mark(0, PHONEME, text="ˈtʃʰ˥", span=0),
        Mark(4800, PHONEME, text="☃", span=-5),
        Mark(100, PHONEME),
        Mark(0, WORD, text="word"),
        Mark(0, CUE, text="no such cue"),
        Mark(0, CUE),
        *(Mark(at * 100, CUE, text=name, span=at) for at, name in enumerate(CUES)),
        Mark(10**9, CUE, text="smile"),
    ]
    job = Job(state, voice(stage.hop), silence(7), odd)
    marked, plain = (stage.engine.step([each])[0].frames for each in (job, replace(job, marks=())))
    assert marked.shape == plain.shape
    assert np.array_equal(marked, plain) == (stage.name not in FOLLOWS_MARKS)


def test_a_cut_is_a_roll_back(stage: Stage) -> None:
    hops = 1 if random(stage) else 2
    sound = voice(2 * hops * stage.hop)
    smile, surprise = Mark(0, CUE, text="smile"), Mark(0, CUE, text="surprised")
    begun = stage.engine.open(stage.avatar, 5)
    kept = run(stage.engine, begun, sound[: hops * stage.hop], stage.hop, [smile])[-1].state
    straight = run(stage.engine, kept, silence(hops * stage.hop), stage.hop)
    run(stage.engine, kept, sound[hops * stage.hop :], stage.hop, [surprise])  # what was rendered and cut
    assert np.array_equal(pictures(run(stage.engine, kept, silence(hops * stage.hop), stage.hop)), pictures(straight))


def test_the_first_segment_follows_the_frames_on_air_or_with_random_weights_depends_on_them(stage: Stage) -> None:
    on_air = stage.engine.hold(stage.avatar, 1)[10:13]
    if random(stage):
        before, other = (stage.engine.open(stage.avatar, 9, frames) for frames in (on_air, 255 - on_air))
        first, second = (run(stage.engine, one, silence(stage.hop), stage.hop)[0] for one in (before, other))
        assert not np.array_equal(first.frames, second.frames)
        assert len(stage.engine.save(first.state)) < 1_000_000
        return
    if stage.name == "pattern":
        on_air = pictures(run(stage.engine, stage.engine.open(stage.avatar, 0), silence(stage.hop), stage.hop))
    state = stage.engine.open(stage.avatar, 99, on_air)
    made = run(stage.engine, state, silence(4 * stage.hop), stage.hop)
    assert steps_between(np.concatenate([on_air[-1:], pictures(made)])).max() < JUMP[stage.name]
    assert len(stage.engine.save(made[-1].state)) < 10_000


def test_hold_is_a_loop_without_a_seam(stage: Stage) -> None:
    hold = stage.engine.hold(stage.avatar, 1)
    changes = steps_between(np.concatenate([hold, hold[:1]]))
    assert changes[-1] <= changes[:-1].max()
    assert random(stage) or changes[-1] < JUMP[stage.name]
    assert not np.array_equal(hold[0], hold[len(hold) // 2])
    assert np.array_equal(hold, stage.fresh().hold(stage.avatar, 1))


def test_a_hop_of_a_wrong_length_is_refused(stage: Stage) -> None:
    state = stage.engine.open(stage.avatar, 5)
    with pytest.raises(EngineError, match="samples"):
        stage.engine.step([Job(state, silence(stage.hop - 1), silence(0))])


def test_what_was_made_is_not_changed_later(stage: Stage) -> None:
    made = run(stage.engine, stage.engine.open(stage.avatar, 5), voice(stage.hop), stage.hop)[0]
    before = made.frames.copy()
    run(stage.engine, made.state, voice(2 * stage.hop), stage.hop)
    assert np.array_equal(made.frames, before)
