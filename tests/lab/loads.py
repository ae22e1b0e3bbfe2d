"""Rows of the chaos table: garbage from a crashed process, many destinations, a processor that others need.

Judged by what the receivers got.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from benchmarks.figures import Figure, percentile
from broadcaster.config import load
from tests.lab.chaos import Lab
from tests.lab.garble import Garbler
from tests.lab.host_faults import ANY_GAP_S, SMALL, skew, undisturbed, worst_gap_s
from tests.lab.stage import Stage, times

LOAD_SIZE = (720, 1280)
LOAD_KBPS = 4000
AUDIO_HOLE_MS = 22.0  # between AAC frames; one that is missing makes 43
LATENESS_MS = 5.0
ARRIVAL_P99_MS = 80.0
PUSHERS_CPU = 0.01  # of a core, together
TICKS = os.sysconf("SC_CLK_TCK")


def garbled(lab: Lab) -> list[Figure]:
    """A process that crashed in its own memory sends garbage to all sockets of playout."""
    stage, since_s = lab.stage(), time.monotonic()
    before, skipped = stage.pids(), stage.skipped()
    rounds = lab.times(100_000, 2_000)
    config = load(stage.station.config_path)
    Garbler(config.runtime_dir, config.avatar.engine).rounds(rounds)
    time.sleep(2.0)
    return [
        lab.exactly(f"{rounds} rounds of garbage on playout's sockets: slots left out", stage.skipped() - skipped, 0),
        lab.most("  longest gap", worst_gap_s(stage, since_s), ANY_GAP_S),
        undisturbed(lab, stage, before),
    ]


def load4(lab: Lab) -> list[Figure]:
    """L1: four destinations of 4 Mbit/s."""
    return _load(lab, 4)


def load16(lab: Lab) -> list[Figure]:
    """L2: sixteen."""
    return _load(lab, 16)


def starved(lab: Lab) -> list[Figure]:
    """L3: the whole room on one core, which it shares with three programs that never sleep."""
    with Stage(avatar={"engine": "pattern", "size": list(SMALL)}) as stage:
        stage.wait_well()
        main, since_ms = stage.ingests["main"], stage.ingests["main"].media()[-1].ms
        since_s = time.monotonic()
        with _busy(stage, programs=3):
            time.sleep(lab.seconds(30.0, 5.0))
        until_s = time.monotonic()
        came = [one for one in main.media(since_s) if one.at_s <= until_s]
        seconds = (max(one.ms for one in came) - since_ms) / 1000
        pictures = sum(one.kind == "video" for one in came)
        sound = sorted(one.ms for one in came if one.kind == "audio")
        hole_ms = max(after - before for before, after in pairwise(sound))
        return [
            lab.most("CPU starved: pictures left out", 100 * (1 - pictures / (seconds * 25)), 5.0, "%"),
            lab.most("  longest step between AAC frames", hole_ms, AUDIO_HOLE_MS, "ms", 0),
            skew(lab, main, since_s),
        ]


def _load(lab: Lab, destinations: int) -> list[Figure]:
    names = ("main", "second", *(f"more{number}" for number in range(destinations - 2)))
    config = {"avatar": {"engine": "pattern", "size": list(LOAD_SIZE)}, "encoder": {"bitrate_kbps": LOAD_KBPS}}
    with Stage(names, **config) as stage:
        stage.wait_well()
        time.sleep(lab.seconds(10.0, 2.0))
        skipped, since_s = stage.skipped(), time.monotonic()
        pushers = {name: pid for name, pid in stage.pids().items() if name.startswith("pusher-")}
        cpu_s = sum(map(_cpu_s, pushers.values()))
        rss_mb = sum(map(_rss_mb, [stage.pids()["playout"]]))
        time.sleep(lab.seconds(60.0, 5.0))
        until_s = time.monotonic()
        used = (sum(map(_cpu_s, pushers.values())) - cpu_s) / (until_s - since_s)
        grown_mb = sum(map(_rss_mb, [stage.pids()["playout"]])) - rss_mb
        waits_ms: list[float] = []
        for name in names:
            came = [at_s for at_s in times(stage.ingests[name]) if since_s <= at_s <= until_s]
            waits_ms += [1000 * (after - before) for before, after in pairwise(came)]
        lateness_ms = float(stage.station.facts("playout")["lateness_ms_p99"])
        return [
            lab.exactly(
                f"{destinations} destinations × {LOAD_KBPS} kbit/s: slots left out", stage.skipped() - skipped, 0
            ),
            lab.most("  between arrivals, p99", percentile(waits_ms, 0.99), ARRIVAL_P99_MS, "ms", 0),
            lab.most("  between arrivals, longest", max(waits_ms), 1000 * ANY_GAP_S, "ms", 0),
            lab.most("  the clock's lateness, p99", lateness_ms, LATENESS_MS, "ms", 1),
            lab.most("  all pushers together, of a core", 100 * used, 100 * PUSHERS_CPU, "%"),
            lab.most("  playout grew", grown_mb, 60.0, "MB", 0),
        ]


@contextlib.contextmanager
def _busy(stage: Stage, programs: int) -> Iterator[None]:
    """Everything of the room on the first core, with programs that never sleep."""
    cores = os.sched_getaffinity(0)
    core = {min(cores)}
    pids = list(stage.pids().values())
    hogs = []
    try:
        for pid in pids:
            _bind(pid, core)
        for _ in range(programs):
            if (hog := os.fork()) == 0:
                os.sched_setaffinity(0, core)
                while True:
                    pass
            hogs.append(hog)
        yield
    finally:
        for hog in hogs:
            os.kill(hog, signal.SIGKILL)
            os.waitpid(hog, 0)
        for pid in pids:
            _bind(pid, cores)


def _bind(pid: int, cores: set[int]) -> None:
    with contextlib.suppress(OSError):  # it ended
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), cores)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _rss_mb(pid: int) -> float:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
