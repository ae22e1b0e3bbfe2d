"""FlashHead on several ranks plays what one rank plays, where tokens and rows do not divide, too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import Job, Made
from pipeline.engines.diffusion.follower import follow
from pipeline.engines.flashhead.engine import FlashHeadEngine, LiteEngine, ProEngine
from tests.rankrun import Ranks
from tests.tinymodel import write_head_dir

SIZES = {ProEngine: (64, 80), LiteEngine: (64, 96)}  # 20 and 6 tokens in each of 9 and 5 latent frames


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory, and beside it face.png."""
    folder = tmp_path_factory.mktemp("gang")
    rows, columns = np.mgrid[0:128, 0:128]
    Image.fromarray(np.stack([rows, columns, 255 - rows], 2).astype(np.uint8)).save(folder / "face.png")
    return write_head_dir(folder / "model")


def voice(samples: int) -> Pcm:
    at = np.arange(samples) / 16000
    return (9000 * np.sin(2 * np.pi * 180 * at) * np.maximum(np.sin(2 * np.pi * 2 * at), 0)).astype(np.int16)


def person(kind: type[FlashHeadEngine], model: Path) -> Avatar:
    return load_avatar(model.parent / "face.png", SIZES[kind])


def show(engine: FlashHeadEngine, model: Path) -> list[Made]:
    """Two segments, the second from the first."""
    state, made = engine.open(person(type(engine), model), 5), list[Made]()
    for _ in range(2):
        made += engine.step([Job(state, voice(engine.KIND.way.hop_frames * 640), voice(6400))])
        state = made[-1].state
    return made


def perform(gang: Any, kind: type[FlashHeadEngine], model: Path, cache: Path) -> list[tuple[Frames, bytes]]:
    """Rank 0 plays and the others follow."""
    engine = kind(model, cache, device="cpu", gang=gang)
    if gang.rank == 0:
        made = show(engine, model)
        gang.close()
        return [(one.frames, engine.save(one.state)) for one in made]
    follow(engine, gang, lambda: None)
    return []


@pytest.mark.parametrize(
    ("kind", "world"),
    [
        pytest.param(LiteEngine, 2, marks=pytest.mark.long),
        pytest.param(ProEngine, 2, marks=pytest.mark.long),
        (ProEngine, 3),
    ],
)
def test_ranks_play_what_one_rank_plays(kind: type[FlashHeadEngine], world: int, model: Path, tmp_path: Path) -> None:
    engine = kind(model, model.parent / "cache", device="cpu")
    alone: Sequence[Made] = show(engine, model)
    with Ranks(world) as ranks:
        together = ranks.run(perform, kind, model, tmp_path / "cache")[0]
    assert len(together) == len(alone) == 2
    for (frames, state), one in zip(together, alone, strict=True):
        assert np.abs(frames.astype(int) - one.frames.astype(int)).max() <= 1  # a rounding of 8 bits
        restored = engine.restore(person(kind, model), state)
        assert np.abs(restored.latents() - one.state.latents()).max() < 1e-3


def change(engine: FlashHeadEngine, model: Path) -> list[Made]:
    """One person, then another beside the first, then the other alone."""
    size, hop = SIZES[type(engine)], voice(engine.KIND.way.hop_frames * 640)
    first, other = (load_avatar(model.parent / name, size) for name in ("face.png", "other.png"))
    made = list(engine.step([Job(engine.open(first, 5), hop, voice(6400))]))
    comes = engine.open(other, 5, beside=made[0].state)
    made += engine.step([Job(comes, hop, voice(6400)), Job(made[0].state, hop, voice(6400))])
    return [*made, *engine.step([Job(made[1].state, hop, voice(6400))])]


def change_on_ranks(gang: Any, kind: type[FlashHeadEngine], model: Path, cache: Path) -> list[Frames]:
    engine = kind(model, cache, device="cpu", gang=gang)
    if gang.rank == 0:
        made = change(engine, model)
        gang.close()
        return [one.frames for one in made]
    follow(engine, gang, lambda: None)
    return []


@pytest.mark.long
def test_ranks_follow_a_change_of_person(model: Path, tmp_path: Path) -> None:
    Image.new("RGB", (128, 128), "teal").save(model.parent / "other.png")
    alone = change(LiteEngine(model, model.parent / "cache", device="cpu"), model)
    with Ranks(2) as ranks:
        together = ranks.run(change_on_ranks, LiteEngine, model, tmp_path / "cache")[0]
    assert len(together) == len(alone) == 4
    assert not np.array_equal(alone[1].frames, alone[2].frames), "two persons"
    for frames, one in zip(together, alone, strict=True):
        assert np.abs(frames.astype(int) - one.frames.astype(int)).max() <= 1
