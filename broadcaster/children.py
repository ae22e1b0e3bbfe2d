"""What processes a configuration asks for: the one place where the packages meet.

In: a Config. Out: a plan of children in the order they stop in (words first, packets last), each
with its section and the deadlines of its phases. Pure; the supervisor starts them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from broadcaster import redis_server
from broadcaster.config import Config
from pipeline.shipped import PRESENTER

LOADING_S = 60.0  # imports on a cold disk, pictures, codecs
ENGINE_LOADING_S = 180.0  # weights
READY_S = 2.5  # a work loop beats at least twice a second
DRAINING_S = 10.0  # its own grace ends it before

DIRECTOR_PHASES = {"loading": LOADING_S, "ready": 4.0, "draining": DRAINING_S}
ENGINE_PHASES = {"loading": ENGINE_LOADING_S, "warming": ENGINE_LOADING_S, "ready": READY_S}
PLAYOUT_PHASES = {"loading": LOADING_S, "ready": READY_S, "draining": DRAINING_S}
# libav's connect to a host that answers nothing takes 5 s and holds the interpreter meanwhile
PUSHER_PHASES = {"loading": 10.0, "connecting": 8.0, "live": 3.0, "backing-off": 8.0, "orphaned": 5.0, "idle": 8.0}


@dataclass(frozen=True, slots=True)
class Plan:
    """One child. `stage`: they stop in this order, lowest first.

    `argv`: what to run in the place of `broadcaster.child`. `foreign`: it knows no lifeline, so its life is all
    that is watched.
    """

    name: str
    kind: str
    stage: int
    phases: Mapping[str, float]
    spec: Mapping[str, Any]
    argv: tuple[str, ...] = ()
    foreign: bool = False

    @property
    def command(self) -> list[str]:
        return list(self.argv) or [sys.executable, "-m", "broadcaster.child", self.kind, self.name]


def plan(config: Config, runtime_dir: Path) -> list[Plan]:
    """All children of a room."""
    children = [_director(config, runtime_dir), _engine(config, runtime_dir), _playout(config, runtime_dir)]
    children += [_pusher(config, runtime_dir, index) for index in range(len(config.outputs))]
    if config.redis is None:
        argv = tuple(redis_server.command(runtime_dir, config.state_dir))
        children.append(Plan("redis", "redis", 4, {}, {}, argv, foreign=True))
    return children


def redis_url(config: Config, runtime_dir: Path) -> str:
    return config.redis.get_secret_value() if config.redis else redis_server.url(runtime_dir)


def _director(config: Config, runtime_dir: Path) -> Plan:
    spec = {
        "room": config.room,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "redis_url": redis_url(config, runtime_dir),
        "voice_chain": list(config.voice.chain),
        "voice_name": config.voice.name,
        "voice_rate": config.voice.rate,
        "voice_timeout_s": config.voice.timeout_s,
        "script_file": str(config.script.file) if config.script else "",
        "script_loop": config.script.loop if config.script else True,
        "control_host": config.control.host,
        "control_port": config.control.port,
        "ack": config.ack,
        "when_no_output": config.when_no_output,
        "outputs": [output.name for output in config.outputs],
    }
    return Plan("director", "director", 0, DIRECTOR_PHASES, spec)


def _engine(config: Config, runtime_dir: Path) -> Plan:
    name = config.avatar.engine
    spec = {
        "name": name,
        "engine": name,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "image": str(config.avatar.image or ""),
        "width": config.avatar.size[0],
        "height": config.avatar.size[1],
        "seed": config.avatar.seed,
    }
    return Plan(f"engine-{name}", "engine", 1, ENGINE_PHASES, spec)


def _playout(config: Config, runtime_dir: Path) -> Plan:
    spec = {
        "room": config.room,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "width": config.avatar.size[0],
        "height": config.avatar.size[1],
        "bitrate_kbps": config.encoder.bitrate_kbps,
        "preset": config.encoder.preset,
        "label_text": config.label.text,
        "label_corner": config.label.corner,
        "outputs": [output.name for output in config.outputs],
        "ack": config.ack,
        "when_no_output": config.when_no_output,
        "engines": [config.avatar.engine],
        "picture": str(config.avatar.image or PRESENTER),
    }
    return Plan("playout", "playout", 2, PLAYOUT_PHASES, spec)


def _pusher(config: Config, runtime_dir: Path, index: int) -> Plan:
    output = config.outputs[index]
    spec = {
        "name": output.name,
        "url": output.url.get_secret_value(),
        "runtime_dir": str(runtime_dir),
        "segment_s": output.segment_s,
        "keep_days": output.keep_days,
        "min_free_gb": output.min_free_gb,
    }
    return Plan(f"pusher-{output.name}", "pusher", 3, PUSHER_PHASES, spec)
