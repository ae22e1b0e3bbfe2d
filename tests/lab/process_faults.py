"""Rows of the chaos table: director and playout, killed and stopped. (A machine asleep: tests.lab.host_faults.)"""

from __future__ import annotations

import random
import signal
import time
from itertools import pairwise

from benchmarks.figures import Figure, percentile
from tests.avsync import av_offset_ms
from tests.lab.chaos import Lab
from tests.lab.judge import longest_s
from tests.lab.stage import SENTENCES, Stage, is_flowing, on_stage, times
from tests.listener import VOICED_RMS
from tests.recording import inspect
from tests.station import until

OTHERS_S = 0.25
APART_S = 5.2  # between kills: more than twelve a minute are a crash loop to the supervisor, which slows it down
JUDGED_S = 4.0  # after a director's kill, for the silence it made
SYNC_S = 4.0  # of each life that is searched for flash and beep
AV_MS = 40.0


def director(lab: Lab) -> list[Figure]:
    """kill −9 at random moments while a script and pushed words are spoken."""
    dice = random.Random(5)
    with on_stage() as stage:
        time.sleep(2.0)
        before, began_s = stage.pids(), time.monotonic()
        kills_s = []
        for number in range(lab.times(12, 2)):
            how = dice.choice(["append", "insert", "now"])
            stage.say(f"p{number}", dice.choices(SENTENCES, k=2), how, "live" if how == "now" else "command")
            time.sleep(dice.uniform(0.2, 1.5))
            kills_s.append(stage.kill("director"))
            time.sleep(lab.seconds(APART_S, 1.0))
        stage.wait_aired()
        ended_s = time.monotonic()
        after, skipped, account = stage.pids(), stage.skipped(), stage.account()
        sound = stage.sound()
        silent_s = [_silence_s(sound, at_s) for at_s in kills_s if at_s + 1.0 < ended_s]
        connects = [stage.sessions(name) for name in stage.ingests]
        same = {**after, "director": 0} == {**before, "director": 0}
        return [
            lab.most(
                f"director killed {len(kills_s)} times: next words, worst (median {percentile(silent_s, 0.5):.2f} s)",
                max(silent_s),
                2.0,
            ),
            lab.most("  air: longest gap at any receiver", stage.others_gap_s(began_s, ended_s), OTHERS_S),
            lab.exactly(
                "  slots missed; sessions; other processes unchanged", (skipped, set(connects), same), (0, {1}, True)
            ),
            lab.exactly(
                f"  of {len(account.heard)} sentences: lost, repeated, out of order, not whole",
                (account.lost, account.repeated, account.disordered, account.short),
                (0, 0, 0, 0),
            ),
        ]


def director_stopped(lab: Lab) -> list[Figure]:
    """SIGSTOP for good in the middle of words, after a long talk."""
    with on_stage(script=None) as stage:
        stage.say("before", SENTENCES * lab.times(3, 1))
        stage.wait_aired()
        before = stage.pids()["director"]
        stage.say("after", SENTENCES * 2)
        until(lambda: stage.station.facts("playout").get("speaking"), 20, "words are on air")
        time.sleep(1.0)
        at_s = stage.kill("director", signal.SIGSTOP)
        until(lambda: stage.pids().get("director", before) != before, 60, "another director")
        found_s = time.monotonic()
        stage.wait_aired()
        account = stage.account()
        again = [came_s for came_s, rms in stage.sound() if rms > VOICED_RMS and came_s > found_s]
        return [
            lab.most("director stopped after a long talk: found", found_s - at_s, 5.0),
            lab.most("  next words after that", again[0] - found_s, 2.0),
            lab.exactly(
                f"  of {len(account.heard)} sentences: lost, repeated, out of order",
                (account.lost, account.repeated, account.disordered),
                (0, 0, 0),
            ),
        ]


def playout(lab: Lab) -> list[Figure]:
    """kill −9, fifty times, as the healthy receivers see it."""
    gaps_s: list[float] = []
    resumed_ms: list[float] = []
    with on_stage() as stage:
        stage.say("pushed", SENTENCES)
        main, began_s = stage.ingests["main"], time.monotonic()
        before = stage.pids()
        for _ in range(lab.times(50, 3)):
            at_s = stage.kill("playout")
            time.sleep(1.0)
            until(lambda: is_flowing(main, 0.2), 30, "media again")
            again = [one for one in main.publications[-1].media() if one.at_s > at_s + 0.15]
            resumed_ms.append(again[0].ms)
            time.sleep(max(0.0, at_s + lab.seconds(APART_S, 3.5) - time.monotonic()))
            gaps_s.append(longest_s(times(main), at_s, time.monotonic()))
        stage.wait_aired()
        until(lambda: len(stage.reports()) and stage.is_well(), 30, "all is settled")
        after, account, path = stage.pids(), stage.account(), main.publications[-1].path
        sessions = {len(one.publications) for one in stage.ingests.values()}
        others = {name: pid for name, pid in before.items() if name != "playout"}
        same = others == {name: pid for name, pid in after.items() if name != "playout"}
        found = inspect(path, sound=False)
        offsets = [_offset_ms(stage, ms) for ms in resumed_ms]
        sync = [offset for offset in offsets if offset is not None]
        seconds = time.monotonic() - began_s
    p95 = percentile(gaps_s, 0.95)
    return [
        lab.most(f"playout killed {len(gaps_s)} times: media again, p95 (p50 {percentile(gaps_s, 0.5):.2f})", p95, 2.0),
        lab.most("  worst", max(gaps_s), 3.0),
        lab.exactly(
            "  sessions, decode errors, DTS monotone, other processes unchanged",
            (sessions, found.decode_errors, found.monotone, same),
            ({1}, 0, True, True),
        ),
        Figure(
            f"  sound against picture, worst of {len(sync)} lives",
            f"{max(map(abs, sync)):.0f} ms",
            f"≤ {AV_MS:g} ms",
            max(map(abs, sync)) <= AV_MS,
        ),
        lab.exactly(
            f"  of {len(account.heard)} sentences in {seconds:.0f} s: lost, repeated, out of order",
            (account.lost, account.repeated, account.disordered),
            (0, 0, 0),
        ),
    ]


def stopped(lab: Lab) -> list[Figure]:
    """SIGSTOP for good: the supervisor has to find out."""
    gaps_s = []
    stage = lab.stage()
    main = stage.ingests["main"]
    for _ in range(lab.times(3, 1)):
        time.sleep(lab.seconds(APART_S, 1.0))
        at_s = stage.kill("playout", signal.SIGSTOP)
        time.sleep(1.0)
        until(lambda: is_flowing(main, 0.2), 40, "media again")
        time.sleep(0.5)
        gaps_s.append(longest_s(times(main), at_s, time.monotonic()))
    return [lab.most(f"playout stopped: media again, worst of {len(gaps_s)}", max(gaps_s), 13.0)]


def _silence_s(sound: list[tuple[float, float]], since_s: float) -> float:
    """The longest wait between two voiced frames in the seconds after a kill."""
    until_s = min(since_s + JUDGED_S, sound[-1][0])
    voiced = [at_s for at_s, rms in sound if rms > VOICED_RMS and since_s < at_s < until_s]
    return max(after - before for before, after in pairwise([since_s, *voiced, until_s]))


def _offset_ms(stage: Stage, from_ms: float) -> float | None:
    """Sound against picture in the seconds from a time stamp on; None where nothing flashes."""
    path = stage.ingests["main"].publications[-1].path
    begin_s = from_ms / 1000 + 0.5
    try:
        return av_offset_ms(path, begin_s=begin_s, limit_s=begin_s + SYNC_S)
    except ValueError:
        return None
