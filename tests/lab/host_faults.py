"""Rows of the chaos table: what a machine does to us. Judged by what the receivers got.

Each row has a room of its own (tests.lab.host); the short table of the suite runs them one after the other in one.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator

import av

from benchmarks.figures import Figure
from broadcaster.config import load
from pipeline.engines.pattern import read_counter
from pipeline.media import FPS
from tests.avsync import av_offset_ms
from tests.lab.chaos import SLACK, Lab
from tests.lab.garble import Garbler
from tests.lab.host import HostStage, hindrance
from tests.lab.ingest import Ingest
from tests.lab.judge import longest_s
from tests.lab.stage import Stage, back_s, times
from tests.station import until

SMALL = (192, 320)
ANY_GAP_S = 0.25
REBUILT_S = 0.5
SAID_S = 10.0  # a short sentence, from its push to its last sample, on a busy machine
NAMES_BACK_S = 2.0
ENGINE_AGAIN_S = 5.0
ASLEEP_S, BURST_S = 5.0, 1.5
GARBAGE = 400  # rounds: far more lines than the pipe takes
RECORDED_S = 10.0  # a try every 6 s, and a fragment of a group of pictures
RECORDED_BYTES = 20_000
AV_MS = 40.0


@contextlib.contextmanager
def host(**config: object) -> Iterator[HostStage]:
    if why := hindrance():
        raise AssertionError(f"this machine cannot play another: {why}")
    with HostStage(avatar={"engine": "pattern", "size": list(SMALL)}, **config) as stage:  # type: ignore[arg-type]
        stage.wait_well()
        yield stage


# ── rows ─────────────────────────────────────────────────────────────────────────────────────────


def encoder(lab: Lab) -> list[Figure]:
    with host() as stage:
        return encoder_on(stage, lab)


def log_blocked(lab: Lab) -> list[Figure]:
    with host() as stage:
        return log_blocked_on(stage, lab) + log_closed_on(stage, lab)


def wall_clock(lab: Lab) -> list[Figure]:
    with host() as stage:
        return wall_clock_on(stage, lab)


def names_dead(lab: Lab) -> list[Figure]:
    with host() as stage:
        return names_dead_on(stage, lab)


def disk_full(lab: Lab) -> list[Figure]:
    with host() as stage:
        return disk_full_on(stage, lab)


def asleep(lab: Lab) -> list[Figure]:
    with host() as stage:
        return asleep_on(stage, lab)


def encoder_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """libav's video encoder returns an error, then takes pictures and gives none, below the product."""
    main, faults = stage.ingests["main"], stage.station.preload
    begun_s, before = time.monotonic(), stage.pids()
    worst_s: dict[str, float] = {}
    for how in ("raises once", "gives nothing until rebuilt"):
        for _ in range(lab.times(5, 1)):
            at_s, seen = time.monotonic(), faults.faults
            faults.video(how)
            until(lambda seen=seen: faults.faults > seen and faults.is_video_well, 10, how)  # type: ignore[misc]
            time.sleep(1.5)
            worst_s[how] = max(worst_s.get(how, 0.0), _picture_gap_s(main, at_s))
    return [
        lab.most("encoder raises: longest wait for a picture, worst", worst_s["raises once"], REBUILT_S),
        lab.most("encoder gives nothing: the same", worst_s["gives nothing until rebuilt"], REBUILT_S),
        undisturbed(lab, stage, before),
        skew(lab, main, begun_s),
    ]


def log_blocked_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """Nobody reads the log, whose pipe takes 4 kB, while an engine dies and words are said."""
    since_s = time.monotonic()
    stage.station.read_log(False)
    _kill(stage, "engine-pattern")
    Garbler(load(stage.station.config_path).runtime_dir, "pattern").rounds(GARBAGE)  # which playout logs
    before = stage.pids()
    said_s = _said_s(stage, "blocked")
    time.sleep(lab.seconds(10.0, 0.5))
    gap_s = worst_gap_s(stage, since_s)
    stage.station.read_log(True)
    _said_s(stage, "read")
    until(lambda: any(line["event"] == "log.dropped" for line in stage.station.log()), 10, "what was left out is told")
    return [
        lab.most("log pipe blocked, an engine killed meanwhile: longest gap", gap_s, ANY_GAP_S),
        lab.most("  a sentence said meanwhile", said_s, SAID_S),
        undisturbed(lab, stage, before),
    ]


def log_closed_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """Who read the log is gone for good."""
    since_s = time.monotonic()
    stage.station.hang_up_log()
    _kill(stage, "engine-pattern")
    before = stage.pids()
    said_s = _said_s(stage, "closed")
    time.sleep(lab.seconds(5.0, 0.2))
    return [
        lab.most("log closed, an engine killed meanwhile: longest gap", worst_gap_s(stage, since_s), ANY_GAP_S),
        lab.most("  a sentence said meanwhile", said_s, SAID_S),
        undisturbed(lab, stage, before),
    ]


def wall_clock_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """The wall clock leaps an hour ahead, two back, and home, for every process of the room, redis-server included."""
    since_s, before = time.monotonic(), stage.pids()
    said_s = []
    for number, ahead_s in enumerate((3600.0, -3600.0, 0.0)):
        stage.station.preload.wall(ahead_s)
        time.sleep(lab.seconds(8.0, 0.3))  # beyond the lease's term and the life of the status
        said_s.append(_said_s(stage, f"clock{number}"))
    said = [line["utterance"] for line in stage.station.journal() if line["what"] == "aired"]
    ours = [name for name in said if name.startswith("clock")]
    return [
        lab.most("wall clock ± 1 h: longest gap", worst_gap_s(stage, since_s), ANY_GAP_S),
        lab.most("  a sentence said after each leap, the slowest", max(said_s), SAID_S),
        lab.exactly("  what was said, in order, once", ours, ["clock0", "clock1", "clock2"]),
        undisturbed(lab, stage, before),
    ]


def asleep_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """The whole machine stands still for five seconds, as a suspended one does; the supervisor wakes first."""
    main, before = stage.ingests["main"], stage.pids()
    sessions = stage.sessions("main")
    pids = [before["supervisor"], *(pid for name, pid in before.items() if name != "supervisor")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    time.sleep(ASLEEP_S)
    woken_s = time.monotonic()
    for pid in pids:
        os.kill(pid, signal.SIGCONT)
    time.sleep(lab.seconds(8.0, 4.0))
    came = [one for one in main.media(woken_s) if one.kind == "video"]
    burst = [one for one in came if one.at_s < woken_s + BURST_S]
    return [
        lab.most(f"machine asleep for {ASLEEP_S:g} s: burst when it wakes", len(burst) / FPS - BURST_S, 1.0),
        lab.most("  longest gap after it woke", longest_s(times(main), woken_s, time.monotonic()), ANY_GAP_S),
        lab.exactly("  sessions since then", stage.sessions("main") - sessions, 0),
        undisturbed(lab, stage, before),
        skew(lab, main, woken_s + 0.5),
    ]


def names_dead_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """No name can be looked up: nothing while connections stand; one that is lost comes back to the last address."""
    since_s, before = time.monotonic(), stage.pids()
    stage.station.names(alive=False)
    time.sleep(lab.seconds(10.0, 1.0))
    gap_s = worst_gap_s(stage, since_s)
    third_gap_s = longest_s(times(stage.third), since_s, time.monotonic())
    at_s = time.monotonic()
    stage.third.reset()
    again_s = back_s(stage.third, at_s)
    stage.station.names(alive=True)
    return [
        lab.most("DNS dead while connected: longest gap", max(gap_s, third_gap_s), ANY_GAP_S),
        lab.most("  a connection lost meanwhile: media again", again_s, NAMES_BACK_S),
        undisturbed(lab, stage, before),
    ]


def disk_full_on(stage: HostStage, lab: Lab) -> list[Figure]:
    """Not a byte is left under state_dir, where the journal, the queue and the speech cache are; then there is room."""
    since_s = time.monotonic()
    before = stage.pids()
    stage.station.fill_disk()
    time.sleep(lab.seconds(15.0, 2.0))
    full = stage.pids()
    playout = stage.pids()["playout"]
    killed_s = time.monotonic()
    os.kill(stage.pids()["engine-pattern"], signal.SIGKILL)
    time.sleep(lab.seconds(ENGINE_AGAIN_S + 1.0, 2.5))  # the queue is away with its disk, so nobody can be asked
    gap_s = worst_gap_s(stage, since_s)
    without_s = _without_engine_s(stage.ingests["main"], killed_s)
    freed = _recorded_bytes(stage)
    stage.station.free_disk()
    freed_s = time.monotonic()
    _said_s(stage, "roomy")
    said_s = time.monotonic() - freed_s
    until(lambda: _recorded_bytes(stage, freed) > RECORDED_BYTES, RECORDED_S * SLACK, "the recording goes on")
    recorded_s = time.monotonic() - freed_s
    return [
        lab.most("disk full: longest gap", gap_s, ANY_GAP_S),
        lab.exactly("  processes that ended while it was full", _ended(before, full), []),
        lab.most("  an engine killed meanwhile: without its pictures", without_s, ENGINE_AGAIN_S),
        lab.most("  room again: a sentence is pushed, said and settled", said_s, SAID_S),
        lab.most("  room again: the recording goes on", recorded_s, RECORDED_S),
        lab.exactly("  the same playout all along", stage.pids()["playout"] == playout, True),
    ]


# ── what was got ─────────────────────────────────────────────────────────────────────────────────


def _recorded_bytes(stage: HostStage, before: int = 0) -> int:
    """On its disk, less what was there before."""
    return sum(path.stat().st_size for path in stage.recordings()) - before


def _kill(stage: Stage, name: str) -> None:
    pid = stage.pids()[name]
    os.kill(pid, signal.SIGKILL)
    until(lambda: stage.pids().get(name, pid) != pid, 10, f"another {name}")
    until(lambda: stage.station.child(name).get("phase") in ("ready", "live"), 10, f"{name} works")


def _ended(before: dict[str, int], after: dict[str, int]) -> list[str]:
    return sorted(name for name, pid in before.items() if after.get(name) != pid)


def undisturbed(lab: Lab, stage: Stage, before: dict[str, int]) -> Figure:
    return lab.exactly("  processes that ended", _ended(before, stage.pids()), [])


def _said_s(stage: HostStage, name: str) -> float:
    """Seconds until a sentence was pushed, said and settled."""
    begun_s = time.monotonic()

    def told() -> bool:
        return name in stage.station.aired()

    def pushed() -> bool:
        with contextlib.suppress(Exception):  # the queue refuses while it is not well
            stage.station.client.say("This is said.", id=name, mode="now", lane="live")
            return True
        return False

    until(pushed, 3 * SAID_S, "the queue takes words")
    until(told, 3 * SAID_S, f"{name} is aired; log:\n{stage.station.tail()}")
    return time.monotonic() - begun_s


def worst_gap_s(stage: Stage, since_s: float) -> float:
    now_s = time.monotonic()
    return max(longest_s(times(stage.ingests[name]), since_s, now_s) for name in ("main", "second"))


def _picture_gap_s(ingest: Ingest, since_s: float) -> float:
    arrivals = [one.at_s for one in ingest.media() if one.kind == "video"]
    return longest_s(arrivals, since_s, time.monotonic())


def _without_engine_s(ingest: Ingest, since_s: float) -> float:
    """The longest time without the pattern engine's counter in the pictures that came since then."""
    publication = ingest.publications[-1]
    since_ms = next(one.ms for one in publication.media() if one.at_s >= since_s)
    longest = run = 0
    with av.open(str(publication.path)) as container:
        for frame in container.decode(video=0):
            if frame.time is not None and frame.time * 1000 >= since_ms:
                run = run + 1 if read_counter(frame.to_ndarray(format="yuv420p")) is None else 0
                longest = max(longest, run)
    return longest / FPS


def skew(lab: Lab, ingest: Ingest, since_s: float) -> Figure:
    """Sound against picture of the pattern engine, as decoded from what came since then."""
    publication = ingest.publications[-1]
    begin_s = next(one.ms for one in publication.media() if one.at_s >= since_s) / 1000
    offset_ms = av_offset_ms(publication.path, limit_s=publication.media()[-1].ms / 1000, begin_s=begin_s)
    return lab.most("  sound against picture", abs(offset_ms), AV_MS, "ms", 0)
