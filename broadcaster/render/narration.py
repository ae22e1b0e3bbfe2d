"""Words to a tape: every sentence is spoken, then all are laid out as they would be on air.

In: paragraphs, a voice. Out: a tape with marks. A sentence that was spoken is kept in a file, so what was
interrupted speaks none twice. What cannot be said (no letter in it) is left out and told. SpeechError when no
voice can say a sentence; the next call goes on with that one.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import msgspec

from broadcaster.render.tape import TapeWriter
from broadcaster.script.model import Script
from broadcaster.script.products import Catalog
from broadcaster.script.values import Values, worded
from broadcaster.timeline import SENTENCE_PAUSE_SAMPLES, Line, Speech, Timeline
from broadcaster.utterance import SCRIPT_PREFIX, Key
from pipeline.arrays import view_pcm
from pipeline.errors import MessageError
from pipeline.media import AIR_PER_DRIVE, DRIVE_HZ, Mark
from tts.markup import plain
from tts.synthesizer import Piece, Voice, Voices
from tts.text import sentences

LEAD_SAMPLES = 9_600  # 200 ms with closed lips before the first word
TAIL_SAMPLES = 38_400  # 800 ms: the last word is read to its end, and the lips come to rest
HOP_SAMPLES = 9_600  # of the layout: shorter than the usual pauses
LOADED = 3  # sentences that the layout must know of: the one going on, the next, and what follows a very short one

assert HOP_SAMPLES < SENTENCE_PAUSE_SAMPLES


@dataclass(frozen=True, slots=True)
class Paragraph:
    """section: that it opens, or "". voice: "" = the one that is asked for. speed, pause_s: as of an Utterance."""

    text: str
    section: str = ""
    voice: str = ""
    speed: float | None = None
    pause_s: float | None = None


@dataclass(frozen=True, slots=True)
class Sentence:
    key: Key
    text: str
    section: str  #: that its utterance opens, or ""
    voice: str = ""
    speed: float | None = None
    pause_s: float | None = None


class _Kept(msgspec.Struct, frozen=True, array_like=True):
    """A spoken sentence as it lies on the shelf; both sounds empty when it cannot be said."""

    air: bytes
    drive: bytes
    marks: list[Mark]


def paragraphs_of(
    script: Script, products: Catalog, dice: random.Random, on_left_out: Callable[[str], None]
) -> list[Paragraph]:
    """Every line of a script, once, in the file's order.

    What needs a value that there is none of is left out; so is what tells the time, as a file is seen at any time.
    """
    values = Values(own=script.variables, products=products)
    paragraphs = []
    for section in script.sections:
        opens = section.name
        for line in section.lines if section.weight > 0 else ():
            words = worded(line, section, values, dice.randrange)
            if words.missing:
                on_left_out(f"line {line.line}: no value for {', '.join(words.missing)}")
            elif words.text:
                parts = (line, section, script)
                voice = next((part.voice for part in parts if part.voice), "")
                speed = next((part.speed for part in parts if part.speed is not None), None)
                pause_s = next((part.pause_s for part in parts if part.pause_s is not None), None)
                paragraphs.append(Paragraph(words.text, opens, voice, speed, pause_s))
                opens = ""
    return paragraphs


def sentences_of(paragraphs: Sequence[Paragraph]) -> list[Sentence]:
    return [
        Sentence(
            (f"{SCRIPT_PREFIX}0:{index}", number),
            text,
            paragraph.section,
            paragraph.voice,
            paragraph.speed,
            paragraph.pause_s,
        )
        for index, paragraph in enumerate(paragraphs)
        for number, text in enumerate(sentences(paragraph.text))
    ]


async def speak_all(
    spoken: Sequence[Sentence],
    voice: Voice,
    voices: Voices,
    shelf: Path,
    on_spoken: Callable[[int], None],
    on_left_out: Callable[[str], None],
) -> None:
    """Put the sound of each sentence on the shelf, a directory. `on_spoken`: so many are there.

    voice: of what names none, and at no speed of its own.
    """
    shelf.mkdir(exist_ok=True)
    for index, sentence in enumerate(spoken):
        path = _shelved(shelf, index)
        voices.tick()
        if not path.exists():
            try:
                kept = await _spoken(voices.speak(sentence.text, _voice_of(sentence, voice)))
            except MessageError as error:
                kept = _Kept(b"", b"", [])
                on_left_out(str(error))
            part = path.with_name(f"{path.name}.part")
            part.write_bytes(msgspec.msgpack.encode(kept))
            part.replace(path)
        on_spoken(index + 1)


def lay_out(spoken: Sequence[Sentence], shelf: Path, tape: TapeWriter) -> None:
    """Everything on the shelf onto the tape, with the pauses of the air. MessageError when there is no sound at all."""
    timeline = Timeline()
    coming = _lines(spoken, shelf)
    planned = deque(islice(coming, LOADED))
    if not planned:
        raise MessageError("there is nothing in it that can be said")
    tape.rest(LEAD_SAMPLES)
    while planned or timeline.going_on is not None:
        timeline.replan(planned)
        chunk = timeline.take(HOP_SAMPLES, 0)
        assert chunk is not None  # every sentence is whole
        tape.add(chunk.air, chunk.drive, chunk.marks)
        while planned and planned[0].begun:
            planned.popleft()
            planned.extend(islice(coming, 1))
    tape.rest(TAIL_SAMPLES)


async def _spoken(pieces: AsyncIterator[Piece]) -> _Kept:
    air, drive, marks = bytearray(), bytearray(), list[Mark]()
    try:
        async for piece in pieces:
            air += piece.air.tobytes()
            drive += piece.drive.tobytes()
            marks += piece.marks
    finally:
        if isinstance(pieces, AsyncGenerator):
            await pieces.aclose()
    return _Kept(bytes(air), bytes(drive), marks)


def _voice_of(sentence: Sentence, voice: Voice) -> Voice:
    return replace(
        voice, name=sentence.voice or voice.name, rate=voice.rate if sentence.speed is None else sentence.speed
    )


def _lines(spoken: Sequence[Sentence], shelf: Path) -> Iterator[Line]:
    """The sentences that have a sound, loaded one by one; the last one of each utterance says so."""
    before: Line | None = None
    for index, sentence in enumerate(spoken):
        kept = msgspec.msgpack.decode(_shelved(shelf, index).read_bytes(), type=_Kept)
        if not kept.air:
            continue
        speech = Speech()
        speech.add(Piece(view_pcm(kept.air), view_pcm(kept.drive), tuple(kept.marks)))
        speech.complete = True
        if before is not None:
            before.last = before.key[0] != sentence.key[0]
            yield before
        before = Line(sentence.key, plain(sentence.text), "script", last=True, section=sentence.section, speech=speech)
        if sentence.pause_s is not None:
            before.pause = AIR_PER_DRIVE * round(sentence.pause_s * DRIVE_HZ)
    if before is not None:
        yield before


def _shelved(shelf: Path, index: int) -> Path:
    return shelf / f"{index:06}.speech"
