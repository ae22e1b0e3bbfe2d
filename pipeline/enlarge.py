"""Pictures of one size as pictures of another: what a lighter tier draws small goes on air at the room's size. Pure.

In: I420 frames uint8 [T, H * 3 // 2, W]. Out: the same pictures, each plane resized: larger ones smoothly (cubic),
smaller ones without flicker (means of areas).
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.arrays import Frames
from pipeline.color import planes


def resized(frames: Frames, width: int, height: int) -> Frames:
    """uint8 [T, height * 3 // 2, width]; both even. Frames that have this size already come back as they are."""
    if frames.shape[1:] == (height * 3 // 2, width):
        return frames
    is_larger = width > frames.shape[2] or height * 3 // 2 > frames.shape[1]
    how = cv2.INTER_CUBIC if is_larger else cv2.INTER_AREA
    made = np.empty((len(frames), height * 3 // 2, width), np.uint8)
    for frame, old in zip(made, frames, strict=True):
        for to, given in zip(planes(frame), planes(np.ascontiguousarray(old)), strict=True):
            cv2.resize(given, (to.shape[1], to.shape[0]), dst=to, interpolation=how)
    return made
