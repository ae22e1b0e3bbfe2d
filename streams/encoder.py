"""Pictures and sound to H.264 and AAC, on integer time. One encoder for all outputs.

In: a picture and a slot's sound, with the slot's number. Out: packets, the sound of a slot before its
picture. H.264 High, constant bit rate, closed groups of 50 pictures, no B-pictures, 25 a second; AAC-LC
at 48 kHz, stereo. PTS are counters: the slot for pictures, the sample for sound; AAC frames of 1,024
samples are cut from a queue of their own, since no hop is a whole number of them. A slot that was left
out is left out in both. It paces nothing and opens no file.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import msgspec
import numpy as np
import numpy.typing as npt
from av.audio.stream import AudioStream
from av.codec.context import Flags
from av.video.stream import VideoStream

from pipeline.arrays import Frame, Pcm
from pipeline.errors import BroadcasterError
from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS
from streams.mixer import stereo

GOP_FRAMES = 50  # 2 s: what every platform asks for
AUDIO_BIT_RATE = 128_000
AAC_SAMPLES = 1024  # of one AAC frame
VBV_S = 1.0  # of the bit rate: the most a platform's buffer must take at once
THREADS = 1  # slices would cost quality, frame threads latency; one core does 100 frames a second and more
BT709 = 1  # in all three of H.264's colour fields
LIMITED = 1  # range
VIDEO_TIME = Fraction(1, FPS)
AUDIO_TIME = Fraction(1, AIR_HZ)


class EncoderFailed(BroadcasterError):
    """The codec raised; a new encoder takes its place."""

    retryable = True


class EncoderSettings(msgspec.Struct, frozen=True):
    """The same settings give byte-identical stream headers. preset: one of x264's."""

    width: int
    height: int
    bitrate_kbps: int
    preset: str


class Encoder:
    """Feeds the two streams of an open container. One thread."""

    def __init__(self, settings: EncoderSettings, container: av.container.OutputContainer) -> None:
        self._settings = settings
        self._video = self._video_stream(container)
        self._audio = self._audio_stream(container)
        self._fifo: npt.NDArray[np.int16] = np.zeros((1, 0), np.int16)  # interleaved, not yet encoded
        self._audio_pts = 0  # of the first sample in the fifo
        self._next_sample = -1  # of the slot that follows without a gap

    def encode(self, frame: Frame, pcm: Pcm, slot: int) -> Iterator[Any]:
        """Packets of this slot, muxed by the caller in this order; EncoderFailed ends the encoder's life."""
        try:
            yield from self._sound(pcm, slot * AIR_SAMPLES)
            picture = av.VideoFrame.from_numpy_buffer(frame, format="yuv420p")
            picture.pts, picture.time_base = slot, VIDEO_TIME
            picture.colorspace, picture.color_range = BT709, LIMITED
            yield from self._video.encode(picture)
        except (av.error.FFmpegError, ValueError) as error:
            raise EncoderFailed(f"slot {slot}: {error}") from error

    def flush(self) -> Iterator[Any]:
        """What the codecs still hold."""
        try:
            yield from self._audio.encode(None)
            yield from self._video.encode(None)
        except av.error.FFmpegError as error:
            raise EncoderFailed(f"flush: {error}") from error

    def _sound(self, pcm: Pcm, sample: int) -> Iterator[Any]:
        if sample != self._next_sample:
            yield from self._jump(sample)
        self._next_sample = sample + len(pcm)
        self._fifo = np.concatenate([self._fifo, stereo(pcm)], axis=1)
        while self._fifo.shape[1] >= 2 * AAC_SAMPLES:
            yield from self._aac(self._fifo[:, : 2 * AAC_SAMPLES])
            self._fifo = self._fifo[:, 2 * AAC_SAMPLES :]

    def _jump(self, sample: int) -> Iterator[Any]:
        """Slots were left out: end the AAC frame begun with silence and go on at the new sample."""
        rest = self._fifo.shape[1]
        if rest:
            yield from self._aac(np.pad(self._fifo, ((0, 0), (0, 2 * AAC_SAMPLES - rest))))
            self._fifo = self._fifo[:, :0]
        self._audio_pts = sample

    def _aac(self, samples: npt.NDArray[np.int16]) -> Iterator[Any]:
        sound = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="s16", layout="stereo")
        sound.sample_rate = AIR_HZ
        sound.pts, sound.time_base = self._audio_pts, AUDIO_TIME
        self._audio_pts += AAC_SAMPLES
        yield from self._audio.encode(sound)

    def _video_stream(self, container: av.container.OutputContainer) -> VideoStream:
        settings = self._settings
        stream = container.add_stream("libx264", rate=FPS)
        codec = stream.codec_context
        stream.width, stream.height, stream.pix_fmt = settings.width, settings.height, "yuv420p"
        stream.time_base = codec.time_base = VIDEO_TIME
        stream.bit_rate = settings.bitrate_kbps * 1000
        codec.gop_size, codec.max_b_frames, codec.thread_count = GOP_FRAMES, 0, THREADS
        codec.flags |= Flags.global_header | Flags.closed_gop
        codec.color_primaries = codec.color_trc = codec.colorspace = BT709
        codec.color_range = LIMITED
        codec.options = {
            "preset": settings.preset,
            "tune": "zerolatency",
            "profile": "high",
            "nal-hrd": "cbr",
            "x264-params": _x264_params(settings.bitrate_kbps),
        }
        return stream

    def _audio_stream(self, container: av.container.OutputContainer) -> AudioStream:
        stream = container.add_stream("aac", rate=AIR_HZ, layout="stereo")
        stream.bit_rate = AUDIO_BIT_RATE
        stream.time_base = AUDIO_TIME
        stream.codec_context.flags |= Flags.global_header
        return stream


def _x264_params(kbps: int) -> str:
    return (
        f"keyint={GOP_FRAMES}:min-keyint={GOP_FRAMES}:scenecut=0:open-gop=0:force-cfr=1:"
        f"bitrate={kbps}:vbv-maxrate={kbps}:vbv-bufsize={round(kbps * VBV_S)}"
    )
