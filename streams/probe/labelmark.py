"""What is burnt in, as it must show: where the label stands, how its letters look, whether a picture has it. Pure.

In: luma of the label's box, cut out of a decoded picture. Out: is it there. What lies behind the label shines through
its plate, and the encoder blurs it, so likeness is what counts: correlation with the letters, and their contrast.
"""

from __future__ import annotations

import math
from itertools import compress
from math import sqrt
from operator import mul

import msgspec

LIKE = 0.6  # correlation; with the label 0.85 and more, with a picture that has none below 0.3
CONTRAST_LUMA = 60  # of the letters over their plate; drawn, it is 145 and more
INK_LUMA, PLATE_LUMA = 200, 40  # of the template: surely letter, surely plate
PIXELS_MAX = 3000  # of the box, compared: every third row of letters is as telling as all


class LabelMark(msgspec.Struct, frozen=True):
    """x, y, width, height: the box, pixels. letters: its luma when drawn over black, row by row."""

    x: int
    y: int
    width: int
    height: int
    letters: bytes

    @property
    def rows(self) -> range:
        """Which rows of the picture are compared."""
        return range(self.y, self.y + self.height, math.ceil(self.width * self.height / PIXELS_MAX))

    @property
    def template(self) -> bytes:
        """The letters in those rows."""
        starts = ((row - self.y) * self.width for row in self.rows)
        return b"".join(self.letters[start : start + self.width] for start in starts)


class Burnt(msgspec.Struct, frozen=True):
    """All that the overlay draws. subtitles: first row, and the row after the last, that they ever cover."""

    label: LabelMark
    subtitles: tuple[int, int]


class LabelFinder:
    """Made once for a mark: what can be worked out ahead is."""

    def __init__(self, mark: LabelMark) -> None:
        self._template = mark.template
        count = len(self._template)
        self._mean = sum(self._template) / count
        self._spread = sqrt(max(1.0, sum(map(mul, self._template, self._template)) - count * self._mean**2))
        self._ink = bytes(luma >= INK_LUMA for luma in self._template)
        self._plate = bytes(luma <= PLATE_LUMA for luma in self._template)

    def is_in(self, patch: bytes) -> bool:
        """patch: the compared rows of the box, from a picture."""
        return self.likeness(patch) >= LIKE and self.contrast(patch) >= CONTRAST_LUMA

    def likeness(self, patch: bytes) -> float:
        """Correlation with the letters: 1 is the label itself, 0 is anything else."""
        count = len(self._template)
        if len(patch) != count:
            return 0.0
        mean = sum(patch) / count
        spread = sqrt(max(1.0, sum(map(mul, patch, patch)) - count * mean**2))
        common: int = sum(map(mul, patch, self._template))
        return (common - count * mean * self._mean) / (spread * self._spread)

    def contrast(self, patch: bytes) -> float:
        """How much brighter the letters are than the plate, in steps of luma."""
        return self._mean_of(patch, self._ink) - self._mean_of(patch, self._plate)

    @staticmethod
    def _mean_of(patch: bytes, where: bytes) -> float:
        return sum(compress(patch, where)) / max(1, sum(where))
