"""Rows of the chaos table: outputs that come, go and change while others are watched, and an upgrade on air."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from pathlib import Path

import yaml

from benchmarks.figures import Figure, percentile
from broadcaster import orders
from broadcaster.config import load
from pipeline.wire import ChangeOutput, Reload, Upgrade
from tests.lab.chaos import Lab
from tests.lab.judge import longest_s
from tests.lab.stage import HEALTHY, SENTENCES, THIRD, Stage, is_flowing, on_stage, times
from tests.recording import Recording
from tests.station import until

OTHERS_S = 0.25
CHANGES = 1000
SHORT_CHANGES = 12
PAUSE_S = 0.4  # at the most, between two changes: pushers meet every stage of their start
ANSWER_S = 20.0
UPGRADE_GAP_S = 2.0
SPARE = "spare"  # comes and goes
FILED = "filed"  # the same, by the file
FILE_SHARE = 0.1  # of all changes: a reload tries pictures and voices as well


def hot_changes(lab: Lab) -> list[Figure]:
    """add, refresh-url and remove, again and again."""
    with on_stage() as stage:
        return change_outputs(lab, stage, lab.times(CHANGES, SHORT_CHANGES))


def change_outputs(lab: Lab, stage: Stage, count: int, seed: int = 11) -> list[Figure]:
    """So many changes to one output and to another that comes and goes; all is judged at the others."""
    dice = random.Random(seed)
    directory, began_s = runtime_dir(stage), time.monotonic()
    before, starts = stage.pids(), _starts(stage)
    sessions = {name: stage.sessions(name) for name in HEALTHY}
    kept, took_s = stage.station.config_path.read_text(), []
    is_there = False
    for number in range(count):
        change = _next(dice, stage, number, is_there)
        if isinstance(change, ChangeOutput) and change.name == SPARE and change.what != "url":
            is_there = change.what == "add"
        asked_s = time.monotonic()
        answer = orders.give(directory, change, ANSWER_S)
        assert answer.done, answer.lines
        took_s.append(time.monotonic() - asked_s)
        time.sleep(dice.uniform(0.0, PAUSE_S))
    ended_s = time.monotonic()
    orders.give(directory, ChangeOutput("restore", ""), ANSWER_S)
    stage.station.config_path.write_text(kept)
    orders.give(directory, Reload(), ANSWER_S)
    until(lambda: pushes(stage, f"key-{THIRD}"), 20, "the changed output is what it was, and alone")
    until(
        lambda: set(stage.station.facts("playout").get("outputs", {})) == set(stage.ingests), 20, "the others are gone"
    )
    skipped = stage.skipped()
    return [
        lab.most(
            f"{count} outputs changed on air: longest gap at the others", stage.others_gap_s(began_s, ended_s), OTHERS_S
        ),
        lab.exactly(
            "  others: sessions begun, processes that changed, slots missed",
            (sum(stage.sessions(name) - sessions[name] for name in HEALTHY), _touched(stage, before, starts), skipped),
            (0, [], 0),
        ),
        lab.most("  from the order to its answer, p50", percentile(took_s, 0.5), 0.5),
        lab.most("  two sessions of one key at once, most", stage.third.sessions_at_once(), 1, "", 0),
    ]


def upgrade(lab: Lab) -> list[Figure]:
    """Director, engine and playout replaced while a script and pushed words are spoken."""
    with on_stage() as stage:
        return upgraded(lab, stage)


def upgraded(lab: Lab, stage: Stage, outputs: bool = False) -> list[Figure]:
    said: list[str] = []
    before, sessions = stage.pids(), {name: stage.sessions(name) for name in stage.ingests}
    stage.say("before", SENTENCES[: lab.times(3, 2)])
    until(lambda: stage.station.facts("playout").get("speaking"), 20, "words are on air")
    slates, began_s = _slates(stage), time.monotonic()
    answer = orders.give(runtime_dir(stage), Upgrade(outputs), orders.STEP_WAIT_S, lambda one: said.extend(one.lines))
    assert answer.done, (said, answer.lines)
    ended_s = time.monotonic()
    stage.say("after", SENTENCES[: lab.times(3, 1)], "insert")
    stage.wait_aired()
    time.sleep(1.0)
    account, after = stage.account(), stage.pids()
    gaps_s = {name: longest_s(times(ingest), began_s, ended_s) for name, ingest in stage.ingests.items()}
    new = {name for name, pid in after.items() if pid != before.get(name)}
    begun = {name: stage.sessions(name) - sessions[name] for name in stage.ingests}
    found = stage.recording("main")
    return [
        lab.most(
            f"upgrade on air ({ended_s - began_s:.0f} s): longest gap of media", max(gaps_s.values()), UPGRADE_GAP_S
        ),
        lab.exactly("  processes that are new", sorted(new & set(WANTED)), sorted(WANTED)),
        lab.exactly("  sessions begun; pushers replaced", (begun, _pushers(new)), (dict.fromkeys(begun, 0), [])),
        lab.exactly(
            f"  of {len(account.heard)} sentences: lost, repeated, out of order, not whole",
            (account.lost, account.repeated, account.disordered, account.short),
            (0, 0, 0, 0),
        ),
        lab.exactly(
            "  times the slate showed; black frames, decode errors, time stamps that step back",
            (_slates(stage) - slates, *_flaws(found)),
            (0, 0, 0, False),
        ),
        lab.most("  sound against picture afterwards", abs(stage.av_offset_ms()), 40.0, "ms"),
    ]


WANTED = ("director", "engine-faulty", "playout")


def pushes(stage: Stage, key: str) -> bool:
    """Whether media comes to the third ingest under this key, and under no other."""
    standing = [one.key for one in stage.third.publications if not one.end]
    return standing == [key] and is_flowing(stage.third)


def runtime_dir(stage: Stage) -> Path:
    return load(stage.station.config_path).runtime_dir


def _next(dice: random.Random, stage: Stage, number: int, is_there: bool) -> ChangeOutput | Reload:
    """What is changed next: the third output's URL, whether a fourth one is there, or the file, and with it a fifth."""
    if dice.random() < FILE_SHARE:
        tree = yaml.safe_load(stage.station.config_path.read_text())
        others = [output for output in tree["outputs"] if output["name"] != FILED]
        more = [stage.output(THIRD) | {"name": FILED, "url": stage.third.url(f"filed-{number}")}]
        tree["outputs"] = others if len(others) < len(tree["outputs"]) else others + more
        stage.station.config_path.write_text(yaml.safe_dump(tree))
        return Reload()
    if dice.random() < 0.4:
        return ChangeOutput("url", THIRD, {"url": stage.third.url(f"key-{number}")})
    if is_there and dice.random() < 0.3:
        return ChangeOutput("url", SPARE, {"url": stage.third.url(f"spare-{number}")})
    if is_there:
        return ChangeOutput("remove", SPARE)
    return ChangeOutput("add", SPARE, {"url": stage.third.url(f"spare-{number}")})


def _starts(stage: Stage) -> Mapping[str, int]:
    return {name: child["starts"] for name, child in stage.station.status().get("children", {}).items()}


def _touched(stage: Stage, before: Mapping[str, int], starts: Mapping[str, int]) -> list[str]:
    """Processes other than those that were changed which are not what they were."""
    after, now = stage.pids(), _starts(stage)
    mine = {f"pusher-{name}" for name in (THIRD, SPARE, FILED)}
    return sorted(
        name
        for name in before
        if name not in mine and (after.get(name) != before[name] or now.get(name) != starts.get(name))
    )


def _pushers(names: set[str]) -> list[str]:
    return sorted(name for name in names if name.startswith("pusher-"))


def _slates(stage: Stage) -> int:
    return sum(line.get("event") == "programme.slate" for line in stage.station.log())


def _flaws(found: Recording) -> tuple[int, int, bool]:
    return found.black_frames, found.decode_errors, not found.monotone
