"""Text to lines and lines to a raster: what is printable, where it breaks, how it is drawn.

In: text from anywhere, a size in pixels. Out: printable text, line breaks by width (between words,
between ideographs, inside words that are too long), and a plate with white letters as luma and
coverage. The shipped font covers Latin, Greek, Cyrillic, Chinese, Japanese and Korean; emoji go, any
other unknown character becomes a white square. Right-to-left text is not reordered.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

FONT = Path(__file__).parent / "fonts" / "NotoSansCJKsc-Medium-subset.otf"
CAP_HEIGHT_EM = 0.733  # of this font; the height that the law on labels counts
LINE_EM = 1.32  # from baseline to baseline: ideographs and accents must not touch
PLATE_ALPHA = 0.66  # white on black at this over a white picture: contrast 7 : 1
PAD_EM = 0.32  # of plate around the text
UNKNOWN = "□"
NO_GLYPH = "\U000f0000"  # private use: never in a font
TEXT_MAX = 600  # characters; a sentence beyond is cut off
WHITE_Y, BLACK_Y = 235, 16  # luma, limited range

NOT_FIRST = set("，。、！？；：）》」』】〉”’…—,.!?;:)]}%％℃・ーァィゥェォッャュョ々〜～")
"""What must not begin a line."""
NOT_LAST = set("（《「『【〈“‘([{￥¥$€£#")
"""What must not end a line."""


@dataclass(frozen=True, slots=True)
class Raster:
    """Letters on a plate, colourless. luma: uint16, premultiplied by 256 · alpha; rest: uint16, 256 · (1 − alpha)."""

    luma: npt.NDArray[np.uint16]  # [H, W]
    rest: npt.NDArray[np.uint16]  # [H, W]
    chroma_rest: npt.NDArray[np.uint16]  # [H / 2, W / 2]

    @property
    def size(self) -> tuple[int, int]:
        """Width, height; both even."""
        return self.luma.shape[1], self.luma.shape[0]


class Typeface:
    """The font at one size. One thread."""

    def __init__(self, size_px: int) -> None:
        self.size_px = size_px
        self._font = ImageFont.truetype(str(FONT), size_px, layout_engine=ImageFont.Layout.BASIC)
        self._known: dict[str, bool] = {}

    @cached_property
    def _missing(self) -> bytes:
        return bytes(self._font.getmask(NO_GLYPH))

    def width(self, text: str) -> float:
        return float(self._font.getlength(text))

    def knows(self, char: str) -> bool:
        known = self._known.get(char)
        if known is None:
            known = self._known[char] = bytes(self._font.getmask(char)) != self._missing
        return known

    def printable(self, text: str) -> str:
        """The text as it can be drawn: one line, composed, without what has no picture."""
        out: list[str] = []
        for char in unicodedata.normalize("NFC", text[:TEXT_MAX]):
            kind = unicodedata.category(char)
            if kind[0] == "Z" or char in "\t\n\r":
                char = "\u3000" if char == "\u3000" else " "
                if out and out[-1] in " \u3000":
                    continue
            elif kind[0] == "C" or kind in ("Mn", "Me", "Sk") or (kind == "So" and not self.knows(char)):
                continue  # controls, joiners, selectors, emoji and their skin tones
            elif not self.knows(char):
                char = UNKNOWN
            out.append(char)
        return "".join(out).strip()

    def lines(self, text: str, max_px: float) -> list[tuple[int, int]]:
        """Break printable text: (start, end) of each line, in characters."""
        lines: list[tuple[int, int]] = []
        start = end = 0
        for piece_end in _pieces(text):
            if self.width(text[start:piece_end].rstrip()) > max_px and end > start:
                lines.append((start, end))
                start = end
            while self.width(text[start:piece_end].rstrip()) > max_px:  # one piece longer than a line
                end = self._fitting(text, start, piece_end, max_px)
                lines.append((start, end))
                start = end
            end = piece_end
        if text[start:end].strip():
            lines.append((start, end))
        return lines

    def _fitting(self, text: str, start: int, stop: int, max_px: float) -> int:
        end = start + 1
        while end < stop and self.width(text[start : end + 1]) <= max_px:
            end += 1
        return end

    def draw(self, lines: Sequence[str]) -> Raster:
        """Lines, centred, white on a dark plate."""
        pad = round(self.size_px * PAD_EM)
        step = round(self.size_px * LINE_EM)
        width = _even(round(max(self.width(line) for line in lines)) + 2 * pad)
        height = _even(step * len(lines) + pad)
        letters = Image.new("L", (width, height))
        pen = ImageDraw.Draw(letters)
        for index, line in enumerate(lines):
            middle = pad // 2 + index * step + step / 2
            baseline = middle + self.size_px * CAP_HEIGHT_EM / 2
            pen.text((width / 2, baseline), line, fill=255, font=self._font, anchor="ms")
        plate = Image.new("L", (width, height))
        ImageDraw.Draw(plate).rounded_rectangle((0, 0, width - 1, height - 1), radius=pad, fill=255)
        return raster(np.asarray(letters), np.asarray(plate))


def raster(letters: npt.NDArray[np.uint8], plate: npt.NDArray[np.uint8]) -> Raster:
    """Coverage of the letters and of the plate under them, uint8 [H, W] each, to what blending needs."""
    ink = letters.astype(np.float32) / 255
    under = (1 - ink) * plate.astype(np.float32) / 255 * PLATE_ALPHA
    alpha = ink + under
    height, width = alpha.shape
    coarse = alpha.reshape(height // 2, 2, width // 2, 2).mean(axis=(1, 3))
    return Raster(
        luma=np.rint((ink * WHITE_Y + under * BLACK_Y) * 256).astype(np.uint16),
        rest=np.rint((1 - alpha) * 256).astype(np.uint16),
        chroma_rest=np.rint((1 - coarse) * 256).astype(np.uint16),
    )


def _pieces(text: str) -> list[int]:
    """Ends of the pieces between which a line may break."""
    ends: list[int] = []
    for index in range(1, len(text)):
        before, after = text[index - 1], text[index]
        if after in NOT_FIRST or before in NOT_LAST or after.isspace():
            continue
        if before.isspace() or _wide(before) or _wide(after) or before == "-":
            ends.append(index)
    return [*ends, len(text)] if text else []


def _wide(char: str) -> bool:
    """Ideographs, kana and their punctuation break anywhere; hangul breaks at spaces."""
    return unicodedata.east_asian_width(char) in "WF" and not "\uac00" <= char <= "\ud7a3"


def _even(pixels: int) -> int:
    return pixels + pixels % 2
