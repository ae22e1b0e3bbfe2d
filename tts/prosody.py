"""How marked text is spoken, for all providers: what is asked of one, and how the answers become one sound.

In: a marked sentence, a voice, what the provider is able to do. Out: a `Score`: parts that are asked for one by one,
each in one manner and one language, with silences of exact length between them; then, as their sound comes, the pieces
of the sentence, with words as viewers see them and the avatar's cues in their places. It asks nobody itself.

    mark          espeak                     edge                 http, sherpa
    speed         words a minute             rate of the request  speed of the request
    pitch         its own, -6.7 to +8.6      hertz                as it is
    emphasis      slower, higher, louder     the same             slower, louder
    language      its voice of it            our voice of it      the voice itself, unless `languages` has another
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path

import msgspec
import numpy as np

from pipeline.errors import MessageError
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, CUE, PERSON, WORD, Mark
from tts.lexicon import Lexicon, load
from tts.markup import Cue, Span, parse, person_of
from tts.reading import Reading, ShownWords
from tts.synthesizer import Piece, Voice
from tts.text import CHINESE, language_of, readable

MAX_CHARS = 4000  #: of a sentence as it is read: 500 characters of signs come to no more
RATE = (0.4, 2.5)  #: of a voice, all that quickens it together
EMPHASIS_RATE, EMPHASIS_PITCH, EMPHASIS_DB = 0.9, 1.0, 2.0
LEAVE_S = 1.0  #: for parts to let go of their provider; then they are left behind
AT_ONCE = 3  #: parts asked for together: the next one is there when the one on air ends
CHARS_PER_S = {"zh": 4.5}  #: at rate 1, to place a cue in a voice that tells no words
LATIN_CHARS_PER_S = 14.0


@dataclass(frozen=True, slots=True)
class Ability:
    """pitch: can shift it. languages: a language is a voice of it. ipa: can say what tts.ipa brackets."""

    pitch: bool = False
    languages: bool = False
    ipa: bool = False


ABILITIES: Mapping[str, Ability] = {
    "edge": Ability(pitch=True, languages=True),
    "espeak": Ability(pitch=True, languages=True, ipa=True),
}
"""By the names of tts.synthesizer.PROVIDERS; any other one is asked for another speed, and nothing else."""


@dataclass(frozen=True, slots=True)
class Diction:
    """What a room has decided about how things are said. languages: language → the voice that speaks it."""

    languages: Mapping[str, str] = field(default_factory=dict)
    lexicon: Lexicon = field(default_factory=Lexicon)


def read_diction(languages: Mapping[str, str], pronunciations: Path | str | None) -> Diction:
    """With the dictionary of a file, "" or None: none. BadInput names file and line of all that is wrong."""
    return Diction(languages, load(Path(pronunciations)) if pronunciations else Lexicon())


@dataclass(frozen=True, slots=True)
class Part:
    """What is asked of a provider at once, in `voice`. otherwise: if it does not have that.

    gain_db: beside what levels the voice. pause_s: silence after it. cues: by the index in what it shows.
    """

    reading: Reading
    voice: Voice
    otherwise: Voice | None = None
    gain_db: float = 0.0
    pause_s: float = 0.0
    cues: tuple[Cue, ...] = ()


@dataclass(frozen=True, slots=True)
class Score:
    """voice: of what is not marked otherwise. lead_s: silence before the first part."""

    parts: tuple[Part, ...]
    voice: Voice
    lead_s: float = 0.0


def score(sentence: str, voice: Voice, ability: Ability, diction: Diction) -> Score:
    """How a provider is to speak a marked sentence; MessageError when there is nothing to say, or too much.

    Hanzi need a Chinese voice, whatever the room speaks.
    """
    marked = parse(sentence)
    language = language_of("".join(span.text for span in marked.spans if not span.lang) or marked.plain, voice.name)
    if language == "zh" and voice.name.split("-")[0].split("+")[0].lower() not in CHINESE:
        voice = replace(voice, name=diction.languages.get("zh", "zh"))
    lead_s, spans = _sayable(marked.spans, lambda text: readable(text, language).sayable)
    if not spans:
        raise MessageError(f"nothing to say in {marked.plain[:40]!r}: no letter and no figure")
    parts = tuple(_part(span, voice, language, ability, diction) for span in spans)
    if (chars := sum(len(part.reading.text) for part in parts)) > MAX_CHARS:
        raise MessageError(f"{marked.plain[:40]!r}… is {chars} characters when read out; at most {MAX_CHARS}")
    return Score(_with_cues(parts, marked.cues), voice, lead_s)


async def performed(score: Score, sound: Callable[[Part], AsyncGenerator[Piece, None]]) -> AsyncGenerator[Piece, None]:
    """The pieces of a sentence, in order, each in time. sound: what a provider gives for a part, trimmed and level."""
    at = 0
    lead = quiet(score.lead_s)  # comes with the first sound: until then another provider may take over
    sources = _Sources([sound(part) for part in score.parts])
    try:
        for index, part in enumerate(score.parts):
            told = _Told(part, at + len(lead.air))
            async with aclosing(sources.pieces(index)) as pieces:
                async for piece in pieces:
                    if len(lead.air):
                        yield lead
                        at, lead = at + len(lead.air), quiet(0.0)
                    yield told.as_shown(piece)
            if (last := told.end()).marks:
                yield last
            at += told.samples
            if part.pause_s:
                yield (pause := quiet(part.pause_s))
                at += len(pause.air)
    finally:
        await sources.close()


def quiet(seconds: float) -> Piece:
    drive = np.zeros(round(seconds * AIR_HZ / AIR_PER_DRIVE), np.int16)
    return Piece(np.zeros(AIR_PER_DRIVE * len(drive), np.int16), drive)


# ── what is asked ────────────────────────────────────────────────────────────────────────────────


def _sayable(spans: Sequence[Span], says: Callable[[str], bool]) -> tuple[float, list[Span]]:
    """Silence before it all, and the spans; one without a letter or a figure joins its neighbour."""
    lead_s, scrap = 0.0, ""
    joined: list[Span] = []
    for span in spans:
        if says(span.text):
            joined.append(replace(span, text=scrap + span.text))
            scrap = ""
        elif joined:
            last = joined[-1]
            joined[-1] = replace(last, text=last.text + span.text, pause_s=last.pause_s + span.pause_s)
        else:
            scrap += span.text
            lead_s += span.pause_s
    return lead_s, joined


def _part(span: Span, voice: Voice, language: str, ability: Ability, diction: Diction) -> Part:
    speaks, otherwise = voice, None
    if span.lang:
        language = language_of("", span.lang)
        if (name := _speaker(span.lang, language, voice, ability, diction)) != voice.name:
            speaks, otherwise = replace(voice, name=name), voice
    manner = (1.0, 0.0, 0.0) if not span.emphasis else (EMPHASIS_RATE, EMPHASIS_PITCH, EMPHASIS_DB)
    rate = min(max(round(voice.rate * span.speed * manner[0], 3), RATE[0]), RATE[1])
    pitch = round(voice.pitch + span.pitch + manner[1], 3) if ability.pitch else 0.0
    respelt = diction.lexicon.find(span.text, language, ipa=ability.ipa)
    return Part(
        readable(span.text, language, respelt),
        replace(speaks, rate=rate, pitch=pitch),
        otherwise and replace(otherwise, rate=rate, pitch=pitch),
        gain_db=manner[2],
        pause_s=span.pause_s,
    )


def _speaker(lang: str, language: str, voice: Voice, ability: Ability, diction: Diction) -> str:
    """The voice for a language: the room's choice, the one that speaks already where it can, the provider's."""
    own = voice.name.replace("_", "-").lower()
    if chosen := diction.languages.get(lang) or diction.languages.get(language):
        return chosen
    if own == lang.lower() or own.startswith(f"{lang.lower()}-") or not ability.languages:
        return voice.name
    if "-" not in lang and language_of("", voice.name) == language:
        return voice.name
    return lang


def _with_cues(parts: Sequence[Part], cues: Sequence[Cue]) -> tuple[Part, ...]:
    """Each cue to the part that shows its place."""
    placed: list[Part] = []
    begin = 0
    for index, part in enumerate(parts, 1):
        end = begin + len(part.reading.shown)
        last = index == len(parts)
        own = [Cue(cue.name, cue.at - begin) for cue in cues if begin <= cue.at and (cue.at < end or last)]
        placed.append(replace(part, cues=tuple(own)))
        begin = end
    return tuple(placed)


# ── how it sounds ────────────────────────────────────────────────────────────────────────────────


class _Told:
    """The pieces of one part as they belong into the sentence, which had `begin` samples before it.

    A word that an earlier one stands for goes. A cue comes with the first word at or behind its place; where a voice
    tells no words, when about so many characters were said.
    """

    def __init__(self, part: Part, begin: int) -> None:
        self._begin = begin
        self._words = ShownWords(part.reading)
        self._cues = list(part.cues)
        self._told_words = False
        language = language_of(part.reading.shown, "")
        self._samples_per_char = AIR_HZ / CHARS_PER_S.get(language, LATIN_CHARS_PER_S) / part.voice.rate
        self._chars = max(1, len(part.reading.shown))
        self.samples = 0

    def as_shown(self, piece: Piece) -> Piece:
        self.samples += len(piece.air)
        marks: list[Mark] = []
        for mark in piece.marks:
            text = mark.text
            if mark.kind == WORD:
                text = self._words.shown(mark.text)
                self._told_words = True
                marks += self._due(self._words.at, mark.at)
            if text:
                marks.append(msgspec.structs.replace(mark, text=text))
        if not self._told_words:
            marks += self._due(0, 0)
            while self._cues and (at := int(self._cues[0].at * self._samples_per_char)) < self.samples:
                marks += self._due(self._cues[0].at, at)
        return replace(piece, marks=tuple(mark.moved(self._begin) for mark in marks))

    def end(self) -> Piece:
        """What no word was told for; within the sound, for the sentence ends with its last sample."""
        last = max(self.samples - 1, 0)
        marks = [
            mark
            for cue in list(self._cues)
            for mark in self._due(cue.at, min(cue.at * self.samples // self._chars, last))
        ]
        return replace(quiet(0.0), marks=tuple(mark.moved(self._begin) for mark in marks))

    def _due(self, place: int, at: int) -> list[Mark]:
        """The cues up to a place in the shown text, whose sound is at a sample."""
        due = [cue for cue in self._cues if cue.at <= place]
        self._cues = [cue for cue in self._cues if cue.at > place]
        return [_mark(cue, at) for cue in due]


def _mark(cue: Cue, at: int) -> Mark:
    person = person_of(cue.name)
    return Mark(at, PERSON, text=person) if person else Mark(at, CUE, text=cue.name)


class _Sources:
    """Several sounds, one after another; of those to come some are under way. One alone needs no task."""

    def __init__(self, sources: Sequence[AsyncGenerator[Piece, None]]) -> None:
        self._sources = sources
        self._queues: list[asyncio.Queue[Piece | None]] = [asyncio.Queue() for _ in sources]  # each as long as a part
        self._tasks: list[asyncio.Task[None]] = []

    async def pieces(self, index: int) -> AsyncGenerator[Piece, None]:
        if len(self._sources) == 1:
            async with aclosing(self._sources[0]) as source:
                async for piece in source:
                    yield piece
            return
        while len(self._tasks) < min(index + AT_ONCE, len(self._sources)):
            self._tasks.append(asyncio.create_task(self._pump(len(self._tasks)), name="voice-part"))
        while (next_piece := await self._queues[index].get()) is not None:
            yield next_piece
        await self._tasks[index]

    async def close(self) -> None:
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            done, _ = await asyncio.wait(self._tasks, timeout=LEAVE_S)
            for task in done:
                if not task.cancelled():
                    task.exception()  # asyncio complains of one that nobody looked at

    async def _pump(self, index: int) -> None:
        try:
            async with aclosing(self._sources[index]) as source:
                async for piece in source:
                    self._queues[index].put_nowait(piece)
        finally:
            self._queues[index].put_nowait(None)
