"""A drawn presenter's two files: the picture and, beside it, the points an animator needs.

In: the finished picture, linear RGB at its sheet's supersampled size, and the points. Out: NAME.png and NAME.json.
"""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
from painting import Colour, Sheet, srgb
from PIL import Image

SIZE = (896, 1536)  # width, height
AXIS = 448.0  # a presenter's vertical axis


def page(scale: int) -> Sheet:
    """The whole picture with `scale` samples per pixel and axis."""
    return Sheet(0, 0, *SIZE, scale)


def header(name: str) -> dict[str, object]:
    """What every points file begins with."""
    return {"schema": 1, "picture": f"{name}.png", "size": list(SIZE)}


def write(name: str, picture: Colour, points: dict[str, object]) -> None:
    """NAME.png and NAME.json beside this module."""
    folder = Path(__file__).parent
    small = cv2.resize(srgb(picture), SIZE, interpolation=cv2.INTER_AREA)
    dither = np.random.default_rng(3).random((SIZE[1], SIZE[0], 1), np.float32) - 0.5  # no bands in the soft background
    pixels = np.round(small * 255 + dither * 0.9).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(folder / f"{name}.png", optimize=True)
    (folder / f"{name}.json").write_text(json.dumps(points, indent=1) + "\n")
