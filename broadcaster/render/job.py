"""A talk as an MP4 file, without a room: as fast as the machine can, and resumable after a kill.

In: words or a sound file, an avatar. Out: one file, made of what would be on air: the same reading and voices, the
same steps of the same engine, label and subtitles in every picture. It has ⌈samples / 1,920⌉ pictures, and its
sound is what drove them. Redis, playout and outputs are not touched.

    words → speech → tape ─┬─ hops → engine → pictures → groups ─┬─▶ MP4
                           └──────────────── sound ──────────────┘

Each stage leaves files behind (broadcaster/unfinished.py), and every group of pictures is encoded by itself, so a
render that was interrupted ends in the same pictures and samples as one that was not.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import os
import random
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec

from broadcaster.config import AvatarSection, LabelSection
from broadcaster.config_voice import VoiceSection
from broadcaster.render import narration
from broadcaster.render.footage import Footage
from broadcaster.render.progress import Progress
from broadcaster.render.tape import Tape, TapeWriter
from broadcaster.render.unfinished import Unfinished, held
from broadcaster.script import plain, products
from broadcaster.script.load import load as load_script
from pipeline.avatar import Avatar, load_avatar
from pipeline.clock import RealClock
from pipeline.engine import MODELS, AvatarEngine, load_engine
from pipeline.errors import BadInput, ConfigError, MessageError
from pipeline.follower import CACHE, RANKED
from pipeline.media import AIR_HZ, FPS
from streams.clip import join
from streams.soundfile import SoundFile
from tts.fallback import make_chain
from tts.pcm import Speech
from tts.prosody import read_diction
from tts.settings import HttpSettings, SherpaSettings
from tts.synthesizer import Voice

VOICE_TIMEOUT_S = 20.0  # nobody waits on air
MADE_BY = ("broadcaster", "av", "numpy", "opencv-python-headless")  # other versions may draw or encode otherwise


@dataclass(frozen=True, slots=True)
class Request:
    """What to make. One of audio, text and script is given; the sections are those of a room's configuration."""

    out: Path
    audio: Path | None = None
    text: str | None = None
    script: Path | None = None
    avatar: AvatarSection = field(default_factory=AvatarSection)
    voice: VoiceSection = field(default_factory=VoiceSection)
    label: LabelSection = field(default_factory=LabelSection)
    restart: bool = False


@dataclass(frozen=True, slots=True)
class Rendered:
    """frames: in the file. samples: of 48 kHz."""

    frames: int
    samples: int

    @property
    def seconds(self) -> float:
        return self.samples / AIR_HZ


def render(request: Request, progress: Progress) -> Rendered:
    """Make the file. BadInput and its kin say what is wrong with the request, SpeechError and OutputError what failed.

    Whatever ends it early, a kill too: the same request goes on from there.
    """
    paragraphs = _paragraphs(request, progress)
    _check_out(request.out)
    engine = load_engine(request.avatar.engine, **_options(request, progress))
    try:
        avatar = load_avatar(request.avatar.image, request.avatar.size, request.avatar.crop)
        engine.format(avatar)
        with held(request.out, _identity(request, paragraphs, avatar), request.restart) as place:
            tape = _tape(request, paragraphs, place, progress)
            _pictures(request, tape, engine, avatar, place, progress)
            _joined(tape, place, progress)
            place.finish()
        return Rendered(tape.frames, tape.samples)
    finally:
        engine.close()


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


def _paragraphs(request: Request, progress: Progress) -> list[narration.Paragraph]:
    """The words; none where a sound file is given."""
    if (request.audio is not None) + (request.text is not None) + (request.script is not None) != 1:
        raise ConfigError("say what to render: one of --audio FILE, --text TEXT and --script FILE")
    if request.script is not None:
        words = load_script(request.script)
        known = products.load(words.products) if words.products else {}
        return narration.paragraphs_of(words, known, random.Random(request.avatar.seed), progress.note)
    if request.text is not None:
        return [narration.Paragraph(text) for text in plain.paragraphs(request.text)]
    return []


def _options(request: Request, progress: Progress) -> dict[str, Any]:
    """What the engine is made with: the same as in a room."""
    section = request.avatar
    if section.engine not in RANKED:
        if section.weights is not None:
            raise ConfigError(f"--weights: engine {section.engine} has none")
        return {}
    if section.weights is None:
        raise ConfigError(
            f"engine {section.engine} needs --weights; `broadcaster models pull {MODELS[section.engine]}` fetches them"
        )
    beats = itertools.count(1)
    cache = Path(os.environ.get("STATE_DIRECTORY", "var")) / CACHE
    return {**section.options(), "cache": cache.resolve(), "beat": lambda: progress.reach(next(beats))}


def _check_out(out: Path) -> None:
    if out.suffix.lower() != ".mp4":
        raise ConfigError(f"{out}: the file to make must end in .mp4")
    if out.is_dir():
        raise ConfigError(f"{out}: is a directory")
    if not out.parent.is_dir():
        raise ConfigError(f"{out.parent}: no such directory")


def _identity(request: Request, paragraphs: list[narration.Paragraph], avatar: Avatar) -> dict[str, str]:
    """What decides the content of the file, in words that tell a person what differs."""
    parts = {
        "engine": request.avatar.engine,
        "avatar": f"{avatar.name} {avatar.digest[:12]}",
        "size": "{}x{}".format(*request.avatar.size),
        "seed": str(request.avatar.seed),
        "label": f"{request.label.text} ({request.label.corner})",
        "made by": " ".join(f"{name} {version(name)}" for name in MADE_BY),
    }
    if request.avatar.engine in RANKED:
        parts |= {name: str(value) for name, value in request.avatar.options().items()}
        parts["made by"] += f" torch {version('torch')}"
    if request.audio is not None:
        return {"audio": _digest(request.audio), **parts}
    words = "\n".join(map(repr, paragraphs)).encode()
    spoken = {
        "voice": f"{request.voice.name} by {', then '.join(request.voice.chain)}",
        "rate": f"{request.voice.rate:g}",
        "pitch": f"{request.voice.pitch:g}",
        "languages": ", ".join(f"{language}: {name}" for language, name in sorted(request.voice.languages.items())),
        "pronunciations": _digest(request.voice.pronunciations) if request.voice.pronunciations else "",
        "speech server": _hashed(request.voice.http.settings()) if request.voice.http else "",
        "speech model": _hashed(request.voice.sherpa.settings()) if request.voice.sherpa else "",
    }
    return {"words": hashlib.sha256(words).hexdigest()[:12], **spoken, **parts}


def _hashed(settings: HttpSettings | SherpaSettings) -> str:
    """An address may hold a secret, and what is asked for lies on the disk."""
    if isinstance(settings, HttpSettings):
        settings = msgspec.structs.replace(settings, key="")
    return hashlib.sha256(msgspec.json.encode(settings)).hexdigest()[:12]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror}") from error


# ── sound ────────────────────────────────────────────────────────────────────────────────────────


def _tape(request: Request, paragraphs: list[narration.Paragraph], place: Unfinished, progress: Progress) -> Tape:
    try:
        return Tape(place.directory)
    except FileNotFoundError:
        pass
    with TapeWriter(place.directory) as tape:
        if request.audio is not None:
            _copy(SoundFile(request.audio), tape, progress)
        else:
            _narrate(request, paragraphs, place, tape, progress)
        tape.end()
    return Tape(place.directory)


def _copy(sound: SoundFile, tape: TapeWriter, progress: Progress) -> None:
    """A sound file onto the tape, with its drive."""
    speech = Speech(AIR_HZ)
    for block in sound.blocks():
        if tape.samples == 0:
            progress.begin("reading", sound.seconds or 0)
        if piece := speech.feed(block):
            tape.add(piece.air, piece.drive)
        progress.reach(tape.samples / AIR_HZ)
    if piece := speech.end():
        tape.add(piece.air, piece.drive)
    if sound.damaged:
        progress.note(f"{sound.damaged} damaged parts of the sound were left out")


def _narrate(
    request: Request,
    paragraphs: list[narration.Paragraph],
    place: Unfinished,
    tape: TapeWriter,
    progress: Progress,
) -> None:
    spoken = narration.sentences_of(paragraphs)
    progress.begin("speaking", len(spoken), "sentences")
    asyncio.run(_speak(request, spoken, place, progress))
    try:
        narration.lay_out(spoken, place.speech, tape)
    except MessageError as error:
        raise BadInput(f"{request.script or '--text'}: {error}") from error


async def _speak(request: Request, spoken: list[narration.Sentence], place: Unfinished, progress: Progress) -> None:
    voice = Voice(request.voice.name, request.voice.rate, request.voice.pitch)
    chain = make_chain(
        request.voice.chain,
        VOICE_TIMEOUT_S,
        RealClock(),
        place.speech,
        settings=request.voice.settings(),
        diction=read_diction(request.voice.languages, request.voice.pronunciations),
    )
    try:
        await narration.speak_all(spoken, voice, chain, place.speech, progress.reach, progress.note)
    finally:
        await chain.close()


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────


def _pictures(
    request: Request, tape: Tape, engine: AvatarEngine, avatar: Avatar, place: Unfinished, progress: Progress
) -> None:
    footage = Footage(tape, engine, avatar, request.label, place)
    if request.avatar.engine in RANKED:
        progress.begin("loading", 0, "parts")
    footage.open(request.avatar.seed)
    progress.begin("drawing", tape.frames / FPS, done=footage.frame / FPS)
    footage.run(lambda frame: progress.reach(frame / FPS))


def _joined(tape: Tape, place: Unfinished, progress: Progress) -> None:
    groups = [place.group(index) for index in range(place.groups_done())]
    progress.begin("joining", tape.frames / FPS)
    join(groups, tape.sound(), place.joined, lambda frame: progress.reach(frame / FPS))
