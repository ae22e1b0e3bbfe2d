"""What processes a configuration asks for: the one place where the packages meet.

In: a Config. Out: a plan of children in the order they stop in (words first, packets last), each
with its section and the deadlines of its phases. Pure; the supervisor starts them.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from broadcaster import gpus, redis_server
from broadcaster.config import Config
from pipeline.follower import RANKED
from pipeline.shipped import PRESENTER

PREVIEW = "preview"  # name of the output that the page shows; configurations may not use it

LOADING_S = 60.0  # imports on a cold disk, pictures, codecs
ENGINE_LOADING_S = 180.0  # one piece of the weights, or the first step of its kind
READY_S = 2.5  # a work loop beats at least twice a second
DRAINING_S = 10.0  # its own grace ends it before

DIRECTOR_PHASES = {"loading": LOADING_S, "ready": 4.0, "draining": DRAINING_S}
ENGINE_PHASES = {"loading": ENGINE_LOADING_S, "warming": ENGINE_LOADING_S, "ready": READY_S}
PLAYOUT_PHASES = {"loading": LOADING_S, "ready": READY_S, "draining": DRAINING_S}
# libav's connect to a host that answers nothing takes 5 s and holds the interpreter meanwhile
PUSHER_PHASES = {"loading": 10.0, "connecting": 8.0, "live": 3.0, "backing-off": 8.0, "orphaned": 5.0, "idle": 8.0}

NETWORK = ("rtmp", "rtmps", "hls")  # ways out that two machines must not use at once
FALLBACK_ENGINE = "portrait"  # needs no card and no weights
FALLBACK_PRESET = "ultrafast"

REMEDIES = {
    "director": "read its child.crashed line; `broadcaster doctor` tries script, voices and Redis; the avatar idles",
    "engine": "read its child.crashed line; `broadcaster doctor` tries the picture and the processor or card",
    "playout": "read its child.crashed line; `broadcaster doctor` tries the codecs, the disk and the memory",
    "pusher": "read its child.failed line; correct or remove the output, then `broadcaster reload`",
    "redis": "look into state_dir/redis; a torn appendonlydir is mended by redis-check-aof --fix, or moved aside",
}
"""What an operator does about a crash loop, by kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One child. `stage`: they stop in this order, lowest first.

    `argv`: what to run in the place of `broadcaster.child`. `foreign`: it knows no lifeline, so its life is all
    that is watched. `gated`: it runs only while the room's lease is not elsewhere. `understudy`: what works in a
    crash loop of this one, beside it, or in its place when the name is the same. `ranks`: so many processes are this
    child, and live and die together. `place`: of children with the same one, not "", only one runs: they use the same
    cards.
    """

    name: str
    kind: str
    stage: int
    phases: Mapping[str, float]
    spec: Mapping[str, Any]
    argv: tuple[str, ...] = ()
    foreign: bool = False
    gated: bool = False
    understudy: Plan | None = None
    ranks: int = 1
    place: str = ""

    @property
    def below(self) -> list[Plan]:
        """Its understudy, the understudy's understudy, and so on."""
        return [self.understudy, *self.understudy.below] if self.understudy else []

    @property
    def command(self) -> list[str]:
        return list(self.argv) or [sys.executable, "-m", "broadcaster.child", self.kind, self.name]

    @property
    def renewable(self) -> bool:
        """Whether a child takes up a new section by being drained and started again, on air."""
        return self.kind in ("director", "pusher")


def plan(config: Config, runtime_dir: Path, owner: str = "") -> list[Plan]:
    """All children of a room. owner: the name under which it holds the room's lease."""
    children = [
        _director(config, runtime_dir, owner),
        engine := _engine(config, runtime_dir),
        _playout(config, runtime_dir, [tier.spec["name"] for tier in (engine, *engine.below)]),
    ]
    children += [_pusher(config, runtime_dir, index) for index in range(len(config.outputs))]
    if config.preview:
        children.append(_preview(runtime_dir))
    if config.redis is None:
        argv = tuple(redis_server.command(runtime_dir, config.state_dir))
        children.append(Plan("redis", "redis", 4, {}, {}, argv, foreign=True))
    return children


def redis_url(config: Config, runtime_dir: Path) -> str:
    return config.redis.get_secret_value() if config.redis else redis_server.url(runtime_dir)


def _director(config: Config, runtime_dir: Path, owner: str) -> Plan:
    spec = {
        "owner": owner,
        "room": config.room,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "redis_url": redis_url(config, runtime_dir),
        "voice_chain": list(config.voice.chain),
        "voice_name": config.voice.name,
        "voice_rate": config.voice.rate,
        "voice_timeout_s": config.voice.timeout_s,
        "voice_cache_mb": config.voice.cache_mb,
        "evergreen_file": str(config.evergreen.file) if config.evergreen else "",
        "evergreen_after_s": config.evergreen.after_s if config.evergreen else 0.0,
        "script_file": str(config.script.file) if config.script else "",
        "script_loop": config.script.loop if config.script else True,
        "control_host": config.control.host,
        "control_port": config.control.port,
        "control_token": config.control.token.get_secret_value() if config.control.token else "",
        "ack": config.ack,
        "when_no_output": config.when_no_output,
        "outputs": [output.name for output in config.outputs],
    }
    return Plan("director", "director", 0, DIRECTOR_PHASES, spec)


def _engine(config: Config, runtime_dir: Path) -> Plan:
    """The engine that is asked for, with the tiers that work in its crash loops: fewer ranks, then no card at all."""
    engine = config.avatar.engine
    tiers = []
    if engine not in RANKED:
        tiers.append(_tier(config, runtime_dir, engine, engine, 1))
    else:
        most = gpus.count() if config.avatar.ranks == "auto" else int(config.avatar.ranks)
        for ranks in _halved(max(1, most)):
            tiers.append(_tier(config, runtime_dir, engine, f"{engine}-{ranks}" if tiers else engine, ranks))
    if engine != FALLBACK_ENGINE:
        tiers.append(_tier(config, runtime_dir, FALLBACK_ENGINE, FALLBACK_ENGINE, 1))
    made = tiers.pop()
    while tiers:
        made = replace(tiers.pop(), understudy=made)
    return made


def _tier(config: Config, runtime_dir: Path, engine: str, name: str, ranks: int) -> Plan:
    spec = {
        "name": name,
        "engine": engine,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "image": str(config.avatar.image or ""),
        "width": config.avatar.size[0],
        "height": config.avatar.size[1],
        "seed": config.avatar.seed,
    }
    if engine not in RANKED:
        return Plan(f"engine-{name}", "engine", 1, ENGINE_PHASES, spec)
    spec["options"] = config.avatar.options()
    return Plan(f"engine-{name}", "engine", 1, ENGINE_PHASES, spec, ranks=ranks, place=engine)


def _halved(ranks: int) -> list[int]:
    """8 → [8, 4, 2, 1]"""
    return [ranks, *_halved(ranks // 2)] if ranks > 1 else [1]


def _playout(config: Config, runtime_dir: Path, engines: list[str]) -> Plan:
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
        "engines": engines,
        "picture": str(config.avatar.image or PRESENTER),
        "uncounted": [PREVIEW] if config.preview else [],
    }
    whole = Plan("playout", "playout", 2, PLAYOUT_PHASES, spec)
    # Of what can be at fault in a crash loop, the encoder's cost and the picture can be done without. Other headers
    # make every output reconnect, which they have to anyway: a loop outlasts the 4 s for which they wait.
    return replace(whole, understudy=replace(whole, spec=spec | {"preset": FALLBACK_PRESET, "picture": ""}))


def _pusher(config: Config, runtime_dir: Path, index: int) -> Plan:
    output = config.outputs[index]
    spec = {
        "name": output.name,
        "url": output.url.get_secret_value(),
        "runtime_dir": str(runtime_dir),
        "segment_s": output.segment_s,
        "keep_days": output.keep_days,
        "min_free_gb": output.min_free_gb,
        "hls_segments": output.hls_segments,
    }
    gated = config.redis is not None and output.scheme in NETWORK
    return Plan(f"pusher-{output.name}", "pusher", 3, PUSHER_PHASES, spec, gated=gated)


def _preview(runtime_dir: Path) -> Plan:
    spec = {"name": PREVIEW, "url": "preview:", "runtime_dir": str(runtime_dir)}
    return Plan(f"pusher-{PREVIEW}", "pusher", 3, PUSHER_PHASES, spec)
