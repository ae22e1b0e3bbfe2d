"""A slate with words on it, for a panic that wants to say something.

In: the slate, a text from the operator. Out: a new picture of the same size. The text is centred, broken
into lines, and cut off with an ellipsis where it would not fit. It takes milliseconds, so it is not for
the clock's thread.
"""

from __future__ import annotations

from pipeline.arrays import Frame
from streams.overlay import WIDTH_SHARE, blend
from streams.typeset import LINE_EM, Typeface

TEXT_SHARE = 0.075  # size of the letters as a share of the short side: read at arm's length on a phone
HEIGHT_SHARE = 0.6  # of the picture, the most the text takes


def notice(slate: Frame, text: str) -> Frame:
    """The slate with `text` on it; with nothing printable, the slate itself."""
    rows, width = slate.shape
    height = rows * 2 // 3
    typeface = Typeface(max(12, round(min(width, height) * TEXT_SHARE)))
    printable = typeface.printable(text)
    if not printable:
        return slate
    spans = typeface.lines(printable, width * WIDTH_SHARE - 2 * typeface.size_px)
    most = max(1, int(height * HEIGHT_SHARE / (typeface.size_px * LINE_EM)))
    lines = [printable[start:end].strip() for start, end in spans[:most]]
    if len(spans) > most:
        lines[-1] = f"{lines[-1][:-1]}…"
    raster = typeface.draw(lines)
    picture = slate.copy()
    left, top = max(0, (width - raster.size[0]) // 2), max(0, (height - raster.size[1]) // 2)
    blend(picture, raster, left - left % 2, top - top % 2)
    return picture
