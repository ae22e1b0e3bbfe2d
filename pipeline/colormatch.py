"""Colour of a video matched to a reference picture in CIE Lab, frame by frame, so that a long show does not drift.

In: video float [1, 3, F, H, W] and reference [1, 3, 1, H', W'], both in [-1, 1]. Out: float32 like the video. Each
frame gets the reference's mean and standard deviation in L, a and b. Always float32: in bfloat16, as published, the
cube root and the ratio of deviations alone shift colours by several per cent, and what is shifted is carried over.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

TO_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)  #: of linear sRGB, D65
FROM_XYZ = (
    (3.2404542, -1.5371385, -0.4985314),
    (-0.9692660, 1.8760108, 0.0415560),
    (0.0556434, -0.2040259, 1.0572252),
)
WHITE = (0.95047, 1.0, 1.08883)
LEAST, MOST = 1e-8, 1.0  #: of a tristimulus value over white, before its root
EPSILON, KAPPA = 0.008856, 903.3  #: where CIE's cube root becomes a line, and its slope
FLAT = 1e-8  #: a deviation below this is none: dividing by it would make noise a picture


class Palette(NamedTuple):
    """Mean and standard deviation in Lab: each float32 [1, 3, F, 1, 1]."""

    mean: Tensor
    deviation: Tensor


def _mix(rows: tuple[tuple[float, ...], ...], x: Tensor) -> Tensor:
    """Three channels (dim 1) by a 3 by 3 matrix, in plain sums: no matrix product is rounded to TF32."""
    r, g, b = x.unbind(1)
    return torch.stack([row[0] * r + row[1] * g + row[2] * b for row in rows], 1)


def _white(x: Tensor) -> Tensor:
    return x.new_tensor(WHITE).view(1, 3, *[1] * (x.dim() - 2))


def to_lab(rgb: Tensor) -> Tensor:
    """sRGB in [0, 1] → Lab, float32 [1, 3, ...]."""
    linear = torch.where(rgb > 0.04045, ((rgb + 0.055) / 1.055).clamp_min(0) ** 2.4, rgb / 12.92)
    xyz = _mix(TO_XYZ, linear)
    xyz = (xyz / _white(xyz)).clamp(LEAST, MOST)
    fx, fy, fz = torch.where(xyz > EPSILON, xyz ** (1 / 3), (KAPPA * xyz + 16) / 116).unbind(1)
    return torch.stack([116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)], 1)


def from_lab(lab: Tensor) -> Tensor:
    """Lab → sRGB clamped to [0, 1], float32 [1, 3, ...]."""
    light, a, b = lab.unbind(1)
    fy = (light + 16) / 116
    fx, fz = a / 500 + fy, fy - b / 200
    x, z = (torch.where(f**3 > EPSILON, f**3, (116 * f - 16) / KAPPA) for f in (fx, fz))
    y = torch.where(light > KAPPA * EPSILON, fy**3, light / KAPPA)
    xyz = torch.stack([x, y, z], 1)
    linear = _mix(FROM_XYZ, xyz * _white(xyz))
    rgb = torch.where(linear > 0.0031308, 1.055 * linear.clamp_min(0) ** (1 / 2.4) - 0.055, 12.92 * linear)
    return rgb.clamp(0, 1)


def palette(lab: Tensor) -> Palette:
    """Of each frame of Lab pictures [1, 3, F, H, W]."""
    return Palette(lab.mean((-2, -1), keepdim=True), lab.std((-2, -1), correction=0, keepdim=True))


def match(video: Tensor, reference: Tensor, strength: float = 1.0) -> Tensor:
    """video [1, 3, F, H, W] with the colours of reference [1, 3, 1, H', W']; strength 0 leaves it as it is."""
    assert video.dim() == reference.dim() == 5 and reference.shape[2] == 1, (video.shape, reference.shape)
    source = (video.float() + 1) / 2
    lab = to_lab(source)
    own, wanted = palette(lab), palette(to_lab((reference.float() + 1) / 2))
    spread = torch.where(own.deviation < FLAT, 1.0, own.deviation)
    corrected = from_lab((lab - own.mean) * (wanted.deviation / spread) + wanted.mean)
    return torch.lerp(source, corrected, strength) * 2 - 1 if strength != 1 else corrected * 2 - 1
