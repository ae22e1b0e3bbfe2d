"""An onlooker: takes the preview's tags as they come, decodes each at once, and notes when it came and what it shows.

`seen`: one entry a picture or AAC frame, in order. Times are CLOCK_MONOTONIC seconds at the arrival of the tag. Unlike
a player it buffers nothing, so what it measures is the way to the tag line.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from streams import flv
from streams.preview import SOCKET_NAME

GRID = 16  # pixels: one of so many is kept of each picture
SILENT_PEAK = 200.0  # of int16; what AAC leaves of digital silence


@dataclass(frozen=True, slots=True)
class Seen:
    """luma: every 16th pixel of a picture, None for sound. peak: of the sound, int16."""

    at_s: float
    luma: npt.NDArray[np.float32] | None = None
    peak: float = 0.0


class Onlooker:
    def __init__(self, runtime_dir: Path) -> None:
        self.seen: list[Seen] = []
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.connect(str(runtime_dir / SOCKET_NAME))
        self._socket.sendall(b"GET /live.flv HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self._video: av.VideoCodecContext | None = None
        self._audio: av.AudioCodecContext | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def pictures(self, since_s: float) -> list[Seen]:
        return [one for one in list(self.seen) if one.luma is not None and one.at_s > since_s]

    def sounds(self, since_s: float) -> list[Seen]:
        return [one for one in list(self.seen) if one.luma is None and one.at_s > since_s]

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join(5)
        self._socket.close()

    def _run(self) -> None:
        stream = self._socket.makefile("rb")
        while stream.readline() not in (b"\r\n", b""):
            pass
        stream.read(flv.FILE_HEADER_BYTES)
        while header := stream.read(flv.HEADER_BYTES):
            at_s = time.monotonic()
            tag = header + stream.read(int.from_bytes(header[1:4], "big") + flv.TRAILER_BYTES)
            self._take(tag, at_s)

    def _take(self, tag: bytes, at_s: float) -> None:
        kind, payload = tag[0], flv.payload(tag)
        if flv.is_sequence_header(tag):
            self._open(kind, payload)
        elif kind == flv.VIDEO and self._video is not None:
            for picture in self._video.decode(av.Packet(payload[flv.AVC_HEADER_BYTES :])):
                luma = picture.to_ndarray()[: picture.height : GRID, ::GRID]
                self.seen.append(Seen(at_s, luma.astype(np.float32)))
        elif kind == flv.AUDIO and self._audio is not None:
            for sound in self._audio.decode(av.Packet(payload[flv.AAC_HEADER_BYTES :])):
                self.seen.append(Seen(at_s, peak=float(np.abs(sound.to_ndarray()).max()) * 32768))

    def _open(self, kind: int, payload: bytes) -> None:
        if kind == flv.VIDEO:
            self._video = av.VideoCodecContext.create("h264", "r")
            self._video.extradata = payload[flv.AVC_HEADER_BYTES :]
            self._video.flags |= av.codec.context.Flags.low_delay
        else:
            self._audio = av.AudioCodecContext.create("aac", "r")
            self._audio.extradata = payload[flv.AAC_HEADER_BYTES :]


def is_like(picture: Seen, other: npt.NDArray[np.float32]) -> bool:
    """Whether a picture shows the same, but for what the encoder makes of it."""
    return picture.luma is not None and float(np.abs(picture.luma - other).mean()) < 1.5


def silent_since_s(sounds: Sequence[Seen]) -> float | None:
    """When the first of the silence came that lasts to the end; None when there is none."""
    loud = [index for index, sound in enumerate(sounds) if sound.peak > SILENT_PEAK]
    rest = sounds[loud[-1] + 1 :] if loud else sounds
    return rest[0].at_s if rest else None
