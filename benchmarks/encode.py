"""Encode and mux against the `ffmpeg` command: the same I420 file in, one thread, no pacing, FLV thrown away.

Both are whole processes; what counts is user and system time, the median of five runs taken in turn.
"""

from __future__ import annotations

import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.figures import Figure
from pipeline.arrays import view_frames
from pipeline.engine import Job, load_engine
from pipeline.media import AIR_SAMPLES, FPS
from streams.encoder import EncoderSettings
from streams.mux import Mux

WIDTH, HEIGHT, KBPS, PRESET = 448, 768, 3000, "veryfast"
FRAMES = 500  # in the file
LAPS = 4  # through the file: 80 s of air, so that neither program's start counts for much
RUNS = 5


def run() -> list[Figure]:
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None:
        return [Figure("encode + mux against ffmpeg", "no ffmpeg on PATH")]
    with tempfile.TemporaryDirectory() as name:
        pictures, sound = Path(name) / "in.yuv", Path(name) / "in.pcm"
        _write_input(pictures, sound)
        ours = [sys.executable, "-m", "benchmarks.encode", str(pictures), str(sound)]
        theirs = _ffmpeg(ffmpeg, pictures, sound)
        pairs = [(_cpu_s(ours), _cpu_s(theirs)) for _ in range(RUNS + 1)][1:]
        start_s = median(_cpu_s([*ours, "0"]) for _ in range(RUNS))
    mine, other = median(a for a, _ in pairs), median(b for _, b in pairs)
    ratio = median(a / b for a, b in pairs)
    return [
        Figure("encode + mux, CPU against the ffmpeg command", f"{ratio:.2f} ×", "≤ 1.10 ×", ratio <= 1.10),
        Figure(
            "  ours / ffmpeg, ms a frame", f"{1000 * mine / FRAMES / LAPS:.2f} / {1000 * other / FRAMES / LAPS:.2f}"
        ),
        Figure("  of ours, start of Python and imports", f"{start_s:.2f} s of {mine:.2f} s"),
        Figure("  x264 in PyAV / in ffmpeg", f"{_our_x264()} / {_their_x264(ffmpeg)}"),
    ]


def encode(pictures: Path, sound: Path, frames: int | None) -> None:
    """What playout does with pictures and sound, without pacing."""
    mux = Mux(EncoderSettings(WIDTH, HEIGHT, KBPS, PRESET), first_slot=0)
    mux.open()
    stack = view_frames(pictures.read_bytes(), WIDTH, HEIGHT)
    pcm = np.frombuffer(sound.read_bytes(), np.int16)
    for slot in range(LAPS * len(stack) if frames is None else frames):
        at = slot % len(stack)
        mux.encode(stack[at], pcm[at * AIR_SAMPLES : (at + 1) * AIR_SAMPLES], slot)
    if frames is None:
        mux.flush()
    mux.close()


def _write_input(pictures: Path, sound: Path) -> None:
    """The presenter, talking."""
    from pipeline.avatar import load_avatar

    rng = np.random.default_rng(7)
    envelope = np.repeat(rng.random(FRAMES * 4), 160)  # 16 kHz, changing 100 times a second
    voice = (rng.standard_normal(len(envelope)) * envelope * 6000).astype(np.int16)
    engine = load_engine("portrait")
    avatar = load_avatar(None, (WIDTH, HEIGHT))
    state, hop = engine.open(avatar, 0), engine.format(avatar).hop_drive_samples
    with pictures.open("wb") as file:
        for at in range(0, len(voice), hop):
            made = engine.step([Job(state, voice[at : at + hop], voice[:0])])[0]
            state = made.state
            file.write(made.frames.tobytes())
    sound.write_bytes(np.repeat(voice, 3).tobytes())


def _ffmpeg(program: str, pictures: Path, sound: Path) -> list[str]:
    size, gop = f"{WIDTH}x{HEIGHT}", str(2 * FPS)
    again = ["-stream_loop", str(LAPS - 1)]
    video_in = [*again, "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", size, "-r", str(FPS), "-i", str(pictures)]
    audio_in = [*again, "-f", "s16le", "-ar", "48000", "-ac", "1", "-i", str(sound)]
    rate = f"{KBPS}k"
    params = f"keyint={gop}:min-keyint={gop}:scenecut=0:open-gop=0:force-cfr=1:nal-hrd=cbr"
    video = ["-c:v", "libx264", "-preset", PRESET, "-tune", "zerolatency", "-profile:v", "high", "-threads", "1"]
    limits = ["-b:v", rate, "-maxrate", rate, "-bufsize", rate, "-x264-params", params]
    audio = ["-c:a", "aac", "-b:a", "128k", "-ac", "2"]
    quiet = [program, "-v", "error", "-nostdin"]
    return [*quiet, *video_in, *audio_in, *video, *limits, *audio, "-f", "flv", "-y", "/dev/null"]


def _cpu_s(command: Sequence[str]) -> float:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _our_x264() -> str:
    import av

    libraries = Path(av.__file__).parents[1].glob("av.libs/libx264*")
    return next((path.name.rpartition(".so.")[2] for path in libraries), "?")


def _their_x264(program: str) -> str:
    linked = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return next((word.rpartition(".")[2] for word in linked.split() if word.startswith("libx264.so")), "?")


if __name__ == "__main__":
    encode(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else None)
