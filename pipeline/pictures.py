"""Video tensors to I420 frames and back, on whatever device they are: what leaves the engine is 8-bit, and half of RGB.

In: float [1, 3, F, H, W] in [-1, 1]. Out: uint8 [F, H * 3 // 2, W], bt709 limited range, and back. The numbers are
those of `pipeline.color` (one code value at most between them, which rounds RGB to 8 bit first). H and W are even.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

KR, KB = 0.2126, 0.0722  #: bt709 luma weights of red and blue
KG = 1 - KR - KB
Y_LOW, Y_SPAN = 16.0, 219.0  #: limited range of luma, code values
C_MID, C_SPAN = 128.0, 224.0  #: limited range of chroma, code values


def to_i420(video: Tensor) -> Tensor:
    """float [1, 3, F, H, W] in [-1, 1], clamped → uint8 [F, H * 3 // 2, W], rounded."""
    _, channels, frames, height, width = video.shape
    assert video.shape[0] == 1 and channels == 3 and height % 2 == 0 and width % 2 == 0, video.shape
    r, g, b = ((video[0].float() + 1) / 2).clamp(0, 1).unbind(0)  # each [F, H, W]
    y = KR * r + KG * g + KB * b
    chroma = torch.stack([(b - y) / (2 * (1 - KB)), (r - y) / (2 * (1 - KR))], 1)  # [F, 2, H, W] in [-0.5, 0.5]
    chroma = F.avg_pool2d(chroma, 2)
    planes = [
        (y * Y_SPAN + Y_LOW).reshape(frames, -1),
        (chroma * C_SPAN + C_MID).reshape(frames, -1),  # U, then V
    ]
    return torch.cat(planes, 1).round().clamp(0, 255).to(torch.uint8).view(frames, height * 3 // 2, width)


def from_i420(frames: Tensor) -> Tensor:
    """uint8 [F, H * 3 // 2, W] → float32 [1, 3, F, H, W] in [-1, 1]; chroma is interpolated."""
    count, rows, width = frames.shape
    height = rows * 2 // 3
    assert frames.dtype == torch.uint8 and rows % 3 == 0 and height % 2 == 0 and width % 2 == 0, frames.shape
    flat = frames.reshape(count, -1).float()
    luma = height * width
    y = (flat[:, :luma].view(count, height, width) - Y_LOW) / Y_SPAN
    chroma = (flat[:, luma:].view(count, 2, height // 2, width // 2) - C_MID) / C_SPAN
    u, v = F.interpolate(chroma, size=(height, width), mode="bilinear", align_corners=False).unbind(1)
    r = y + 2 * (1 - KR) * v
    b = y + 2 * (1 - KB) * u
    g = (y - KR * r - KB * b) / KG
    return (torch.stack([r, g, b])[None].clamp(0, 1)) * 2 - 1
