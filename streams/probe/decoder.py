"""Tags decoded again, as a receiver would: the border file of the probe to libav's decoders.

In: headers, then tags, pictures from a key frame on and none left out between. Out: a coarse picture with the rows of
the label's box, and how loud the sound is. Nothing here needs numpy, which the probe need not carry.
"""

from __future__ import annotations

from math import sqrt
from operator import mul
from typing import Any

import av
from av.codec.context import Flags
from av.video.reformatter import Interpolation, VideoReformatter

from pipeline.errors import BroadcasterError
from pipeline.wire import Headers, Tag
from streams import flv
from streams.probe.labelmark import LabelMark

CELL_PX = 8  # side of what a coarse picture shows as one value: noise averages out, a mouth does not
SIDE_MIN_CELLS = 16


class Undecodable(BroadcasterError):
    """What is on its way to the outputs cannot be decoded."""

    retryable = True


class Decoder:
    """One stream's decoders. One thread."""

    def __init__(self, headers: Headers) -> None:
        """Undecodable when the headers are not those of H.264 and AAC."""
        try:
            self._video: Any = av.CodecContext.create("h264", "r")
            self._video.extradata = flv.payload(headers.video)[flv.AVC_HEADER_BYTES :]
            self._video.thread_count = 1
            self._video.flags |= Flags.low_delay  # one tag in, its picture out
            self._audio: Any = av.CodecContext.create("aac", "r")
            self._audio.extradata = flv.payload(headers.audio)[flv.AAC_HEADER_BYTES :]
        except (av.FFmpegError, ValueError) as error:
            raise Undecodable(f"headers: {_words(error)}") from None

    def picture(self, tag: Tag) -> av.VideoFrame | None:
        """The picture of a video tag; None while the codec holds it back."""
        frames = self._decoded(self._video, flv.payload(tag.data)[flv.AVC_HEADER_BYTES :])
        return frames[-1] if frames else None

    def rms(self, tag: Tag) -> float | None:
        """How loud the first channel of an audio tag is; 1 is full scale."""
        frames = self._decoded(self._audio, flv.payload(tag.data)[flv.AAC_HEADER_BYTES :])
        if not frames:
            return None
        return loudness(memoryview(frames[-1].planes[0]), frames[-1].samples)

    @staticmethod
    def _decoded(codec: Any, data: bytes) -> list[Any]:
        try:
            return list(codec.decode(av.Packet(data)))
        except (av.FFmpegError, ValueError) as error:
            raise Undecodable(_words(error)) from None


class Eye:
    """Looks at decoded pictures of one size."""

    def __init__(self, width: int, height: int, mark: LabelMark | None = None) -> None:
        self.columns, self.rows = (max(SIDE_MIN_CELLS, side // CELL_PX // 2 * 2) for side in (width, height))
        self._mark = mark
        self._scaler = VideoReformatter()

    def coarse(self, frame: av.VideoFrame) -> bytes:
        """Luma of each cell, row by row, as limited as the picture's own."""
        small = self._scaler.reformat(
            frame, self.columns, self.rows, "yuv420p", interpolation=Interpolation.AREA, threads=1
        )
        return _rows(small, range(self.rows), 0, self.columns)

    def label(self, frame: av.VideoFrame) -> bytes:
        """The rows of the label's box that are compared; fewer when the picture is too small for it."""
        mark = self._mark
        if mark is None or mark.x + mark.width > frame.width or mark.y + mark.height > frame.height:
            return b""
        return _rows(frame, mark.rows, mark.x, mark.width)


def loudness(plane: memoryview, count: int) -> float:
    """Root mean square of float samples, of every fourth: quick, and as telling."""
    samples = plane.cast("B").cast("f")[:count:4]
    return sqrt(sum(map(mul, samples, samples)) / max(1, len(samples)))


def _rows(frame: av.VideoFrame, rows: range, x: int, width: int) -> bytes:
    plane = frame.planes[0]
    data, step = memoryview(plane), plane.line_size
    return b"".join(data[row * step + x : row * step + x + width] for row in rows)


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
