"""What the device makes of a video tensor is what the house's own RGB to I420 makes of it."""

from __future__ import annotations

import numpy as np
import torch

from pipeline import color
from pipeline.pictures import from_i420, to_i420


def as_video(pictures: np.ndarray) -> torch.Tensor:
    """uint8 [F, H, W, 3] → [1, 3, F, H, W]."""
    return (torch.from_numpy(pictures).float() / 127.5 - 1).permute(3, 0, 1, 2)[None]


def some_pictures(frames: int = 3, height: int = 34, width: int = 50) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (frames, height, width, 3), dtype=np.uint8)


def test_frames_have_the_numbers_of_the_house() -> None:
    pictures = some_pictures()
    found = to_i420(as_video(pictures)).numpy()
    expected = np.stack([color.to_i420(picture) for picture in pictures])
    assert found.shape == expected.shape == (3, 51, 50)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - expected).max() <= 1
    assert (found != expected).mean() < 0.01  # only where rounding falls the other way


def test_values_between_two_levels_are_rounded_not_cut() -> None:
    for level in (0.1, 0.37, 0.9):
        grey = torch.full((1, 3, 1, 2, 2), 2 * level - 1)
        assert to_i420(grey)[0, 0, 0] == round(16 + 219 * level)


def test_what_lies_outside_is_clamped() -> None:
    video = torch.tensor([-3.0, 3.0]).view(1, 1, 2, 1, 1).expand(1, 3, 2, 4, 4)
    frames = to_i420(video)
    assert frames[0, 0, 0] == 16 and frames[1, 0, 0] == 235
    assert (frames[:, 4:] == 128).all()


def test_frames_on_air_become_the_pictures_they_show() -> None:
    frames = np.stack([color.to_i420(picture) for picture in some_pictures()])
    found = ((from_i420(torch.from_numpy(frames))[0].permute(1, 2, 3, 0) + 1) * 127.5).round().numpy()
    expected = np.stack([color.to_picture(frame) for frame in frames])
    assert np.abs(found - expected).max() <= 1


def test_there_and_back_keeps_a_smooth_video() -> None:
    ramp = torch.linspace(-0.8, 0.8, 32)
    video = torch.stack([ramp.expand(32, 32), ramp[:, None].expand(32, 32), torch.zeros(32, 32)])[None, :, None]
    assert (from_i420(to_i420(video)) - video).abs().max() < 0.04
