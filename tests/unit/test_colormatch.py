"""Colours are matched in Lab as published, in float32, and stay finite on flat and black frames."""

from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file

from pipeline import colormatch
from tests.golden import GOLDEN

MISC = {key: x.float() for key, x in load_file(GOLDEN / "misc.safetensors").items() if key.startswith("color.")}
REFERENCE = MISC["color.reference"]


@pytest.mark.parametrize("strength", [100, 35])
@pytest.mark.parametrize("name", ["smooth", "flat", "noise"])
def test_frames_are_corrected_as_published(name: str, strength: int) -> None:
    found = colormatch.match(MISC[f"color.{name}.source"], REFERENCE, strength / 100)
    assert (found - MISC[f"color.{name}.out_s{strength}"]).abs().max() < (2e-4 if name == "flat" else 1e-5)


def test_lab_is_the_published_one_and_comes_back() -> None:
    rgb = (MISC["color.smooth.source"] + 1) / 2
    lab = colormatch.to_lab(rgb)
    assert (lab.permute(0, 2, 3, 4, 1) - MISC["color.smooth.source_lab"]).abs().max() < 1e-4
    assert (colormatch.from_lab(lab).permute(0, 2, 3, 4, 1) - MISC["color.smooth.lab_back_rgb"]).abs().max() < 1e-5


def test_a_matched_frame_has_the_palette_of_the_reference() -> None:
    torch.manual_seed(0)
    video = torch.rand(1, 3, 2, 16, 12) * 0.2 - 0.3
    reference = torch.rand(1, 3, 1, 20, 8) * 0.2
    found = colormatch.palette(colormatch.to_lab((colormatch.match(video, reference) + 1) / 2))
    wanted = colormatch.palette(colormatch.to_lab((reference + 1) / 2))
    assert (found.mean - wanted.mean).abs().max() < 1.0  # a few pixels are clamped
    assert (found.deviation / wanted.deviation - 1).abs().max() < 0.1


def test_strength_nought_changes_nothing() -> None:
    source = MISC["color.smooth.source"]
    assert (colormatch.match(source, REFERENCE, 0.0) - source).abs().max() < 1e-6


@pytest.mark.parametrize("level", [-1.0, 0.0, 1.0])
def test_flat_frames_take_the_mean_colour_and_no_noise(level: float) -> None:
    found = colormatch.match(torch.full((1, 3, 1, 8, 8), level), REFERENCE)
    assert found.isfinite().all()
    assert (found - found[..., :1, :1]).abs().max() < 1e-5


def test_frames_are_matched_each_by_itself_and_in_float32() -> None:
    source = MISC["color.smooth.source"]
    whole = colormatch.match(source, REFERENCE)
    assert torch.equal(colormatch.match(source[:, :, 2:3], REFERENCE), whole[:, :, 2:3])
    assert colormatch.match(source.bfloat16(), REFERENCE.bfloat16()).dtype == torch.float32
