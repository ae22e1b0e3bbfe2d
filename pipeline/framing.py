"""A portrait of any size fitted to the picture of the model: covered, cropped about its centre, in [-1, 1].

In: uint8 [H0, W0, 3] RGB. Out: float32 [1, 3, 1, H, W]. Exactly the published numbers: PIL's area-aware bilinear
resize to the ceiling of the covering size, then the middle.
"""

from __future__ import annotations

import math

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from pipeline.arrays import Picture
from pipeline.errors import BadInput


def covering(size: tuple[int, int], target: tuple[int, int]) -> tuple[int, int]:
    """The size (width, height) to scale a picture of `size` to, so that it covers `target`."""
    scale = max(target[0] / size[0], target[1] / size[1])
    return math.ceil(scale * size[0]), math.ceil(scale * size[1])


def centred(size: tuple[int, int], target: tuple[int, int]) -> tuple[slice, slice]:
    """Rows and columns of the middle `target` (width, height) of a picture of `size`."""
    left, top = (round((whole - part) / 2) for whole, part in zip(size, target, strict=True))
    return slice(top, top + target[1]), slice(left, left + target[0])


def fitted(picture: Picture, size: tuple[int, int]) -> Picture:
    """uint8 [H0, W0, 3] → uint8 [H, W, 3] of `size` (width, height)."""
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3 or 0 in picture.shape:
        raise BadInput(f"picture: {picture.dtype} {list(picture.shape)}; uint8 [height, width, 3] RGB is needed")
    own = (picture.shape[1], picture.shape[0])
    whole = covering(own, size)
    rows, columns = centred(whole, size)
    scaled = np.asarray(Image.fromarray(picture).resize(whole, Image.Resampling.BILINEAR))
    return scaled[rows, columns].copy()


def picture_tensor(picture: Picture, size: tuple[int, int]) -> Tensor:
    """uint8 [H0, W0, 3] → float32 [1, 3, 1, H, W] in [-1, 1]; size: (width, height)."""
    pixels = torch.from_numpy(fitted(picture, size)).permute(2, 0, 1)[None, :, None]
    return (pixels.float() / 255 - 0.5) * 2
