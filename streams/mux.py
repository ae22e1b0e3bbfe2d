"""Packets to FLV tags, once for all outputs.

In: slots, through an encoder that feeds libav's FLV muxer, which writes into this process's memory and
never to a URL or file. Out: headers, and tags with 64-bit media time, in its order over both streams
(for which the muxer keeps a picture back until the next slot's sound). The muxer's own time stamps wrap
after 24.8 days; they are unrolled here. Equal settings give equal headers, so an encoder or a whole
playout that begins anew goes unseen by those who play.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import av

from pipeline.arrays import Frame, Pcm
from pipeline.clock import frames_to_ms
from pipeline.wire import Headers, Tag
from streams import flv
from streams.encoder import Encoder, EncoderFailed, EncoderSettings

STAMP_WRAP = 1 << 31  # libav writes 31 bits of the time stamp
OPTIONS = {
    "flvflags": "no_duration_filesize",  # nothing is known at the end that could be written at the start
    "max_interleave_delta": "1",  # µs: the muxer holds nothing back for a stream that ended
}
AIGC = json.dumps({"Label": "1", "ContentProducer": "broadcaster"})  # GB 45438-2025: made by AI


class TagCutter:
    """What libav writes: bytes in, whole tags out. Media time continues from `base_ms`."""

    def __init__(self, base_ms: int) -> None:
        self._bytes = bytearray()
        self._ms = base_ms
        self._flv = self._metadata = self._video = self._audio = b""
        self.headers: Headers | None = None  #: once all four parts are there

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def tags(self) -> Iterator[Tag]:
        """Media tags written since the last call; headers are kept aside."""
        while (raw := self._next()) is not None:
            if not self._flv:
                self._flv = raw
            elif raw[0] == flv.SCRIPT:
                self._metadata = raw
            elif flv.is_sequence_header(raw):
                self._keep_header(raw)
            else:
                self._ms = unrolled(flv.time_ms(raw), self._ms)
                yield Tag(kind=raw[0], ms=self._ms, key=flv.is_key(raw), data=raw)

    def _next(self) -> bytes | None:
        if not self._flv:
            length = flv.FILE_HEADER_BYTES
        elif len(self._bytes) < flv.HEADER_BYTES:
            return None
        else:
            length = flv.HEADER_BYTES + int.from_bytes(self._bytes[1:4], "big") + flv.TRAILER_BYTES
        if len(self._bytes) < length:
            return None
        raw = bytes(self._bytes[:length])
        del self._bytes[:length]
        return raw

    def _keep_header(self, raw: bytes) -> None:
        if raw[0] == flv.VIDEO:
            self._video = raw
        else:
            self._audio = raw
        if self._metadata and self._video and self._audio:
            self.headers = Headers(flv=self._flv, metadata=self._metadata, video=self._video, audio=self._audio)


class Mux:
    """An encoder and its muxer. `open` before the first slot; one thread."""

    def __init__(self, settings: EncoderSettings, first_slot: int) -> None:
        self._settings = settings
        self._cutter = TagCutter(frames_to_ms(first_slot))

    def open(self) -> None:
        """EncoderFailed when a codec refuses the settings."""
        try:
            self._container = av.open(self._cutter, "w", format="flv", options=OPTIONS)
            self._container.metadata["AIGC"] = AIGC
            self._encoder = Encoder(self._settings, self._container)
        except (av.error.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"open: {error}") from error

    @property
    def headers(self) -> Headers | None:
        """Complete from the first tag on."""
        return self._cutter.headers

    def encode(self, frame: Frame, pcm: Pcm, slot: int) -> list[Tag]:
        """The tags of a slot, usually one of video and two of audio; EncoderFailed when a codec or the muxer raises."""
        return self._muxed(self._encoder.encode(frame, pcm, slot))

    def flush(self) -> list[Tag]:
        """What is still held back; the encoder takes nothing afterwards."""
        return self._muxed(self._encoder.flush())

    def close(self) -> None:
        """Free the codecs. The end of the file that libav writes now is nobody's."""
        try:
            self._container.close()
        except (av.error.FFmpegError, ValueError):  # it is being thrown away because it failed
            pass

    def _muxed(self, packets: Iterator[Any]) -> list[Tag]:
        try:
            for packet in packets:
                self._container.mux(packet)
        except (av.error.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"mux: {error}") from error
        return list(self._cutter.tags())


def unrolled(stamp: int, near_ms: int) -> int:
    """The 64-bit time nearest to `near_ms` whose lower 31 bits are the stamp's."""
    ahead = (stamp - near_ms) % STAMP_WRAP
    return near_ms + (ahead if ahead < STAMP_WRAP // 2 else ahead - STAMP_WRAP)
