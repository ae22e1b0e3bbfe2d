"""A viewer: plays a live URL and notes when each packet came and how loud it was.

As a program (`python -m tests.listener URL FILE`) it writes one line of JSON a packet; `Listener` runs it
and reads along. Times are CLOCK_MONOTONIC seconds, the same for all processes of a machine.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import av
import numpy as np

ROOT = Path(__file__).parents[1]
VOICED_RMS = 300.0  # of int16 full scale; digital silence through AAC stays below 5
OPTIONS = {"rw_timeout": "20000000"}  # µs; the probing is left to libav: shorter, it misses the pictures


@dataclass(frozen=True, slots=True)
class Heard:
    """One packet. kind: a | v. at_s: arrival. ms: its media time, −1 when unknown. rms: of its sound (a)."""

    kind: str
    at_s: float
    ms: float
    key: bool
    rms: float


class Listener:
    """Runs the program below and gives what it has heard so far."""

    def __init__(self, url: str, path: Path) -> None:
        self.path = path
        self._packets: list[Heard] = []
        self._read_bytes = 0
        path.touch()
        self._process = subprocess.Popen([sys.executable, "-m", "tests.listener", url, str(path)], cwd=ROOT)

    def packets(self) -> list[Heard]:
        with self.path.open("rb") as file:
            file.seek(self._read_bytes)
            lines = file.read().split(b"\n")[:-1]
        self._read_bytes += sum(len(line) + 1 for line in lines)
        self._packets += [Heard(*json.loads(line)) for line in lines]
        return list(self._packets)

    def video(self) -> list[Heard]:
        return [packet for packet in self.packets() if packet.kind == "v"]

    def voiced_after(self, at_s: float) -> Heard | None:
        """The first packet with a voice in it that came after a moment."""
        loud = (p for p in self.packets() if p.kind == "a" and p.at_s > at_s and p.rms > VOICED_RMS)
        return next(loud, None)

    def is_playing(self) -> bool:
        return {"a", "v"} <= {packet.kind for packet in self.packets()}

    def ended(self) -> bool:
        return self._process.poll() is not None

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def longest_gap_s(packets: list[Heard], since_s: float = 0.0) -> float:
    """The longest wait between two packets that came after `since_s`, and up to it."""
    times = [packet.at_s for packet in packets]
    gaps = [after - before for before, after in pairwise(times) if after > since_s]
    return max(gaps, default=0.0)


def main() -> int:
    url, path = sys.argv[1:3]
    with Path(path).open("w", buffering=1) as out, av.open(url, options=OPTIONS) as container:
        audio = container.streams.audio[0]
        for packet in container.demux():
            at_s = time.monotonic()
            if not packet.size:
                continue
            rms = 0.0
            if packet.stream is audio:
                for frame in audio.codec_context.decode(packet):
                    samples = frame.to_ndarray().astype(np.float32)
                    scale = 32768 if samples.size and np.abs(samples).max() <= 1.5 else 1
                    rms = float(np.sqrt(np.mean(samples**2)) * scale)
            kind = "a" if packet.stream is audio else "v"
            stamp = packet.pts if packet.dts is None else packet.dts  # libav drops one after a jump back
            ms = float(stamp * packet.time_base * 1000) if stamp is not None and packet.time_base else -1.0
            row = [kind, at_s, ms, bool(packet.is_keyframe), round(rms, 1)]
            out.write(json.dumps(row) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
