"""What of a portrait's picture may move at all: the rest is the still picture to the bit, whatever is said.

In: a portrait, baked. Out: a mask. Pure.
"""

from __future__ import annotations

import cv2
import numpy as np

from pipeline.arrays import Mask
from pipeline.engines.portrait.axis import SCALE
from pipeline.engines.portrait.head import CELL
from pipeline.engines.portrait.render import Portrait


def may_move(portrait: Portrait) -> Mask:
    """bool [H, W]: where head, chest and brows sway, lips part and lids close."""
    width, height = portrait.size
    x0, y0, x1, y1 = portrait.head.box
    strength = np.abs(portrait.head.fields).max(axis=(0, 3))  # [rows, columns], one node a cell
    rows, columns = strength.shape
    fine = cv2.resize(strength, (columns * CELL, rows * CELL), interpolation=cv2.INTER_LINEAR)
    box = fine[: y1 - y0, : x1 - x0] > 0
    sway = int(np.ceil(np.abs(portrait.head.fields).sum(axis=0).max() / SCALE)) + 2  # patches go with the head
    for down, across in (portrait.mouth_patch, *(patch for _, _, patch in portrait.eyes)):
        box[max(down.start - sway, 0) : down.stop + sway, max(across.start - sway, 0) : across.stop + sway] = True
    mask = np.zeros((height, width), np.bool_)
    mask[y0:y1, x0:x1] = box
    return mask
