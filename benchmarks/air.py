"""Playout killed and stopped, as a player behind nginx-rtmp sees it: one session, with sound and picture together."""

from __future__ import annotations

import os
import signal
import tempfile
import time
from pathlib import Path

from benchmarks.figures import Figure, percentile
from benchmarks.on_air import watched
from tests.avsync import av_offset_ms
from tests.listener import Heard, Listener, longest_gap_s
from tests.recording import inspect
from tests.station import Station, until

KILLS = 20
APART_S = 6.0  # between kills: closer ones are a crash loop to the supervisor, which slows it down
SYNC_S = 4.0  # of each life that is searched for flash and beep
STOP_S = 1.8  # less than the supervisor waits before it kills a silent playout
SCRIPT = "One. Two. Three. Four. Five. Six. Seven. Eight.\n\n" * 3


def playout() -> list[Figure]:
    """kill −9 playout, again and again, while the pattern engine flashes and beeps; then stop it, and thaw it."""
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "script.md"
        script.write_text(SCRIPT)
        with watched(avatar={"engine": "pattern"}, script={"file": str(script)}) as (station, server, viewer):
            gaps_s: list[float] = []
            resumed_ms: list[float] = []
            for _ in range(KILLS):
                killed_s, again = _broken(station, viewer, signal.SIGKILL)
                gaps_s.append(longest_gap_s(viewer.video(), killed_s))
                resumed_ms.append(again.ms)
                time.sleep(max(0.0, APART_S - (time.monotonic() - killed_s)))
            stopped_s, again = _broken(station, viewer, signal.SIGSTOP)
            stop_gap_s = longest_gap_s(viewer.video(), stopped_s)
            resumed_ms.append(again.ms)
            time.sleep(APART_S)
            thawed_ms, burst_s = _thawed(station, viewer)
            resumed_ms.append(thawed_ms)
            sessions = int(station.facts("playout")["outputs"]["main"]["connects"])
            viewer.stop()
            station.stop()
            path, recordings = server.recordings("key")[-1], len(server.recordings("key"))
            found = inspect(path, pictures=True, sound=False)
            lives = [av_offset_ms(path, begin_s=ms / 1000, limit_s=ms / 1000 + SYNC_S) for ms in resumed_ms]
    p95, worst_ms = percentile(gaps_s, 0.95), max(lives, key=abs)
    whole = (sessions, recordings, found.decode_errors, found.monotone)
    return [
        Figure(
            f"kill −9 playout: media again at the player, p95 of {KILLS}",
            f"{p95:.2f} s (p50 {percentile(gaps_s, 0.5):.2f}, max {max(gaps_s):.2f})",
            "≤ 2.0 s",
            p95 <= 2.0,
        ),
        Figure("SIGSTOP playout: media again", f"{stop_gap_s:.2f} s", "≤ 13 s", stop_gap_s <= 13),
        Figure(f"  stopped for {STOP_S} s: burst after the thaw", f"{burst_s:.2f} s", "≤ 1 s", burst_s <= 1),
        Figure(
            "  sessions, recordings, decode errors, DTS monotone",
            f"{whole}",
            "(1, 1, 0, True)",
            whole == (1, 1, 0, True),
        ),
        Figure(f"  A/V offset, worst of {len(lives)}", f"{worst_ms:+.0f} ms", "≤ 40 ms", abs(worst_ms) <= 40),
    ]


def _broken(station: Station, viewer: Listener, number: int) -> tuple[float, Heard]:
    """Signal playout and wait until pictures come again: when that was, and the first picture."""
    since_s = time.monotonic()
    station.kill("playout", number)
    until(lambda: len(_after(viewer, since_s + 0.2)) > 5, 30, "pictures again")
    return since_s, _after(viewer, since_s + 0.2)[0]


def _thawed(station: Station, viewer: Listener) -> tuple[float, float]:
    """Stop playout for a moment: media time where it goes on, and how much media came within 0.3 s of that."""
    pid = station.kill("playout", signal.SIGSTOP)
    time.sleep(STOP_S)
    thawed_s = time.monotonic()
    os.kill(pid, signal.SIGCONT)
    until(lambda: len(_after(viewer, thawed_s)) > 50, 30, "pictures again")
    came = _after(viewer, thawed_s)
    burst = [packet for packet in came if packet.at_s < came[0].at_s + 0.3]
    return came[0].ms, (len(burst) - 0.3 * 25) / 25


def _after(viewer: Listener, since_s: float) -> list[Heard]:
    return [packet for packet in viewer.video() if packet.at_s > since_s]
