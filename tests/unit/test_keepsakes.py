"""An engine on a disk that refuses everything: it goes on, without what it would have kept there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.avatar import Avatar, load_avatar
from pipeline.engines.pattern import PatternEngine
from pipeline.keepsakes import Poses, baked_hold
from pipeline.worker import WorkerSpec

SIZE = (128, 224)


@pytest.fixture
def avatar() -> Avatar:
    return load_avatar(None, SIZE)


def spec(where: Path) -> WorkerSpec:
    return WorkerSpec("a", "pattern", str(where), str(where), image="", width=SIZE[0], height=SIZE[1], seed=0)


@pytest.fixture
def refusing(tmp_path: Path) -> WorkerSpec:
    (tmp_path / "full").write_bytes(b"")  # no directory: nothing can be written below it
    return spec(tmp_path / "full" / "here")


def test_a_disk_without_room_costs_the_hold_loop_and_not_the_engine(refusing: WorkerSpec, avatar: Avatar) -> None:
    assert not baked_hold(refusing, PatternEngine(), avatar)


def test_a_disk_without_room_costs_the_pose_and_not_the_engine(refusing: WorkerSpec, avatar: Avatar) -> None:
    engine = PatternEngine()
    poses = Poses(refusing, engine, avatar)
    for _ in range(3):
        poses.keep(engine.open(avatar, 0))
    assert poses.left() is None


def test_what_is_kept_is_found_again(tmp_path: Path, avatar: Avatar) -> None:
    engine = PatternEngine()
    state = engine.open(avatar, 0)
    Poses(spec(tmp_path), engine, avatar).keep(state)
    assert Poses(spec(tmp_path), engine, avatar).left() == state
    loop = Path(baked_hold(spec(tmp_path), engine, avatar) or "")
    assert loop.stat().st_size % (SIZE[0] * SIZE[1] * 3 // 2) == 0
