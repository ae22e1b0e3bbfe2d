"""What must be right before a room goes on air: the files that a configuration names.

In: a Config. Out: one line for each thing found good; ConfigError and its kin name what is not.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from broadcaster import redis_server, script
from broadcaster.config import Config
from pipeline.avatar import load_avatar
from pipeline.clock import RealClock
from pipeline.engine import load_engine
from pipeline.errors import ConfigError, SpeechError
from tts.fallback import make_chain
from tts.synthesizer import Voice

OFFLINE = "espeak"  # the provider that can be tried without a network


def check(config: Config, source: str) -> list[str]:
    """Look at script, picture, voice and queue; `source` names the configuration file."""
    lines = [_avatar(config), _voice(config), _queue(config)]
    if config.script is not None:
        lines.append(_script(config.script.file))
    for output in config.outputs:
        lines.append(f"output {output.name}: {output.scheme}")
    if not config.outputs:
        lines.append(f"{source}: no outputs: nothing will leave this machine")
    return lines


def _avatar(config: Config) -> str:
    avatar = load_avatar(config.avatar.image, config.avatar.size)
    load_engine(config.avatar.engine).format(avatar)
    return f"avatar: {avatar.name}, {config.avatar.size[0]}×{config.avatar.size[1]}, engine {config.avatar.engine}"


def _voice(config: Config) -> str:
    if OFFLINE in config.voice.chain:
        asyncio.run(_try_voice(config))
    return f"voice: {config.voice.name} by {', then '.join(config.voice.chain)}"


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


def _queue(config: Config) -> str:
    if config.redis:
        return "redis: as configured"
    return f"redis: private, on {redis_server.url(config.runtime_dir)} while on air, {redis_server.program()}"


def _script(path: Path) -> str:
    found = script.load(path)
    return f"script: {path}, {len(found.paragraphs)} utterances"
