"""Every voice equally loud: one gain a voice, from its measured loudness, and a limiter behind it.

In: the sound of a voice as its provider made it. Out: the same at TARGET_LUFS, no sample above PEAK_DBFS. The gain is
one number for a sentence, so it never steps inside one; it settles over the first SETTLED_S of a voice and is kept on
disk. Loudness is the gated integrated one of ITU-R BS.1770, by libav's ebur128. The sound that drives an avatar is left
as the provider made it: engines find their own level, so lips do not depend on how loud a room is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import numpy as np
import structlog
from av.audio.frame import AudioFrame
from av.filter import Graph

from pipeline.arrays import Pcm, silence
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, Mark
from tts.synthesizer import Piece

TARGET_LUFS = -16.0  #: what platforms expect of speech
PEAK_DBFS = -2.5  #: AAC overshoots by a decibel: then viewers get at most -1
GAIN_DB = (-20.0, 30.0)  #: beyond, a voice is broken, and so is its measurement
CERTAIN_S = 3.0  #: of speech until a loudness is believed
SETTLED_S = 30.0  #: of speech that a gain is found over
FOLLOW = 0.5  #: how far a settled gain follows the next SETTLED_S: a provider may change a voice
HEARD_VOICES = 16  #: whose sound is held at once, up to SETTLED_S each: 46 MB
KNOWN_VOICES = 1000  #: a message may name any voice; the oldest is measured anew
NEAR_DB = 0.2  #: to TARGET_LUFS: near enough
TRIES = 4  #: the limiter takes a decibel from peaky voices, which more gain gives back
UNHEARD_LUFS = -60.0  #: ebur128 says -70 where no block of 400 ms passed its gate
METER = ("ebur128", "metadata=1:dualmono=true")  # viewers hear it from both speakers
LIMITER = f"limit={10 ** (PEAK_DBFS / 20):.5f}:attack=5:release=60:level=0:latency=1"

log = structlog.get_logger()


class Gain(msgspec.Struct):
    """Of a voice: decibels, found over so many seconds of speech."""

    db: float
    seconds: float


@dataclass(slots=True)
class _Heard:
    """What was said since the last settled measurement."""

    sounds: list[Pcm] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(map(len, self.sounds)) / AIR_HZ


class Levels:
    """The gain of each voice. Called on one event loop; measuring is done beside it."""

    def __init__(self, path: Path | None, known: Mapping[str, Gain] | None = None) -> None:
        """path: where they outlive the process; None: nowhere. known: what is known of voices from the beginning."""
        self._path = path
        self._known = dict(known or {})
        self._heard: dict[str, _Heard] = {}
        self._refused = False
        self._saving = asyncio.Lock()

    def open(self) -> None:
        if self._path is None:
            return
        try:
            self._known |= msgspec.json.decode(self._path.read_bytes(), type=dict[str, Gain])
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            pass  # each voice is measured anew

    def is_certain(self, voice: str) -> bool:
        return voice in self._known and self._known[voice].seconds >= CERTAIN_S

    def gain_db(self, voice: str) -> float | None:
        """What brings a voice to TARGET_LUFS; None while nothing is known of it."""
        known = self._known.get(voice)
        return None if known is None else known.db

    def lufs(self, voice: str) -> float | None:
        """How loud a voice is before its gain; None while that is not certain."""
        return TARGET_LUFS - self._known[voice].db if self.is_certain(voice) else None

    async def preview(self, voice: str, sounds: Sequence[Pcm]) -> float:
        """The gain for a sentence of a voice that is not certain, from its beginning and what was heard before."""
        before = self._heard.get(voice, _Heard()).sounds
        gain_db = await asyncio.to_thread(find_gain_db, [*before, *sounds])
        return self.gain_db(voice) or 0.0 if gain_db is None else gain_db

    async def learn(self, voice: str, sounds: Sequence[Pcm]) -> None:
        """A whole sentence of a voice, as its provider made it."""
        heard = self._heard[voice] = self._heard.pop(voice, _Heard())
        if len(self._heard) > HEARD_VOICES:
            del self._heard[next(iter(self._heard))]
        heard.sounds += sounds
        seconds, known = heard.seconds, self._known.get(voice)
        settled = known is not None and known.seconds >= SETTLED_S
        if seconds < (SETTLED_S if settled else 0):
            return
        if seconds >= SETTLED_S:
            self._heard.pop(voice, None)
        gain_db = await asyncio.to_thread(find_gain_db, list(heard.sounds))
        if gain_db is None:
            return
        if known is None or not settled:
            self._known[voice] = Gain(gain_db, max(seconds, known.seconds if known else 0.0))
        else:
            known.db += FOLLOW * (gain_db - known.db)
        if len(self._known) > KNOWN_VOICES:
            del self._known[next(name for name in self._known if name != voice)]
        async with self._saving:
            await asyncio.to_thread(self._save, msgspec.json.encode(self._known))

    def _save(self, known: bytes) -> None:
        if self._path is None:
            return
        part = self._path.with_suffix(".part")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            part.write_bytes(known)
            part.replace(self._path)
        except OSError as error:
            if not self._refused:
                log.warning("speech.unkept", reason=str(error))
            self._refused = True


def find_gain_db(sounds: Sequence[Pcm]) -> float | None:
    """What brings sounds to TARGET_LUFS behind the limiter; None when they are silent."""
    lufs = measure(sounds)
    if lufs <= UNHEARD_LUFS:
        return None
    gain_db = 0.0
    for _ in range(TRIES):
        gain_db = min(max(gain_db + TARGET_LUFS - lufs, GAIN_DB[0]), GAIN_DB[1])
        lufs = _levelled_lufs(sounds, gain_db)
        if abs(TARGET_LUFS - lufs) <= NEAR_DB:
            break
    return gain_db


def measure(sounds: Sequence[Pcm]) -> float:
    """Gated integrated loudness, LUFS, of sounds that follow one another."""
    return _loudness(_Filter(METER), sounds)


def _levelled_lufs(sounds: Sequence[Pcm], gain_db: float) -> float:
    return _loudness(_Filter(*_levelling(gain_db), METER), sounds)


def _loudness(meter: _Filter, sounds: Sequence[Pcm]) -> float:
    lufs = UNHEARD_LUFS
    for sound in sounds:
        meter.push(sound)
        lufs = _read(meter.ready(), lufs)  # taken as it comes: what stays in the filter grows by the sentence
    return _read(meter.end(), lufs)


def _read(frames: Sequence[AudioFrame], lufs: float) -> float:
    """The meter's last word, which counts from its first sound; `lufs` when it says nothing."""
    for frame in frames:
        lufs = float(frame.metadata.get("lavfi.r128.I", lufs))
    return lufs


def _levelling(gain_db: float) -> tuple[tuple[str, str], ...]:
    return ("volume", f"{gain_db:.3f}dB"), ("alimiter", LIMITER), ("aformat", "sample_fmts=s16")


class Leveller:
    """Pieces of one sentence in, the same with `gain_db` and limited out; a few milliseconds are held back."""

    def __init__(self, gain_db: float) -> None:
        self._filter = _Filter(*_levelling(gain_db))
        self._air, self._drive = silence(0), silence(0)
        self._marks: list[Mark] = []
        self._made = 0

    def feed(self, piece: Piece) -> Piece | None:
        self._drive = np.concatenate([self._drive, piece.drive])
        self._marks += piece.marks
        self._filter.push(piece.air)
        return self._emit(self._filter.ready(), whole=False)

    def end(self) -> Piece | None:
        return self._emit(self._filter.end(), whole=True)

    def _emit(self, frames: Sequence[AudioFrame], whole: bool) -> Piece | None:
        air = np.concatenate([self._air, *(frame.to_ndarray()[0] for frame in frames)])
        count = len(self._drive) if whole else len(air) // AIR_PER_DRIVE
        self._air, air = air[count * AIR_PER_DRIVE :], air[: count * AIR_PER_DRIVE]
        drive, self._drive = self._drive[:count], self._drive[count:]
        self._made += len(air)
        ready = tuple(mark for mark in self._marks if whole or mark.at < self._made)
        self._marks = [] if whole else [mark for mark in self._marks if mark.at >= self._made]
        return Piece(air, drive, ready) if count else None


class Meter:
    """The gated loudness of a sound as it comes."""

    def __init__(self) -> None:
        self._filter = _Filter(METER)
        self.lufs = UNHEARD_LUFS  #: of all so far

    def feed(self, sound: Pcm) -> None:
        self._filter.push(sound)
        self.lufs = _read(self._filter.ready(), self.lufs)


class Limiter:
    """48 kHz mono in, the same with no sample above PEAK_DBFS out; a few milliseconds are held back."""

    def __init__(self) -> None:
        self._filter = _Filter(("alimiter", LIMITER), ("aformat", "sample_fmts=s16"))

    def feed(self, sound: Pcm) -> Pcm:
        self._filter.push(sound)
        return np.concatenate([silence(0), *(frame.to_ndarray()[0] for frame in self._filter.ready())])


class _Filter:
    """A chain of libav filters for 48 kHz mono."""

    def __init__(self, *filters: tuple[str, str]) -> None:
        self._graph = Graph()
        self._source = last = self._graph.add_abuffer(sample_rate=AIR_HZ, format="s16", layout="mono")
        for name, options in (*filters, ("abuffersink", "")):
            following = self._graph.add(name, options or None)
            last.link_to(following)
            last = following
        self._graph.configure()
        self._pushed = 0

    def push(self, sound: Pcm) -> None:
        if not len(sound):
            return
        frame = AudioFrame.from_ndarray(np.ascontiguousarray(sound).reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate, frame.pts = AIR_HZ, self._pushed
        self._pushed += len(sound)
        self._source.push(frame)

    def ready(self) -> list[AudioFrame]:
        frames: list[AudioFrame] = []
        while True:
            try:
                frame = self._graph.pull()
            except (BlockingIOError, EOFError):  # nothing more for now; nothing more at all
                return frames
            assert isinstance(frame, AudioFrame)
            frames.append(frame)

    def end(self) -> list[AudioFrame]:
        if not self._pushed:
            return []
        self._source.push(None)
        return self.ready()
