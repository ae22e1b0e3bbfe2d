"""Pictures and sound to one MP4 for keeping: pictures in groups that stand alone, joined with the sound at the end.

In: I420 frames; later the groups and the sound. Out: files of H.264 without sound, each begun by a key frame and
an encoder of its own, so a group does not depend on when the others were made; and the MP4 of all of them with
AAC, made in one pass. Constant quality instead of constant rate: nobody waits for it. It draws nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
from av.codec.context import Flags

from pipeline.arrays import Frame, Pcm
from pipeline.errors import OutputError
from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS
from streams.encoder import AAC_SAMPLES, AUDIO_TIME, BT709, GOP_FRAMES, LIMITED, VIDEO_TIME
from streams.mixer import stereo
from streams.mux import AIGC

AUDIO_BIT_RATE = 192_000  # a file is stored and encoded again by platforms: more than on air
AAC_OPTIONS = {"aac_coder": "fast"}  # half the time of the thorough one, which this bit rate does not need
PRESET, CRF = "veryfast", "19"  # no difference to the source that an eye finds, at a third of the bit rate of air
THREADS = 2  # a fixed number: x264's result depends on it
OPTIONS = {
    "movflags": "faststart+use_metadata_tags",  # a browser plays it before it has all of it; the AIGC tag is kept
    "movie_timescale": str(AIR_HZ),  # lengths are exact to the sample
}


class GroupWriter:
    """The pictures of one group into a file, which appears under its name once `end` was called."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        self._path = path
        self._part = path.with_name(f"{path.name}.part")
        self._size = (width, height)
        self._frames = 0

    def open(self) -> None:
        """OutputError of kind disk when the file cannot be written."""
        try:
            self._container = av.open(f"file:{self._part}", "w", format="mp4")
            self._stream = self._container.add_stream("libx264", rate=FPS)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _translated(self._part, error) from error
        stream, codec = self._stream, self._stream.codec_context
        (stream.width, stream.height), stream.pix_fmt = self._size, "yuv420p"
        stream.time_base = codec.time_base = VIDEO_TIME
        codec.gop_size, codec.max_b_frames, codec.thread_count = GOP_FRAMES, 0, THREADS
        codec.flags |= Flags.global_header | Flags.closed_gop
        codec.color_primaries = codec.color_trc = codec.colorspace = BT709
        codec.color_range = LIMITED
        codec.options = {"preset": PRESET, "crf": CRF, "profile": "high"}

    def write(self, frame: Frame) -> None:
        picture = av.VideoFrame.from_numpy_buffer(frame, format="yuv420p")
        picture.pts, picture.time_base = self._frames, VIDEO_TIME
        picture.colorspace, picture.color_range = BT709, LIMITED
        self._frames += 1
        self._mux(picture)

    def end(self) -> None:
        """Write what the encoder still holds, and put the file in its place."""
        self._mux(None)
        try:
            self._container.close()
            with self._part.open("rb") as file:
                os.fsync(file.fileno())
            self._part.replace(self._path)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _translated(self._part, error) from error

    def abandon(self) -> None:
        """Let go of the codec; the file under its other name is nobody's."""
        try:
            self._container.close()
        except (av.FFmpegError, OSError, ValueError):  # it is being thrown away
            pass

    def _mux(self, picture: av.VideoFrame | None) -> None:
        try:
            for packet in self._stream.encode(picture):
                self._container.mux(packet)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise _translated(self._part, error) from error


def join(groups: Iterable[Path], sound: Iterator[Pcm], out: Path, on_frame: Callable[[int], None]) -> None:
    """All groups one after the other, with the sound (int16, 48 kHz mono), as the MP4 `out`. Raises OutputError.

    `on_frame`: so many pictures are in it.
    """
    container: Any = None
    try:
        container = av.open(f"file:{out}", "w", format="mp4", options=OPTIONS)
        container.metadata["AIGC"] = AIGC
        _Joint(container, sound, on_frame).run(groups)
        container.close()
        with out.open("rb") as file:
            os.fsync(file.fileno())
    except (av.FFmpegError, OSError, ValueError) as error:
        raise _translated(out, error) from error


class _Joint:
    """Takes packets from the groups and encodes the sound beside them, so that neither runs ahead."""

    def __init__(self, container: Any, sound: Iterator[Pcm], on_frame: Callable[[int], None]) -> None:
        self._container = container
        self._sound = sound
        self._on_frame = on_frame
        self._video: Any = None
        self._audio: Any = None
        self._headers = b""
        self._fifo: npt.NDArray[np.int16] = np.zeros((1, 0), np.int16)  # interleaved, not yet encoded
        self._samples = 0  # encoded
        self._frames = 0

    def run(self, groups: Iterable[Path]) -> None:
        for path in groups:
            with av.open(f"file:{path}") as group:
                self._add(path, group)
        self._encode_sound(None)

    def _add(self, path: Path, group: Any) -> None:
        stream = group.streams.video[0]
        headers = bytes(stream.codec_context.extradata or b"")
        if self._video is None:
            self._headers = headers
            self._video = self._container.add_stream_from_template(stream)
            self._audio = self._audio_stream()
        if headers != self._headers:
            raise OutputError("protocol", f"{path.name} was encoded with other settings than the groups before")
        for packet in group.demux(stream):
            if packet.dts is None:
                continue
            packet.stream = self._video
            packet.pts = packet.dts = self._frames
            packet.duration, packet.time_base = 1, VIDEO_TIME
            self._container.mux(packet)
            self._frames += 1
            self._encode_sound(self._frames * AIR_SAMPLES)
            self._on_frame(self._frames)

    def _audio_stream(self) -> Any:
        stream: Any = self._container.add_stream("aac", rate=AIR_HZ, layout="stereo", options=AAC_OPTIONS)
        stream.bit_rate, stream.time_base = AUDIO_BIT_RATE, AUDIO_TIME
        stream.codec_context.flags |= Flags.global_header
        return stream

    def _encode_sound(self, until: int | None) -> None:
        """Whole AAC frames up to a sample; None: all there is, the last one cut short."""
        while until is None or self._samples + AAC_SAMPLES <= until:
            samples = self._next_samples()
            if samples.shape[1] == 0:
                break
            sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="stereo")
            sound.sample_rate = AIR_HZ
            sound.pts, sound.time_base = self._samples, AUDIO_TIME
            self._samples += sound.samples
            self._container.mux(self._audio.encode(sound))
        if until is None:
            self._container.mux(self._audio.encode(None))

    def _next_samples(self) -> npt.NDArray[np.int16]:
        """The samples of one AAC frame; fewer at the end of the sound."""
        while self._fifo.shape[1] < 2 * AAC_SAMPLES and (block := next(self._sound, None)) is not None:
            self._fifo = np.concatenate([self._fifo, stereo(block)], axis=1)
        samples, self._fifo = self._fifo[:, : 2 * AAC_SAMPLES], self._fifo[:, 2 * AAC_SAMPLES :]
        return samples


def _translated(path: Path, error: Exception) -> OutputError:
    text = getattr(error, "strerror", None) or str(error)
    return OutputError("disk" if isinstance(error, OSError) else "protocol", f"{path}: {text}")
