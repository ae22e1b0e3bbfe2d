"""What must be right before a room goes on air: the files that a configuration names.

In: a Config. Out: one line for each thing found good; ConfigError and its kin name what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broadcaster import redis_server, tiers
from broadcaster.config import Config
from broadcaster.config_house import House
from broadcaster.connectors.mapping import load as load_mapping
from broadcaster.disk import writable
from broadcaster.schedule.jobs import job_of, verify
from broadcaster.script.check import strangers
from broadcaster.script.load import load as load_script
from broadcaster.script.model import Mistake, raise_for
from broadcaster.script.products import load as load_products
from pipeline.avatar import load_avatar
from pipeline.clock import RealClock
from pipeline.engine import load_engine
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
            faults.append(f"{source}: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return lines


def check_house(house: House) -> list[str]:
    """What its rooms do not say of themselves: the engine can draw each one's avatar. All faults at once."""
    shared, faults = house.engine, []
    options = {**shared.options(), "cache": str(house.state_dir / CACHE)} if shared.engine in RANKED else {}
    rooms = [room for room in house.rooms if room.is_shared]
    for room in rooms:
        avatar = room.config.avatar
        try:
            load_engine(shared.engine, **options).format(load_avatar(avatar.image, avatar.size, avatar.crop))
        except BadInput as error:
            faults.append(f"{room.path}: with the engine {shared.engine} of {house.path}: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return [f"engine: {shared.engine}, for {', '.join(room.config.room for room in rooms)}"]


def _avatar(config: Config) -> list[str]:
    try:
        avatar = load_avatar(config.avatar.image, config.avatar.size, config.avatar.crop)
        if config.avatar.engine != tiers.SHARED:  # the house tries that
            options = _options(config) if config.avatar.engine in RANKED else {}
            load_engine(config.avatar.engine, **options).format(avatar)
    except AvatarError as error:
        raise ConfigError(f"avatar.image: {error}") from error
    size = f"{config.avatar.size[0]}×{config.avatar.size[1]}"
    return [f"avatar: {avatar.name}, {size}, engine {config.avatar.engine}", *_persons(config), *_tiers(config)]


def _persons(config: Config) -> list[str]:
    """Everybody who can be called into the picture can be drawn there."""
    if config.avatar.persons is None:
        return []
    engine = load_engine(config.avatar.engine, **(_options(config) if config.avatar.engine in RANKED else {}))
    try:
        found = persons(config.avatar.image, config.avatar.persons)
    except ConfigError as error:
        raise ConfigError(f"avatar.persons: {error}") from error
    faults = []
    for path in found.values():
        try:
            engine.format(load_avatar(path, config.avatar.size, config.avatar.crop))
        except AvatarError as error:
            told = str(error)
            faults.append(f"avatar.persons: {told}" if str(path) in told else f"avatar.persons: {path}: {told}")
    if faults:
        raise ConfigError("\n".join(faults))
    names = ", ".join(found)
    return [f"persons: {names}"]


def _tiers(config: Config) -> list[str]:
    """The written tiers can draw this avatar at their sizes; those that are there by default are tried when needed."""
    if config.avatar.tiers is None:
        return []
    top, *below = tiers.ladder(config.avatar, 1)
    for tier in below:
        avatar = load_avatar(config.avatar.image, tier.size, config.avatar.crop)
        options = {**_options(config), "steps": tier.steps} if tier.engine in RANKED else {}
        try:
            load_engine(tier.engine, **options).format(avatar)
        except BadInput as error:
            raise ConfigError(f"avatar.tiers: {tier.name(top)}: {error}") from error
    return [f"tiers below: {', '.join(tier.name(top) for tier in below) or 'none'}"]


def _options(config: Config) -> dict[str, Any]:
    """What an engine with weights will be made with."""
    return {**config.avatar.options(), "cache": str(config.state_dir / CACHE)}


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
