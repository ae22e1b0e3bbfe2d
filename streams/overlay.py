"""What is burnt into every picture: the label that says it is made by AI, subtitles, the question that is answered.

In: a picture of the programme, the lines of the subtitles and of the question. Out: a new picture with all drawn in, on
live, hold and slate alike. The label is always there: its text and corner are the only choices. A
raster is made when its text changes; each frame is then a blend of a few thousand pixels into I420.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from pipeline.arrays import Frame
from streams.typeset import CAP_HEIGHT_EM, Raster, Typeface

LABEL_SHARE = 0.052  # height of its capitals as a share of the short side; the law on labels asks for 5 %
SUBTITLE_SHARE = 0.055  # size of the letters as a share of the short side: 20 Latin letters a line and more
MARGIN_SHARE = 0.03  # to the edges, of the short side
SUBTITLE_MARGIN_SHARE = 0.05  # to the lower edge, of the height
WIDTH_SHARE = 0.88  # of the picture, the most a line takes
GREY = 128  # chroma of what has no colour


class Overlay:
    """One thread. `corner`: top-left | top-right | bottom-left | bottom-right."""

    def __init__(self, width: int, height: int, label: str, corner: str) -> None:
        self._width, self._height = width, height
        short = min(width, height)
        self.max_px = width * WIDTH_SHARE
        self.typeface = Typeface(max(12, round(short * SUBTITLE_SHARE)))
        self._margin = _even(round(short * MARGIN_SHARE))
        self._label = _label(label, round(short * LABEL_SHARE / CAP_HEIGHT_EM), self.max_px)
        self._label_at = self._corner(self._label, corner)
        self._floor = height - _even(round(height * SUBTITLE_MARGIN_SHARE))
        if corner.startswith("bottom"):
            self._floor = self._label_at[1] - self._margin // 2
        self._ceiling = self._margin
        if corner.startswith("top"):
            self._ceiling = _even(self._label_at[1] + self._label.size[1] + self._margin // 2)
        self._lines: tuple[str, ...] = ()
        self._subtitle: Raster | None = None
        self._asked: tuple[str, ...] = ()
        self._question: Raster | None = None

    def draw(self, picture: Frame, lines: tuple[str, ...], out: Frame, asked: tuple[str, ...] = ()) -> None:
        """`out` becomes the picture with label, subtitle lines and those of the question; `picture` stays as it is."""
        np.copyto(out, picture)
        if lines != self._lines:
            self._lines = lines
            self._subtitle = self.typeface.draw(lines) if lines else None
        if asked != self._asked:
            self._asked = asked
            self._question = self.typeface.draw(asked) if asked else None
        if self._question is not None:
            blend(out, self._question, max(0, _even((self._width - self._question.size[0]) // 2 - 1)), self._ceiling)
        if self._subtitle is not None:
            width, height = self._subtitle.size
            x, y = _even((self._width - width) // 2 - 1), _even(self._floor - height - 1)
            blend(out, self._subtitle, max(0, x), max(0, y))
        blend(out, self._label, *self._label_at)

    def _corner(self, raster: Raster, corner: str) -> tuple[int, int]:
        width, height = raster.size
        x = self._margin if corner.endswith("left") else self._width - self._margin - width
        y = self._margin if corner.startswith("top") else self._height - self._margin - height
        return max(0, x - x % 2), max(0, y - y % 2)


def blend(frame: Frame, raster: Raster, x: int, y: int) -> None:
    """Draw a raster into an I420 frame with its upper left corner at even x, y; what lies outside is left out."""
    rows, width = frame.shape
    height = rows * 2 // 3
    w, h = min(raster.size[0], width - x), min(raster.size[1], height - y)
    luma = frame[y : y + h, x : x + w]
    mixed = luma * raster.rest[:h, :w]  # uint8 · uint16 → uint16, at most 255 · 256
    mixed += raster.luma[:h, :w]
    luma[:] = mixed >> 8
    chroma = frame.reshape(-1)[height * width :].reshape(2, height // 2, width // 2)
    part = chroma[:, y // 2 : (y + h) // 2, x // 2 : (x + w) // 2]
    rest = raster.chroma_rest[: h // 2, : w // 2]
    tint: npt.NDArray[np.uint16] = part * rest
    tint += GREY * (np.uint16(256) - rest)
    part[:] = tint >> 8


def _label(text: str, size_px: int, max_px: float) -> Raster:
    """The label; longer than a line, it breaks instead of shrinking below its legal height."""
    typeface = Typeface(size_px)
    text = typeface.printable(text)
    return typeface.draw([text[start:end].strip() for start, end in typeface.lines(text, max_px - size_px)])


def _even(pixels: int) -> int:
    return pixels + pixels % 2
