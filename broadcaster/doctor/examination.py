"""The doctor: tries all that a room needs, of this machine and of others, and says what to do about what is wrong.

In: a configuration file, or none. Out: one finding each, as lines for a person or JSON for a program; exit status 1
when one is bad. It runs on a machine with nothing installed but Python, by `python -m broadcaster.doctor`: each
examination is a process of its own that imports what it needs, so that one that hangs, crashes or lacks a library is a
finding as well. Nothing is published, and no secret is shown.
"""

from __future__ import annotations

import argparse
import dataclasses
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

LIMIT_S = 5  # of one examination
LIMITS_S = {"configuration": 60, "flashtalk": 90, "tier": 60, "weights": 60}  # may load torch, try a card, open 50 GB
START_S = 10  # for its interpreter to start, on a machine that has other things to do
OK, WARN, BAD = "ok", "warn", "bad"

EXAMINATIONS = {
    "python": "broadcaster.doctor.machine:python",
    "packages": "broadcaster.doctor.machine:packages",
    "configuration": "broadcaster.doctor.room:configuration",
    "codecs": "broadcaster.doctor.room:codecs",
    "fonts": "broadcaster.doctor.room:fonts",
    "redis": "broadcaster.doctor.room:queue",
    "voice": "broadcaster.doctor.room:voice",
    "output": "broadcaster.doctor.outputs:output",
    "port": "broadcaster.doctor.room:port",
    "disk": "broadcaster.doctor.room:disk",
    "clock": "broadcaster.doctor.machine:clock",
    "memory": "broadcaster.doctor.machine:memory",
    "gpu": "broadcaster.doctor.machine:gpu",
    "flashtalk": "broadcaster.doctor.gpu:flashtalk",
    "tier": "broadcaster.doctor.tiers:tier",
    "weights": "broadcaster.doctor.gpu:weights",
    "limits": "broadcaster.doctor.machine:limits",
    "cpu": "broadcaster.doctor.room:cpu",
}
MACHINE = "broadcaster.doctor.machine"  # needs no room
ALONE = ("cpu",)  # measured when nothing else runs


@dataclasses.dataclass(frozen=True, slots=True)
class Finding:
    """remedy: what to do, "" when nothing is to be done."""

    name: str
    verdict: str
    text: str
    remedy: str = ""


def run(config: Path | None, as_json: bool = False) -> int:
    """Examine and print; the exit status."""
    found: list[Finding] = []
    for finding in examine(config):
        found.append(finding)
        if not as_json:
            print(line(finding), flush=True)  # noqa: T201
    verdicts = [finding.verdict for finding in found]
    if as_json:
        print(json.dumps([dataclasses.asdict(finding) for finding in found], indent=2))  # noqa: T201
    else:
        print(f"{len(found)} examined: {verdicts.count(WARN)} to look at, {verdicts.count(BAD)} bad")  # noqa: T201
    return 1 if BAD in verdicts else 0


def examine(config: Path | None) -> Iterator[Finding]:
    """All findings, in order."""
    parts = _parts(config)
    names = [name for name in EXAMINATIONS if name not in ALONE]
    wanted = [(name, part) for name in names for part in parts.get(name, [""])]
    with ThreadPoolExecutor(max_workers=max(2, os.cpu_count() or 1)) as pool:
        yield from pool.map(lambda one: examined(one[0], one[1], config), wanted)
    for name in ALONE:
        for part in parts.get(name, [""]):
            yield examined(name, part, config)


def line(finding: Finding) -> str:
    """One finding for a person, in ASCII whatever the locale."""
    text = f"{finding.verdict:<5} {finding.name:<16} {finding.text}"
    if finding.remedy:
        text += f"\n{'':<22} -> {finding.remedy}"
    return text.encode("ascii", "replace").decode()


def examined(name: str, part: str, config: Path | None) -> Finding:
    """One examination, in a process of its own; whatever becomes of that process is a finding."""
    label = f"{name} {part}".strip()
    arguments = ["--examine", name, "--part", part, *([str(config)] if config else [])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "broadcaster.doctor", *arguments],
            capture_output=True,
            text=True,
            errors="replace",
            timeout=LIMITS_S.get(name, LIMIT_S) + START_S,
            env={**os.environ, "LC_ALL": "C.UTF-8"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(
            label, BAD, f"the examination did not end: {type(error).__name__}", "see how busy the machine is"
        )
    if done.returncode == -signal.SIGALRM:
        return Finding(
            label, BAD, f"no result within {LIMITS_S.get(name, LIMIT_S)} s", "try again when the machine is less busy"
        )
    try:
        return Finding(label, **json.loads(done.stdout.splitlines()[-1]))
    except (IndexError, ValueError, TypeError):
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return Finding(label, BAD, f"ended with status {done.returncode}: {last[:200]}", "run `make setup` again")


def _parts(config: Path | None) -> dict[str, Sequence[str]]:
    """Examinations that are made once for each voice and each output, and those that only some engines need."""
    room = _room(config)
    engine = "" if room is None else room.avatar.engine
    weighty = [] if room is None else _models(room)
    parts: dict[str, Sequence[str]] = {
        "configuration": [str(config)] * bool(config),
        "flashtalk": [""] * (engine == "flashtalk"),
        "tier": [] if room is None else _tiers(room),
        "weights": weighty,
        "cpu": [] if "" in weighty else [""],  # what is measured there is how fast a processor draws
    }
    if room is None:
        return parts | {"voice": ["espeak"], "output": []}
    return parts | {"voice": room.voice.chain, "output": [output.name for output in room.outputs]}


def _models(room: Any) -> list[str]:
    """Models whose weights the room's tiers need; "" is that of its own engine."""
    from broadcaster.tiers import ladder
    from pipeline.engine import MODELS

    own = MODELS.get(room.avatar.engine)
    models = dict.fromkeys(MODELS[tier.engine] for tier in ladder(room.avatar, 1) if tier.engine in MODELS)
    return ["" if model == own else model for model in models]


def _tiers(room: Any) -> list[str]:
    from broadcaster.doctor.tiers import names

    return names(room)


def _examine(name: str, part: str, config: Path | None) -> dict[str, str]:
    """In the process of its own: look, and say (verdict, text, remedy)."""
    module, _, function = EXAMINATIONS[name].partition(":")
    try:
        room = _room(config)
        if room is None and module != MACHINE:
            importlib.import_module("broadcaster.config")
        found = getattr(importlib.import_module(module), function)(room, part)
    except ImportError as error:
        found = (WARN, f"not examined: {error.name or error} cannot be imported")  # `packages` says what to do
    return dict(zip(("verdict", "text", "remedy"), found, strict=False))


def _room(config: Path | None) -> Any:
    """The room to examine for: the defaults where there is no usable file; None where nothing is installed."""
    try:
        from broadcaster.config import Config, load
        from pipeline.errors import BroadcasterError
    except ImportError:
        return None
    try:
        return Config(room="doctor") if config is None else load(config)
    except BroadcasterError:  # that it cannot be used is the finding of `configuration`
        return Config(room="doctor")


def main(argv: Iterable[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="broadcaster doctor", description=__doc__.splitlines()[0])
    parser.add_argument("config", nargs="?", type=Path)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--examine", choices=EXAMINATIONS, help=argparse.SUPPRESS)
    parser.add_argument("--part", default="", help=argparse.SUPPRESS)
    given = parser.parse_args(None if argv is None else list(argv))
    if given.examine is None:
        return run(given.config, as_json=given.json)
    signal.alarm(LIMITS_S.get(given.examine, LIMIT_S))  # ends even what holds the interpreter
    print(json.dumps(_examine(given.examine, given.part, given.config)))  # noqa: T201
    return 0
