"""Taking over a room that speaks: how fast an old voice goes and a new one comes, how late a person's own voice is, and
how exact the pauses of a script are. Seen by a viewer of nginx-rtmp, but for the pauses, which the journal counts."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from websockets.sync.client import ClientConnection, unix_connect

from benchmarks.figures import Figure, percentile
from benchmarks.on_air import first_voice, is_quiet, watched
from broadcaster.config import load
from broadcaster.names import CONTROL_SOCKET
from pipeline.journal import JournalReader
from pipeline.media import AIR_HZ
from tests.lab.room import LabStation
from tests.listener import VOICED_RMS, Listener
from tests.station import Station, live, until

TRIES = 10
SPEAKS_S = 1.2  # of the old voice, before it is cut
LOOK_S = 1.6  # after the order
NO_BREATH = (
    "we all know you will roll along our railway line in a low yellow lorry " * 3
)  # never silent for two packets
GAP_MS = 50  # of sound: two packets of AAC or more
BLOCK_S = 0.02
SILENT_BLOCKS = 50
LINES = 12
PAUSE_S = 0.8
SENTENCES = ("This mug is made by hand.", "Ask me anything you like.", "We send it on the same day.", "Thank you.")


def run() -> list[Figure]:
    return [*barge_in(), *microphone(), *pauses()]


def barge_in() -> list[Figure]:
    """Mode now against a voice that does not stop for breath."""
    gone_s: list[float] = []
    came_s: list[float] = []
    with watched() as (station, _, viewer):
        for number in range(TRIES):
            until(lambda: is_quiet(viewer), 60, "the room is quiet")
            began_s = time.monotonic()
            station.client.say(NO_BREATH, id=f"old-{number}", mode="now")
            first_voice(viewer, began_s)
            time.sleep(SPEAKS_S + 0.037 * number % 0.2)  # not always at the same place of a hop
            ordered_s = time.monotonic()
            station.client.say("Hello there.", id=f"new-{number}", mode="now")
            time.sleep(LOOK_S)
            last_s, first_s = _change(viewer, ordered_s)
            gone_s.append(last_s - ordered_s)
            came_s.append(first_s - ordered_s)
    return [
        Figure(
            f"now, while a voice speaks: the old voice is gone, worst of {TRIES}",
            f"{max(gone_s):.2f} s (p50 {percentile(gone_s, 0.5):.2f} s)",
            "≤ 0.4 s",
            max(gone_s) <= 0.4,
        ),
        Figure(
            "  the new words, worst",
            f"{max(came_s):.2f} s (p50 {percentile(came_s, 0.5):.2f} s)",
            "≤ 1.0 s",
            max(came_s) <= 1.0,
        ),
    ]


def microphone() -> list[Figure]:
    """A person presses the button, is silent for a second, and speaks."""
    late_s: list[float] = []
    with watched() as (station, _, viewer):
        for _ in range(TRIES):
            until(lambda: is_quiet(viewer), 60, "the room is quiet")
            with _line(station) as line:
                loud_s = _talk(line)
            late_s.append(first_voice(viewer, loud_s) - loud_s)
    return [
        Figure(
            f"live microphone → its sound, and the mouth with it, at the viewer, worst of {TRIES}",
            f"{max(late_s):.2f} s (p50 {percentile(late_s, 0.5):.2f} s)",
            "≤ 1.2 s",
            max(late_s) <= 1.2,
        )
    ]


def pauses() -> list[Figure]:
    """Between paragraphs of a script whose speech is kept already, by an engine of short hops and one of long ones."""
    figures = []
    for avatar in ({"engine": "portrait"}, {"engine": "long-hop", "size": [192, 320]}):
        off_ms = _pauses_off_ms(avatar)
        worst = max(map(abs, off_ms))
        told = f"{avatar['engine']}, {len(off_ms)} of them"
        text = f"pause of {PAUSE_S:g} s between lines of a script, {told}: off by, worst"
        figures.append(Figure(text, f"{worst:.1f} ms", "≤ 40 ms", worst <= 40))
    return figures


def _pauses_off_ms(avatar: dict[str, Any]) -> list[float]:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "script.md"
        lines = [SENTENCES[number % len(SENTENCES)] for number in range(LINES)]
        path.write_text(f"---\npause_s: {PAUSE_S}\n---\n" + "\n\n".join(lines) + "\n")
        voice = {"chain": ["espeak"], "name": "en"}
        with live(LabStation(Path(name), avatar=avatar, voice=voice, script={"file": str(path)})) as station:
            until(lambda: len(station.aired()) > 2 * LINES, 180, "two laps are said")
            reports = JournalReader(station.directory / "var" / "journal").read()
    ends: dict[str, int] = {}
    begins: list[tuple[int, str]] = []
    for report in reports:
        if report.what == "sentence":
            begins.append((report.sample, report.utterance))
        elif report.what == "sentence_aired":
            ends[report.utterance] = report.samples
    return [
        1000 * ((after - before - ends[utterance]) / AIR_HZ - PAUSE_S)
        for (before, utterance), (after, _) in pairwise(begins[LINES:])
        if utterance in ends
    ]


@contextmanager
def _line(station: Station) -> Iterator[ClientConnection]:
    """A microphone's line to the room, with a format said."""
    path = load(station.config_path).runtime_dir / CONTROL_SOCKET
    with unix_connect(str(path), "ws://localhost/voice?mode=now", compression=None) as line:
        line.send(json.dumps({"format": "pcm48000"}))
        line.recv(timeout=10)
        yield line


def _talk(line: ClientConnection) -> float:
    """Silence, then a loud voice, as a microphone gives them; when the voice began."""
    line.send('{"type": "talk"}')
    at = np.arange(int(BLOCK_S * AIR_HZ))
    loud = (np.sin(2 * np.pi * 200 * at / AIR_HZ) * 12_000).astype("<i2").tobytes()
    began_s, loud_s = time.monotonic(), 0.0
    for number in range(2 * SILENT_BLOCKS):
        if number == SILENT_BLOCKS:
            loud_s = time.monotonic()
        line.send(loud if number >= SILENT_BLOCKS else bytes(len(loud)))
        time.sleep(max(0.0, began_s + (number + 1) * BLOCK_S - time.monotonic()))
    line.send('{"type": "release"}')
    time.sleep(0.5)
    return loud_s


def _change(viewer: Listener, ordered_s: float) -> tuple[float, float]:
    """When the old voice was heard last, and the new one first; it comes at once, so only the sound itself can tell."""
    heard = [one for one in viewer.packets() if one.kind == "a" and one.at_s > ordered_s and one.rms > VOICED_RMS]
    return next((before.at_s, after.at_s) for before, after in pairwise(heard) if after.ms - before.ms > GAP_MS)
