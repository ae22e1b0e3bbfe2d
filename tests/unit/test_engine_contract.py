"""What every avatar engine must hold to; runs over all of pipeline.engine.ENGINES that need no GPU."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import ENGINES, AvatarEngine, Job, Made, MotionState, load_engine
from pipeline.errors import ConfigError, EngineError
from pipeline.media import AIR_PER_DRIVE, CUE, DRIVE_HZ, PHONEME, WORD, Mark

SIZE = (224, 384)
ON_ANY_MACHINE = ("portrait", "pattern")
#: Mean change of luma from frame to frame that is a jump: motion of a face makes 0.5 at most, a counter's bits 9.
JUMP = {"portrait": 0.8, "pattern": 12.0}


@dataclass(frozen=True)
class Stage:
    """One engine with one avatar; the avatar is the same value for all."""

    name: str
    engine: AvatarEngine
    avatar: Avatar

    def fresh(self) -> AvatarEngine:
        return load_engine(self.name)

    @property
    def hop(self) -> int:
        return self.engine.format(self.avatar).hop_drive_samples


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


@pytest.fixture(params=ON_ANY_MACHINE)
def stage(request: pytest.FixtureRequest, host: Avatar) -> Iterator[Stage]:
    engine = load_engine(request.param)
    yield Stage(request.param, engine, host)
    engine.close()


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


def steps_between(frames: Frames) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean change of luma from each frame to the next."""
    luma = frames[:, : frames.shape[1] * 2 // 3].astype(np.int16)
    return np.abs(np.diff(luma, axis=0)).mean(axis=(1, 2))


def test_every_engine_of_the_table_is_tested_here_or_needs_a_gpu() -> None:
    assert set(ON_ANY_MACHINE) <= set(ENGINES)
    with pytest.raises(ConfigError, match="portrait"):
        load_engine("protrait")


def test_frames_have_the_promised_shape(stage: Stage) -> None:
    promised = stage.engine.format(stage.avatar)
    assert (promised.width, promised.height) == SIZE
    made = run(stage.engine, stage.engine.open(stage.avatar, 1), voice(stage.hop), stage.hop)[0]
    assert made.frames.shape == (promised.hop_frames, promised.rows, promised.width)
    assert made.frames.dtype == np.uint8
    assert made.frames.flags.c_contiguous
    assert all(isinstance(value, float) for value in made.notes.values())
    hold = stage.engine.hold(stage.avatar, 1)
    assert hold.shape[1:] == made.frames.shape[1:]
    assert len(hold) >= 25


def test_two_steps_equal_one_run_over_a_restart(stage: Stage) -> None:
    sound = voice(6 * stage.hop)
    marks = [Mark(at, PHONEME, text="m", span=4800) for at in range(0, len(sound) * 3, 9000)]
    whole = run(stage.engine, stage.engine.open(stage.avatar, 5), sound, stage.hop, marks)
    first = stage.engine.save(whole[2].state)
    other = stage.fresh()
    state = other.restore(stage.avatar, first)
    beyond = [mark.moved(-9 * stage.hop) for mark in marks if mark.at >= 9 * stage.hop]
    rest = run(other, state, sound[3 * stage.hop :], stage.hop, beyond)
    assert np.array_equal(pictures(rest), pictures(whole[3:]))
    assert other.save(rest[-1].state) == stage.engine.save(whole[-1].state)


def test_a_state_survives_save_and_restore(stage: Stage) -> None:
    after = stage.engine.hold(stage.avatar, 1)[:1]
    for state in (stage.engine.open(stage.avatar, 5), stage.engine.open(stage.avatar, 5, after)):
        assert stage.engine.restore(stage.avatar, stage.engine.save(state)) == state


@pytest.mark.parametrize("data", [b"", b"\x00", b"not a state", b"\x80"])
def test_other_bytes_are_no_state(stage: Stage, data: bytes) -> None:
    with pytest.raises(EngineError):
        stage.engine.restore(stage.avatar, data)


def test_a_state_of_another_size_is_refused(stage: Stage) -> None:
    data = stage.engine.save(stage.engine.open(stage.avatar, 5))
    with pytest.raises(EngineError):
        stage.engine.restore(load_avatar(None, (256, 384)), data)


def test_same_seed_same_frames(stage: Stage) -> None:
    sound = voice(3 * stage.hop)
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


def test_silence_is_calm_and_never_still(stage: Stage) -> None:
    frames = pictures(run(stage.engine, stage.engine.open(stage.avatar, 5), silence(10 * stage.hop), stage.hop))
    changes = steps_between(frames)
    assert changes.max() < JUMP[stage.name]
    assert changes.min() > 0


def test_jobs_of_one_step_are_independent(stage: Stage) -> None:
    sounds = [voice(stage.hop), silence(stage.hop), voice(2 * stage.hop)[stage.hop :]]
    jobs = [Job(stage.engine.open(stage.avatar, seed), sound, silence(0)) for seed, sound in enumerate(sounds)]
    together = stage.engine.step(jobs)
    assert len(together) == len(jobs)
    for job, made in zip(jobs, together, strict=True):
        assert np.array_equal(made.frames, stage.engine.step([job])[0].frames)
    assert list(stage.engine.step([])) == []


def test_marks_of_any_kind_and_place_are_fine(stage: Stage) -> None:
    state = stage.engine.open(stage.avatar, 5)
    odd = [
        Mark(-5000, PHONEME, text="a", span=100),
        Mark(10**9, PHONEME, text="m", span=10**9),
        Mark(0, PHONEME, text="ˈtʃʰ˥", span=0),
        Mark(4800, PHONEME, text="☃", span=-5),
        Mark(100, PHONEME),
        Mark(0, WORD, text="word"),
        Mark(0, CUE, text="no such cue"),
    ]
    job = Job(state, voice(stage.hop), silence(7), odd)
    assert stage.engine.step([job])[0].frames.shape == stage.engine.step([replace(job, marks=())])[0].frames.shape


def test_a_cut_is_a_roll_back(stage: Stage) -> None:
    sound = voice(4 * stage.hop)
    kept = run(stage.engine, stage.engine.open(stage.avatar, 5), sound[: 2 * stage.hop], stage.hop)[-1].state
    straight = run(stage.engine, kept, silence(2 * stage.hop), stage.hop)
    run(stage.engine, kept, sound[2 * stage.hop :], stage.hop)  # what was rendered and cut
    assert np.array_equal(pictures(run(stage.engine, kept, silence(2 * stage.hop), stage.hop)), pictures(straight))


def test_the_first_segment_follows_the_frames_on_air(stage: Stage) -> None:
    on_air = stage.engine.hold(stage.avatar, 1)[10:13]
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
    assert changes[-1] < JUMP[stage.name]
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
