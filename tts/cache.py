"""Speech on disk: what was said once is said again without asking a voice, over restarts, within a bound.

In: whole sentences as they were spoken, under a key that names all that made them. Out: the same, or nothing. Files are
written by rename and off the event loop; one that is torn, foreign or gone is a miss, a disk that is full, read-only or
hung costs nothing but the cache. Least recently used goes first; what is pinned stays.

A file: MAGIC, length and CRC-32 of what follows, length of the header, header (msgpack `_Header`), air and drive as raw
int16, little-endian: 128 KB a second. (FLAC is 2.6 times smaller, and takes 9 ms to decode 10 s of both sounds.)
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import struct
import zlib
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import msgspec
import numpy as np
import structlog

from pipeline.media import AIR_HZ, AIR_PER_DRIVE, Mark
from tts.synthesizer import Piece

FORMAT = 2  #: of a file and of a key; another one is not read
MAGIC = b"SPK" + bytes([FORMAT])
HEAD = struct.Struct("<4sIII")
SUFFIX = ".speech"
READ_S = 0.5  #: a disk that takes longer does not answer; asking a voice is quicker
QUEUED = 16  #: sentences waiting to be written, about 20 MB; beyond, they are not kept
PIN_S = 3600.0  #: of sound that may be pinned, or the whole cache where it is smaller
BYTES_PER_S = 2 * AIR_HZ * (AIR_PER_DRIVE + 1) // AIR_PER_DRIVE

T = TypeVar("T")
log = structlog.get_logger()


class _Header(msgspec.Struct, frozen=True, array_like=True):
    air_samples: int
    gain_db: float
    marks: list[Mark]


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole sentence. `gain_db`: what was added to the provider's own loudness."""

    piece: Piece
    gain_db: float


class SpeechCache:
    """Called on one event loop; `open` may be called before it runs. bound_bytes 0: nothing is ever kept."""

    def __init__(self, directory: Path, bound_bytes: int) -> None:
        self._directory = directory
        self._bound = bound_bytes
        self._files: OrderedDict[str, int] = OrderedDict()  # key → bytes, least recently used first
        self._total = 0
        self._pinned: set[str] = set()
        self._pinned_bytes = 0
        self._queued = 0
        self._refused = False
        self._closed = False
        self._disk = ThreadPoolExecutor(1, thread_name_prefix="speech-disk")
        self._reader = ThreadPoolExecutor(1, thread_name_prefix="speech-read")  # never waits behind a slow write

    def open(self) -> None:
        """Learn what is there; what is beyond the bound goes with the next sentence that is kept."""
        if not self._bound:
            return
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            paths = list(self._directory.iterdir())
        except OSError as error:
            self._refuse(error)
            return
        found: list[tuple[Path, os.stat_result]] = []
        for path in paths:
            if path.suffix == ".part":
                _remove(path)
            elif path.suffix == SUFFIX:
                with contextlib.suppress(OSError):  # gone in between: it is not there, the others are
                    found.append((path, path.stat()))
        for path, status in sorted(found, key=lambda one: one[1].st_mtime):
            self._files[path.stem] = status.st_size
            self._total += status.st_size

    def __contains__(self, key: object) -> bool:
        return key in self._files

    @property
    def total_bytes(self) -> int:
        return self._total

    async def get(self, key: str) -> Kept | None:
        """What is kept under a key; None when nothing is, or it cannot be used."""
        if key not in self._files:
            return None
        try:
            async with asyncio.timeout(READ_S):
                kept = await _in(self._reader, lambda: _read(self._path(key)))
        except TimeoutError:
            return None
        if kept is None:
            self._forget(key)
        elif key in self._files:
            self._files.move_to_end(key)
        return kept

    def put(self, key: str, pieces: Sequence[Piece], gain_db: float) -> None:
        """Keep a whole sentence; it is written some time later, or not."""
        if not self._bound or self._queued >= QUEUED or self._closed:
            return
        self._queued += 1
        loop = asyncio.get_running_loop()
        job = loop.run_in_executor(self._disk, _write, self._path(key), list(pieces), gain_db)
        job.add_done_callback(lambda done: self._written(key, done))

    def pin(self, key: str) -> bool:
        """Never let go of this one; false when it is not kept, or too much is pinned already."""
        if key in self._pinned:
            return True
        size = self._files.get(key, 0)
        if not size or self._pinned_bytes + size > min(self._bound, PIN_S * BYTES_PER_S):
            return False
        self._pinned.add(key)
        self._pinned_bytes += size
        return True

    async def close(self) -> None:
        """Waits for what is being written."""
        self._closed = True
        await asyncio.to_thread(self._disk.shutdown, cancel_futures=True)
        self._reader.shutdown(wait=False, cancel_futures=True)

    # ── what became of it ────────────────────────────────────────────────────────────────────────

    def _written(self, key: str, job: asyncio.Future[int]) -> None:
        self._queued -= 1
        if job.cancelled() or self._closed:
            return
        if isinstance(error := job.exception(), OSError):
            self._refuse(error)
            return
        self._refused = False
        self._forget(key)
        self._files[key] = job.result()
        self._total += job.result()
        self._make_room()

    def _make_room(self) -> None:
        for key in [key for key in self._files if key not in self._pinned]:
            if self._total <= self._bound:
                return
            self._forget(key)
            self._disk.submit(_remove, self._path(key))

    def _forget(self, key: str) -> None:
        self._total -= self._files.pop(key, 0)

    def _refuse(self, error: OSError) -> None:
        if not self._refused:
            log.warning("speech.unkept", reason=str(error))
        self._refused = True

    def _path(self, key: str) -> Path:
        return self._directory / f"{key}{SUFFIX}"


def key_of(*made_by: str | float) -> str:
    """The key of what was made by all of these: provider, its version, voice, rate, text as read."""
    return hashlib.sha256(msgspec.msgpack.encode((FORMAT, *made_by))).hexdigest()[:40]


def _read(path: Path) -> Kept | None:
    """Also marks the file as used, for the order that a restart begins with."""
    try:
        data = path.read_bytes()
        magic, length, crc, header_bytes = HEAD.unpack_from(data)
        body = memoryview(data)[HEAD.size :]
        if magic != MAGIC or length != len(body) or crc != zlib.crc32(body):
            return None
        header = msgspec.msgpack.decode(body[:header_bytes], type=_Header)
        air = np.frombuffer(body, "<i2", header.air_samples, header_bytes)
        drive = np.frombuffer(body, "<i2", header.air_samples // AIR_PER_DRIVE, header_bytes + 2 * header.air_samples)
    except (OSError, ValueError, struct.error, msgspec.MsgspecError):
        return None
    try:
        path.touch()
    except OSError:
        pass  # a read-only disk: it is used all the same
    return Kept(Piece(air, drive, tuple(header.marks)), header.gain_db)


def _write(path: Path, pieces: Sequence[Piece], gain_db: float) -> int:
    """Bytes written; OSError when the disk refuses."""
    air = np.concatenate([piece.air for piece in pieces])
    drive = np.concatenate([piece.drive for piece in pieces])
    assert len(air) == AIR_PER_DRIVE * len(drive)
    header = msgspec.msgpack.encode(_Header(len(air), gain_db, [mark for piece in pieces for mark in piece.marks]))
    body = header + air.astype("<i2").tobytes() + drive.astype("<i2").tobytes()
    part = path.with_suffix(".part")
    try:
        part.write_bytes(HEAD.pack(MAGIC, len(body), zlib.crc32(body), len(header)) + body)
        part.replace(path)
    except OSError:
        _remove(part)
        raise
    return HEAD.size + len(body)


def _remove(path: Path) -> None:
    try:
        path.unlink(missing_ok=True)
    except OSError:
        pass  # it is not used any more; the next start finds it


async def _in(pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(pool, work)
