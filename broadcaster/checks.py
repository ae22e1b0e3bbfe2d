"""What must be right before a room goes on air: the files that a configuration names.

In: a Config. Out: one line for each thing found good; ConfigError and its kin name what is not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from broadcaster import redis_server, script
from broadcaster.config import Config
from broadcaster.disk import Writable, tried
from pipeline.avatar import load_avatar
from pipeline.clock import RealClock
from pipeline.engine import load_engine
from pipeline.errors import AvatarError, BadInput, ConfigError, ScriptError, SpeechError
from pipeline.follower import CACHE, RANKED
from tts.fallback import make_chain
from tts.synthesizer import Voice

TRY_BYTES = 4096
OFFLINE = "espeak"  # the provider that can be tried without a network


def check(config: Config, source: str) -> list[str]:
    """Look at picture, voice, queue, script and disks; `source` names the configuration file. All faults at once."""
    lines, faults = [], []
    looks: list[Callable[[Config], list[str]]] = [_avatar, _voice, _queue, _script, _evergreen, _state, _outputs]
    for look in looks:
        try:
            lines += look(config)
        except BadInput as error:
            faults.append(f"{source}: {error}")
    if faults:
        raise ConfigError("\n".join(faults))
    return lines


def _avatar(config: Config) -> list[str]:
    try:
        avatar = load_avatar(config.avatar.image, config.avatar.size)
        load_engine(config.avatar.engine, **_options(config)).format(avatar)
    except AvatarError as error:
        raise ConfigError(f"avatar.image: {error}") from error
    size = f"{config.avatar.size[0]}×{config.avatar.size[1]}"
    return [f"avatar: {avatar.name}, {size}, engine {config.avatar.engine}"]


def _options(config: Config) -> dict[str, Any]:
    """What the room's engine will be made with."""
    return {**config.avatar.options(), "cache": str(config.state_dir / CACHE)} if config.avatar.engine in RANKED else {}


def _voice(config: Config) -> list[str]:
    if OFFLINE in config.voice.chain:
        asyncio.run(_try_voice(config))
    return [f"voice: {config.voice.name} by {', then '.join(config.voice.chain)}"]


async def _try_voice(config: Config) -> None:
    """Have the offline provider say a word: it knows by itself which voices there are."""
    chain = make_chain([OFFLINE], config.voice.timeout_s, RealClock())
    try:
        async for _ in chain.speak("One.", Voice(config.voice.name, config.voice.rate)):
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
    return _read("script", config.script.file if config.script else None)


def _evergreen(config: Config) -> list[str]:
    return _read("evergreen", config.evergreen.file if config.evergreen else None)


def _read(section: str, path: Path | None) -> list[str]:
    if path is None:
        return []
    try:
        found = script.load(path)
    except ScriptError as error:
        raise ConfigError(f"{section}.file: {error}") from error
    return [f"{section}: {path}, {len(found.paragraphs)} utterances"]


def _state(config: Config) -> list[str]:
    return [f"state_dir: {_writable(config.state_dir, 'state_dir')}"]


def _outputs(config: Config) -> list[str]:
    lines = []
    for output in config.outputs:
        place = ""
        if output.scheme not in ("rtmp", "rtmps"):
            path = Path(output.url.get_secret_value().partition(":")[2])
            place = f" to {_writable(path if output.scheme == 'hls' else path.parent, f'outputs.{output.name}.url')}"
        lines.append(f"output {output.name}: {output.scheme}{place}")
    return lines or ["no outputs: nothing will leave this machine"]


def _writable(directory: Path, key: str) -> Path:
    found = tried(directory, TRY_BYTES)
    if not isinstance(found, Writable):
        raise ConfigError(f"{key}: {directory} cannot be written: {found}")
    return directory
