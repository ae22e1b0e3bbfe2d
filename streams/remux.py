"""FLV tags into an MP4 without touching the pictures: the border file of recordings.

In: headers and FLV tags. Out: a fragmented MP4, one fragment a GOP, readable up to the last whole
fragment when its writer is killed. Nothing is decoded but the first key frame, for its size.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipeline.errors import OutputError
from pipeline.wire import Headers, Tag
from streams import flv

# delay_moov: the header waits for the first fragment, so that it can say by how much sound and picture differ
MOVFLAGS = "frag_keyframe+delay_moov+default_base_moof"
TIME_BASE = Fraction(1, 1000)


class Mp4Writer:
    """One file. All methods raise OutputError of kind disk when the disk refuses, protocol when the media is odd."""

    def __init__(self, path: Path) -> None:
        self._file = _Disk(path)
        self._container: Any = None
        self._streams: dict[int, Any] = {}

    def begin(self, headers: Headers, key: Tag) -> None:
        """Describe both streams from the headers and the first key frame."""
        parts = [headers.flv[: flv.FILE_HEADER_BYTES]]
        parts += [flv.whole(tag) for tag in (headers.metadata, headers.video, headers.audio, key.data)]
        try:
            self._container = av.open(self._file, "w", format="mp4", options={"movflags": MOVFLAGS})
            with av.open(io.BytesIO(b"".join(parts)), "r", format="flv") as sample:
                for stream in sample.streams:
                    kind = flv.VIDEO if stream.type == "video" else flv.AUDIO
                    self._streams[kind] = self._container.add_stream_from_template(stream)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError("protocol", f"these headers cannot be recorded: {error}") from error

    def write(self, tag: Tag, ms: int) -> None:
        body = flv.payload(tag.data)
        video = tag.kind == flv.VIDEO
        packet: Any = av.Packet(body[flv.AVC_HEADER_BYTES if video else flv.AAC_HEADER_BYTES :])
        packet.stream = self._streams[tag.kind]
        packet.dts = ms
        packet.pts = ms + (flv.composition_ms(tag.data) if video else 0)
        packet.time_base = TIME_BASE
        packet.is_keyframe = tag.key or not video
        try:
            self._container.mux(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Write the last fragment as far as the disk takes it."""
        try:
            if self._container is not None:
                self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._translated(error) from error
        finally:
            self._file.close()

    def _translated(self, error: Exception) -> OutputError:
        return OutputError("disk" if self._file.failed else "protocol", str(error))


class _Disk:
    """A file as libav writes to it: all of a write or an error, where a plain file may take a part."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("xb", buffering=0)
        self.failed = False

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._file.write(rest) or 0 :]
        except OSError:
            self.failed = True
            raise
        return len(data)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
