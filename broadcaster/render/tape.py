"""The sound of a whole talk with its marks, on disk: written once from front to back, read from anywhere.

In: stretches of sound at both rates, and marks. Out: hops with what follows them, as an engine on air gets
them; the marks in order; the sound on air in blocks. Of an hour no more than a few seconds are in memory.

A directory without `tape.json` holds no tape: its writer did not come to the end.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType

import msgspec
import numpy as np

from pipeline.arrays import Pcm, silence, view_pcm
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, AIR_SAMPLES, ENDS, Mark

AIR, DRIVE, MARKS, WHOLE = "air.pcm", "drive.pcm", "marks.jsonl", "tape.json"
SAMPLE_BYTES = 2
BLOCK_SAMPLES = AIR_HZ  # of one read; 96 kB

_mark = msgspec.json.Decoder(Mark)


class _Summary(msgspec.Struct, frozen=True):
    samples: int


class TapeWriter:
    """Begins anew in a directory that exists; `end` makes it whole."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.samples = 0  #: of 48 kHz, so far

    def __enter__(self) -> TapeWriter:
        (self._directory / WHOLE).unlink(missing_ok=True)
        self._air, self._drive, self._marks = ((self._directory / name).open("wb") for name in (AIR, DRIVE, MARKS))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for file in (self._air, self._drive, self._marks):
            file.close()

    def add(self, air: Pcm, drive: Pcm, marks: Sequence[Mark] = ()) -> None:
        """Append int16 [N] at 48 kHz, the same [N / 3] at 16 kHz, and marks relative to the first sample of these."""
        assert len(air) == AIR_PER_DRIVE * len(drive), (len(air), len(drive))
        for mark in sorted(marks, key=place_of):
            self._marks.write(msgspec.json.encode(mark.moved(self.samples)) + b"\n")
        self._air.write(air.tobytes())
        self._drive.write(drive.tobytes())
        self.samples += len(air)

    def rest(self, samples: int) -> None:
        """Append silence; a multiple of three samples."""
        self.add(silence(samples), silence(samples // AIR_PER_DRIVE))

    def end(self) -> None:
        """Nothing follows."""
        for file in (self._air, self._drive, self._marks):
            file.flush()
        whole = self._directory / WHOLE
        part = whole.with_name(f"{WHOLE}.part")
        part.write_bytes(msgspec.json.encode(_Summary(self.samples)))
        part.replace(whole)


class Tape:
    """A tape that is whole; FileNotFoundError when it is not."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.samples = msgspec.json.decode((directory / WHOLE).read_bytes(), type=_Summary).samples

    @property
    def frames(self) -> int:
        """Pictures that the sound needs; the last one may have less than its 1,920 samples."""
        return -(-self.samples // AIR_SAMPLES)

    def marks(self) -> Iterator[Mark]:
        """All marks, in order, counted from the first sample of the tape."""
        with (self._directory / MARKS).open("rb") as file:
            for line in file:
                yield _mark.decode(line)

    def hops(self, hop: int, ahead: int, first: int = 0) -> Iterator[tuple[Pcm, Pcm, list[Mark]]]:
        """(hop, ahead, marks) of each hop from `first` on: lengths in 48 kHz samples, sound at 16 kHz.

        The last hop ends in silence where the tape is shorter; `ahead` has what the tape still holds. Marks count
        from the hop's first sample and reach as far as `ahead`.
        """
        marks, window = self.marks(), deque[Mark]()
        with (self._directory / DRIVE).open("rb") as file:
            for start in range(first * hop, self.samples, hop):
                known = min(hop + ahead, self.samples - start)
                file.seek(start // AIR_PER_DRIVE * SAMPLE_BYTES)
                drive = view_pcm(file.read(known // AIR_PER_DRIVE * SAMPLE_BYTES))
                _slide(window, marks, start, start + known)
                now = drive[: hop // AIR_PER_DRIVE]
                padded = np.pad(now, (0, hop // AIR_PER_DRIVE - len(now)))
                yield (
                    padded,
                    drive[len(now) :],
                    [mark.moved(-start) for mark in window if _is_within(mark, start + known)],
                )

    def sound(self) -> Iterator[Pcm]:
        """The sound on air, int16 at 48 kHz, block after block."""
        with (self._directory / AIR).open("rb") as file:
            while block := file.read(BLOCK_SAMPLES * SAMPLE_BYTES):
                yield view_pcm(block)


def place_of(mark: Mark) -> int:
    """The sample that a mark goes with: an end belongs to the last sample before it."""
    return mark.at - (mark.kind in ENDS)


def _slide(window: deque[Mark], marks: Iterator[Mark], start: int, end: int) -> None:
    """Let the window hold the marks from `start` on, and at least those before `end`."""
    while not window or place_of(window[-1]) < end:
        following = next(marks, None)
        if following is None:
            break
        if place_of(following) >= start:
            window.append(following)
    while window and place_of(window[0]) < start:
        window.popleft()


def _is_within(mark: Mark, end: int) -> bool:
    return place_of(mark) < end
