"""`broadcaster render`: how fast it is, how exact, and whether a longer talk takes more memory."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path

import av

from benchmarks.figures import Figure
from benchmarks.usage import peak_mb
from pipeline.arrays import Pcm
from pipeline.engines.pattern import beep_track
from pipeline.media import AIR_HZ, AIR_SAMPLES, FPS
from tests.avsync import av_offset_ms

MINUTE = """Good evening, and welcome. For the next minute I will show you three small things that we made this week.

The first one is a mug. It holds 350 ml, it costs $12.50, and it is thrown by hand, so no two of them are the same. The
glaze is a deep blue that turns green where it is thin. The second is a scarf of merino wool. It weighs 140 grams, and
it keeps you warm down to minus ten degrees. We have it in red, in grey, and in a yellow that you will not find
anywhere else. The last thing is a lamp. You can fold it flat, put it in a bag, and open it again wherever you are. Its
battery lasts for eight hours, and it charges in two hours and a half.

If you have a question, write it in the comments, and I will answer it. If you have none, look at our other things: the
bowls, the blankets, and the small wooden birds. Thank you for watching, and see you tomorrow at half past seven.
"""
SHORT_S, LONG_S = 30, 300  # of sound, for the memory
LOOK_S = 0.05  # between two looks at its memory
SIZE = "128x192"  # the smallest: only length is to count


def run() -> list[Figure]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        took_s, made_s, _ = _render(folder / "minute.mp4", ["--text", MINUTE])
        pace = made_s / took_s
        short, long = (_sound(folder, seconds) for seconds in (SHORT_S, LONG_S))
        _, _, less_mb = _render(folder / "short.mp4", ["--engine", "pattern", "--size", SIZE, "--audio", str(short)])
        _, _, more_mb = _render(folder / "long.mp4", ["--engine", "pattern", "--size", SIZE, "--audio", str(long)])
        frames, expected = _frames(folder / "long.mp4"), LONG_S * FPS
        offset_ms = av_offset_ms(folder / "short.mp4")
    grown_mb = more_mb - less_mb
    return [
        Figure(
            "a minute of text at 448x768, whole command",
            f"{took_s:.1f} s for {made_s:.1f} s: {pace:.1f}x",
            "≥ 2x",
            pace >= 2,
        ),
        Figure(f"pictures of {LONG_S} s of sound", str(frames), str(expected), frames == expected),
        Figure("sound after picture", f"{offset_ms:+.0f} ms", "≤ 10 ms", abs(offset_ms) <= 10),
        Figure(
            f"memory for {LONG_S} s more than for {SHORT_S} s",
            f"{grown_mb:+.0f} MB of {less_mb:.0f} MB",
            "≤ 10 MB",
            grown_mb <= 10,
        ),
    ]


def _render(out: Path, options: list[str]) -> tuple[float, float, float]:
    """Seconds that it took, seconds of the file, and the most memory in MB."""
    began_s = time.monotonic()
    command = [sys.executable, "-m", "broadcaster.cli", "render", *options, str(out)]
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    most_mb = 0.0
    while child.poll() is None:
        most_mb = max(most_mb, peak_mb(child.pid))
        time.sleep(LOOK_S)
    took_s = time.monotonic() - began_s
    assert child.returncode == 0, command
    return took_s, _frames(out) / FPS, most_mb


def _frames(path: Path) -> int:
    with av.open(str(path)) as file:
        return file.streams.video[0].frames


def _sound(folder: Path, seconds: int) -> Path:
    path = folder / f"{seconds}.wav"
    track: Pcm = beep_track(seconds)
    assert len(track) == seconds * FPS * AIR_SAMPLES
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(AIR_HZ)
        file.writeframes(track.tobytes())
    return path
