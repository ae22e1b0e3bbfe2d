"""Any file that holds sound, as 48 kHz mono: the border file of recordings that are given to us.

In: a path. Out: int16 blocks, decoded as they are read. BadInput when there is no sound in it, or it is no
media file at all. It opens files alone, also where a file names an address.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler

from pipeline.arrays import Pcm
from pipeline.errors import BadInput
from pipeline.media import AIR_HZ

FILES_ONLY = {"protocol_whitelist": "file"}  # a playlist must not reach into the network


class SoundFile:
    """One reading of one file. `damaged`: packets that could not be decoded and were left out, so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.damaged = 0
        self.seconds: float | None = None  #: as the file says, once reading has begun

    def blocks(self) -> Iterator[Pcm]:
        """int16 [N] at 48 kHz, all channels mixed into one."""
        if not self._path.is_file():
            raise BadInput(f"{self._path}: no such file")
        heard = False
        try:
            with av.open(f"file:{self._path}", options=FILES_ONLY) as container:
                if not container.streams.audio:
                    raise BadInput(f"{self._path}: there is no sound in it")
                self.seconds = container.duration / av.time_base if container.duration else None
                mono = AudioResampler(format="s16", layout="mono", rate=AIR_HZ)
                for frame in self._frames(container):
                    heard = True
                    yield from (one.to_ndarray()[0] for one in mono.resample(frame))
                if heard:
                    yield from (one.to_ndarray()[0] for one in mono.resample(None))
        except (av.FFmpegError, OSError, ValueError) as error:
            raise BadInput(f"{self._path}: not sound that can be read ({_words(error)})") from error
        if not heard:
            raise BadInput(f"{self._path}: there is no sound in it")

    def _frames(self, container: av.container.InputContainer) -> Iterator[AudioFrame]:
        for packet in container.demux(container.streams.audio[0]):
            try:
                yield from packet.decode()
            except av.error.InvalidDataError:
                self.damaged += 1


def _words(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error)
