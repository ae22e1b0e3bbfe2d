"""Rows of the chaos table: engines that are killed, hung, stopped, too slow, out of memory, or without their card.

Speech and pictures are judged by what the healthy receivers got; when a process was gone, by the kernel; when its
fault was found, by the supervisor's own line. Portrait rooms say how soon it speaks again, pattern rooms whether the
pose (its counter) went on.
"""

from __future__ import annotations

import contextlib
import datetime
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.figures import Figure
from pipeline.engines.pattern import HOP_FRAMES, read_counter
from tests.lab.chaos import Lab
from tests.lab.room import LabStation
from tests.lab.stage import SENTENCES, Stage, on_stage
from tests.listener import VOICED_RMS
from tests.station import until

OTHERS_S, GONE_S, SEEN_S, SPEAKS_S = 0.25, 1.0, 4.0, 2.0  # the bars
HASTE_S = 6.0  # in the place of the minutes of a trial
LONG_S = 90.0  # torch in two processes, on a busy machine
LOST = 3 * HOP_FRAMES  # counters: a segment that was made and not seen or not saved, and a fade
PORTRAIT = {"engine": "faulty-portrait", "size": [448, 768], "tiers": [{"size": [336, 576]}, {"size": [224, 384]}]}
WORDS = [" ".join(SENTENCES * 8)]  # two minutes without a stop
PAUSE_S = 0.6  # between sentences at most: silence beyond it is the fault's
FACE = slice(15, 65)  # per cent of the rows: between the label and the subtitles, whose coming is no jump
JUMP = 4.0  # mean change of luma there; motion makes 1, cross-fades 2, and a leap from pose to pose 8 and more


class Hasty(LabStation):
    haste_s = HASTE_S


class Ranked(LabStation):
    """A room of two ranks."""

    haste_s = HASTE_S

    def ranks(self) -> list[int]:
        return [rank["pid"] for rank in self.child("engine-ranked").get("ranks", [])]


@contextlib.contextmanager
def hasty_stage(**config: Any) -> Iterator[Stage]:
    """A stage whose tiers are tried again in seconds."""
    station_type, Stage.station_type = Stage.station_type, config.pop("station_type", Hasty)
    try:
        with Stage(**config) as stage:
            stage.wait_well(timeout_s=LONG_S)
            yield stage
    finally:
        Stage.station_type = station_type


def engine(lab: Lab) -> list[Figure]:
    """kill −9 and hang, of the portrait engine and of the pattern."""
    found = []
    with on_stage(avatar={**PORTRAIT, "tiers": []}, script=None) as stage:
        stage.say("long", WORDS)
        time.sleep(4.0)
        for name, deed, times in (("killed", _kill, 5), ("hung", _hang, 2), ("stopped", _stop, 2)):
            hit = [_hit(stage, deed) for _ in range(lab.times(times, 1))]
            found += _found(lab, f"engine {name} {len(hit)} times", stage, hit)
    with on_stage(avatar={"engine": "faulty", "size": [192, 320], "tiers": []}, script=None) as stage:
        stage.say("long", WORDS)
        time.sleep(2.0)
        for _ in range(lab.times(3, 1)):
            _hit(stage, _kill)
        found.append(lab.exactly("  pose: steps back or leaps of the pattern", leaps(counters(got(stage))), []))
    return found


def rank(lab: Lab) -> list[Figure]:
    """A rank of two is killed, and one is stopped: all go, and come back together where they were."""
    found = []
    with ranked_stage() as (stage, _):
        stage.say("long", WORDS)
        time.sleep(2.0)
        for name, which, number in (
            ("a rank killed", 1, signal.SIGKILL),
            ("rank 0 killed", 0, signal.SIGKILL),
            ("a rank stopped", 1, signal.SIGSTOP),
        ):
            hit = _hit(stage, lambda stage, which=which, number=number: _at_rank(stage, which, number), LONG_S)
            found += _found(lab, name, stage, [hit], speaks=False)
        found.append(lab.exactly("  pose: steps back or leaps of the pattern", leaps(counters(got(stage))), []))
    return found


def card(lab: Lab) -> list[Figure]:
    """Two ranks lose a card: one works in their place at once, and both again when the card is back."""
    with ranked_stage() as (stage, weights):
        lost = weights / "lost"
        stage.say("long", WORDS)
        skipped, began_s = stage.skipped(), time.monotonic()
        lost.write_text("2")
        os.kill(stage.station.ranks()[1], signal.SIGKILL)  # type: ignore[attr-defined]
        down_s = wait_tier(stage, "ranked-1", began_s, LONG_S)
        why = stage.station.status()["tier"].get("why")
        lost.unlink()
        up_s = wait_tier(stage, "ranked", time.monotonic(), LONG_S)
        steps = lowered(stage)
        skipped = stage.skipped() - skipped
        gap_s = stage.others_gap_s(began_s)
        back = [pair for pair in pairwise(counters(got(stage))) if pair[1] < pair[0] - LOST]
    return [
        lab.exactly(
            "a card of two is lost: stepped down to, because",
            (steps[:1], why),
            ([("engine-ranked", "engine-ranked-1")], "a card is lost"),
        ),
        Figure("  one rank works; two again after the card is back", f"{down_s:.1f} s, {up_s:.1f} s"),
        lab.exactly("  slots missed; tiers that began anew", (skipped, back), (0, [])),
        lab.most("  air: longest gap at any receiver", gap_s, OTHERS_S),
    ]


def ladder(lab: Lab) -> list[Figure]:
    """The portrait engine at three sizes: too slow, out of memory, and well again."""
    with hasty_stage(avatar=PORTRAIT, script=None) as stage:
        stage.say("long", WORDS)
        time.sleep(3.0)
        skipped, began_s, first = stage.skipped(), time.monotonic(), pictures(stage)
        stage.station.order("engine", slow_factor=1.5, above_px=200_000)
        slow_s = wait_tier(stage, "faulty-portrait-336x576", began_s)
        why = stage.station.status()["tier"].get("why")
        until(lambda: len(lowered(stage)) >= 2, 40, "a trial that fails")
        stage.station.order("engine", oom=True, above_px=100_000)
        at_s = time.monotonic()
        memory_s = wait_tier(stage, "faulty-portrait-224x384", at_s)
        time.sleep(2.0)
        stage.station.order("engine")
        up_s = wait_tier(stage, "faulty-portrait", time.monotonic(), 60)
        until(lambda: len(_engines(stage)) == 1, 40, "the lower tiers leave")
        time.sleep(1.0)
        steps, waits = lowered(stage), [line["again_in_s"] for line in says(stage, "tier.lowered")]
        skipped = stage.skipped() - skipped
        gap_s = stage.others_gap_s(began_s)
        change = changes(got(stage))[first:]
        stage.wait_aired(180)
        spoken = [report.sentence for report in stage.reports() if report.what == "sentence_aired"]
    top, middle, small = "engine-faulty-portrait", "engine-faulty-portrait-336x576", "engine-faulty-portrait-224x384"
    allowed = [(top, middle), (top, middle), (middle, small)]
    return [
        lab.most("too slow (1.5): the next tier is on air", slow_s, 12.0),
        lab.most("out of memory: the next tier is on air", memory_s, 6.0),
        Figure("  well again: the room's own tier is on air", f"{up_s:.1f} s"),
        lab.exactly(
            "  why; tiers in this order",
            (why, [(a[len(top) :], b[len(top) :]) for a, b in steps if (a, b) in allowed][:3]),
            ("too slow", [(a[len(top) :], b[len(top) :]) for a, b in allowed]),
        ),
        lab.exactly("  each trial that fails doubles the wait", waits[1], 2 * waits[0]),
        lab.exactly("  slots missed", skipped, 0),
        lab.most("  air: longest gap at any receiver", gap_s, OTHERS_S),
        lab.most("  largest change from one picture to the next (mean luma)", max(change), JUMP, ""),
        lab.exactly(
            f"  {len(set(spoken))} sentences spoken, each once and in order",
            spoken == list(range(len(SENTENCES) * 8)),
            True,
        ),
    ]


def _engines(stage: Stage) -> list[str]:
    return [name for name, child in stage.station.status().get("children", {}).items() if child["kind"] == "engine"]


# ── faults ───────────────────────────────────────────────────────────────────────────────────────


class Hit:
    """One fault: when, and what came of it, in seconds after it."""

    def __init__(self, at_s: float, wall_s: float, old: list[int]) -> None:
        self.at_s, self.wall_s, self.old = at_s, wall_s, old
        self.seen_s = self.gone_s = self.back_s = 0.0


def _hit(stage: Stage, deed: Callable[[Stage], list[int]], timeout_s: float = 30.0) -> Hit:
    """Do it, and wait until other processes work in its place and are on air."""
    hit = Hit(time.monotonic(), time.time(), [])
    hit.old = deed(stage)
    until(lambda: not any(_lives(pid) for pid in hit.old), timeout_s, "it is gone")
    hit.gone_s = time.monotonic() - hit.at_s
    stage.station.order("engine")
    name = next(iter(_engines(stage)), "")
    until(lambda: _is_new(stage, hit.old), timeout_s, f"another {name}; log:\n{stage.station.tail()}")
    stage.wait_well(timeout_s=timeout_s)
    found = [*says(stage, "child.hung"), *says(stage, "gang.broken"), *says(stage, "child.died")]
    hit.seen_s = min((at for line in found if (at := _wall_s(line) - hit.wall_s) >= 0), default=hit.gone_s)
    time.sleep(SPEAKS_S + 2.0)
    return hit


def _kill(stage: Stage) -> list[int]:
    return _signalled(stage, signal.SIGKILL)


def _stop(stage: Stage) -> list[int]:
    return _signalled(stage, signal.SIGSTOP)


def _signalled(stage: Stage, number: int) -> list[int]:
    name = next(name for name in stage.pids() if name.startswith("engine-"))
    pid = stage.pids()[name]
    os.kill(pid, number)
    return [pid]


def _hang(stage: Stage) -> list[int]:
    pid = next(pid for name, pid in stage.pids().items() if name.startswith("engine-"))
    stage.station.order("engine", hang=True, only=[pid])
    return [pid]


def _at_rank(stage: Stage, which: int, number: int) -> list[int]:
    ranks: list[int] = stage.station.ranks()  # type: ignore[attr-defined]
    os.kill(ranks[which], number)
    return ranks


def _is_new(stage: Stage, old: list[int]) -> bool:
    children = stage.station.status().get("children", {})
    ready = [child for child in children.values() if child["kind"] == "engine" and child["phase"] == "ready"]
    return any(child["pid"] not in old for child in ready)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


# ── what came of it ──────────────────────────────────────────────────────────────────────────────


def _found(lab: Lab, name: str, stage: Stage, hits: list[Hit], speaks: bool = True) -> list[Figure]:
    """The figures of a fault that was done so often."""
    sound = stage.sound()
    ended_s = time.monotonic()
    figures = [
        lab.most(f"{name}: found after, worst", max(hit.seen_s for hit in hits), SEEN_S),
        lab.most("  all its processes gone after that, worst", max(hit.gone_s - hit.seen_s for hit in hits), GONE_S),
    ]
    silent_s = [spoke_again_s(sound, hit.at_s + hit.gone_s) for hit in hits]
    line = f"  speaking again after they were gone, worst (all: {', '.join(f'{one:.2f}' for one in silent_s)})"
    figures.append(lab.most(line, max(silent_s), SPEAKS_S) if speaks else Figure(line, f"{max(silent_s):.2f} s"))
    figures.append(lab.exactly("  slots missed", stage.skipped(), 0))
    figures.append(lab.most("  air: longest gap at any receiver", stage.others_gap_s(hits[0].at_s, ended_s), OTHERS_S))
    return figures


def spoke_again_s(sound: list[tuple[float, float]], since_s: float) -> float:
    """When the silence that a fault makes ends, after this moment; 0 when there is none that is longer than a pause."""
    voiced = [at_s for at_s, rms in sound if rms > VOICED_RMS]
    gaps = [(a, b) for a, b in pairwise(voiced) if b > since_s and b - a > PAUSE_S]
    return max(0.0, gaps[0][1] - since_s) if gaps else 0.0


def got(stage: Stage) -> Path:
    """What the healthy receiver wrote of its last session."""
    return stage.ingests["main"].publications[-1].path


def pictures(stage: Stage) -> int:
    """How many a receiver has got in this session."""
    return sum(one.kind == "video" for one in stage.ingests["main"].publications[-1].media())


def counters(path: Path) -> list[int]:
    """The pattern's counters that a receiver saw, in order; fades and the hold loop have none."""
    found = []
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        for frame in container.decode(video=0):
            counter = read_counter(frame.to_ndarray(format="yuv420p"))
            if counter is not None:
                found.append(counter)
    return found


def changes(path: Path) -> list[float]:
    """How much each picture that a receiver got differs from the one before: mean change of luma about the face."""
    found, last = [], None
    with av.open(str(path)) as container, contextlib.suppress(av.FFmpegError):
        for frame in container.decode(video=0):
            rows = slice(frame.height * FACE.start // 100, frame.height * FACE.stop // 100, 2)
            face = frame.to_ndarray(format="yuv420p")[rows, ::2].astype(np.int16)
            found.append(0.0 if last is None else float(np.abs(face - last).mean()))
            last = face
    return found


def leaps(seen: list[int]) -> list[tuple[int, int]]:
    """Where the pattern did not go on from where it was."""
    return [(a, b) for a, b in pairwise(seen) if not -LOST <= b - a <= LOST]


def says(stage: Stage, event: str) -> list[dict[str, Any]]:
    return [line for line in stage.station.log() if line["event"] == event]


def lowered(stage: Stage) -> list[tuple[str, str]]:
    """Which tier was stepped down from, and to which, in order."""
    return [(line["child"], line["to"]) for line in says(stage, "tier.lowered")]


def wait_tier(stage: Stage, name: str, since_s: float, timeout_s: float = 40.0) -> float:
    """Seconds until a tier's pictures are on air."""
    station = stage.station
    until(
        lambda: station.status().get("tier", {}).get("on_air") == name and station.facts("playout")["source"] == "live",
        timeout_s,
        f"{name} is on air; log:\n{station.tail()}",
    )
    return time.monotonic() - since_s


@contextlib.contextmanager
def ranked_stage() -> Iterator[tuple[Stage, Path]]:
    """A room of two ranks, as real as those of a network, that draw the pattern; and where their weights are."""
    with tempfile.TemporaryDirectory(prefix="w") as directory:
        avatar = {"engine": "ranked", "weights": directory, "ranks": 2, "device": "cpu", "size": [256, 384]}
        with hasty_stage(station_type=Ranked, avatar=avatar, script=None) as stage:
            yield stage, Path(directory)


def _wall_s(line: dict[str, Any]) -> float:
    return datetime.datetime.fromisoformat(line["timestamp"]).timestamp()
