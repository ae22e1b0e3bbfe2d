"""`python -m benchmarks.portrait`: speed, memory, lip-sync and life of the portrait engine, on one core.

In: the shipped presenter and ten of espeak's voices: five languages, three speeds. Out: a few lines of figures; exit
code 1 when one misses its bar. What is said of lips and eyes is measured in pictures, of lips after H.264 at 3 Mb/s.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

import numpy as np
import numpy.typing as npt

from benchmarks import face
from benchmarks.figures import Figure, show
from benchmarks.lipsync import LipSync, Series, measure, through_h264
from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.color import to_i420
from pipeline.engine import Job, load_engine
from pipeline.engines.portrait.audio import AHEAD_SAMPLES
from pipeline.media import AIR_PER_DRIVE, DRIVE_HZ, DRIVE_SAMPLES, PHONEME, Mark
from tts.espeak import EspeakSynthesizer
from tts.synthesizer import Voice

SIZE, LARGE = (448, 768), (720, 1280)
SMALL = (336, 576)  # minutes of it are looked at
HOP_FRAMES = 5
HOP = HOP_FRAMES * DRIVE_SAMPLES
PAUSE_S = 1.0  # between sentences: long enough to see the mouth at rest
IDLE_S = 120
KBPS = 3000
FPS_BAR, LARGE_FPS_BAR, MEMORY_BAR_MB, OPEN_BAR_S = 75, 40, 150, 0.5
R_BAR, LAG_BAR, CLOSED_BAR, SILENT_BAR = 0.7, 1, 0.9, 0.1
BLINKS_BAR, EDGES_BAR, STILL_BAR = (8, 25), 1.2, 0.3
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
VOICES = (
    Voice("en"),
    Voice("en+f3", 1.25),
    Voice("de", 0.8),
    Voice("de+f2"),
    Voice("fr"),
    Voice("fr+f4", 1.25),
    Voice("es", 0.8),
    Voice("es+m3", 1.25),
    Voice("zh"),
    Voice("zh+f2", 0.8),
)
TEXTS: Mapping[str, tuple[str, ...]] = {
    "en": (
        "Good morning, and welcome to our little shop.",
        "People buy maps and bread from my mother every Monday.",
        "The price was cut from ninety to sixty five dollars, but only until tonight!",
        "Please ask me anything you like about these beautiful blue lamps.",
    ),
    "de": (
        "Guten Abend und willkommen in unserem kleinen Laden.",
        "Diese blaue Lampe passt immer, und sie kostet nur siebzig Mark.",
        "Bitte fragen Sie mich alles, was Sie über die Kannen und Becher wissen möchten.",
    ),
    "fr": (
        "Bonsoir et bienvenue dans notre petite boutique.",
        "Cette jolie lampe bleue plaît à tout le monde, et elle est à moitié prix.",
        "Posez-moi vos questions, je vous réponds tout de suite, ici, à Paris.",
    ),
    "es": (
        "Buenas tardes y bienvenidos a nuestra pequeña tienda.",
        "Esta lámpara azul combina muy bien con la mesa, y hoy vale la mitad.",
        "Pueden preguntarme lo que quieran sobre los platos y las tazas de barro.",
    ),
    "zh": (
        "大家好，欢迎来到我们的直播间。",
        "今天给大家带来一款非常好用的保温杯，价格只要九十九元。",
        "请把您的问题打在公屏上，我马上为您解答。",
    ),
}


@dataclass
class _Watched:
    """What ten voices showed. widths: of the mouth, by vowel. edges, inside: changes of luma. touched: ever changed."""

    syncs: list[LipSync] = field(default_factory=list)
    widths: dict[str, list[float]] = field(default_factory=lambda: {vowel: [] for vowel in face.VOWELS})
    edges: list[Series] = field(default_factory=list)
    inside: list[Series] = field(default_factory=list)
    touched: npt.NDArray[np.bool_] | None = None


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
    return [*_cost(avatar), *_speaking(avatar), _alive()]


def _cost(avatar: Avatar) -> list[Figure]:
    before = time.perf_counter()
    load_engine("portrait").open(avatar, 1)
    opened = time.perf_counter() - before
    noise = np.random.default_rng(1).normal(0, 3000, HOP).astype(np.int16)
    rate, large = _speed(avatar, noise), _speed(load_avatar(None, LARGE), noise)
    memory = float(subprocess.run([sys.executable, "-c", ALONE], capture_output=True, text=True, check=True).stdout)
    name = "portrait: peak memory of a process, hold loop baked"
    return [
        Figure(f"portrait {_named(SIZE)}, one core", f"{rate:.0f} frames/s", f">= {FPS_BAR}", rate >= FPS_BAR),
        Figure(f"portrait {_named(LARGE)}", f"{large:.0f} frames/s", f">= {LARGE_FPS_BAR}", large >= LARGE_FPS_BAR),
        Figure("portrait: open", f"{opened:.2f} s", f"<= {OPEN_BAR_S} s", opened <= OPEN_BAR_S),
        Figure(name, f"{memory:.0f} MB", f"<= {MEMORY_BAR_MB} MB", memory <= MEMORY_BAR_MB),
    ]


def _speaking(avatar: Avatar) -> list[Figure]:
    """Ten voices, with their phonemes and by their sound alone."""
    told, heard = _Watched(), list[LipSync]()
    for voice in VOICES:
        sound, marks = asyncio.run(_speech(voice))
        _watch(told, avatar, sound, marks)
        frames = through_h264(_perform(avatar, sound, []), KBPS)
        heard.append(measure(frames, avatar, sound, marks))
    closures = sum(one.closures for one in told.syncs)
    closed = sum(one.closed * one.closures for one in told.syncs if one.closures) / closures
    shut = f"{closed:.0%} of {closures}"
    silent = max(one.silent for one in told.syncs)
    wide = [float(np.mean(told.widths[vowel])) for vowel in face.VOWELS]
    counts = ", ".join(str(len(told.widths[vowel])) for vowel in face.VOWELS)
    edges = _p99(told.edges) / _p99(told.inside)
    assert told.touched is not None
    still = 1 - float(told.touched.mean())
    return [
        _in_time("lip-sync, phonemes known", told.syncs),
        _in_time("lip-sync, sound alone", heard),
        Figure("  lips shut at m/b/p, +-1 frame", shut, f">= {CLOSED_BAR:.0%}", closed >= CLOSED_BAR),
        Figure("  mouth in silence, of speaking, worst", f"{silent:.1%}", f"<= {SILENT_BAR:.0%}", silent <= SILENT_BAR),
        Figure(
            "  mouth wider than at rest in i, a, u",
            f"{wide[0]:+.1f}, {wide[1]:+.1f}, {wide[2]:+.1f} px (of {counts})",
            "i > a > u",
            wide[0] > wide[1] > wide[2],
        ),
        Figure("  change of picture at hop edges / inside, p99", f"{edges:.2f}", f"<= {EDGES_BAR}", edges <= EDGES_BAR),
        Figure("  of the picture never touched", f"{still:.0%}", f">= {STILL_BAR:.0%}", still >= STILL_BAR),
    ]


def _watch(watched: _Watched, avatar: Avatar, sound: Pcm, marks: Sequence[Mark]) -> None:
    drawn = _perform(avatar, sound, marks)
    edges, inside = face.at_edges(face.steps(drawn), HOP_FRAMES)
    watched.edges.append(edges)
    watched.inside.append(inside)
    changed = face.touched(drawn, to_i420(avatar.picture))
    watched.touched = changed if watched.touched is None else watched.touched | changed
    seen = through_h264(drawn, KBPS)
    watched.syncs.append(measure(seen, avatar, sound, marks))
    for vowel, widths in face.vowel_widths(face.corners_apart(seen, avatar), marks).items():
        watched.widths[vowel] += widths


def _in_time(name: str, voices: Sequence[LipSync]) -> Figure:
    r, lags = min(one.r for one in voices), sorted({one.lag for one in voices})
    in_time = r >= R_BAR and all(abs(lag) <= LAG_BAR for lag in lags)
    told = ", ".join(f"{lag:+d}" for lag in lags)
    mean = float(np.mean([one.r for one in voices]))
    reached = f"worst r {r:.2f} (mean {mean:.2f}) at lag {told} frames"
    return Figure(f"{name}, {len(voices)} voices", reached, f"r >= {R_BAR}, lag +-{LAG_BAR}", in_time)


def _alive() -> Figure:
    avatar = load_avatar(None, SMALL)
    frames = chain.from_iterable(_hops(avatar, silence(IDLE_S * DRIVE_HZ), []))  # some 900 MB of them
    rate = face.blinks(frames, avatar) * 60 / IDLE_S
    low, high = BLINKS_BAR
    return Figure("portrait: blinks a minute", f"{rate:.0f}", f"{low} to {high}", low <= rate <= high)


def _named(size: tuple[int, int]) -> str:
    return f"{size[0]}x{size[1]}"


def _p99(series: Sequence[Series]) -> float:
    return float(np.percentile(np.concatenate(series), 99))


def _speed(avatar: Avatar, hop: Pcm, rounds: int = 5, steps: int = 20) -> float:
    """Frames a second: the median of some rounds."""
    engine = load_engine("portrait")
    state = engine.open(avatar, 1)
    rates = []
    for _ in range(rounds):
        before = time.perf_counter()
        for _ in range(steps):
            state = engine.step([Job(state, hop, hop[:AHEAD_SAMPLES])])[0].state
        rates.append(steps * HOP_FRAMES / (time.perf_counter() - before))
    return float(np.median(rates))


async def _speech(voice: Voice) -> tuple[Pcm, list[Mark]]:
    """The texts of its language spoken with pauses: int16, 16 kHz, whole hops; PHONEME marks from its start."""
    espeak = EspeakSynthesizer()
    parts, marks, at = [silence(DRIVE_HZ)], list[Mark](), DRIVE_HZ
    for text in TEXTS[voice.name.partition("+")[0]]:
        start = at
        async for piece in espeak.speak(text, voice):
            parts.append(piece.drive)
            marks += [mark.moved(start * AIR_PER_DRIVE) for mark in piece.marks if mark.kind == PHONEME]
            at += len(piece.drive)
        parts.append(silence(int(PAUSE_S * DRIVE_HZ)))
        at += len(parts[-1])
    await espeak.close()
    whole = np.concatenate(parts)
    return whole[: len(whole) // HOP * HOP], marks


def _perform(avatar: Avatar, sound: Pcm, marks: Sequence[Mark]) -> Frames:
    return np.concatenate(list(_hops(avatar, sound, marks)))


def _hops(avatar: Avatar, sound: Pcm, marks: Sequence[Mark]) -> Iterator[Frames]:
    """The portrait speaks it, hop by hop as on air."""
    engine = load_engine("portrait")
    state = engine.open(avatar, 1)
    for start in range(0, len(sound), HOP):
        ahead = sound[start + HOP : start + HOP + AHEAD_SAMPLES]
        begin, end = start * AIR_PER_DRIVE, (start + HOP + len(ahead)) * AIR_PER_DRIVE
        known = [mark.moved(-begin) for mark in marks if begin <= mark.at < end]
        made = engine.step([Job(state, sound[start : start + HOP], ahead, known)])[0]
        state = made.state
        yield made.frames


if __name__ == "__main__":
    sys.exit(main())
