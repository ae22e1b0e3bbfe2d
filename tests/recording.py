"""What a receiver really got: a recording, decoded and measured, so that tests check content, not return codes.

`inspect(path)` reads all packets and, unless `pictures=False`, decodes sound and pictures; pictures are
measured on a small luma plane (every `step`-th pixel of each side), so a minute of 448×768 takes seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

BLACK = 24.0  # mean luma; limited-range black is 16
RMS_WINDOW_S = 0.04
SLATE_NOISE = 0.15  # mean |Δ| below which a still picture is only coded a little better than the frame before


@dataclass(slots=True)
class Recording:
    """Times in ms of media time. Arrays have one entry per frame, or per 40 ms of sound."""

    frames: int = 0  # video packets
    width: int = 0
    height: int = 0
    codecs: tuple[str, ...] = ()
    monotone: bool = True  # decoding times rise in each stream
    key_ms: list[float] = field(default_factory=list)
    video_ms: list[float] = field(default_factory=list)
    audio_ms: list[float] = field(default_factory=list)
    audio_span_ms: float = 0.0  # of one audio packet
    luma: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # mean, 0 … 255
    change: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # mean |Δ| to the last frame
    rms: NDArray[np.float32] = field(default_factory=lambda: np.zeros(0, np.float32))  # full scale = 1
    decode_errors: int = 0

    @property
    def seconds(self) -> float:
        return (self.video_ms[-1] - self.video_ms[0]) / 1000 if self.video_ms else 0.0

    @property
    def max_video_gap_ms(self) -> float:
        return max((b - a for a, b in pairwise(self.video_ms)), default=0.0)

    @property
    def max_key_gap_ms(self) -> float:
        """The longest way from one key frame to the next, or to the end."""
        times = [*self.key_ms, self.video_ms[-1]] if self.video_ms else []
        return max((b - a for a, b in pairwise(times)), default=0.0)

    @property
    def max_audio_gap_ms(self) -> float:
        """The longest silence that was not recorded: between the end of a packet and the next one."""
        return max((b - a - self.audio_span_ms for a, b in pairwise(self.audio_ms)), default=0.0)

    @property
    def start_offset_ms(self) -> float:
        """How much later the picture begins than the sound."""
        return self.video_ms[0] - self.audio_ms[0] if self.video_ms and self.audio_ms else 0.0

    @property
    def black_frames(self) -> int:
        return int((self.luma < BLACK).sum())

    def longest_freeze_frames(self, threshold: float = 0.02, after_slate: bool = False) -> int:
        """The longest run of frames that do not differ from the one before.

        after_slate: counted from the first one that moves; a room begins with a still slate until its engine is there.
        """
        longest = run = 0
        moving = np.flatnonzero(self.change[1:] >= SLATE_NOISE)
        first = 1 + int(moving[0]) if after_slate and len(moving) else 1
        for change in self.change[first:]:
            run = run + 1 if change < threshold else 0
            longest = max(longest, run)
        return longest

    def longest_silence_s(self, threshold: float = 0.001) -> float:
        longest = run = 0
        for rms in self.rms:
            run = run + 1 if rms < threshold else 0
            longest = max(longest, run)
        return longest * RMS_WINDOW_S


def inspect(path: Path | str, pictures: bool = True, sound: bool = True, step: int = 4) -> Recording:
    """Measure a recording. A torn end is what kills leave: it is no error."""
    found = Recording()
    meter = _Meter(step)
    last_dts: dict[int, int] = {}
    with av.open(str(path)) as container:
        found.codecs = tuple(stream.codec_context.name for stream in container.streams)
        for stream in container.streams.video:
            found.width, found.height = stream.width, stream.height
        for packet in _packets(container):
            if packet.dts is None:
                if packet.stream.type == ("video" if pictures else ""):
                    meter.picture(_decoded(packet, found))
                continue
            if packet.dts <= last_dts.get(packet.stream_index, packet.dts - 1):
                found.monotone = False
            last_dts[packet.stream_index] = packet.dts
            ms = float((packet.dts if packet.pts is None else packet.pts) * packet.time_base * 1000)
            if packet.stream.type == "video":
                found.frames += 1
                found.video_ms.append(ms)
                if packet.is_keyframe:
                    found.key_ms.append(ms)
                if pictures:
                    meter.picture(_decoded(packet, found))
            elif packet.stream.type == "audio":
                found.audio_ms.append(ms)
                found.audio_span_ms = 1024_000 / packet.stream.codec_context.sample_rate
                if sound:
                    meter.sound(_decoded(packet, found))
    found.luma, found.change = np.array(meter.luma, np.float32), np.array(meter.change, np.float32)
    found.rms = meter.rms()
    return found


class _Meter:
    def __init__(self, step: int) -> None:
        self._step = step
        self._last: NDArray[np.int16] | None = None
        self._samples: list[NDArray[np.float32]] = []
        self._rate = 48_000
        self.luma: list[float] = []
        self.change: list[float] = []

    def picture(self, frames: list[Any]) -> None:
        for frame in frames:
            plane = frame.planes[0]
            rows = np.frombuffer(plane, np.uint8).reshape(frame.height, plane.line_size)
            small = rows[:: self._step, : frame.width : self._step].astype(np.int16)
            self.luma.append(float(small.mean()))
            self.change.append(float(np.abs(small - self._last).mean()) if self._last is not None else 0.0)
            self._last = small

    def sound(self, frames: list[Any]) -> None:
        for frame in frames:
            self._rate = frame.sample_rate
            self._samples.append(frame.to_ndarray().mean(axis=0).astype(np.float32))

    def rms(self) -> NDArray[np.float32]:
        if not self._samples:
            return np.zeros(0, np.float32)
        samples = np.concatenate(self._samples)
        window = int(self._rate * RMS_WINDOW_S)
        whole = samples[: len(samples) // window * window].reshape(-1, window)
        return np.asarray(np.sqrt((whole**2).mean(axis=1)), np.float32)


def _packets(container: Any) -> Any:
    packets = container.demux()
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError:
            return
        if packet is None:
            return
        yield packet


def _decoded(packet: Any, found: Recording) -> list[Any]:
    try:
        return list(packet.decode())
    except av.FFmpegError:
        found.decode_errors += 1
        return []
