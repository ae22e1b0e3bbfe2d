"""`python -m tests.lab soak [--minutes 60] [--seed 1]`: a room on air while faults come at random.

One of three receivers is broken again and again, and so are engine, director, voice, queue and preview, at the times
that a seed gives; playout is left alone. Words are pushed meanwhile. Judged: what the healthy two receivers got, what
the processes held, what was said. Written: figures, schedule and samples as JSON, and plots.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import shutil
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import structlog

from benchmarks.figures import Figure, machine
from broadcaster.config import load
from pipeline.errors import RedisDown
from pipeline.wire import Report
from tests.account import Account
from tests.avsync import av_offset_ms
from tests.lab import page, plots, schedule
from tests.lab.census import Census, Count, standbys
from tests.lab.chaos import show
from tests.lab.judge import Gap, availability, gaps, growth, slope_per_hour
from tests.lab.saboteur import Saboteur
from tests.lab.stage import HEALTHY, SENTENCES, THIRD, Stage, times
from tests.station import until

AVAILABLE = 0.9995
GAP_S = 2.0
SLOPE_MB_H = 1.0
AV_MS = 20.0
SAMPLE_S = 5.0
WARM_SHARE, WARM_MAX_S = 1 / 6, 600.0  # of the soak, before memory is judged
MUTE_S = 30.0  # a voice that hangs, a director found, and the time-outs of both; the script never ends
PLOTTED_GAP_S = 0.1
STANDBY_S = 30.0
AGAIN_S = 0.2  # between tries to push while the queue is away
BACK_S = 20.0  # of the recording that is searched for flash and beep at once
STRETCHES = 10  # so many are searched, from the end backwards
BITRATE_KBPS = 600  # an hour of it is 0.3 GB a receiver


@dataclass
class Outcome:
    """All that was seen. Times: seconds since the beginning."""

    seconds: float
    faults: list[schedule.Fault]
    missed: list[schedule.Fault]
    gaps: dict[str, list[Gap]]  #: by receiver, those beyond PLOTTED_GAP_S
    counts: list[Count]
    before: dict[str, Count]  #: at rest
    after: dict[str, Count]
    skipped: int
    av_offset_ms: float | None
    mute_s: float  #: longest, between two sentences that were heard
    account: Account
    figures: list[Figure] = field(default_factory=list)


def run(seconds: float, faults: list[schedule.Fault], words: list[schedule.Words], **config: Any) -> Outcome:
    """So long on air; the faults' and the words' times count from when the room is at rest."""
    config.setdefault("encoder", {"bitrate_kbps": BITRATE_KBPS})
    with Stage(voice={"chain": ["faulty", "espeak"], "name": "en"}, **config) as stage:
        stage.wait_well()
        stage.kill("engine-faulty")  # what playout starts on the first death of an engine is there from now on
        time.sleep(1.0)
        stage.wait_well()
        _wait_standbys(stage)
        began_s = time.monotonic()
        speaker = threading.Thread(target=_speak, args=(stage, words, began_s), daemon=True)
        with Census(stage.pids()["supervisor"], SAMPLE_S) as census:
            before = census.now()
            speaker.start()
            saboteur = Saboteur(stage)
            saboteur.run(faults, began_s)
            time.sleep(max(0.0, began_s + seconds - time.monotonic()))
            _wait_standbys(stage)
            after = census.now()
        ended_s = time.monotonic()
        speaker.join(60)
        stage.wait_well()
        stage.wait_aired(180)
        received = {
            name: gaps(times(ingest), began_s, ended_s, PLOTTED_GAP_S) for name, ingest in stage.ingests.items()
        }
        return Outcome(
            ended_s - began_s,
            faults,
            saboteur.missed,
            received,
            [_since(one, began_s) for one in census.counts],
            before,
            after,
            stage.skipped(),
            _av_offset_ms(stage),
            _mute_s(stage.reports()),
            stage.account(),
        )


def _wait_standbys(stage: Stage) -> None:
    """Part of being at rest: the supervisor holds a line to each, and one comes seconds after a death."""
    if load(stage.station.config_path).standby:
        supervisor = stage.pids()["supervisor"]
        until(lambda: {"director", "playout"} <= set(standbys(supervisor)), STANDBY_S, "two processes stand by")


def judged(outcome: Outcome) -> list[Figure]:
    """The bars of a soak."""
    figures = []
    for name in HEALTHY:
        share = availability([gap for gap in outcome.gaps[name] if gap.seconds > 0.25], outcome.seconds)
        longest_s = max((gap.seconds for gap in outcome.gaps[name]), default=0.0)
        figures.append(
            Figure(f"{name}: availability", f"{100 * share:.3f} %", f"≥ {100 * AVAILABLE:.2f} %", share >= AVAILABLE)
        )
        figures.append(Figure("  longest gap", f"{longest_s:.2f} s", f"≤ {GAP_S:g} s", longest_s <= GAP_S))
    broken = availability([gap for gap in outcome.gaps[THIRD] if gap.seconds > 0.25], outcome.seconds)
    figures.append(Figure(f"{THIRD} (broken on purpose): availability", f"{100 * broken:.1f} %"))
    figures.append(Figure("slots missed", str(outcome.skipped), "0", outcome.skipped == 0))
    figures += [_memory(name, outcome) for name in _lasting(outcome)]
    figures += [_held(outcome)]
    offset = outcome.av_offset_ms
    figures.append(
        Figure(
            "sound against picture at the end",
            "nothing flashed" if offset is None else f"{offset:+.0f} ms",
            f"≤ {AV_MS:g} ms",
            offset is not None and abs(offset) <= AV_MS,
        )
    )
    mute_s = outcome.mute_s
    figures.append(
        Figure("longest wait between two sentences heard", f"{mute_s:.1f} s", f"≤ {MUTE_S:g} s", mute_s <= MUTE_S)
    )
    account = outcome.account
    words = (account.lost, account.repeated, account.disordered)
    figures.append(
        Figure(
            f"of {len(account.heard)} sentences: lost, repeated, out of order", str(words), "(0, 0, 0)", not any(words)
        )
    )
    told = (account.untold, account.told_twice)
    figures.append(Figure("  pushed words: not told, told twice", str(told), "(0, 0)", not any(told)))
    return figures


def _memory(name: str, outcome: Outcome) -> Figure:
    used = [one for one in outcome.counts if (one.name, one.pid) == (name, outcome.after[name].pid)]
    warm = [one for one in used if one.at_s > min(WARM_MAX_S, outcome.seconds * WARM_SHARE)]
    at_s, mb = [one.at_s for one in warm], [one.rss_mb for one in warm]
    slope = slope_per_hour(at_s, mb)
    grown = f"{growth(at_s, mb):+.1f} of {mb[-1] if mb else 0:.0f} MB"
    if slope is None:
        return Figure(f"memory of {name}", f"{grown}; too short for a slope")
    return Figure(f"memory of {name}", f"{slope:+.2f} MB/h; {grown}", f"≤ {SLOPE_MB_H:g} MB/h", slope <= SLOPE_MB_H)


def _held(outcome: Outcome) -> Figure:
    changed = []
    for name in _lasting(outcome):
        before, after = outcome.before[name], outcome.after[name]
        if (before.descriptors, before.threads) != (after.descriptors, after.threads):
            changed.append(f"{name}: {before.descriptors}, {before.threads} → {after.descriptors}, {after.threads}")
    return Figure(
        "descriptors and threads, at rest before and after", "; ".join(changed) or "same", "same", not changed
    )


def _lasting(outcome: Outcome) -> list[str]:
    """Processes that lived through all of it."""
    return [
        name for name, one in outcome.before.items() if name in outcome.after and outcome.after[name].pid == one.pid
    ]


def _since(one: Count, began_s: float) -> Count:
    return Count(one.at_s - began_s, one.name, one.pid, one.rss_mb, one.descriptors, one.threads)


def _speak(stage: Stage, plan: Sequence[schedule.Words], began_s: float) -> None:
    """Push words at their times; while the queue is away, until it takes them."""
    for words in plan:
        time.sleep(max(0.0, began_s + words.at_s - time.monotonic()))
        texts = [SENTENCES[number] for number in words.sentences]
        while True:
            with contextlib.suppress(RedisDown):
                stage.say(words.name, texts, words.how, "live" if words.how == "now" else "command")
                break
            time.sleep(AGAIN_S)


def _av_offset_ms(stage: Stage) -> float | None:
    """Of the last stretch in which the engine's pictures flash: another engine may stand in at the very end."""
    publication = stage.ingests[HEALTHY[0]].publications[-1]
    end_s = publication.media()[-1].ms / 1000
    for number in range(STRETCHES):
        until_s = end_s - number * BACK_S
        with contextlib.suppress(ValueError):
            return av_offset_ms(publication.path, limit_s=until_s, begin_s=max(0.0, until_s - BACK_S))
        if until_s <= BACK_S:
            break
    return None


def _mute_s(reports: Sequence[Report]) -> float:
    """The longest time in which no sentence was heard to its end."""
    heard_s = [report.wall_s for report in reports if report.what == "sentence_aired"]
    return max((after - before for before, after in pairwise(heard_s)), default=float("inf"))


def keep(out: Path, head: str, seed: int, outcome: Outcome) -> Path:
    """Everything as JSON, the table as Markdown, and the plots, in a directory of its own."""
    directory = out / f"soak-{time.strftime('%Y%m%d-%H%M%S')}-seed{seed}"
    directory.mkdir(parents=True)
    told: dict[str, Any] = {
        "head": head,
        "seed": seed,
        "seconds": outcome.seconds,
        "figures": [asdict(figure) for figure in outcome.figures],
        "faults": [asdict(fault) for fault in outcome.faults],
        "missed": [asdict(fault) for fault in outcome.missed],
        "gaps": {name: [asdict(gap) for gap in found] for name, found in outcome.gaps.items()},
        "counts": [asdict(one) for one in outcome.counts],
    }
    (directory / "soak.json").write_text(json.dumps(told, ensure_ascii=False))
    rows = [f"| {figure.name} | {figure.bar} | {figure.reached} |" for figure in outcome.figures]
    table = [head, "", "| | bar | reached |", "|---|---|---|", *rows]
    (directory / "soak.md").write_text("\n".join(table) + "\n")
    plots.draw(directory, outcome.gaps, outcome.counts, outcome.faults)
    return directory


def _publish(path: Path, head: str, outcome: Outcome, directory: Path) -> None:
    """Table and plots into a page; the plots beside it."""
    names = []
    for plot in sorted(directory.glob("*.png")):
        names.append(f"soak-{plot.name}")
        shutil.copyfile(plot, path.parent / names[-1])
    path.write_text(page.with_soak(path.read_text(), head, outcome.figures, names))


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.lab soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=1, help="the same seed gives the same faults at the same times")
    parser.add_argument("--out", type=Path, default=Path("out"))
    parser.add_argument("--doc", type=Path, help="a page that gets table and plots: docs/reliability.md")
    given = parser.parse_args(arguments)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    head = f"{machine()}, {time.strftime('%Y-%m-%d')}, {given.minutes:g} min, seed {given.seed}"
    print(head, flush=True)
    seconds = given.minutes * 60
    words = schedule.words(given.seed, seconds, len(SENTENCES))
    outcome = run(seconds, schedule.faults(given.seed, seconds), words, seed=given.seed)
    outcome.figures = judged(outcome)
    show(f"soak, {len(outcome.faults)} faults", outcome.figures)
    directory = keep(given.out, head, given.seed, outcome)
    print(f"written: {directory}")
    if given.doc is not None:
        _publish(given.doc, head, outcome, directory)
    return 1 if any(figure.met is False for figure in outcome.figures) else 0
