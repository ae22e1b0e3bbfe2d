"""Rows of the chaos table: what only a look at the air tells. A platform that shows nothing, a picture, a sound.

All beats and every byte is taken; the alarm is what counts, and what is done about it. Alarms are read in the log.
"""

from __future__ import annotations

import socket
import time
from typing import Any

from benchmarks.figures import Figure
from broadcaster.monitor.playback import LOOK_S
from tests.lab.chaos import Lab
from tests.lab.stage import THIRD, Stage
from tests.lab.toxics import Toxics
from tests.listener import VOICED_RMS
from tests.station import until

FAR_END_S = 60.0
FREEZE_S, BLACK_S, SILENCE_S = 10.0, 3.0, 15.0  # of it, before it is an alarm
TOLD_S = 4.0  # from then to the alarm: buffers, the probe's next look, the next status
MENDED_S = 30.0
OTHERS_S = 0.25
KEPT_S = 2.0  # sessions over a playout that is started anew


def far_end(lab: Lab) -> list[Figure]:
    """F22: the ingest takes all, the playback shows it no more. It refuses; then it hangs: the longest to tell."""
    page = _free_port()
    with Toxics(page) as platform:
        playback = {THIRD: f"http://127.0.0.1:{platform.port}/live.flv"}
        looks = {"every_s": lab.seconds(20.0, 5.0), "settle_s": 0.0}
        with Stage(control={"listen": f"127.0.0.1:{page}"}, alarms={"playback": playback, **looks}) as stage:
            stage.wait_well()
            until(lambda: platform.connections, 60, "somebody looks")
            time.sleep(LOOK_S)  # and has seen it play
            began_s, refused_s = time.monotonic(), 0.0
            told_s = []
            for ended in [{"refusing": True}, {"hang": True}][: lab.times(2, 1)]:
                at_s = time.monotonic()
                platform.set(**ended)
                platform.reset()
                told_s.append(_raised_s(stage, "off_air_far_end", at_s, 2 * FAR_END_S))
                platform.set(**dict.fromkeys(ended, False))
                platform.reset()
                refused_s = _cleared_s(stage, "off_air_far_end", 2 * FAR_END_S)
            return [
                lab.most(f"the platform ended the broadcast: alarm, worst of {len(told_s)}", max(told_s), FAR_END_S),
                Figure("  its playback works again: alarm cleared", f"{refused_s:.1f} s"),
                lab.exactly("  that output connects anew, times", stage.sessions(THIRD) - 1, 1),
                lab.most("  the others: longest gap", stage.others_gap_s(began_s), OTHERS_S),
            ]


def seen(lab: Lab) -> list[Figure]:
    """An engine that makes one picture again and again, one that makes black ones, a voice that never answers."""
    voice = {"chain": ["faulty"], "name": "en", "timeout_s": 60, "cache_mb": 0}
    with Stage(voice=voice) as stage:
        stage.wait_well()
        began_s, skipped = time.monotonic(), stage.skipped()
        at_s = _order(stage, still=True)
        frozen_s = _raised_s(stage, "frozen", at_s, 60)
        mended_s = _cleared_s(stage, "frozen", 60)
        figures = [
            lab.most("the engine's picture stands still: alarm", frozen_s, FREEZE_S + TOLD_S),
            lab.most("  another engine draws, and the alarm is cleared", mended_s, MENDED_S),
            lab.exactly("  slots missed; sessions", (stage.skipped() - skipped, stage.sessions("main")), (0, 1)),
            lab.most("  longest gap of media", stage.others_gap_s(began_s), OTHERS_S),
        ]
        if lab.short:
            return figures
        time.sleep(10.0)
        began_s = at_s = _order(stage, black=True)
        black_s = _raised_s(stage, "black", at_s, 60)
        mended_s = _cleared_s(stage, "black", 150)
        figures += [
            lab.most("the engine's pictures are black: alarm", black_s, BLACK_S + TOLD_S),
            Figure("  cleared, after playout (no help) and, a minute later, the engine", f"{mended_s:.1f} s"),
            lab.exactly("  sessions", stage.sessions("main"), 1),
            lab.most("  longest gap of media", stage.others_gap_s(began_s), KEPT_S),
        ]
        stage.station.order("voice", hang=True)
        silence_s = _silence_at_alarm_s(stage)
        until(lambda: _count(stage, "child.recycled", child="director") == 1, 30, "another director")
        stage.station.order("voice")
        mended_s = _cleared_s(stage, "silent", 120)
        return [
            *figures,
            lab.most("words are due and no voice answers: silence at the alarm", silence_s, SILENCE_S + TOLD_S),
            Figure("  the voice answers again: cleared", f"{mended_s:.1f} s"),
        ]


def _order(stage: Stage, **faults: Any) -> float:
    """Have the engine that draws now fail, and none that comes after it."""
    stage.station.order("engine", **faults, only=[stage.pids()["engine-faulty"]])
    return time.monotonic()


def _raised_s(stage: Stage, alarm: str, since_s: float, within_s: float) -> float:
    before = _count(stage, "alarm.cleared", alarm=alarm)
    until(lambda: _count(stage, "alarm.raised", alarm=alarm) > before, within_s, f"{alarm} is raised")
    return time.monotonic() - since_s


def _cleared_s(stage: Stage, alarm: str, within_s: float) -> float:
    at_s, raised = time.monotonic(), _count(stage, "alarm.raised", alarm=alarm)
    until(lambda: _count(stage, "alarm.cleared", alarm=alarm) == raised, within_s, f"{alarm} is cleared")
    return time.monotonic() - at_s


def _silence_at_alarm_s(stage: Stage) -> float:
    """How long it had been silent, by the sound that a receiver got."""
    until(lambda: _count(stage, "alarm.raised", alarm="silent"), 90, "silent is raised")
    at_s = time.monotonic()
    voiced = [came_s for came_s, rms in stage.sound() if rms > VOICED_RMS]
    return at_s - max(voiced)


def _count(stage: Stage, event: str, **fields: str) -> int:
    lines = stage.station.log()
    return sum(line.get("event") == event and all(line.get(k) == v for k, v in fields.items()) for line in lines)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
