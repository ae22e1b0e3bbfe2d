"""The drift guard: inside its band nothing changes, outside it a state comes back; and the hold loop has no seam."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor

from pipeline.arrays import Frames
from pipeline.engines.diffusion import drift, loop
from pipeline.engines.diffusion.drift import NO_PULL, Pull, Reference

SEGMENTS = 60


def smooth(seed: int, *shape: int) -> Tensor:
    """Latents or a picture with a layout: noise at low frequency, some at high."""
    numbers = torch.Generator().manual_seed(seed)
    coarse = torch.randn(*shape[:-2], shape[-2] // 4, shape[-1] // 4, generator=numbers)
    fine = torch.randn(*shape, generator=numbers)
    grown = coarse.repeat_interleave(4, -2).repeat_interleave(4, -1)
    return grown + 0.3 * fine


def drawn(latents: Tensor) -> Tensor:
    """A decoder good enough for colours: three channels, [-1, 1], [1, 3, 5, H, W]."""
    return (latents[None, :3, -1:] * 0.25).clamp(-1, 1).expand(-1, -1, 5, -1, -1)


@pytest.fixture
def still() -> Tensor:
    return smooth(1, 16, 1, 16, 24).expand(-1, 2, -1, -1).contiguous()


@pytest.fixture
def picture(still: Tensor) -> Reference:
    return drift.reference(drawn(still)[:, :, :1], still)


def live(motion: Tensor, picture: Reference, push: Tensor | float = 0.0) -> list[tuple[float, float, Pull, Tensor]]:
    """A show whose network keeps whatever is carried, and adds `push` to it in every segment."""
    pull, told = NO_PULL, []
    for _ in range(SEGMENTS):
        motion = motion + push
        colour, identity = float(drift.colour(drawn(motion), picture)), float(drift.identity(motion, picture))
        pull = drift.moved(pull, colour, identity)
        motion = drift.held(motion, picture, pull)
        told.append((colour, identity, pull, motion))
    return told


def test_the_picture_itself_has_not_drifted(still: Tensor, picture: Reference) -> None:
    assert float(drift.colour(drawn(still), picture)) == pytest.approx(0, abs=1e-3)
    assert float(drift.identity(still, picture)) == pytest.approx(0, abs=1e-6)


def test_inside_the_band_not_a_bit_is_changed(still: Tensor, picture: Reference) -> None:
    motion = still + 0.2 * smooth(2, 16, 2, 16, 24)
    for colour, identity, pull, after in live(motion, picture):
        assert 0 < colour < drift.COLOUR_BAND and 0 < identity < drift.IDENTITY_BAND
        assert pull == NO_PULL
        assert after is motion or torch.equal(after, motion)
    assert drift.held(motion, picture, NO_PULL) is motion


def test_colours_that_left_the_band_come_back_and_then_nothing_pulls(still: Tensor, picture: Reference) -> None:
    told = live(2.2 * still + 0.9, picture)
    assert told[0][0] > drift.COLOUR_BAND
    assert told[-1][0] < drift.COLOUR_BAND
    assert told[-1][2] == NO_PULL and torch.equal(told[-1][3], told[-2][3])


def test_another_layout_comes_back_and_then_nothing_pulls(still: Tensor, picture: Reference) -> None:
    told = live(smooth(7, 16, 2, 16, 24), picture)
    assert told[0][1] > drift.IDENTITY_BAND
    assert told[-1][1] < drift.IDENTITY_BAND
    assert told[-1][2] == NO_PULL and torch.equal(told[-1][3], told[-2][3])


def test_it_comes_back_gently(still: Tensor, picture: Reference) -> None:
    told = live(smooth(7, 16, 2, 16, 24), picture)
    pulls = [pull.identity for _, _, pull, _ in told]
    assert max(pulls) <= drift.STRONGEST
    assert pulls[0] == drift.RISE
    assert all(abs(after - before) <= drift.RISE for before, after in pairwise(pulls))


@pytest.mark.parametrize("what", ["colour", "layout"])
def test_a_network_that_drifts_for_ever_is_kept_near_the_band(still: Tensor, picture: Reference, what: str) -> None:
    push = torch.full((16, 1, 1, 1), 0.12) if what == "colour" else 0.2 * smooth(9, 16, 2, 16, 24)
    index, band = (0, drift.COLOUR_BAND) if what == "colour" else (1, drift.IDENTITY_BAND)
    told = live(still, picture, push)
    assert max(one[index] for one in told) < 1.7 * band
    motion = still
    for _ in range(SEGMENTS):
        motion = motion + push
    free = drift.colour(drawn(motion), picture) if what == "colour" else drift.identity(motion, picture)
    assert float(free) > 2 * band  # without the guard it runs away


def test_a_mouth_that_moves_is_no_drift(still: Tensor, picture: Reference) -> None:
    motion = still.clone()
    motion[:, :, 9:11, 10:14] += 2.0  # a corner of the face, hard
    assert float(drift.identity(motion, picture)) < drift.IDENTITY_BAND / 2


def test_a_flat_channel_is_not_blown_up(still: Tensor, picture: Reference) -> None:
    motion = still.clone()
    motion[3] = 1.0
    after = drift.held(motion, picture, Pull(colour=0.5))
    assert torch.isfinite(after).all() and float(after.abs().max()) < 10


def frames(count: int) -> Frames:
    """A bar that sways with a period of 61 frames and fades in slowly: no two frames are the same."""
    made = np.zeros((count, 96, 64), np.uint8)
    for index in range(count):
        place = 24 + 20 * np.sin(2 * np.pi * index / 61)
        made[index] = np.clip(120 + 100 * np.exp(-(((np.arange(64) - place) / 6) ** 2)) + index / 20, 0, 255)
    return made


def test_a_loop_has_no_seam_and_the_length_of_the_motion() -> None:
    made = loop.seamless(frames(140), 50, 12)
    changes = np.abs(np.diff(np.concatenate([made, made[:1]]).astype(int), axis=0)).mean(axis=(1, 2))
    assert len(made) in range(59, 64)  # one period: its ends look alike
    assert changes[-1] <= changes[:-1].max()
    assert changes.max() < 1.3 * np.abs(np.diff(frames(140).astype(int), axis=0)).mean(axis=(1, 2)).max()


def test_the_shortest_loop_that_fits_is_made() -> None:
    assert len(loop.seamless(frames(62), 50, 12)) == 50
