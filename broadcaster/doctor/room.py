"""Examinations of what a room needs to be made: its files, codecs, fonts, queue, voices, port, disk, processor.

Each takes the room's configuration and a part, and says (verdict, text, remedy). What can be tried is tried: pictures
are encoded, words are said, a queue is written to.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from broadcaster.disk import DiskFull, Writable, tried
from broadcaster.doctor.examination import BAD, OK, WARN
from broadcaster.doctor.machine import Found
from broadcaster.tiers import SHARED
from pipeline.errors import BroadcasterError
from pipeline.media import AIR_SAMPLES, FPS

SLOTS = 50  # pictures to encode: two seconds
ENCODE_MS, ENCODE_MOST_MS = 20.0, 33.0  # a picture; there are 40 ms for one, and the rest of playout needs some
RENDER_S = 2.0
RENDERED, RENDERED_LEAST = 50.0, 30.0  # pictures a second; 25 are needed
SAMPLE = "AI生成 第一 ありがとう 한국어 Ελ Яя €"
WORD = {"zh": "一。"}
SLOW_VOICE_S = 2.5  # a sentence is asked for about five seconds ahead
REDIS_START_S = 3.0
ADDRESS = re.compile(r" ssl:<[^>]*>")  # of an object, in a library's words
FREE_GB = 1.0


def configuration(_room: Any, path: str) -> Found:
    from broadcaster import checks
    from broadcaster.config import load_whole

    try:
        loaded = load_whole(Path(path))
        checks.check(loaded.config, path)
    except BroadcasterError as error:
        first, *more = str(error).splitlines()
        also = f" (and {len(more)} more)" if more else ""
        return BAD, f"{first}{also}", "every key is explained in docs/configuration.md"
    if loaded.unfit:
        remedy = "`broadcaster outputs restore --all` forgets what was changed on air"
        return WARN, f"can go on air, without outputs that were changed on air: {loaded.unfit}", remedy
    changed = ", ".join(sorted(loaded.kept))
    return OK, f"can go on air{f'; outputs changed on air count as well: {changed}' if changed else ''}"


def codecs(room: Any, _part: str) -> Found:
    """H.264 and AAC, as on air."""
    import numpy as np

    from streams.encoder import EncoderFailed, EncoderSettings
    from streams.mux import Mux

    width, height = room.avatar.size
    settings = EncoderSettings(width, height, room.encoder.bitrate_kbps, room.encoder.preset)
    noise = np.random.default_rng(0)
    still = noise.integers(60, 180, (height * 3 // 2, width), np.uint8)
    sound = noise.integers(-3000, 3000, AIR_SAMPLES, np.int16)
    mux = Mux(settings, 0)
    took_s = 0.0
    try:
        mux.open()
        for slot in range(SLOTS):
            frame = np.roll(still, slot, axis=1)
            began_s = time.process_time()
            mux.encode(frame, sound, slot)
            took_s += time.process_time() - began_s
    except EncoderFailed as error:
        return BAD, str(error), "pip install --force-reinstall av: its wheel carries x264 and AAC"
    if mux.headers is None:
        return BAD, f"nothing came out of {SLOTS} pictures", "pip install --force-reinstall av"
    each_ms = 1000 * took_s / SLOTS
    text = f"H.264 {settings.preset} and AAC: {each_ms:.1f} ms of processor a picture of {width}x{height}"
    if each_ms > ENCODE_MOST_MS:
        return BAD, f"{text}; there are 40", "encoder.preset: ultrafast, or a smaller avatar.size"
    if each_ms > ENCODE_MS:
        return WARN, f"{text}; there are 40", "encoder.preset: superfast or ultrafast leaves more room"
    return OK, text


def fonts(room: Any, _part: str) -> Found:
    """Whether what is written on the picture can be drawn."""
    from streams.typeset import FONT, Typeface

    try:
        face = Typeface(24)
    except OSError as error:
        return BAD, f"{FONT.name}: {error}", "run `make setup`, or pip install broadcaster again"
    missing = [char for char in SAMPLE + room.label.text if not char.isspace() and not face.knows(char)]
    if missing:
        return BAD, f"{FONT.name} lacks {''.join(missing)!a}", "change label.text, or install the shipped font again"
    return OK, f"{FONT.name}: Latin, Greek, Cyrillic, Chinese, Japanese, Korean"


def queue(room: Any, _part: str) -> Found:
    if room.redis is not None:
        from broadcaster.doctor.queue import examined

        return examined(room.redis.get_secret_value(), room.room)
    return _own_server()


def _own_server() -> Found:
    """Start the private server as a room would, in a directory of its own."""
    from broadcaster import redis_server
    from broadcaster.doctor.queue import examined

    with tempfile.TemporaryDirectory(prefix="bd") as name:
        directory = Path(name)
        try:
            command = redis_server.command(directory, directory)
        except (BroadcasterError, OSError) as error:
            return BAD, str(error), "apt-get install redis-server, or name a server: redis: redis://HOST:6379/0"
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        try:
            deadline_s = time.monotonic() + REDIS_START_S
            while not (directory / redis_server.SOCKET).exists() and server.poll() is None:
                if time.monotonic() > deadline_s:
                    return BAD, f"{command[0]} did not start in {REDIS_START_S:g} s", "see why: run it in a terminal"
                time.sleep(0.02)
            if server.poll() is not None:
                words = (server.stdout.read() if server.stdout else "").strip().splitlines() or ["no word"]
                return BAD, f"{command[0]} ended: {words[-1]}", "install another: apt-get install redis-server"
            found = examined(redis_server.url(directory), "doctor")
            return found[0], f"private, {command[0]}: {found[1]}", found[2] if len(found) > 2 else ""
        finally:
            server.kill()
            server.communicate()


def voice(room: Any, name: str) -> Found:
    """Have one provider say a word in the room's voice."""
    from pipeline.errors import SpeechError
    from tts.synthesizer import Voice, load_provider

    worst = BAD if name == room.voice.chain[-1] else WARN  # the next one of the chain speaks instead
    language = room.voice.name.split("-")[0].lower()
    provider = load_provider(name, room.voice.settings())
    began_s = time.monotonic()

    async def say() -> int:
        try:
            wanted = Voice(room.voice.name, room.voice.rate)
            return sum([len(piece.air) async for piece in provider.speak(WORD.get(language, "One."), wanted)])
        finally:
            await provider.close()

    try:
        samples = asyncio.run(asyncio.wait_for(say(), min(4.0, room.voice.timeout_s)))
    except TimeoutError:
        return worst, "no sound in time", _voice_remedy(name)
    except SpeechError as error:
        return worst, ADDRESS.sub("", str(error)), _voice_remedy(name)
    took_s = time.monotonic() - began_s
    text = f"{room.voice.name}: {samples / 48_000:.1f} s of speech after {took_s:.2f} s"
    if not samples:
        return worst, f"{room.voice.name}: silence", _voice_remedy(name)
    if took_s > SLOW_VOICE_S:
        return WARN, text, "slow: the network, or the machine, is busy"
    return OK, text


def _voice_remedy(name: str) -> str:
    if name == "espeak":
        return "choose another voice.name, as en or zh; or run `make setup` again"
    if name == "http":
        return "see that voice.http.url answers, and to its key, model and voices; end voice.chain with espeak"
    if name == "sherpa":
        return "correct voice.sherpa, or pip install 'broadcaster[sherpa]'; end voice.chain with espeak"
    return "see that this machine reaches the internet; end voice.chain with espeak to be never without a voice"


def port(room: Any, _part: str) -> Found:
    """Whether the page's address is free, or ours already."""
    host, number = room.control.host, room.control.port
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, number))
        except OSError as error:
            if _runs(room):
                return OK, f"{room.control.listen}: taken, and this room is on air"
            return WARN, f"{room.control.listen}: {error.strerror}", "choose another control.listen; the show goes on"
    return OK, f"{room.control.listen} is free"


def _runs(room: Any) -> bool:
    from broadcaster.room import RECORD

    try:
        os.kill(int(json.loads((room.state_dir / RECORD).read_text())["pid"]), 0)
    except (OSError, ValueError, KeyError):
        return False
    return True


def disk(room: Any, _part: str) -> Found:
    """The state directory: journal, queue, caches."""
    found = tried(room.state_dir)
    text = f"{room.state_dir}: {found}"
    if isinstance(found, DiskFull):
        return BAD, text, "free the disk: without it a restart says things twice"
    if not isinstance(found, Writable):
        return BAD, text, "set state_dir to a directory that the broadcaster's user may write"
    if found.free_gb < FREE_GB:
        return WARN, text, f"free {FREE_GB:g} GB: journal, queue and voices are kept there"
    if found.is_slow:
        return WARN, text, "put state_dir on a faster disk"
    return OK, text


def cpu(room: Any, _part: str) -> Found:
    """How many pictures a second the room's engine draws here, while nothing else runs."""
    import numpy as np

    from pipeline.avatar import load_avatar
    from pipeline.engine import Job, load_engine

    name = room.avatar.engine
    if name == SHARED:
        return OK, "the engine of the house draws; `broadcaster config check` with the house's file tries it"
    engine = load_engine(name)
    try:
        avatar = load_avatar(room.avatar.image, room.avatar.size, room.avatar.crop)
        media = engine.format(avatar)
        state = engine.open(avatar, room.avatar.seed)
        speech = (3000 * np.sin(np.arange(media.hop_drive_samples) / 20)).astype(np.int16)
        made, began_s = 0, time.monotonic()
        while time.monotonic() - began_s < RENDER_S:
            state = engine.step([Job(state, speech, speech[:0])])[0].state
            made += media.hop_frames
        each_second = made / (time.monotonic() - began_s)
    except BroadcasterError as error:
        return BAD, str(error), "correct avatar.image, or leave it out for the shipped presenter"
    finally:
        engine.close()
    width, height = room.avatar.size
    text = f"{name} draws {each_second:.0f} pictures of {width}x{height} a second; {FPS} are needed"
    text = f"{text}; {os.cpu_count()} cores"
    if each_second < RENDERED_LEAST:
        return BAD, text, "a smaller avatar.size, or a faster processor"
    if each_second < RENDERED:
        return WARN, text, "little to spare: leave the other cores to the encoder"
    return OK, text
