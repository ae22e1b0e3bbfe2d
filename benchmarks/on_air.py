"""The whole daemon against nginx-rtmp with an open player: latency, cost, faults, and minutes of air."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure, percentile
from benchmarks.usage import cores, pss_mb
from tests.avsync import av_offset_ms
from tests.listener import Listener, longest_gap_s
from tests.nginx_rtmp import NginxRtmp, nginx_rtmp
from tests.recording import inspect
from tests.station import Station, on_air, until

TRIES = 20
COST_S = 60.0
KILLS = 5
AIR_MINUTES = float(os.environ.get("MINUTES", "10"))
FADE_S = 0.1  # by then the old voice is gone at the viewer
QUIET_S = 1.5  # of silence before a try, so that the room is idle
LONG_TEXT = "This is a long sentence, which goes on and on for a good while, so that there is time to break something. "


@contextmanager
def watched(**config: Any) -> Iterator[tuple[Station, NginxRtmp, Listener]]:
    """A station that pushes to nginx-rtmp, and a viewer who plays it."""
    with tempfile.TemporaryDirectory() as name, nginx_rtmp() as server:
        directory = Path(name)
        config.setdefault("outputs", [{"name": "main", "url": server.url("key")}])
        with on_air(directory, **config) as station:
            viewer = Listener(server.url("key"), directory / "heard")
            try:
                until(viewer.is_playing, 20, "the viewer sees something")
                yield station, server, viewer
            finally:
                viewer.stop()


def time_to_air() -> list[Figure]:
    """`XADD` in mode now to an idle room, until the viewer's first packet with a voice in it."""
    took_s: list[float] = []
    with watched() as (station, _, viewer):
        for index in range(TRIES):
            until(lambda: is_quiet(viewer), 30, "the room is quiet")
            time.sleep(0.037 * index % 0.2)  # not always at the same place of a hop
            pushed_s = time.monotonic()
            station.client.say("Hello there.", mode="now", id=f"try-{index}")
            took_s.append(first_voice(viewer, pushed_s) - pushed_s)
    p50, p95 = percentile(took_s, 0.5), percentile(took_s, 0.95)
    return [
        Figure("time-to-air at a player of nginx-rtmp, p50", f"{p50:.2f} s of {TRIES}", "≤ 0.7 s", p50 <= 0.7),
        Figure("time-to-air, p95", f"{p95:.2f} s", "≤ 1.0 s", p95 <= 1.0),
    ]


def cost() -> list[Figure]:
    """Processor and memory of all processes, talking all the time; then with a second output."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as name, nginx_rtmp() as server:
        script = Path(name) / "script.md"
        script.write_text(LONG_TEXT * 20)
        outputs = [{"name": f"out{n}", "url": server.url(f"key{n}")} for n in range(2)]
        with on_air(Path(name), outputs=outputs, script={"file": str(script)}) as station:
            pids = {**station.pids(), "supervisor": station.process.pid if station.process else 0}
            spent = cores(pids.values(), COST_S)
            used = {child: (spent[pid], pss_mb(pid)) for child, pid in pids.items()}
    further_cpu, further_mb = used.pop("pusher-out1")
    whole_cpu, whole_mb = sum(cpu for cpu, _ in used.values()), sum(mb for _, mb in used.values())
    figures.append(
        Figure("whole daemon, 448×768@25, one output: CPU", f"{whole_cpu:.2f} cores", "≤ 0.8", whole_cpu <= 0.8)
    )
    figures.append(Figure("whole daemon: memory (PSS)", f"{whole_mb:.0f} MB", "≤ 700 MB", whole_mb <= 700))
    figures += [Figure(f"  {child}", f"{cpu:.3f} cores, {mb:.0f} MB") for child, (cpu, mb) in used.items()]
    figures.append(
        Figure("a further RTMP output: CPU", f"{100 * further_cpu:.1f} % of a core", "≤ 3 %", further_cpu <= 0.03)
    )
    figures.append(Figure("a further RTMP output: memory (PSS)", f"{further_mb:.0f} MB", "≤ 45 MB", further_mb <= 45))
    return figures


def kills() -> list[Figure]:
    """kill −9 while it speaks, seen by the viewer."""
    figures: list[Figure] = []
    with watched() as (station, _, viewer):
        back_s, skipped, again = [], 0, 0
        for index in range(KILLS):
            station.client.say(LONG_TEXT * 2, id=f"engine-{index}", mode="now")
            first_voice(viewer, time.monotonic())
            time.sleep(1.0)
            station.kill("engine-portrait")
            killed_s = time.monotonic()
            back_s.append(_voice_again(station, viewer, index) - killed_s)
        skipped = int(station.facts("playout")["skipped"])
        again = _said_again(station)
        gap_s = longest_gap_s(viewer.video())
        sessions = int(station.facts("playout")["outputs"]["main"]["connects"])
        figures.append(
            Figure(
                f"kill −9 engine while speaking: voice again, worst of {KILLS}",
                f"{max(back_s):.2f} s",
                "≤ 2 s",
                max(back_s) <= 2,
            )
        )
        figures.append(
            Figure(
                "  slots missed, sessions, cut sentences said again",
                f"{skipped}, {sessions}, {again}",
                f"0, 1, {KILLS}",
                (skipped, sessions, again) == (0, 1, KILLS),
            )
        )
        figures.append(Figure("  longest gap of pictures at the viewer", f"{gap_s:.2f} s"))
        gaps: list[float] = []
        for _ in range(KILLS):
            began_s = time.monotonic()
            station.kill("pusher-main")
            _wait_for_pictures(viewer, began_s + 0.6)
            gaps.append(longest_gap_s(viewer.video(), began_s))
        figures.append(
            Figure(f"kill −9 pusher: media again, worst of {KILLS}", f"{max(gaps):.2f} s", "≤ 0.5 s", max(gaps) <= 0.5)
        )
    return figures


def minutes() -> list[Figure]:
    """Minutes of air with the pattern engine, then the recording that nginx made is decoded."""
    with tempfile.TemporaryDirectory() as name:
        script = Path(name) / "script.md"
        script.write_text("One. Two. Three. Four.\n\n" * 3)
        config = {"avatar": {"engine": "pattern"}, "script": {"file": str(script)}}
        with watched(**config) as (station, server, viewer):
            time.sleep(AIR_MINUTES * 60)
            skipped = int(station.facts("playout")["skipped"])
            gap_s = longest_gap_s(viewer.packets())
            viewer.stop()
            station.stop()
            path = server.recordings("key")[-1]
            found = inspect(path, pictures=False, sound=False)
            offset_ms = av_offset_ms(path)
    expected = round(AIR_MINUTES * 60 * 25)
    frames = sum(ms - found.video_ms[0] < AIR_MINUTES * 60_000 for ms in found.video_ms)
    return [
        Figure(
            f"{AIR_MINUTES:g} min to nginx-rtmp: frames, slots skipped",
            f"{frames}, {skipped}",
            f"{expected} ± 1, 0",
            abs(frames - expected) <= 1 and not skipped,
        ),
        Figure("  DTS monotone", str(found.monotone), "True", found.monotone),
        Figure(
            "  longest key-frame gap", f"{found.max_key_gap_ms / 1000:.2f} s", "≤ 2.0 s", found.max_key_gap_ms <= 2000
        ),
        Figure(
            "  A/V offset, flash against beep",
            f"{offset_ms:+.0f} ms",
            "≤ 40 ms",
            abs(offset_ms) <= 40,
        ),
        Figure("  longest gap between packets at the viewer", f"{1000 * gap_s:.0f} ms"),
    ]


def is_quiet(viewer: Listener) -> bool:
    newest = viewer.packets()[-1].at_s
    return newest - time.monotonic() > -1 and viewer.voiced_after(newest - QUIET_S) is None


def first_voice(viewer: Listener, since_s: float) -> float:
    """When the first packet with a voice came."""
    until(lambda: viewer.voiced_after(since_s), 10, "a voice")
    heard = viewer.voiced_after(since_s)
    assert heard is not None
    return heard.at_s


def _voice_again(station: Station, viewer: Listener, before: int) -> float:
    """When the voice was back, after `before` earlier deaths: heard after the director gave the sentence out again.

    What was buffered is still heard meanwhile, pauses and all, so silence alone tells nothing.
    """
    until(lambda: _said_again(station) > before, 20, "the sentence is given out again")
    return first_voice(viewer, time.monotonic() + FADE_S)


def _said_again(station: Station) -> int:
    return sum(line["event"] == "speech.again" for line in station.log())


def _wait_for_pictures(viewer: Listener, since_s: float) -> None:
    until(lambda: sum(packet.at_s > since_s for packet in viewer.video()) > 5, 20, "pictures again")
