"""FLV tags into MP4 without touching the pictures: the border file of recordings and of HLS.

In: headers and FLV tags. Out: a fragmented MP4, one fragment a GOP: as a file, readable up to the last
whole fragment when its writer is killed, or as fragments in memory. Nothing is decoded but the first
key frame, for its size.
"""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path
from typing import Any

import av

from pipeline.errors import OutputError
from pipeline.media import AIR_HZ
from pipeline.wire import Headers, Tag
from streams import flv

# delay_moov: the header waits for the first fragment, so that it can say by how much sound and picture differ
MOVFLAGS = "frag_keyframe+delay_moov+default_base_moof"
# HLS: the header first, and times as they are, since a player joins in the middle
HLS_OPTIONS = {
    "movflags": "frag_keyframe+empty_moov+default_base_moof+frag_discont+skip_trailer",
    "use_editlist": "0",
}
TIME_BASE = Fraction(1, 1000)
BOX_HEAD_BYTES = 8  # length and kind
SOUND_TIME_BASE = Fraction(1, AIR_HZ)
SOUND_AAC = 1024  # samples of one AAC frame
SOUND_SLACK = 2 * AIR_HZ // 1000  # samples: time stamps in ms are rounded, sound is not


class Mp4Writer:
    """One file. All methods raise OutputError of kind disk when the disk refuses, protocol when the media is odd."""

    def __init__(self, path: Path) -> None:
        self._file = _Disk(path)
        self._container: Any = None
        self._streams: dict[int, Any] = {}

    def begin(self, headers: Headers, key: Tag) -> None:
        """Describe both streams from the headers and the first key frame."""
        self._container, self._streams = _opened(self._file, {"movflags": MOVFLAGS}, headers, key)

    def write(self, tag: Tag, ms: int) -> None:
        try:
            self._container.mux(_packet(tag, ms, self._streams))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._translated(error) from error

    def close(self) -> None:
        """Write the last fragment; one that the disk took only a part of is cut off."""
        try:
            if self._container is not None:
                self._container.close()
        except (av.FFmpegError, OSError, ValueError) as error:
            raise self._translated(error) from error
        finally:
            if self._file.failed:
                self._file.trim()
            self._file.close()

    def _translated(self, error: Exception) -> OutputError:
        return OutputError("disk" if self._file.failed else "protocol", str(error))


class FragmentWriter:
    """One stream, cut at its key frames. All methods raise OutputError of kind protocol when the media is odd."""

    def __init__(self, headers: Headers, key: Tag) -> None:
        self._boxes = _Boxes()
        self._container, self._streams = _opened(self._boxes, HLS_OPTIONS, headers, key)
        self._next_sound = 0  # samples
        self._fragment = b""

    def write(self, tag: Tag, ms: int) -> list[bytes]:
        """Fragments that are whole now: that of a GOP comes with the key frame after it."""
        packet = _packet(tag, ms, self._streams)
        if tag.kind == flv.AUDIO:
            sample = ms * AIR_HZ // 1000
            if abs(sample - self._next_sound) <= SOUND_SLACK:
                sample = self._next_sound
            packet.pts = packet.dts = sample
            packet.time_base = SOUND_TIME_BASE
            self._next_sound = sample + SOUND_AAC
        try:
            self._container.mux(packet)
        except (av.FFmpegError, ValueError) as error:
            raise OutputError("protocol", str(error)) from error
        return self._fragments()

    def close(self) -> list[bytes]:
        """The fragment begun, if there is one."""
        try:
            self._container.close()
        except (av.FFmpegError, ValueError) as error:
            raise OutputError("protocol", str(error)) from error
        return self._fragments()

    @property
    def init(self) -> bytes:
        """What a player needs before any fragment; from the first `write` on."""
        return self._boxes.init

    def _fragments(self) -> list[bytes]:
        whole: list[bytes] = []
        for kind, box in self._boxes.take():
            self._fragment += box
            if kind == b"mdat":
                whole.append(self._fragment)
                self._fragment = b""
        return whole


class _Boxes:
    """What libav writes, cut into the boxes of an MP4; ftyp and moov are kept aside."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self.init = b""

    def write(self, data: bytes) -> int:
        self._bytes += data
        return len(data)

    def take(self) -> list[tuple[bytes, bytes]]:
        """Kind and content of the boxes of fragments that are whole."""
        boxes: list[tuple[bytes, bytes]] = []
        while len(self._bytes) >= BOX_HEAD_BYTES:
            length, kind = int.from_bytes(self._bytes[:4], "big"), bytes(self._bytes[4:8])
            if len(self._bytes) < length:
                break
            box = bytes(self._bytes[:length])
            del self._bytes[:length]
            if kind in (b"ftyp", b"moov"):
                self.init += box
            else:
                boxes.append((kind, box))
        return boxes


def _opened(file: Any, options: dict[str, str], headers: Headers, key: Tag) -> tuple[Any, dict[int, Any]]:
    """An MP4 muxer and its two streams, as headers and first key frame describe them."""
    parts = [headers.flv[: flv.FILE_HEADER_BYTES]]
    parts += [flv.whole(tag) for tag in (headers.metadata, headers.video, headers.audio, key.data)]
    streams: dict[int, Any] = {}
    try:
        container = av.open(file, "w", format="mp4", options=options)
        with av.open(io.BytesIO(b"".join(parts)), "r", format="flv") as sample:
            for stream in sample.streams:
                kind = flv.VIDEO if stream.type == "video" else flv.AUDIO
                streams[kind] = container.add_stream_from_template(stream)
    except (av.FFmpegError, ValueError) as error:
        raise OutputError("protocol", f"these headers cannot be recorded: {error}") from error
    return container, streams


def _packet(tag: Tag, ms: int, streams: dict[int, Any]) -> Any:
    body = flv.payload(tag.data)
    video = tag.kind == flv.VIDEO
    packet: Any = av.Packet(body[flv.AVC_HEADER_BYTES if video else flv.AAC_HEADER_BYTES :])
    packet.stream = streams[tag.kind]
    packet.dts = ms
    packet.pts = ms + (flv.composition_ms(tag.data) if video else 0)
    packet.time_base = TIME_BASE
    packet.is_keyframe = tag.key or not video
    return packet


class _Disk:
    """A file as libav writes to it: all of a write or an error, where a plain file may take a part."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("x+b", buffering=0)
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

    def trim(self) -> None:
        """Cut off what is not a whole fragment."""
        size, at, whole = self._file.seek(0, io.SEEK_END), 0, 0
        while at < size:
            self._file.seek(at)
            head = self._file.read(BOX_HEAD_BYTES) or b""
            length = int.from_bytes(head[:4], "big")
            if length < BOX_HEAD_BYTES:
                break
            at += length
            if head[4:] == b"mdat" and at <= size:
                whole = at
        self._file.truncate(whole)

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
