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

import msgspec

from broadcaster import gpus, ladder, redis_server, tiers
from broadcaster.child import STANDBY
from broadcaster.config import AvatarSection, Config
from broadcaster.config_chat import ChatSection
from broadcaster.guard.settings import GUARD
from broadcaster.names import PREVIEW, PROBE, pusher_name
from pipeline.follower import RANKED
from pipeline.personfiles import persons
from pipeline.shipped import PRESENTER

LOADING_S = 60.0  # imports on a cold disk, pictures, codecs
ENGINE_LOADING_S = 180.0  # one piece of the weights, or the first step of its kind
READY_S = 2.5  # a work loop beats at least twice a second
DRAINING_S = 10.0  # its own grace ends it before
AUDIO_KBPS = 128  # beside encoder.bitrate_kbps

CHAT_PHASES = {"loading": LOADING_S, "ready": 10.0, "draining": DRAINING_S}  # it gives way to the air
DIRECTOR_PHASES = {"loading": LOADING_S, "ready": 4.0, "draining": DRAINING_S}
ENGINE_PHASES = {"loading": ENGINE_LOADING_S, "warming": ENGINE_LOADING_S, "ready": READY_S}
PLAYOUT_PHASES = {"loading": LOADING_S, "ready": READY_S, "draining": DRAINING_S}
# a pusher beats four times a second whatever its destination does; one that writes files may wait for the disk
PUSHER_PHASES = {"loading": 10.0, "connecting": 5.0, "live": 3.0, "backing-off": 5.0, "orphaned": 5.0, "idle": 5.0}

MONITOR_PHASES = {"loading": LOADING_S, "ready": 10.0}  # it gives way to the air
PROBE_PHASES = {"loading": LOADING_S, "idle": 10.0, "live": 10.0}  # it may have to wait for the air, which goes first
ROOM_PHASES = {"loading": LOADING_S, "ready": 10.0, "draining": 10.0}  # its supervisor beats each second

NETWORK = ("rtmp", "rtmps", "hls")  # ways out that two machines must not use at once
CARDS = "cards"  # the place of all engines that use them
FALLBACK_PRESET = "ultrafast"

RETARGETED = ("director", "playout")  # kinds that take up TOLD while they run
TOLD = ("outputs", "ack")

REMEDIES = {
    "chat": "read its child.crashed line; the show goes on; nobody answers viewers; `broadcaster chat try` asks here",
    "director": "read its child.crashed line; `broadcaster doctor` tries script, voices and Redis; the avatar idles",
    "engine": "read its child.crashed line; `broadcaster doctor` tries the picture and the processor or card",
    "monitor": "read its child.crashed line; the air goes on, but nobody raises alarms or mends what stands still",
    "playout": "read its child.crashed line; `broadcaster doctor` tries the codecs, the disk and the memory",
    "probe": "read its child.crashed line; the air goes on, but nobody sees it: look yourself; `probe: false` ends it",
    "pusher": "read its child.failed line; correct or remove the output, then `broadcaster reload`",
    "room": "read its child.failed line; `broadcaster config check` with the room's own file; the other rooms go on",
    "redis": "look into state_dir/redis; a torn appendonlydir is mended by redis-check-aof --fix, or moved aside",
}
"""What an operator does about a crash loop, by kind."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One child. `stage`: they stop in this order, lowest first.

    `argv`: what to run in the place of `broadcaster.child`. `foreign`: it knows no lifeline, so its life is all
    that is watched. `gated`: it runs only while the room's lease is not elsewhere. `understudy`: what works in a
    crash loop of this one, beside it, or in its place when the name is the same. `ranks`: so many processes are this
    child, and live and die together. `place`: children with the same one, not "", use the same cards: one of them runs,
    or several whose `needs_gb` fit into `there_gb`, both of a card (0 = not known). `standby`: another process of its
    kind stands by to follow it, and has read `modules`, too. `elsewhere`: it is nobody's child here, but the engine of
    the house, and works as long as playout shows it. `grace_s`: to end in good order; 0 = as long as its stage has.
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
    needs_gb: float = 0.0
    there_gb: float = 0.0
    standby: bool = False
    modules: tuple[str, ...] = ()
    elsewhere: bool = False
    grace_s: float = 0.0

    @property
    def below(self) -> list[Plan]:
        """Its understudy, the understudy's understudy, and so on."""
        return [self.understudy, *self.understudy.below] if self.understudy else []

    @property
    def command(self) -> list[str]:
        return list(self.argv) or [sys.executable, "-m", "broadcaster.child", self.kind, self.name]

    @property
    def command_of_standby(self) -> list[str]:
        """The same, for a process that reads its modules before it waits for its section."""
        return [*self.command, STANDBY, *self.modules]

    @property
    def renewable(self) -> bool:
        """Whether a child takes up a new section by being drained and started again, on air."""
        return self.kind in ("chat", "director", "monitor", "pusher")

    @property
    def lasting(self) -> dict[str, Any]:
        """Its section without what it is told while it runs."""
        told = TOLD if self.kind in RETARGETED else ()
        return {key: value for key, value in self.spec.items() if key not in told}


def plan(config: Config, runtime_dir: Path, owner: str = "") -> list[Plan]:
    """All children of a room. owner: the name under which it holds the room's lease."""
    engine = _engine(config, runtime_dir)
    children = [
        _director(config, runtime_dir, owner),
        *([_chat(config, config.chat, runtime_dir, owner)] if config.chat else []),
        _monitor(config, engine),
        engine,
        _playout(config, runtime_dir, [tier.spec["name"] for tier in (engine, *engine.below)]),
    ]
    children += [_pusher(config, runtime_dir, index) for index in range(len(config.outputs))]
    if config.preview:
        children.append(_preview(runtime_dir))
    if config.probe:
        children.append(_probe(config, runtime_dir))
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
        "timezone": config.timezone or "",
        "redis_url": redis_url(config, runtime_dir),
        "voice_chain": list(config.voice.chain),
        "voice_name": config.voice.name,
        "voice_rate": config.voice.rate,
        "voice_pitch": config.voice.pitch,
        "voice_languages": dict(config.voice.languages),
        "voice_pronunciations": str(config.voice.pronunciations) if config.voice.pronunciations else "",
        "voice_timeout_s": config.voice.timeout_s,
        "voice_cache_mb": config.voice.cache_mb,
        "voice_settings": msgspec.to_builtins(config.voice.settings()),
        "evergreen_file": str(config.evergreen.file) if config.evergreen else "",
        "evergreen_after_s": config.evergreen.after_s if config.evergreen else 0.0,
        "script_file": str(config.script.file) if config.script else "",
        "script_loop": config.script.loop if config.script else True,
        "label_text": config.label.text,
        "evidence_keep_days": config.evidence.keep_days,
        "evidence_max_mb": config.evidence.max_mb,
        "rewrite": config.script.rewrite.spec() if config.script and config.script.rewrite else None,
        "schedule": [job.model_dump(mode="json", exclude_none=True) for job in config.schedule],
        "chat_stream": config.chat.stream if config.chat else 0,
        "guard": config.guard.spec() if config.guard else None,
        "persons": list(persons(config.avatar.image, config.avatar.persons)),
        "control_host": config.control.host,
        "control_port": config.control.port,
        "control_token": config.control.token.get_secret_value() if config.control.token else "",
        "ack": config.ack,
        "when_no_output": config.when_no_output,
        "outputs": [output.name for output in config.outputs],
    }
    modules = (GUARD,) if config.guard else ()
    return Plan("director", "director", 0, DIRECTOR_PHASES, spec, standby=config.standby, modules=modules)


def _chat(config: Config, chat: ChatSection, runtime_dir: Path, owner: str) -> Plan:
    spec = {
        "owner": owner,
        "room": config.room,
        "state_dir": str(config.state_dir),
        "redis_url": redis_url(config, runtime_dir),
        "voice": config.voice.name,
        "timezone": config.timezone or "",
        **({"guard": config.guard.spec()} if config.guard else {}),
        **chat.spec(),
    }
    return Plan("chat", "chat", 0, CHAT_PHASES, spec)


def _engine(config: Config, runtime_dir: Path) -> Plan:
    """The engine that is asked for, and the tiers below it."""
    auto = config.avatar.ranks == "auto" and config.avatar.engine in RANKED
    found = tiers.ladder(config.avatar, gpus.count() if auto else 1)
    there_gb = gpus.memory_gb(config.avatar.device) if any(tier.memory_gb for tier in found) else 0.0
    plans = [_tier(config, runtime_dir, tier, tier.name(found[0]), there_gb) for tier in found]
    made = plans.pop()
    while plans:
        plan = plans.pop()
        spec = {**plan.spec, "must_keep_up": bool(ladder.lighter([made, *made.below], plan, ladder.SLOW))}
        made = replace(plan, spec=spec, understudy=made)
    return made


def _tier(config: Config, runtime_dir: Path, tier: tiers.Tier, name: str, there_gb: float) -> Plan:
    avatar = config.avatar
    spec = {
        "name": name,
        "engine": tier.engine,
        "runtime_dir": str(runtime_dir),
        "state_dir": str(config.state_dir),
        "image": str(avatar.image or ""),
        "width": avatar.size[0],
        "height": avatar.size[1],
        "drawn": list(tier.size) if tier.size != avatar.size else None,
        "crop": avatar.crop,
        "seed": avatar.seed,
        "rtf_max": avatar.rtf_max,
        "persons": persons_of(avatar),
    }
    if tier.engine not in RANKED:
        elsewhere = tier.engine == tiers.SHARED
        return Plan(f"engine-{name}", "engine", 1, ENGINE_PHASES, spec, elsewhere=elsewhere)
    spec["options"] = {**avatar.options(tier.engine), "steps": tier.steps}
    return Plan(
        f"engine-{name}",
        "engine",
        1,
        ENGINE_PHASES,
        spec,
        ranks=tier.ranks,
        place=CARDS,
        needs_gb=tier.memory_gb,
        there_gb=there_gb,
    )


def persons_of(avatar: AvatarSection) -> dict[str, str]:
    """Names and files for an engine; {} where there is nobody but the room's own."""
    found = persons(avatar.image, avatar.persons)
    return {name: str(path) for name, path in found.items()} if len(found) > 1 else {}


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
        "uncounted": [name for name, wanted in ((PREVIEW, config.preview), (PROBE, config.probe)) if wanted],
    }
    whole = Plan("playout", "playout", 2, PLAYOUT_PHASES, spec, standby=config.standby)
    # Of what can be at fault in a crash loop, the encoder's cost and the picture can be done without. Other headers
    # make every output reconnect, which they have to anyway: a loop outlasts the 4 s for which they wait.
    return replace(whole, understudy=replace(whole, spec=spec | {"preset": FALLBACK_PRESET, "picture": ""}))


def _pusher(config: Config, runtime_dir: Path, index: int) -> Plan:
    output = config.outputs[index]
    spec = {
        "name": output.name,
        "url": output.url.get_secret_value(),
        "backup": output.backup.get_secret_value() if output.backup else "",
        "session_s": (output.session_hours or 0) * 3600,
        "runtime_dir": str(runtime_dir),
        "segment_s": output.segment_s,
        "keep_days": output.keep_days,
        "min_free_gb": output.min_free_gb,
        "hls_segments": output.hls_segments,
    }
    gated = config.redis is not None and output.scheme in NETWORK
    return Plan(pusher_name(output.name), "pusher", 3, PUSHER_PHASES, spec, gated=gated)


def _preview(runtime_dir: Path) -> Plan:
    spec = {"name": PREVIEW, "url": "preview:", "runtime_dir": str(runtime_dir)}
    return Plan(pusher_name(PREVIEW), "pusher", 3, PUSHER_PHASES, spec)


def _probe(config: Config, runtime_dir: Path) -> Plan:
    spec = {
        "runtime_dir": str(runtime_dir),
        "width": config.avatar.size[0],
        "height": config.avatar.size[1],
        "label_text": config.label.text,
        "label_corner": config.label.corner,
    }
    return Plan(PROBE, "probe", 3, PROBE_PHASES, spec)


def _monitor(config: Config, engine: Plan) -> Plan:
    alarms = config.alarms
    written = {config.state_dir, *(output.directory for output in config.outputs if output.directory)}
    spec = {
        "room": config.room,
        "state_dir": str(config.state_dir),
        "webhook": alarms.webhook.get_secret_value() if alarms.webhook else "",
        "playback": {name: url.get_secret_value() for name, url in alarms.playback.items()},
        "every_s": alarms.every_s,
        "settle_s": alarms.settle_s,
        "act": alarms.act,
        "disk_gb": alarms.disk_gb,
        "directories": sorted(str(directory) for directory in written),
        "kbps": config.encoder.bitrate_kbps + AUDIO_KBPS,
        "gpus": any(tier.place for tier in (engine, *engine.below)) and config.avatar.device != "cpu",
    }
    return Plan("monitor", "monitor", 0, MONITOR_PHASES, spec)
