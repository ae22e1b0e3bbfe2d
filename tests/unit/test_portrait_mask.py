"""What a portrait says may move, against what does."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.arrays import Mask
from pipeline.avatar import Avatar, load_avatar
from pipeline.color import planes, to_i420
from pipeline.contactsheet import SOUNDS, sounds
from pipeline.engine import Masked, load_engine
from pipeline.engines.pattern import PatternEngine
from pipeline.engines.portrait.engine import PortraitEngine

SIZE = (448, 768)


@pytest.fixture(scope="module")
def engine() -> PortraitEngine:
    made = load_engine("portrait")
    assert isinstance(made, PortraitEngine)
    return made


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


@pytest.fixture(scope="module")
def mask(engine: PortraitEngine, host: Avatar) -> Mask:
    return engine.mask(host)


def test_outside_the_mask_nothing_moves_to_the_bit_and_inside_it_much_does(
    engine: PortraitEngine, host: Avatar, mask: Mask
) -> None:
    base = planes(to_i420(host.picture))
    moved = np.zeros_like(mask)
    for frame in [*engine.hold(host, 3)[::4], *sounds(engine, host, 3, tuple(SOUNDS.values()))]:
        now = planes(np.ascontiguousarray(frame))
        moved |= now.y != base.y
        coarse = (now.u != base.u) | (now.v != base.v)
        assert not (coarse & ~mask[::2, ::2]).any()
    assert not (moved & ~mask).any()
    assert moved.sum() > 0.5 * mask.sum()


def test_the_wall_above_the_head_and_the_corners_are_not_in_the_mask(mask: Mask) -> None:
    assert mask.shape == (SIZE[1], SIZE[0])
    assert not mask[:32].any() and not mask[:200, :32].any() and not mask[:200, -32:].any()
    assert mask[300:500, 180:270].all()  # the face


def test_an_engine_that_draws_the_whole_picture_has_no_mask() -> None:
    assert not isinstance(PatternEngine(), Masked)
