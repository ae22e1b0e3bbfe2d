"""`python -m benchmarks.portrait`: speed, memory and lip-sync of the portrait engine, on one core.

In: the shipped presenter and espeak's English and Mandarin. Out: a few lines of figures; exit code 1
when one misses its bar. Lip-sync is measured after H.264 at 3 Mb/s, from decoded pixels.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Sequence

import numpy as np

from benchmarks.figures import Figure, show
from benchmarks.lipsync import measure, through_h264
from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import Job, load_engine
from pipeline.engines.portrait.audio import AHEAD_SAMPLES
from pipeline.media import AIR_PER_DRIVE, DRIVE_HZ, DRIVE_SAMPLES, PHONEME, Mark
from tts.espeak import EspeakSynthesizer
from tts.synthesizer import Voice

SIZE = (448, 768)
HOP = 5 * DRIVE_SAMPLES
PAUSE_S = 1.0  # between sentences: long enough to see the mouth at rest
KBPS = 3000
FPS_BAR, R_BAR, LAG_BAR, CLOSED_BAR, SILENT_BAR, MEMORY_BAR_MB, OPEN_BAR_S = 75, 0.6, 1, 0.8, 0.1, 150, 0.5
#: An engine and nothing else; prints its peak of memory in MB.
ALONE = """
from pathlib import Path
from pipeline.avatar import load_avatar
from pipeline.engine import load_engine
avatar, engine = load_avatar(None, (448, 768)), load_engine("portrait")
engine.open(avatar, 1)
engine.hold(avatar, 1)
lines = Path("/proc/self/status").read_text().splitlines()
print(next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")))
"""
TEXTS = {
    "en": (
        "Good morning, and welcome to our little shop.",
        "People buy maps and bread from my mother every Monday.",
        "The price was cut from ninety to sixty five dollars, but only until tonight!",
        "Please ask me anything you like about these beautiful blue lamps.",
    ),
    "zh": (
        "大家好，欢迎来到我们的直播间。",
        "今天给大家带来一款非常好用的保温杯，价格只要九十九元。",
        "请把您的问题打在公屏上，我马上为您解答。",
    ),
}


def run() -> list[Figure]:
    """Measure, on the first core this process may use, and give the others back."""
    allowed = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        return _measured()
    finally:
        os.sched_setaffinity(0, allowed)


def main() -> int:
    """Print the figures; 0 when all bars are met."""
    found = run()
    show(found)
    return 1 if any(figure.met is False for figure in found) else 0


def _measured() -> list[Figure]:
    avatar = load_avatar(None, SIZE)
    before = time.perf_counter()
    load_engine("portrait").open(avatar, 1)
    opened = time.perf_counter() - before
    rate = _speed(avatar, np.random.default_rng(1).normal(0, 3000, HOP).astype(np.int16))
    memory = float(subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True).stdout)
    size = f"{SIZE[0]}x{SIZE[1]}"
    found = [
        Figure(f"portrait {size}, one core", f"{rate:.0f} frames/s", f">= {FPS_BAR}", rate >= FPS_BAR),
        Figure("portrait: open", f"{opened:.2f} s", f"<= {OPEN_BAR_S} s", opened <= OPEN_BAR_S),
        Figure(
            "portrait: peak memory of a process, hold loop baked",
            f"{memory:.0f} MB",
            f"<= {MEMORY_BAR_MB} MB",
            memory <= MEMORY_BAR_MB,
        ),
    ]
    for language, texts in TEXTS.items():
        sound, marks = asyncio.run(_speech(texts, language))
        found += _sync(avatar, f"lip-sync {language}, phonemes known", sound, marks, marks)
        found += _sync(avatar, f"lip-sync {language}, sound alone", sound, [], marks)[:1]
    return found


def _sync(avatar: Avatar, name: str, sound: Pcm, known: Sequence[Mark], marks: Sequence[Mark]) -> list[Figure]:
    sync = measure(through_h264(_perform(avatar, sound, known), KBPS), avatar, sound, marks)
    in_time = sync.r >= R_BAR and abs(sync.lag) <= LAG_BAR
    return [
        Figure(name, f"r {sync.r:.2f} at lag {sync.lag:+d} frames", f"r >= {R_BAR}, lag +-{LAG_BAR}", in_time),
        Figure(
            "  lips shut at m/b/p, +-1 frame",
            f"{sync.closed:.0%} of {sync.closures}",
            f">= {CLOSED_BAR:.0%}",
            sync.closed >= CLOSED_BAR,
        ),
        Figure(
            "  mouth in silence, of speaking", f"{sync.silent:.1%}", f"<= {SILENT_BAR:.0%}", sync.silent <= SILENT_BAR
        ),
    ]


def _speed(avatar: Avatar, hop: Pcm, rounds: int = 5, steps: int = 20) -> float:
    """Frames a second: the median of some rounds."""
    engine = load_engine("portrait")
    state = engine.open(avatar, 1)
    rates = []
    for _ in range(rounds):
        before = time.perf_counter()
        for _ in range(steps):
            state = engine.step([Job(state, hop, hop[:AHEAD_SAMPLES])])[0].state
        rates.append(steps * HOP / DRIVE_SAMPLES / (time.perf_counter() - before))
    return float(np.median(rates))


async def _speech(texts: Sequence[str], language: str) -> tuple[Pcm, list[Mark]]:
    """The texts spoken with pauses: int16, 16 kHz, whole hops; PHONEME marks from its start."""
    voice = EspeakSynthesizer()
    parts, marks, at = [silence(DRIVE_HZ)], [], DRIVE_HZ
    for text in texts:
        start = at
        async for piece in voice.speak(text, Voice(language)):
            parts.append(piece.drive)
            marks += [mark.moved(start * AIR_PER_DRIVE) for mark in piece.marks if mark.kind == PHONEME]
            at += len(piece.drive)
        parts.append(silence(int(PAUSE_S * DRIVE_HZ)))
        at += len(parts[-1])
    await voice.close()
    whole = np.concatenate(parts)
    return whole[: len(whole) // HOP * HOP], marks


def _perform(avatar: Avatar, sound: Pcm, marks: Sequence[Mark]) -> Frames:
    """The portrait speaks it, hop by hop as on air."""
    engine = load_engine("portrait")
    state = engine.open(avatar, 1)
    frames = []
    for start in range(0, len(sound), HOP):
        ahead = sound[start + HOP : start + HOP + AHEAD_SAMPLES]
        begin, end = start * AIR_PER_DRIVE, (start + HOP + len(ahead)) * AIR_PER_DRIVE
        known = [mark.moved(-begin) for mark in marks if begin <= mark.at < end]
        made = engine.step([Job(state, sound[start : start + HOP], ahead, known)])[0]
        state = made.state
        frames.append(made.frames)
    return np.concatenate(frames)


if __name__ == "__main__":
    sys.exit(main())
