"""The flashtalk engine on several ranks: they play what one plays, or end with a word that says which differs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import Job, Made
from pipeline.engines.diffusion.follower import follow
from pipeline.engines.flashtalk.engine import FlashTalkEngine
from tests.rankrun import Ranks
from tests.tinymodel import write_model_dir

HOP = 28 * 640
SIZES = ((64, 80), (64, 64))  # 80 and 64 rows: 10 and 8 latents, which three ranks do not share evenly


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model directory, and beside it face.png."""
    folder = tmp_path_factory.mktemp("gang")
    rows, columns = np.mgrid[0:128, 0:128]
    Image.fromarray(np.stack([rows, columns, 255 - rows], 2).astype(np.uint8)).save(folder / "face.png")
    return write_model_dir(folder / "model")


def voice() -> Pcm:
    at = np.arange(HOP) / 16000
    return (9000 * np.sin(2 * np.pi * 180 * at) * np.maximum(np.sin(2 * np.pi * 2 * at), 0)).astype(np.int16)


def people(model: Path) -> list[Avatar]:
    return [load_avatar(model.parent / "face.png", size) for size in SIZES]


def show(engine: FlashTalkEngine, model: Path) -> list[Made]:
    """Two avatars, two segments each, both jobs in one step."""
    states = [engine.open(person, 5) for person in people(model)]
    made: list[Made] = []
    for _ in range(2):
        made += engine.step([Job(state, voice(), voice()[:6400]) for state in states])
        states = [one.state for one in made[-2:]]
        engine.idle()
    return made


def perform(gang: Any, model: Path, cache: Path, forge: bool) -> list[tuple[Frames, bytes]]:
    """Rank 0 plays and the others follow. forge: a follower goes on from another state."""
    engine = FlashTalkEngine(model, cache, device="cpu", gang=gang)
    if gang.rank == 0:
        made = show(engine, model)
        gang.close()
        return [(one.frames, engine.save(one.state)) for one in made]
    if forge:
        honest = engine._one

        def forged(job: Job) -> Made:
            made = honest(job)
            return replace(made, state=msgspec.structs.replace(made.state, seed=made.state.seed + 1))

        engine._one = forged  # type: ignore[method-assign]
    follow(engine, gang, lambda: None)
    return []


def worst(one: Frames, other: Frames) -> int:
    return int(np.abs(one.astype(int) - other.astype(int)).max())


@pytest.mark.parametrize("world", [pytest.param(2, marks=pytest.mark.long), pytest.param(3, marks=pytest.mark.long)])
def test_ranks_play_what_one_rank_plays(model: Path, tmp_path: Path, world: int) -> None:
    engine = FlashTalkEngine(model, model.parent / "cache", device="cpu")
    alone: Sequence[Made] = show(engine, model)
    with Ranks(world) as ranks:
        together = ranks.run(perform, model, tmp_path / "cache", False)[0]
    assert len(together) == len(alone) == 4
    for (frames, state), one, person in zip(together, alone, people(model) * 2, strict=True):
        assert worst(frames, one.frames) <= 1  # a rounding of 8 bits
        assert np.abs(engine.restore(person, state).latents() - one.state.latents()).max() < 1e-3
    assert len(list((tmp_path / "cache").iterdir())) == 2  # rank 0 bakes, the others read


@pytest.mark.long
def test_a_rank_that_makes_another_state_ends_the_gang(model: Path) -> None:
    with Ranks(2) as ranks:
        ranks.begin(perform, model, model.parent / "cache", True)
        failed = [ranks.outcome(rank) for rank in (0, 1)]
    for one in failed:
        assert one.kind == "EngineError"
        assert "rank 1" in one.text and "step" in one.text
