"""The flashtalk engine over a tiny model of true file and tensor names: what it bakes, carries, refuses and tells."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import torch
from PIL import Image

from pipeline import noise, sampler
from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, load_avatar
from pipeline.convert import convert
from pipeline.engine import Job, Made
from pipeline.engines.diffusion import drift
from pipeline.engines.diffusion.state import MotionState
from pipeline.engines.flashtalk.engine import FlashTalkEngine
from pipeline.errors import ConfigError, EngineError
from pipeline.hearing import Ear, features
from pipeline.media import MediaFormat
from pipeline.pictures import to_i420
from tests.tinymodel import write_model_dir

SIZE = (64, 96)
SMALL = (64, 64)  # where nobody looks at the pictures
HOP = 28 * 640
ENCODERS = ("models_t5_umt5-xxl-enc-bf16.pth", "models_clip_open-clip-xlm-roberta-large-vit-huge-14.pth")


def picture(path: Path, shade: int = 0) -> Path:
    rows, columns = np.mgrid[0:192, 0:128]
    pixels = np.stack([rows, columns + shade, 255 - rows], 2).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("flashtalk")
    write_model_dir(folder / "model")
    return folder / "model"


@pytest.fixture(scope="module")
def cache(model: Path) -> Path:
    return model.parent / "cache"


@pytest.fixture(scope="module")
def avatar(model: Path) -> Avatar:
    return load_avatar(picture(model.parent / "face.png"), SIZE)


@pytest.fixture(scope="module")
def small(model: Path) -> Avatar:
    return load_avatar(picture(model.parent / "small.png"), SMALL)


@pytest.fixture(scope="module")
def engine(model: Path, cache: Path, avatar: Avatar) -> FlashTalkEngine:
    made = FlashTalkEngine(model, cache, device="cpu")
    made.bake(avatar)
    return made


def fresh(model: Path, cache: Path, **options: Any) -> FlashTalkEngine:
    return FlashTalkEngine(model, cache, device="cpu", **options)


def voice(samples: int = HOP) -> Pcm:
    at = np.arange(samples) / 16000
    return (9000 * np.sin(2 * np.pi * 180 * at) * np.maximum(np.sin(2 * np.pi * 2 * at), 0)).astype(np.int16)


def one(engine: FlashTalkEngine, state: MotionState, sound: Pcm | None = None, ahead: int = 0) -> Made:
    return engine.step([Job(state, voice() if sound is None else sound, voice(ahead))])[0]


@pytest.fixture(scope="module")
def first(engine: FlashTalkEngine, avatar: Avatar) -> Made:
    """A segment of seed 1, of which nothing is known that follows."""
    return one(engine, engine.open(avatar, 1))


@pytest.fixture(scope="module")
def known(engine: FlashTalkEngine, avatar: Avatar) -> Made:
    """The same, with what follows."""
    return one(engine, engine.open(avatar, 1), ahead=6400)


@pytest.fixture(scope="module")
def parts(engine: FlashTalkEngine, avatar: Avatar) -> tuple[Frames, torch.Tensor]:
    """The same, by hand."""
    return by_hand(engine, avatar)


# ── what it delivers ─────────────────────────────────────────────────────────────────────────────


def test_a_step_makes_28_frames_and_tells_where_its_time_went(
    engine: FlashTalkEngine, avatar: Avatar, first: Made
) -> None:
    assert engine.format(avatar) == MediaFormat(64, 96, hop_frames=28, overlap_frames=5)
    assert first.frames.shape == (28, 144, 64) and first.frames.dtype == np.uint8
    assert {"cond_s", "dit_s", "decode_s", "match_s", "encode_s", "drift_colour", "drift_identity"} <= set(first.notes)
    assert first.notes["dit_s"] > 0


@pytest.mark.parametrize(("size", "near"), [((450, 768), "448x768 or 464x768"), ((64, 90), "64x80 or 64x96")])
def test_a_size_off_the_grid_is_refused_with_its_neighbours(
    engine: FlashTalkEngine, avatar: Avatar, size: tuple[int, int], near: str
) -> None:
    with pytest.raises(ConfigError, match=near):
        engine.format(replace(avatar, size=size))


def test_options_out_of_range_are_refused(model: Path, cache: Path) -> None:
    with pytest.raises(ConfigError, match="strength"):
        fresh(model, cache, strength=1.5)
    with pytest.raises(ConfigError, match="steps"):
        fresh(model, cache, steps=0)


def test_two_steps_of_noise_are_another_picture_than_four(
    engine: FlashTalkEngine, model: Path, cache: Path, avatar: Avatar, parts: tuple[Frames, torch.Tensor]
) -> None:
    quick, two = fresh(model, cache, steps=2), by_hand(engine, avatar, steps=2)[0]
    assert np.array_equal(one(quick, quick.open(avatar, 1), ahead=6400).frames, two)
    assert not np.array_equal(two, parts[0])


def test_blocks_in_host_memory_and_a_run_time_file_play_the_same(
    model: Path, cache: Path, avatar: Avatar, tmp_path: Path, first: Made
) -> None:
    converted = convert(model, tmp_path / "flashtalk.safetensors")
    for other in (fresh(model, cache, offload=True), fresh(converted, cache)):
        assert np.array_equal(one(other, other.open(avatar, 1)).frames, first.frames)


def test_weights_that_are_not_there_or_cut_short_are_refused_before_they_are_read(
    model: Path, cache: Path, avatar: Avatar, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match="no such directory"):
        fresh(tmp_path / "nothing", cache).format(avatar)
    short = tmp_path / "model"
    shutil.copytree(model, short)
    file = next(short.glob("*.safetensors"))
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ConfigError, match=rf"{file.name}.*cut short"):
        fresh(short, cache).format(avatar)


def by_hand(engine: FlashTalkEngine, avatar: Avatar, steps: int = 4) -> tuple[Frames, torch.Tensor]:
    """The first segment of `voice` and seed 1 with the parts the engine is made of: frames, and motion latents."""
    networks, baked = engine._loaded, engine._avatars[avatar.digest]
    audio = features(networks.encoder, Ear.empty().heard(voice()), voice(6400))

    def draw(number: int) -> torch.Tensor:
        return noise.draw(1, 0, number, (16, 9, 12, 8))

    start = baked.conditions.motion0
    video, motion = sampler.chunk(networks.model, networks.vae, baked.conditions, audio, start, draw, steps)
    return to_i420(video[:, :, 5:]).numpy(), motion


def test_the_engine_is_the_sampler_fed_with_noise_of_seed_and_segment(
    known: Made, parts: tuple[Frames, torch.Tensor]
) -> None:
    assert np.array_equal(known.frames, parts[0])


# ── what it carries ──────────────────────────────────────────────────────────────────────────────


def test_a_state_is_a_small_value_that_nothing_writes_to(engine: FlashTalkEngine, avatar: Avatar) -> None:
    state = engine.open(avatar, 1)
    before = engine.save(state)
    after = one(engine, state).state
    assert engine.save(state) == before
    assert (state.segment, after.segment) == (0, 1)
    assert state.shape == (16, 1, 12, 8) and after.shape == (16, 2, 12, 8)
    assert np.array_equal(np.frombuffer(after.heard, np.int16)[-HOP:], voice())
    at_full_size = 4 * 16 * 2 * 96 * 56 + 2 * 128_000
    assert len(engine.save(after)) - len(after.motion) - len(after.heard) + at_full_size < 1_000_000


def _broken(state: MotionState) -> dict[str, MotionState]:
    latents = state.latents().copy()
    latents[3, 0, 2, 1] = np.nan
    change = msgspec.structs.replace
    return {
        "version": change(state, version=99),
        "avatar": change(state, digest="0" * 64),
        "weights": change(state, model="another"),
        "latents of": change(state, shape=(16, 1, 8, 12)),
        "bytes": change(state, motion=state.motion[:-4]),
        "sound": change(state, heard=state.heard[:-2]),
        "finite": change(state, motion=latents.tobytes()),
    }


@pytest.mark.parametrize("what", ["version", "avatar", "weights", "latents of", "bytes", "sound", "finite"])
def test_a_state_that_does_not_fit_is_refused_and_says_why(engine: FlashTalkEngine, avatar: Avatar, what: str) -> None:
    broken = _broken(engine.open(avatar, 1))[what]
    with pytest.raises(EngineError, match=what):
        engine.restore(avatar, engine.save(broken))


def test_latents_that_are_not_finite_end_the_engine_before_they_are_kept(
    engine: FlashTalkEngine, avatar: Avatar, model: Path, cache: Path
) -> None:
    sick = fresh(model, cache)
    state = sick.open(avatar, 1)
    with torch.no_grad():
        next(sick._loaded.model.head.parameters()).fill_(float("nan"))
    with pytest.raises(EngineError, match="not finite"):
        one(sick, state)


def test_what_is_known_to_follow_changes_the_end_of_a_segment(first: Made, known: Made) -> None:
    assert not np.array_equal(first.frames, known.frames)


def test_frames_on_air_become_the_motion_that_is_gone_on_from(
    engine: FlashTalkEngine, avatar: Avatar, first: Made
) -> None:
    shown = first.frames
    state = engine.open(avatar, 2, shown)
    assert state.shape == (16, 2, 12, 8) and state.segment == 0
    assert np.array_equal(engine.open(avatar, 2, shown[-5:]).latents(), state.latents())
    assert not np.array_equal(engine.open(avatar, 2, shown[:5]).latents(), state.latents())
    held = np.concatenate([np.repeat(shown[-2:-1], 4, axis=0), shown[-1:]])
    assert np.array_equal(engine.open(avatar, 2, shown[-2:]).latents(), engine.open(avatar, 2, held).latents())
    assert engine.open(avatar, 2, shown[:0]) == engine.open(avatar, 2)


def test_frames_of_another_size_are_fitted(engine: FlashTalkEngine, avatar: Avatar, first: Made) -> None:
    shown = first.frames
    large = np.stack([_doubled(frame) for frame in shown[-5:]])
    state, same = engine.open(avatar, 2, large), engine.open(avatar, 2, shown)
    assert state.shape == same.shape
    assert np.corrcoef(state.latents().ravel(), same.latents().ravel())[0, 1] > 0.95


def _doubled(frame: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """An I420 frame of twice the size."""
    planes = [frame[:96], frame[96:120].reshape(48, 32), frame[120:].reshape(48, 32)]
    grown = [plane.repeat(2, 0).repeat(2, 1) for plane in planes]
    return np.concatenate([grown[0], grown[1].reshape(48, 128), grown[2].reshape(48, 128)])


# ── drift ────────────────────────────────────────────────────────────────────────────────────────


def test_a_pushed_state_is_pulled_and_the_pull_is_part_of_the_state(
    engine: FlashTalkEngine, avatar: Avatar, first: Made
) -> None:
    outside = first.notes["drift_colour"] > drift.COLOUR_BAND, first.notes["drift_identity"] > drift.IDENTITY_BAND
    assert any(outside)  # random weights draw no face
    pull = first.state.pull
    assert (pull.colour, pull.identity) == tuple(drift.RISE * out for out in outside)
    assert first.notes["pull_colour"] == pull.colour and first.notes["pull_identity"] == pull.identity
    assert engine.restore(avatar, engine.save(first.state)).pull == pull


def test_inside_the_band_the_carried_latents_are_the_networks_own(
    engine: FlashTalkEngine,
    avatar: Avatar,
    known: Made,
    parts: tuple[Frames, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    motion = parts[1]
    assert not np.array_equal(known.state.latents(), motion.numpy())
    monkeypatch.setattr(drift, "COLOUR_BAND", 1e9)
    monkeypatch.setattr(drift, "IDENTITY_BAND", 1e9)
    free = one(engine, engine.open(avatar, 1), ahead=6400).state
    assert free.pull == drift.NO_PULL
    assert np.array_equal(free.latents(), motion.numpy())


# ── baked avatars ────────────────────────────────────────────────────────────────────────────────


def test_a_live_engine_needs_neither_umt5_nor_clip_once_the_avatar_is_baked(
    model: Path, cache: Path, avatar: Avatar, tmp_path: Path, first: Made
) -> None:
    slim = tmp_path / "model"
    shutil.copytree(model, slim)
    for name in ENCODERS:
        (slim / name).unlink()
    shutil.rmtree(slim / "google")
    live = fresh(slim, cache)
    assert np.array_equal(one(live, live.open(avatar, 1)).frames, first.frames)
    live.close()
    with pytest.raises(ConfigError, match=r"umt5|t5"):
        fresh(slim, tmp_path / "empty").open(avatar, 1)


def files(cache: Path) -> list[str]:
    return sorted(path.name for path in cache.iterdir())


def test_another_prompt_or_picture_is_baked_and_the_same_is_not(
    model: Path, avatar: Avatar, tmp_path: Path, first: Made
) -> None:
    cache = tmp_path / "cache"
    baked = fresh(model, cache).bake(avatar)
    written = baked.stat().st_ino
    assert fresh(model, cache).bake(avatar) == baked and baked.stat().st_ino == written
    said = fresh(model, cache, prompt="A person laughs.")
    assert said.bake(avatar) != baked
    assert len(files(cache)) == 2
    other = load_avatar(picture(tmp_path / "other.png", shade=60), SIZE)
    fresh(model, cache).bake(other)
    assert len(files(cache)) == 3
    assert not np.array_equal(one(said, said.open(avatar, 1)).frames, first.frames)


@pytest.mark.parametrize("damage", ["short", "garbage", "nothing"])
def test_a_damaged_file_is_made_anew(
    engine: FlashTalkEngine, model: Path, avatar: Avatar, tmp_path: Path, damage: str
) -> None:
    baked = engine.bake(avatar)
    path, whole = tmp_path / baked.name, baked.read_bytes()
    path.write_bytes({"short": whole[: len(whole) // 2], "garbage": b"x" * 4000, "nothing": b""}[damage])
    assert fresh(model, tmp_path).bake(avatar) == path
    assert path.stat().st_size == len(whole)
    assert files(tmp_path) == [path.name]


def test_old_files_make_room(model: Path, small: Avatar, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipeline.engines.diffusion.baked.KEPT_FILES", 2)
    paths = [fresh(model, tmp_path, prompt=f"Prompt {index}.").bake(small) for index in range(3)]
    assert [path.exists() for path in paths] == [False, True, True]


def test_beats_come_while_an_avatar_is_baked(model: Path, small: Avatar, tmp_path: Path) -> None:
    beats: list[int] = []
    fresh(model, tmp_path, beat=lambda: beats.append(1)).bake(small)
    assert len(beats) >= 5


def test_the_hold_loop_is_kept_with_the_avatar_for_each_seed(
    engine: FlashTalkEngine, model: Path, cache: Path, avatar: Avatar
) -> None:
    loop = engine.hold(avatar, 3)
    live = fresh(model, cache)
    live.bake(avatar)
    live._networks = None  # it is read, not drawn
    assert np.array_equal(live.hold(avatar, 3), loop)
    assert len(loop) >= 100


def test_one_engine_plays_several_avatars_and_forgets_the_one_opened_longest_ago(
    model: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.engines.diffusion.engine.AVATARS_KEPT", 2)
    live = fresh(model, tmp_path / "cache")
    people = [load_avatar(picture(tmp_path / f"{shade}.png", shade), SMALL) for shade in (0, 40, 80)]
    states = [live.open(person, 1) for person in people[:2]]
    live.open(people[0], 1)
    live.open(people[2], 1)
    one(live, states[0])
    with pytest.raises(EngineError, match="not open here"):
        one(live, states[1])
