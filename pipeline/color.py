"""RGB to and from I420, bt709 limited range: the one place that knows the matrix.

In: pictures uint8 [H, W, 3] RGB, both sides even. Out: I420 frames uint8 [H * 3 // 2, W]. No I/O, no
state. Chroma sits in the middle of its four pixels.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from pipeline.arrays import Frame, Picture

KR, KB = 0.2126, 0.0722  #: bt709 luma weights of red and blue
KG = 1 - KR - KB
Y_LOW, Y_SPAN = 16.0, 219.0  #: limited range of luma, code values
C_MID, C_SPAN = 128.0, 224.0  #: limited range of chroma, code values

Plane = npt.NDArray[np.uint8]
"""uint8 [H, W], one plane of a picture."""


class Planes(NamedTuple):
    """Views into one contiguous frame: y [H, W], u and v [H / 2, W / 2]."""

    y: Plane
    u: Plane
    v: Plane


def _matrix() -> npt.NDArray[np.float32]:
    """float32 [3, 4]: RGB 0…255 and 1 to Y, Cb, Cr code values."""
    luma = np.array([KR, KG, KB])
    blue = (np.array([0, 0, 1]) - luma) / (2 * (1 - KB))
    red = (np.array([1, 0, 0]) - luma) / (2 * (1 - KR))
    rows = [luma * Y_SPAN, blue * C_SPAN, red * C_SPAN]
    return np.column_stack([np.array(rows) / 255, [Y_LOW, C_MID, C_MID]]).astype(np.float32)


def planes(frame: Frame) -> Planes:
    """The planes of a contiguous frame, without a copy."""
    rows, width = frame.shape
    height = rows * 2 // 3
    flat = frame.reshape(-1)
    luma, quarter = height * width, height * width // 4
    shape = (height // 2, width // 2)
    return Planes(
        flat[:luma].reshape(height, width),
        flat[luma : luma + quarter].reshape(shape),
        flat[luma + quarter :].reshape(shape),
    )


def to_i420(picture: Picture) -> Frame:
    """uint8 [H, W, 3] RGB → uint8 [H * 3 // 2, W]; H and W even."""
    height, width, channels = picture.shape
    assert channels == 3 and height % 2 == 0 and width % 2 == 0, picture.shape
    yuv = cv2.transform(picture.astype(np.float32), _matrix())
    chroma = cv2.resize(yuv[:, :, 1:], (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    frame = np.empty((height * 3 // 2, width), np.uint8)
    out = planes(frame)
    for plane, values in ((out.y, yuv[:, :, 0]), (out.u, chroma[:, :, 0]), (out.v, chroma[:, :, 1])):
        plane[:] = np.clip(np.rint(values), 0, 255)
    return frame


def to_picture(frame: Frame) -> Picture:
    """uint8 [H * 3 // 2, W] → uint8 [H, W, 3] RGB; chroma is interpolated."""
    part = planes(np.ascontiguousarray(frame))
    size = (part.y.shape[1], part.y.shape[0])
    yuv = np.empty((size[1], size[0], 3), np.float32)
    yuv[:, :, 0] = part.y
    for channel, plane in ((1, part.u), (2, part.v)):
        yuv[:, :, channel] = cv2.resize(plane.astype(np.float32), size, interpolation=cv2.INTER_LINEAR)
    forward = _matrix().astype(np.float64)
    inverse = np.linalg.inv(forward[:, :3])
    back = np.column_stack([inverse, -inverse @ forward[:, 3]]).astype(np.float32)
    picture: Picture = np.clip(np.rint(cv2.transform(yuv, back)), 0, 255).astype(np.uint8)
    return picture
