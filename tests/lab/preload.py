"""Faults between a room and the system's libraries: a wall clock that jumps, a video encoder that fails.

below/preload.c is compiled once and preloaded into every process of a room, whatever its language. What is wrong is in
a page of memory that both map, so it changes while they run.
"""

from __future__ import annotations

import functools
import mmap
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

SOURCE = Path(__file__).parent / "below" / "preload.c"
LAYOUT = struct.Struct("<qii")  # as struct orders in the source
PAGE_BYTES = 4096
VIDEO = ("well", "raises once", "gives nothing until rebuilt")
NS = 1_000_000_000


def compiler() -> str | None:
    return shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")


@functools.cache
def library() -> Path:
    """The compiled source; FileNotFoundError without a compiler."""
    program = compiler()
    if program is None:
        raise FileNotFoundError("no C compiler: what fails between a room and its libraries cannot be tried")
    path = Path(tempfile.mkdtemp(prefix="preload-")) / "preload.so"
    subprocess.run([program, "-shared", "-fPIC", "-O2", "-Wall", "-o", path, SOURCE, "-ldl"], check=True)
    return path


class Preload:
    """`environment` for the processes; `wall` and `video` while they run."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / "preload.page"
        path.write_bytes(bytes(PAGE_BYTES))
        with path.open("r+b") as file:
            self._page = mmap.mmap(file.fileno(), PAGE_BYTES)
        self.environment = {"LD_PRELOAD": str(library()), "BROADCASTER_PRELOAD": str(path)}

    def wall(self, ahead_s: float) -> None:
        """The wall clock is so much ahead of the true one (−: behind)."""
        struct.pack_into("<q", self._page, 0, round(ahead_s * NS))

    def video(self, how: str) -> None:
        """What the next picture meets: one of VIDEO."""
        struct.pack_into("<i", self._page, 8, VIDEO.index(how))

    @property
    def faults(self) -> int:
        """Pictures that met a fault so far."""
        return int(LAYOUT.unpack_from(self._page)[2])

    @property
    def is_video_well(self) -> bool:
        return LAYOUT.unpack_from(self._page)[1] == 0
