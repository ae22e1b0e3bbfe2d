"""A picture as the bytes of a PNG, for keeping, or of a JPEG, for a browser.

In: uint8 [H, W, 3] RGB. Out: bytes. It writes no file.
"""

from __future__ import annotations

import cv2

from pipeline.arrays import Picture

JPEG_QUALITY = 90


def as_png(picture: Picture) -> bytes:
    """The same picture gives the same bytes."""
    done, data = cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
    assert done, picture.shape
    return data.tobytes()


def as_jpeg(picture: Picture) -> bytes:
    done, data = cv2.imencode(
        ".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
    )
    assert done, picture.shape
    return data.tobytes()
