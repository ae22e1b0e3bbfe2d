"""`python -m tests.lab days`: a month on air in minutes, on an injected clock, to a real receiver.

Real are: the clock's thread with buffer, programme, overlay and subtitles (streams.air); encoder and muxer; the fan-out
on its socket; a pusher process with its planned reconnects; RTMP, and what the receiver got of it. The engine is
`pattern`, called in this process. Simulated is the time alone: of each hour a stretch is played slot by slot, as fast
as the machine can, longer ones where time stamps have an edge; between two stretches the clock leaps, and playout
does what it does after any machine was away: leaves whole slots out, in picture and sound alike.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.figures import Figure, machine, show
from pipeline.media import FPS
from streams.session import SESSION_MAX_MS
from tests.lab.month import DAY_S, Month, Plan, Seen

WARM = 0.2  # of the stretches: before them memory is still being taken
SKEW_MS, AGAINST_CLOCK_MS, FLAT_MB = 20.0, 40.0, 8.0


def run(plan: Plan) -> Seen:
    with tempfile.TemporaryDirectory(prefix="b") as directory:
        return Month(plan, Path(directory)).run()


def figures(plan: Plan, seen: Seen) -> list[Figure]:
    warm = seen.rss_mb[int(len(seen.rss_mb) * WARM) :]
    tail = max(1, len(warm) // 10)
    grown = [
        float(np.median([row[who] for row in warm[-tail:]]) - np.median([row[who] for row in warm[:tail]]))
        for who in (1, 2)
    ]
    planned = int(plan.days * DAY_S * 1000 // SESSION_MAX_MS)

    def judged(name: str, reached: Any, bar: str, met: bool) -> Figure:
        return Figure(name, str(reached), bar, met)

    packets = seen.pictures + seen.sounds
    return [
        Figure("simulated", f"{plan.days:g} days, {seen.slots} slots played of {round(plan.days * DAY_S * FPS)}"),
        Figure("packets through muxer and RTMP", f"{packets}, {packets / seen.took_s:.0f} a second"),
        judged("slots without a picture at the receiver", seen.missing, "0", seen.missing == 0),
        judged("time stamps that step back within a session", seen.backwards, "0", seen.backwards == 0),
        judged("holes in the sound of a stretch", seen.holes, "0", seen.holes == 0),
        judged(
            "time stamp against the clock, most",
            f"{seen.against_clock_ms:.3f} ms",
            f"≤ {AGAINST_CLOCK_MS:g} ms",
            seen.against_clock_ms <= AGAINST_CLOCK_MS,
        ),
        judged(
            f"sound against picture, worst of {len(seen.skews_ms)}",
            f"{max(map(abs, seen.skews_ms)):.1f} ms",
            f"≤ {SKEW_MS:g} ms",
            max(map(abs, seen.skews_ms)) <= SKEW_MS,
        ),
        judged("  at the end", f"{seen.skews_ms[-1]:+.1f} ms", f"≤ {SKEW_MS:g} ms", abs(seen.skews_ms[-1]) <= SKEW_MS),
        judged("sessions", seen.sessions, str(planned + 1), seen.sessions == planned + 1),
        judged("  that began wrongly", seen.bad_begins, "0", seen.bad_begins == 0),
        judged("  at once", seen.at_once, "1", seen.at_once == 1),
        judged(
            "  between two, longest",
            f"{max(seen.reconnect_s, default=0.0):.2f} s",
            "≤ 1.5 s",
            max(seen.reconnect_s, default=0.0) <= 1.5,
        ),
        Figure("edges crossed slot by slot", ", ".join(sorted(seen.crossed)) or "none"),
        judged("this process grew after warm-up", f"{grown[0]:+.1f} MB", f"≤ {FLAT_MB:g} MB", grown[0] <= FLAT_MB),
        judged("the pusher grew", f"{grown[1]:+.1f} MB", f"≤ {FLAT_MB:g} MB", grown[1] <= FLAT_MB),
    ]


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab days", description=__doc__)
    parser.add_argument("--days", type=float, default=30.0)
    parser.add_argument("--hour", type=float, default=2.0, metavar="S", help="seconds played of each hour")
    parser.add_argument("--edge", type=float, default=60.0, metavar="S", help="seconds played around each edge")
    given = parser.parse_args(arguments)
    plan = Plan(given.days, given.hour, given.edge)
    print(machine())
    seen = run(plan)
    found = figures(plan, seen)
    show(found)
    print(f"{seen.took_s:.0f} s")
    return 1 if any(figure.met is False for figure in found) else 0
