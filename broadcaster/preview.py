"""What an avatar will be on air, before it is: two seconds of it as a film, and a contact sheet.

In: a picture or an `.avatar` file. Out: `NAME-preview.mp4`, talking by the offline voice, with the label that is in
every picture, and `NAME-preview.png`. Nothing is baked and no room is needed.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from broadcaster.config import AvatarSection, LabelSection
from pipeline.arrays import Frames, Pcm
from pipeline.avatar import Avatar, fit_avatar
from pipeline.bake import see
from pipeline.contactsheet import contact_sheet, hum, tiles, write_png
from pipeline.crop import face_of, shown
from pipeline.engine import AvatarEngine, Job, load_engine
from pipeline.errors import BadInput, SpeechError
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, DRIVE_SAMPLES, FPS, Mark
from streams.clip import GroupWriter, join
from streams.overlay import Overlay
from tts.pcm import Resampler
from tts.settings import ProviderSettings
from tts.synthesizer import Voice, load_provider

SECONDS = 2
FRAMES = SECONDS * FPS
LEAD_FRAMES = 5  # 200 ms with closed lips before the first word
VOICE, TEXT = "espeak", "Hello! So good to see you."
AHEAD_SAMPLES = 6_400  # 400 ms at 16 kHz, as on air


@dataclass(frozen=True, slots=True)
class Previewed:
    film: Path
    sheet: Path


@dataclass(frozen=True, slots=True)
class _Sound:
    """drive: int16 [FRAMES * 640], 16 kHz. air: the same, 48 kHz. marks: from its start."""

    drive: Pcm
    air: Pcm
    marks: Sequence[Mark]


def preview(picture: Path, directory: Path | None, section: AvatarSection) -> Previewed:
    """Write both files into a directory (default: that of the picture), which is made where it is missing.

    BadInput and its kin say what is wrong with the picture or the directory. section: size, engine, seed and crop.
    """
    into = directory or picture.parent
    seen = see(picture)
    avatar = fit_avatar(seen.picture, seen.points, section.size, section.crop, str(picture))
    face = face_of(seen.points) if section.crop == "face" else None
    window = shown(seen.points.size, section.size, seen.points, face)
    engine = load_engine(section.engine)
    try:
        engine.format(avatar)
        _make(into)
        made = Previewed(into / f"{picture.stem}-preview.mp4", into / f"{picture.stem}-preview.png")
        named = tiles(engine, avatar, section.seed, seen.picture, window.part(section.size))
        write_png(made.sheet, contact_sheet(named))
        _write_film(made.film, engine, avatar, section.seed)
    finally:
        engine.close()
    return made


def _make(directory: Path) -> None:
    if directory.suffix.lower() in (".png", ".mp4"):
        raise BadInput(f"{directory}: give a directory; two files are written into it")
    try:
        directory.mkdir(exist_ok=True)
    except OSError as error:
        raise BadInput(f"{directory}: {error.strerror}") from error


# ── the film ─────────────────────────────────────────────────────────────────────────────────────


def _write_film(out: Path, engine: AvatarEngine, avatar: Avatar, seed: int) -> None:
    sound = _sound()
    label = LabelSection()
    overlay = Overlay(*avatar.size, label.text, label.corner)
    drawn = np.empty((avatar.size[1] * 3 // 2, avatar.size[0]), np.uint8)
    part = out.with_name(f"{out.name}.part")
    try:
        with tempfile.TemporaryDirectory() as place:
            group = Path(place) / "pictures.mp4"
            writer = GroupWriter(group, *avatar.size)
            writer.open()
            for frames in _performed(engine, avatar, seed, sound):
                for frame in frames:
                    overlay.draw(frame, (), drawn)
                    writer.write(drawn)
            writer.end()
            join([group], iter([sound.air]), part, lambda _: None)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def _performed(engine: AvatarEngine, avatar: Avatar, seed: int, sound: _Sound) -> Iterator[Frames]:
    """The engine speaks it, hop by hop as on air; FRAMES in all."""
    hop = engine.format(avatar).hop_frames
    state = engine.open(avatar, seed)
    drive = np.concatenate([sound.drive, np.zeros(hop * DRIVE_SAMPLES, np.int16)])
    for first in range(0, FRAMES, hop):
        start, end = first * DRIVE_SAMPLES, (first + hop) * DRIVE_SAMPLES
        ahead = drive[end : end + AHEAD_SAMPLES]
        known = range(start * AIR_PER_DRIVE, (end + len(ahead)) * AIR_PER_DRIVE)
        marks = [mark.moved(-known.start) for mark in sound.marks if mark.at in known]
        made = engine.step([Job(state, drive[start:end], ahead, marks)])[0]
        state = made.state
        yield made.frames[: FRAMES - first]


def _sound() -> _Sound:
    """What is said, or a hum where the offline voice does not work; exactly FRAMES long."""
    try:
        return asyncio.run(_spoken())
    except SpeechError:
        drive = hum(0, FRAMES)
        resampler = Resampler(AIR_HZ // AIR_PER_DRIVE)
        return _fitted(drive, np.concatenate([resampler.feed(drive), resampler.end()]), [])


async def _spoken() -> _Sound:
    voice = load_provider(VOICE, ProviderSettings())
    lead = LEAD_FRAMES * DRIVE_SAMPLES
    drive, air = [np.zeros(lead, np.int16)], [np.zeros(lead * AIR_PER_DRIVE, np.int16)]
    marks: list[Mark] = []
    try:
        async for piece in voice.speak(TEXT, Voice("en")):
            drive.append(piece.drive)
            air.append(piece.air)
            marks += [mark.moved(lead * AIR_PER_DRIVE) for mark in piece.marks]
    finally:
        await voice.close()
    return _fitted(np.concatenate(drive), np.concatenate(air), marks)


def _fitted(drive: Pcm, air: Pcm, marks: Sequence[Mark]) -> _Sound:
    samples = FRAMES * DRIVE_SAMPLES
    return _Sound(_of_length(drive, samples), _of_length(air, samples * AIR_PER_DRIVE), marks)


def _of_length(sound: Pcm, samples: int) -> Pcm:
    """Cut, or with silence behind it."""
    made = np.zeros(samples, np.int16)
    count = min(samples, len(sound))
    made[:count] = sound[:count]
    return made
