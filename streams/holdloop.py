"""The hold loop: a file of raw pictures, played round and round without filling the memory.

In: the path an engine named, raw I420 frames of the size on air. Out: copies of its frames; the pages
they came from are given back at once, so an hour on hold costs no more memory than one frame.
"""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np

from pipeline.arrays import Frame
from pipeline.errors import BadInput


class HoldLoop:
    """Read by one thread. The file must not be made shorter while it is open: it is replaced by rename."""

    def __init__(self, path: Path, width: int, height: int) -> None:
        """BadInput when the file cannot be read or is not whole frames of this size."""
        self._shape = (height * 3 // 2, width)
        self._frame_bytes = width * height * 3 // 2
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                if not size or size % self._frame_bytes:
                    raise BadInput(f"{path}: {size} bytes are not whole frames of {width}x{height}")
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
                self._map = mmap.mmap(file.fileno(), size, prot=mmap.PROT_READ)
        except (OSError, ValueError) as error:
            raise BadInput(f"{path}: {error}") from error

    def __len__(self) -> int:
        return len(self._map) // self._frame_bytes

    def __getitem__(self, index: int) -> Frame:
        start = index * self._frame_bytes
        frame = np.frombuffer(self._map, np.uint8, self._frame_bytes, start).reshape(self._shape).copy()
        aligned = start - start % mmap.PAGESIZE
        self._map.madvise(mmap.MADV_DONTNEED, aligned, start + self._frame_bytes - aligned)
        return frame
