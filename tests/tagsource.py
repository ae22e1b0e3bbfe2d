"""A scripted playout for tests: real tags of a small moving picture and a tone, looped in real time.

`media()` encodes 3 s once; `Source` publishes it through the real fan-out, as playout does.
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from pipeline.clock import RealClock
from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS
from pipeline.wire import Headers, Tag
from streams import flv
from streams.outputs import Outputs

SECONDS = 3
GOP = 25  # frames; short, so that tests meet key frames soon
WIDTH, HEIGHT = 192, 320


class _Sink:
    """Bytes that libav wrote."""

    def __init__(self) -> None:
        self.data = bytearray()

    def write(self, data: bytes) -> int:
        self.data += data
        return len(data)


@dataclass(frozen=True, slots=True)
class Media:
    headers: Headers
    tags: tuple[Tag, ...]  # one loop, ordered as muxed
    loop_ms: int

    def forever(self) -> Iterator[Tag]:
        """The loop again and again, time going on."""
        base_ms = 0
        while True:
            for tag in self.tags:
                yield Tag(tag.kind, tag.ms + base_ms, tag.key, flv.retimed(tag.data, tag.ms + base_ms))
            base_ms += self.loop_ms


@functools.cache
def media(bitrate: int = 300_000, noise: bool = False) -> Media:
    """Three seconds of a moving bar and a 440 Hz tone; with `noise` the picture fills its bit rate."""
    sink = _Sink()
    options = {"flvflags": "no_duration_filesize", "max_interleave_delta": "1"}
    container = av.open(sink, "w", format="flv", options=options)
    video = container.add_stream(
        "libx264",
        rate=FPS,
        options={
            "preset": "ultrafast",
            "tune": "zerolatency",
            "g": str(GOP),
            "keyint_min": str(GOP),
            "sc_threshold": "0",
            "threads": "1",
            "x264-params": f"nal-hrd=cbr:vbv-maxrate={bitrate // 1000}:vbv-bufsize={bitrate // 1000}" if noise else "",
        },
    )
    video.width, video.height, video.pix_fmt, video.bit_rate = WIDTH, HEIGHT, "yuv420p", bitrate
    audio = container.add_stream("aac", rate=AIR_HZ, layout="stereo", bit_rate=128_000)
    random = np.random.default_rng(1)
    for index in range(SECONDS * FPS):
        container.mux(audio.encode(_tone(index)))
        container.mux(video.encode(_picture(index, random if noise else None)))
    container.mux(audio.encode(None))
    container.mux(video.encode(None))
    container.close()
    return _cut(bytes(sink.data))


class Source:
    """Plays `media` through Outputs in real time, from a thread, until closed."""

    def __init__(self, runtime_dir: Path, names: list[str], what: Media | None = None, start_ms: int = 0) -> None:
        self.media = what or media()
        self.outputs = Outputs(runtime_dir, names, RealClock())
        self.longest_publish_s = 0.0
        self.published: list[tuple[int, int, float]] = []  # kind, ms, monotonic seconds
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._play, daemon=True)
        self._runtime_dir = runtime_dir

    def __enter__(self) -> Source:
        self.outputs.open()
        self.outputs.start()
        self.outputs.set_headers(self.media.headers)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self, flush_s: float = 0.5) -> None:
        if not self._stop.is_set():
            self._stop.set()
            self._thread.join()
            self.outputs.close(flush_s)

    def state(self, name: str) -> str:
        return self.outputs.states()[name].state

    def _play(self) -> None:
        began = time.monotonic()
        for tag in self.media.forever():
            while (early := began + tag.ms / 1000 - time.monotonic()) > 0:
                if self._stop.wait(early):
                    return
            before = time.monotonic()
            self.outputs.publish(tag)
            self.longest_publish_s = max(self.longest_publish_s, time.monotonic() - before)
            self.published.append((tag.kind, tag.ms, before))


def _cut(data: bytes) -> Media:
    """The tags of a whole FLV file."""
    found: list[bytes] = []
    at = flv.FILE_HEADER_BYTES
    while at < len(data):
        tag = flv.whole(data[at:])
        found.append(tag)
        at += len(tag)
    by_kind = {tag[0]: tag for tag in reversed(found) if tag[0] == flv.SCRIPT or flv.is_sequence_header(tag)}
    headers = Headers(data[: flv.FILE_HEADER_BYTES], by_kind[flv.SCRIPT], by_kind[flv.VIDEO], by_kind[flv.AUDIO])
    tags = tuple(
        Tag(tag[0], flv.time_ms(tag), flv.is_key(tag), tag)
        for tag in found
        # AAC primes with a frame before 0; without it each loop holds what 3 s hold
        if tag[0] != flv.SCRIPT and not flv.is_sequence_header(tag) and len(flv.payload(tag)) > flv.AVC_HEADER_BYTES
    )
    loop_ms = SECONDS * 1000
    first_video = next(tag.ms for tag in tags if tag.kind == flv.VIDEO)
    kept = tuple(tag for tag in tags if first_video <= tag.ms < first_video + loop_ms - 5)
    return Media(headers, kept, loop_ms)


def _tone(index: int) -> av.AudioFrame:
    time_s = (np.arange(AIR_SAMPLES) + index * AIR_SAMPLES) / AIR_HZ
    samples = (np.sin(2 * np.pi * 440 * time_s) * 8000).astype(np.int16)
    frame = av.AudioFrame.from_ndarray(np.repeat(samples, 2)[None, :], format="s16", layout="stereo")
    frame.sample_rate = AIR_HZ
    frame.pts, frame.time_base = index * AIR_SAMPLES, Fraction(1, AIR_HZ)
    return frame


def _picture(index: int, random: np.random.Generator | None) -> av.VideoFrame:
    picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)  # I420
    picture[:HEIGHT] = 70 if random is None else random.integers(40, 200, (HEIGHT, WIDTH), np.uint8)
    left = index * 2 % (WIDTH - 8)
    picture[:HEIGHT, left : left + 8] = 200
    frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
    frame.pts, frame.time_base = index, Fraction(1, FPS)
    return frame
