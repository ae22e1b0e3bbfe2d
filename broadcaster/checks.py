"""What must be right before a room goes on air: the files that a configuration names.

In: a Config. Out: one line for each thing found good; ConfigError and its kin name what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from broadcaster import gpus, redis_server, tiers
from broadcaster.config import Config
from broadcaster.config_house import House
from broadcaster.connectors.mapping import load as load_mapping
from broadcaster.disk import writable
from broadcaster.schedule.jobs import job_of, verify
from broadcaster.script.check import strangers
from broadcaster.script.load import load as load_script
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.products import load as load_products
from pipeline.avatar import Avatar, load_avatar
from pipeline.clock import RealClock
from pipeline.engine import MODELS, load_engine
from pipeline.errors import AvatarError, BadInput, ConfigError, ScriptError, SpeechError
from pipeline.follower import CACHE, RANKED
from pipeline.personfiles import persons
from tts import sherpa_model
from tts.fallback import make_chain
from tts.prosody import read_diction
from tts.synthesizer import Voice

OFFLINE = "espeak"  # the provider that can be tried without a network


def check(config: Config, source: str) -> list[str]:
    """Look at picture, voice, queue, script and disks; `source` names the configuration file. All faults at once."""
    lines, faults = [], []
    looks: list[Callable[[Config], list[str]]] = [
        _avatar,
        _voice,
        _queue,
        _script,
        _evergreen,
        _schedule,
        _state,
        _outputs,
        _alarms,
        _guard,
        _chat,
        _connectors,
    ]
    for look in looks:
        try:
            lines += look(config)
        except BadInput as error:
            faults += [f"{source}: {line}" for line in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    return lines


def check_house(house: House) -> list[str]:
    """What its rooms do not say of themselves: the engine can draw each one's avatar. All faults at once."""
    shared, faults = house.engine, []
    options = {**shared.options(), "cache": str(house.state_dir / CACHE)} if shared.engine in RANKED else {}
    engine = load_engine(shared.engine, **options)
    rooms = [room for room in house.rooms if room.is_shared]
    for room in rooms:
        avatar = room.config.avatar
        for path in persons(avatar.image, avatar.persons).values():
            try:
                engine.format(load_avatar(path, avatar.size, avatar.crop))
            except BadInput as error:
                faults.append(f"{room.path}: with the engine {shared.engine} of {house.path}: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return [f"engine: {shared.engine}, for {', '.join(room.config.room for room in rooms)}"]


def drawable(config: Config, tier: tiers.Tier, image: Path | None = None) -> Avatar:
    """The avatar as a tier will draw it; BadInput: picture, size, extras or weights do not fit. Nothing is drawn.

    image: of somebody else than the room's own.
    """
    section = config.avatar
    avatar = load_avatar(image or section.image, tier.size, section.crop, section.size)
    if tier.engine == tiers.SHARED:
        return avatar  # the house tries that
    options: dict[str, Any] = {}
    if tier.engine in RANKED:
        options = {**section.options(tier.engine), "steps": tier.steps, "cache": str(config.state_dir / CACHE)}
    load_engine(tier.engine, **options).format(avatar)
    return avatar


def _avatar(config: Config) -> list[str]:
    section = config.avatar
    top, *below = tiers.ladder(section, 1)
    lines, faults = [], []
    try:
        avatar = drawable(config, top)
        lines.append(f"avatar: {avatar.name}, {section.size[0]}×{section.size[1]}, engine {section.engine}")
    except AvatarError as error:
        raise ConfigError(f"avatar.image: {error}") from error
    except BadInput as error:
        faults.append(f"avatar: {top.engine}: {error}")
    for tier in below:
        if section.tiers is None and tier.engine == top.engine:
            continue  # the same on fewer ranks
        try:
            drawable(config, tier)
        except BadInput as error:
            if section.tiers is not None:
                faults.append(f"avatar.tiers: {tier.name(top)}: {error}")
            else:  # it is there by default, and nobody asked for it
                lines.append(f"{tier.name(top)} cannot stand in for {top.engine}: {error}")
    if faults:
        hint = _one_for_two(config, [top, *below])
        raise ConfigError("\n".join([*faults, *([hint] if hint else [])]))
    return [*lines, *_persons(config, top), *_tiers(config)]


def _persons(config: Config, top: tiers.Tier) -> list[str]:
    """Everybody who can be called into the picture can be drawn there."""
    if config.avatar.persons is None:
        return []
    try:
        found = persons(config.avatar.image, config.avatar.persons)
    except ConfigError as error:
        raise ConfigError(f"avatar.persons: {error}") from error
    faults = []
    for path in found.values():
        try:
            drawable(config, top, path)
        except AvatarError as error:
            told = str(error)
            faults.append(f"avatar.persons: {told}" if str(path) in told else f"avatar.persons: {path}: {told}")
    if faults:
        raise ConfigError("\n".join(faults))
    return [f"persons: {', '.join(found)}"]


def _tiers(config: Config) -> list[str]:
    """What stands below the room's engine, where that is written, and what this machine lacks for it."""
    section = config.avatar
    cards = gpus.count() if section.device != "cpu" else 0
    found = tiers.ladder(section, cards)
    lines = []
    if section.tiers is not None:
        lines.append(f"tiers below: {', '.join(tier.name(found[0]) for tier in found[1:]) or 'none'}")
        there_gb = gpus.memory_gb(section.device) if any(tier.memory_gb for tier in found) else 0.0
        lines += tiers.changes(found, there_gb)
    if section.device != "cpu":
        lines += [
            f"{tier.name(found[0])} wants {tier.ranks} GPU{'s' * (tier.ranks > 1)}; this machine has {cards}"
            for tier in found
            if tier.engine in RANKED and tier.ranks > cards
        ]
    return lines


def _one_for_two(config: Config, found: Sequence[tiers.Tier]) -> str:
    """What may be at fault where engines of two models are given one path."""
    models = sorted({MODELS[tier.engine] for tier in found if tier.engine in MODELS})
    if len(models) < 2 or isinstance(config.avatar.weights, dict):
        return ""
    each = ", ".join(f"{model}: PATH" for model in models)
    return f"avatar.weights: one path for {' and '.join(models)}; write one for each, as {{{each}}}"


def _voice(config: Config) -> list[str]:
    if OFFLINE in config.voice.chain:
        asyncio.run(_try_voice(config))
    if "sherpa" in config.voice.chain and config.voice.sherpa:
        try:
            sherpa_model.described(config.voice.sherpa.model_dir)
        except BadInput as error:
            raise ConfigError(f"voice.sherpa.model_dir: {error}") from error
    try:
        read_diction(config.voice.languages, config.voice.pronunciations)
    except BadInput as error:
        raise ConfigError(f"voice.pronunciations: {error}") from error
    return [f"voice: {config.voice.name} by {', then '.join(config.voice.chain)}"]


async def _try_voice(config: Config) -> None:
    """Have the offline provider say a word: it knows by itself which voices there are."""
    chain = make_chain([OFFLINE], config.voice.timeout_s, RealClock())
    try:
        async for _ in chain.speak("One.", Voice(config.voice.name, config.voice.rate, config.voice.pitch)):
            pass
    except SpeechError as error:
        raise ConfigError(f"voice.name: {error}") from error
    finally:
        await chain.close()


def _queue(config: Config) -> list[str]:
    if config.redis:
        return ["redis: as configured"]
    return [f"redis: private, on {redis_server.url(config.runtime_dir)} while on air, {redis_server.program()}"]


def _script(config: Config) -> list[str]:
    return _read(config, "script", config.script.file if config.script else None)


def _evergreen(config: Config) -> list[str]:
    return _read(config, "evergreen", config.evergreen.file if config.evergreen else None)


def _read(config: Config, section: str, path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        found = load_script(path)
        raise_for(path, _strangers(config, path))
    except ScriptError as error:
        raise ConfigError(f"{section}.file: {error}") from error
    return [f"{section}: {path}, {sum(1 for _ in found.lines())} utterances"]


def _strangers(config: Config, path: Path) -> list[Mistake]:
    """Calls for persons that the room does not have; a directory that cannot be used is told of by itself."""
    try:
        return strangers(path, persons(config.avatar.image, config.avatar.persons))
    except ConfigError:
        return []


def _schedule(config: Config) -> list[str]:
    """Times and zones can be understood, programmes can be read."""
    lines = []
    for section in config.schedule:
        job = job_of(section.model_dump(mode="json"), config.timezone or "")
        verify(job)
        if job.script:
            _read(config, f"schedule.{job.name}", section.script)
        lines.append(f"schedule: {job.name}: {job.what()}, {job.when()}")
    return lines


def _state(config: Config) -> list[str]:
    return [f"state_dir: {writable(config.state_dir, 'state_dir')}"]


def _outputs(config: Config) -> list[str]:
    lines = []
    for output in config.outputs:
        place = f" to {writable(output.directory, f'outputs.{output.name}.url')}" if output.directory else ""
        lines.append(f"output {output.name}: {output.scheme}{place}")
    return lines or ["no outputs: nothing will leave this machine"]


def _alarms(config: Config) -> list[str]:
    alarms = config.alarms
    names = {output.name for output in config.outputs}
    told = "posted to a webhook" if alarms.webhook else "told in log, status and Redis alone"
    lines = [f"alarms: {told}"]
    for name in alarms.playback:
        # no fault: outputs come and go on air
        lines.append(f"playback of {name}: " + ("looked at" if name in names else "there is no such output now"))
    return lines


def _guard(config: Config) -> list[str]:
    """Its lists and products can be read, every line of them."""
    if config.guard is None:
        return []
    from broadcaster.guard.lists import files_of
    from broadcaster.guard.lists import load as load_list

    words, faults = 0, []
    for path in files_of(config.guard.platform or "", list(map(str, config.guard.lists))):
        try:
            words += len(load_list(path))
        except ScriptError as error:
            faults += [f"guard: {line}" for line in str(error).splitlines()]
    if config.guard.products:
        try:
            load_products(config.guard.products)
        except ScriptError as error:
            faults += [f"guard.products: {line}" for line in str(error).splitlines()]
    if faults:
        raise ConfigError("\n".join(faults))
    platform = f", platform {config.guard.platform}" if config.guard.platform else ""
    products = f", products {config.guard.products}" if config.guard.products else ", no products to check against"
    return [f"guard: {words:,} words of lists{platform}{products}"]


def _chat(config: Config) -> list[str]:
    """What it answers from can be read."""
    if config.chat is None:
        return []
    from broadcaster.chat.files import checked  # only by rooms that answer: it reads dictionaries

    return checked(config.chat)


def _connectors(config: Config) -> list[str]:
    """Their mappings can be used; whether anybody is there shows when the room runs."""
    lines, faults = [], []
    for connector in config.chat.connectors if config.chat else ():
        try:
            if connector.map is not None and load_mapping(connector.map).manners.needs_token and not connector.token:
                raise ConfigError(f"{connector.map} sends a token; set `token` of the connector")
        except ConfigError as error:
            faults += [f"chat.connectors: {connector.name}: {line}" for line in str(error).splitlines()]
        lines.append(f"comments from {connector.name}: {connector.map or f'Twitch, {connector.channel}'}")
    if faults:
        raise ConfigError("\n".join(faults))
    return lines
