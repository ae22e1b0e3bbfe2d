"""Draws label and subtitles as playout does and says where and how they show: a short-lived process of the probe.

In: size, text and corner as JSON on standard input. Out: a `Burnt` on standard output. What draws it takes
11 MB, which the probe, who looks for the letters day and night, need not carry.
"""

from __future__ import annotations

import sys

import msgspec
import numpy as np

from pipeline.arrays import Frame
from streams.overlay import Overlay
from streams.probe.labelmark import Burnt, LabelMark
from streams.subtitles import PAGE_LINES

BLACK_Y, WHITE_Y, GREY = 16, 235, 128
TALLEST = ("Ágj國",) * PAGE_LINES


class Request(msgspec.Struct, frozen=True):
    width: int
    height: int
    text: str
    corner: str


def burnt(request: Request) -> Burnt:
    """Where the overlay draws, told by what it changes in a black picture and in a white one."""
    overlay = Overlay(request.width, request.height, request.text, request.corner)
    dark, bright = (_drawn(overlay, request, luma, ()) for luma in (BLACK_Y, WHITE_Y))
    changed = (dark != BLACK_Y) | (bright != WHITE_Y)
    rows, columns = np.flatnonzero(changed.any(axis=1)), np.flatnonzero(changed.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    box = dark[top : rows[-1] + 1, left : columns[-1] + 1]
    told = np.flatnonzero((_drawn(overlay, request, WHITE_Y, TALLEST) != bright).any(axis=1))
    label = LabelMark(left, top, box.shape[1], box.shape[0], box.tobytes())
    return Burnt(label, (int(told[0]), int(told[-1]) + 1))


def _drawn(overlay: Overlay, request: Request, luma: int, lines: tuple[str, ...]) -> Frame:
    """Luma of a plain picture with the label, and these subtitles, on it."""
    plain = np.full((request.height * 3 // 2, request.width), GREY, np.uint8)
    plain[: request.height] = luma
    out = np.empty_like(plain)
    overlay.draw(plain, lines, out)
    return out[: request.height]


if __name__ == "__main__":
    asked = msgspec.json.decode(sys.stdin.buffer.read(), type=Request)
    sys.stdout.buffer.write(msgspec.msgpack.encode(burnt(asked)))
