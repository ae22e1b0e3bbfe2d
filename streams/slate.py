"""The picture for when there is nothing else: the avatar's own, out of focus, or a plain wall.

In: a picture file and the size on air. Out: one I420 frame. A file that cannot be read is no reason to
be off air: the wall takes its place.
"""

from __future__ import annotations

import io
from pathlib import Path

import av
import numpy as np
import structlog
from av.video.reformatter import ColorRange, Colorspace
from PIL import Image, ImageFilter, ImageOps

from pipeline.arrays import Frame, Picture
from pipeline.avatarfile import is_avatar, picture_bytes
from pipeline.errors import AvatarError

BLUR_SHARE = 0.03  # of the short side: a mood, not a frozen face
DARKEN = 0.45  # white letters must stand out
WALL_TOP, WALL_BOTTOM = (58, 66, 82), (22, 25, 32)  # RGB
PIXELS_MAX = 64_000_000  # a picture beyond is refused before it fills the memory

log = structlog.get_logger()


def slate(picture: str, width: int, height: int) -> Frame:
    """uint8 [height * 3 // 2, width]; `picture`: a file, "" for the wall."""
    try:
        rgb = _soft(Path(picture), width, height) if picture else _wall(width, height)
    except (AvatarError, OSError, ValueError, SyntaxError) as error:  # Pillow's decoders raise the last three
        log.warning("slate.unreadable", path=picture, reason=str(error))
        rgb = _wall(width, height)
    return _i420(rgb)


def _soft(path: Path, width: int, height: int) -> Picture:
    with Image.open(io.BytesIO(picture_bytes(path)) if is_avatar(path) else path) as opened:
        if opened.width * opened.height > PIXELS_MAX:
            raise ValueError(f"{opened.width}x{opened.height} pixels")
        opened.draft("RGB", (width, height))
        fitted = ImageOps.fit(opened.convert("RGB"), (width, height))
    blurred = fitted.filter(ImageFilter.GaussianBlur(min(width, height) * BLUR_SHARE))
    return (np.asarray(blurred) * DARKEN).astype(np.uint8)


def _wall(width: int, height: int) -> Picture:
    """A plain wall, a little lighter at the top."""
    down = np.linspace(0, 1, height)[:, None, None]
    rows = np.array(WALL_TOP) * (1 - down) + np.array(WALL_BOTTOM) * down
    return np.ascontiguousarray(np.broadcast_to(rows, (height, width, 3))).astype(np.uint8)


def _i420(rgb: Picture) -> Frame:
    frame = av.VideoFrame.from_ndarray(rgb, format="rgb24").reformat(
        format="yuv420p",
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    return np.ascontiguousarray(frame.to_ndarray())
