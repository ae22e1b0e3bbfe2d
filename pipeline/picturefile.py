"""Any picture file becomes 8-bit RGB, upright.

In: a file. Out: a picture; AvatarError says what is wrong with the file and what would be right. EXIF rotation is
applied, greyscale, palette, CMYK and 16 bit are converted, transparency is laid over light grey, of an animation the
first frame is taken.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from pipeline.errors import AvatarError

SMALLEST_PX = 64  #: a side of a picture below this shows no face
UNDER_TRANSPARENCY = (224, 224, 224)  #: RGB, a plain studio wall
ONE_PICTURE = ("MPO",)  #: formats whose further pictures are the same one again: smaller, its depth, the other eye's
TOPS = (1.0, 255.0)  #: what white is in greyscale of more than 8 bit, the first that nothing is above; else 65535


def read_picture(path: Path) -> Image.Image:
    """The first picture in a file."""
    return _read(path)[0]


def read_still(path: Path) -> Image.Image:
    """The same; AvatarError when there are several in it."""
    picture, pictures = _read(path)
    if pictures > 1:
        raise AvatarError(f"{path}: holds several pictures (an animation); save the one that you want by itself")
    return picture


def _read(path: Path) -> tuple[Image.Image, int]:
    if not path.is_file():
        raise AvatarError(f"{path}: no such picture")
    try:
        with Image.open(path) as opened:
            opened.load()
            picture = _as_rgb(ImageOps.exif_transpose(opened))
            pictures = 1 if opened.format in ONE_PICTURE else getattr(opened, "n_frames", 1)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise AvatarError(f"{path}: not a picture that can be read ({error}); PNG, JPEG and WebP can") from error
    if min(picture.size) < SMALLEST_PX:
        raise AvatarError(
            f"{path}: {picture.width}x{picture.height} is too small; {SMALLEST_PX} pixels a side at least"
        )
    return picture, pictures


def _as_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I") or picture.mode == "F":
        values = np.nan_to_num(np.asarray(picture, np.float64))
        most = values.max(initial=0)
        tops = TOPS if picture.mode == "F" else TOPS[1:]
        top = next((top for top in tops if most <= top), 65535.0)
        return Image.fromarray(np.clip(values * (255 / top), 0, 255).astype(np.uint8)).convert("RGB")
    if picture.has_transparency_data:
        clear = picture.convert("RGBA")
        ground = Image.new("RGBA", clear.size, (*UNDER_TRANSPARENCY, 255))
        return Image.alpha_composite(ground, clear).convert("RGB")
    return picture.convert("RGB")
