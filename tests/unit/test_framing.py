"""Portraits are fitted to the model's picture exactly as the published code fits them."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from pipeline.errors import BadInput
from pipeline.framing import centred, covering, fitted, picture_tensor
from tests.golden import GOLDEN

MISC = load_file(GOLDEN / "misc.safetensors")
SIZES = json.loads((GOLDEN / "misc.json").read_text())["sizes"]


@pytest.mark.parametrize("name", SIZES)
def test_every_pixel_is_the_published_one(name: str) -> None:
    height, width = SIZES[name]["target"]
    found = fitted(MISC[f"resize.{name}.in"].numpy(), (width, height))
    assert torch.equal(torch.from_numpy(found).permute(2, 0, 1), MISC[f"resize.{name}.out"][0, :, 0])


def test_the_tensor_is_the_published_condition_picture() -> None:
    known = load_file(GOLDEN / "flashtalk_pipeline.safetensors")
    found = picture_tensor(known["image_uint8"].numpy(), (48, 32))
    assert found.shape == (1, 3, 1, 32, 48)
    assert torch.equal(found, known["cond_image"])


@pytest.mark.parametrize("size", [(7, 1000), (1000, 7), (1, 1), (333, 334)])
def test_any_size_covers_the_target_and_no_more_than_it_must(size: tuple[int, int]) -> None:
    whole = covering(size, (416, 720))
    assert whole[0] >= 416 and whole[1] >= 720
    assert whole[0] <= 417 or whole[1] <= 721
    rows, columns = centred(whole, (416, 720))
    assert (rows.stop - rows.start, columns.stop - columns.start) == (720, 416)
    assert rows.start >= 0 and rows.stop <= whole[1] and columns.start >= 0 and columns.stop <= whole[0]


def test_what_is_no_picture_is_refused() -> None:
    for wrong in (np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3), np.float32)):
        with pytest.raises(BadInput, match=r"uint8 \[height, width, 3\] RGB is needed"):
            fitted(wrong, (8, 8))
