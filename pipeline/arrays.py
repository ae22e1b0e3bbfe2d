"""Arrays of the vocabulary: I420 frames and PCM, with their shapes, made and viewed without copies.

In: raw buffers. Out: numpy arrays. No I/O.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Frames: TypeAlias = npt.NDArray[np.uint8]
"""uint8 [T, H * 3 // 2, W], I420 (planes Y, U, V stacked by rows), bt709 limited range."""

Frame: TypeAlias = npt.NDArray[np.uint8]
"""uint8 [H * 3 // 2, W], one picture of Frames."""

Picture: TypeAlias = npt.NDArray[np.uint8]
"""uint8 [H, W, 3], RGB."""

Mask: TypeAlias = npt.NDArray[np.bool_]
"""bool [H, W], of a picture."""

Pcm: TypeAlias = npt.NDArray[np.int16]
"""int16 [N], mono."""


def view_frames(buffer: bytes | memoryview, width: int, height: int) -> Frames:
    """View a raw buffer as I420 frames of that size; ValueError when it is not whole frames."""
    return np.frombuffer(buffer, np.uint8).reshape(-1, height * 3 // 2, width)


def view_pcm(buffer: bytes | memoryview) -> Pcm:
    return np.frombuffer(buffer, np.int16)


def silence(samples: int) -> Pcm:
    """int16 [samples] of zeros."""
    return np.zeros(samples, np.int16)


def black(width: int, height: int) -> Frame:
    """One black picture, uint8 [H * 3 // 2, W]."""
    frame = np.full((height * 3 // 2, width), 128, np.uint8)
    frame[:height] = 16
    return frame
