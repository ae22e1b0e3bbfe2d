"""FlashHead as an engine: what a step delivers and carries, the guided teacher, a directory that lacks something."""

from __future__ import annotations

import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from broadcaster.config import AvatarSection
from pipeline import noise, sampler
from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, load_avatar
from pipeline.convert import convert
from pipeline.engine import Job, Made, load_engine
from pipeline.engines.diffusion.state import MotionState
from pipeline.engines.diffusion.studio import CHANCE
from pipeline.engines.flashhead.engine import FlashHeadEngine, LiteEngine, PretrainedEngine, ProEngine
from pipeline.errors import ConfigError
from pipeline.hearing import Ear, features
from pipeline.media import MediaFormat
from pipeline.pictures import to_i420
from pipeline.sampler import Plan
from tests.tinymodel import write_head_dir

SIZE = (64, 64)
HOPS = {"pro": 28, "lite": 24}
ENGINES = {"pro": ProEngine, "lite": LiteEngine}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_head_dir(tmp_path_factory.mktemp("flashhead") / "model")


@pytest.fixture(scope="module")
def avatar(model: Path) -> Avatar:
    rows, columns = np.mgrid[0:192, 0:128]
    Image.fromarray(np.stack([rows, columns, 255 - rows], 2).astype(np.uint8)).save(model.parent / "face.png")
    return load_avatar(model.parent / "face.png", SIZE)


@pytest.fixture(params=HOPS, scope="module")
def which(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def engine(which: str, model: Path, avatar: Avatar) -> FlashHeadEngine:
    made = ENGINES[which](model, model.parent / "cache", device="cpu")
    made.bake(avatar)
    return made


def voice(samples: int) -> Pcm:
    at = np.arange(samples) / 16000
    return (9000 * np.sin(2 * np.pi * 180 * at) * np.maximum(np.sin(2 * np.pi * 2 * at), 0)).astype(np.int16)


def one(engine: FlashHeadEngine, state: MotionState, ahead: int = 0) -> Made:
    return engine.step([Job(state, voice(engine.KIND.way.hop_frames * 640), voice(ahead))])[0]


def by_hand(engine: FlashHeadEngine, avatar: Avatar, seed: int) -> tuple[Frames, torch.Tensor]:
    """The first segment with the parts the engine is made of: frames, and motion latents."""
    networks, found, plan = engine._loaded, engine._avatars[avatar.digest], engine.KIND.way.plan
    hop = engine.KIND.way.hop_frames * 640
    audio = features(networks.encoder, Ear.empty().heard(voice(hop)), voice(6400), loud=False)
    channels, _, height, width = found.conditions.motion0.shape
    frames = found.conditions.y.shape[2]
    chance = noise.draw(seed, 0, CHANCE, (channels, 2, height, width)) if engine.KIND.way.sampled else None
    video, motion = sampler.chunk(
        networks.model,
        networks.vae,
        found.conditions,
        audio,
        found.conditions.motion0,
        lambda number: noise.draw(seed, 0, number, (channels, frames, height, width)),
        plan=plan,
        chance=chance,
    )
    return to_i420(video[:, :, plan.motion_frames :]).numpy(), motion


def test_a_step_makes_as_many_frames_as_are_new_and_carries_the_rest(
    engine: FlashHeadEngine, which: str, avatar: Avatar
) -> None:
    hop = HOPS[which]
    assert engine.format(avatar) == MediaFormat(64, 64, hop_frames=hop, overlap_frames=33 - hop)
    state = engine.open(avatar, 1)
    made = one(engine, state)
    assert made.frames.shape == (hop, 96, 64) and made.frames.dtype == np.uint8
    channels, side = (16, 8) if which == "pro" else (128, 2)
    assert state.shape == (channels, 1, side, side) and made.state.shape == (channels, 2, side, side)
    assert engine.restore(avatar, engine.save(made.state)) == made.state


def test_the_engine_is_the_sampler_fed_with_noise_of_seed_and_segment(engine: FlashHeadEngine, avatar: Avatar) -> None:
    frames, _ = by_hand(engine, avatar, 11)
    assert np.array_equal(one(engine, engine.open(avatar, 11), ahead=6400).frames, frames)


def test_a_sampled_picture_is_the_same_in_every_process(
    engine: FlashHeadEngine, model: Path, avatar: Avatar, tmp_path: Path
) -> None:
    first, again = engine.bake(avatar), type(engine)(model, tmp_path, device="cpu").bake(avatar)
    assert first.name == again.name
    one, other = load_file(first), load_file(again)
    assert set(one) >= {"picture", "y", "motion0", "still"}
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_lite_samples_the_motion_by_its_seed(model: Path, avatar: Avatar) -> None:
    lite = LiteEngine(model, model.parent / "cache", device="cpu")
    shown = one(lite, lite.open(avatar, 1)).frames
    states = [lite.open(avatar, seed, shown) for seed in (1, 1, 2)]
    assert states[0] == states[1] and not np.array_equal(states[0].latents(), states[2].latents())


def test_the_network_is_told_rounded_time_steps_on_a_processor_too(engine: FlashHeadEngine, avatar: Avatar) -> None:
    engine.open(avatar, 1)
    model = engine._loaded.model
    assert torch.equal(model.moment(833.3333).blocks, model.moment(832.0).blocks)


def test_a_size_off_the_grid_is_refused_with_its_neighbours(
    engine: FlashHeadEngine, which: str, avatar: Avatar
) -> None:
    near = {"pro": "64x80 or 64x96", "lite": "64x64 or 64x96"}[which]
    with pytest.raises(ConfigError, match=f"flashhead needs multiples of .*; near: {near}"):
        engine.format(replace(avatar, size=(64, 90)))


def test_a_directory_with_one_of_the_models_plays_it(model: Path, avatar: Avatar, tmp_path: Path) -> None:
    alone = Path(shutil.copytree(model, tmp_path / "alone"))
    for folder in ("Model_Pro", "VAE_Wan", "teacher"):
        shutil.rmtree(alone / folder)
    assert LiteEngine(alone, tmp_path, device="cpu").format(avatar).hop_frames == 24
    with pytest.raises(ConfigError, match="Model_Pro"):
        ProEngine(alone, tmp_path, device="cpu").format(avatar)
    with pytest.raises(ConfigError, match="models pull flashhead"):
        LiteEngine(tmp_path / "nothing", tmp_path, device="cpu").format(avatar)


def test_a_run_time_file_plays_the_avatar_that_was_baked_with_its_directory(
    model: Path, avatar: Avatar, tmp_path: Path
) -> None:
    """The transformer's numbers are rounded to half precision in it, as they are on a GPU anyway."""
    engine = LiteEngine(model, model.parent / "cache", device="cpu")
    converted = LiteEngine(convert(model, tmp_path / "head.safetensors"), model.parent / "cache", device="cpu")
    assert converted.bake(avatar) == engine.bake(avatar)
    before, after = engine.open(avatar, 1), converted.open(avatar, 1)
    assert before == after, "weights of one fingerprint may go on from each other's states"
    one_way, other = (one(which, before).frames.astype(int) for which in (engine, converted))
    assert np.abs(one_way - other).mean() < 2 < np.abs(one_way - np.roll(other, 3, axis=2)).mean()


@pytest.mark.parametrize(
    ("options", "says"),
    [({"offload": True}, "offload"), ({"steps": 0}, "steps"), ({"prompt": "A person."}, "has no prompt")],
    ids=str,
)
def test_options_that_cannot_be_are_refused(model: Path, tmp_path: Path, options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        load_engine("flashhead-lite", weights=model, cache=tmp_path, device="cpu", **options)


# ── the teacher ──────────────────────────────────────────────────────────────────────────────────


def test_the_teacher_takes_twenty_guided_steps_unless_told_otherwise(model: Path, tmp_path: Path) -> None:
    kind = PretrainedEngine.KIND
    assert (kind.steps, kind.way.plan.guidance) == (20, 3.0)
    assert PretrainedEngine(model, tmp_path, device="cpu")._steps == 20
    section = AvatarSection.model_validate({"engine": "flashhead-pretrained", "weights": model})
    assert section.steps == 20 and section.options()["steps"] == 20
    assert AvatarSection.model_validate({"engine": "flashhead-pretrained", "steps": 7}).steps == 7
    assert AvatarSection.model_validate({"engine": "flashhead-pro"}).steps == 4


def test_a_guided_step_goes_away_from_the_prediction_without_sound_by_euler(model: Path, avatar: Avatar) -> None:
    teacher = PretrainedEngine(model, model.parent / "cache", device="cpu", steps=2)
    state = teacher.open(avatar, 5)
    networks, conditions = teacher._loaded, teacher._avatars[avatar.digest].conditions
    audio = features(networks.encoder, Ear.empty().heard(voice(28 * 640)), voice(0), loud=False)
    seen: dict[str, torch.Tensor] = {}
    start = noise.draw(5, 0, 0, (16, 9, 8, 8))
    times = sampler.timesteps(2).tolist()
    with torch.no_grad():
        heard, unheard = networks.model.hear(audio), networks.model.hear(torch.zeros_like(audio))
        z = start.clone()
        for now, following in pairwise(times):
            z[:, :1] = conditions.motion0
            told, untold = (networks.model(z, now, conditions.y, None, sound) for sound in (heard, unheard))
            z = z + (following - now) / 1000 * (untold + 3.0 * (told - untold))
        z[:, :1] = conditions.motion0
        sampler.chunk(
            networks.model,
            networks.vae,
            conditions,
            audio,
            conditions.motion0,
            {0: start}.__getitem__,  # no noise is added again
            2,
            trace=seen,
            plan=Plan(guidance=3.0),
        )
    torch.testing.assert_close(seen["latent_final"], z)
    assert one(teacher, state).frames.shape == (28, 96, 64)
