"""A tape gives back hop by hop what was put on it, from anywhere, as an engine on air would get it."""

import random
from pathlib import Path

import numpy as np
import pytest

from broadcaster.render import narration
from broadcaster.render.narration import Paragraph
from broadcaster.render.tape import Tape, TapeWriter
from broadcaster.script.load import parse
from pipeline.arrays import Pcm
from pipeline.errors import MessageError
from pipeline.media import AIR_SAMPLES, PHONEME, SENTENCE, SENTENCE_END, UTTERANCE_END, Mark
from tts.synthesizer import Piece, Voice

HOP, AHEAD = 5 * AIR_SAMPLES, 19_200


def ramp(samples: int) -> tuple[Pcm, Pcm]:
    air = (np.arange(samples) % 30_000).astype(np.int16)
    return air, air[::3]


def tape(folder: Path, samples: int, marks: list[Mark]) -> Tape:
    with TapeWriter(folder) as writer:
        air, drive = ramp(samples)
        half = samples // 6 * 3
        writer.add(air[:half], drive[: half // 3], [mark for mark in marks if mark.at < half])
        writer.add(air[half:], drive[half // 3 :], [mark.moved(-half) for mark in marks if mark.at >= half])
        writer.end()
    return Tape(folder)


def test_every_sample_comes_once_and_what_follows_is_shown_ahead(tmp_path: Path) -> None:
    written = tape(tmp_path, 3 * HOP + 3000, [])
    hops = list(written.hops(HOP, AHEAD))
    assert written.frames == 17
    assert [len(ahead) for _, ahead, _ in hops] == [6400, 4200, 1000, 0]
    heard = np.concatenate([hop for hop, _, _ in hops])
    assert (heard[: written.samples // 3] == ramp(written.samples)[1]).all()
    assert not heard[written.samples // 3 :].any()
    assert (hops[0][1][:3200] == hops[1][0]).all()
    assert (np.concatenate(list(written.sound())) == ramp(written.samples)[0]).all()


def test_reading_from_the_middle_gives_the_same_hops(tmp_path: Path) -> None:
    marks = [Mark(at, PHONEME, "u", 0, str(at)) for at in range(0, 8 * HOP, 1700)]
    written = tape(tmp_path, 8 * HOP, marks)
    whole = list(written.hops(HOP, AHEAD))
    for place, hop in enumerate(written.hops(HOP, AHEAD, first=5), 5):
        for one, other in zip(hop, whole[place], strict=True):
            assert list(one) == list(other)


def test_an_end_goes_with_the_last_sample_before_it(tmp_path: Path) -> None:
    marks = [Mark(0, SENTENCE, "u", 0, "Hello."), Mark(HOP, SENTENCE_END, "u"), Mark(HOP, SENTENCE, "u", 1, "You.")]
    hops = [hop[2] for hop in tape(tmp_path, 2 * HOP, marks).hops(HOP, 0)]
    assert [mark.kind for mark in hops[0]] == [SENTENCE, SENTENCE_END]
    assert hops[1] == [Mark(0, SENTENCE, "u", 1, "You.")]


def test_a_tape_that_was_not_ended_is_none(tmp_path: Path) -> None:
    with TapeWriter(tmp_path) as writer:
        writer.rest(HOP)
    with pytest.raises(FileNotFoundError):
        Tape(tmp_path)


class Counting:
    """A voice that says each letter in 30 ms, and counts."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.voices: list[Voice] = []

    async def speak(self, sentence: str, voice: Voice):  # type: ignore[no-untyped-def]
        if not any(char.isalnum() for char in sentence):
            raise MessageError(f"nothing to say in {sentence!r}")
        self.said.append(sentence)
        self.voices.append(voice)
        air, drive = ramp(1440 * len(sentence))
        yield Piece(air, drive, (Mark(0, PHONEME, text="a"),))

    def tick(self) -> None:
        """It never rests."""


async def narrated(folder: Path, paragraphs: list[str], voice: Counting) -> Tape:
    spoken = narration.sentences_of([Paragraph(text) for text in paragraphs])
    shelf = folder / "speech"
    await narration.speak_all(spoken, Voice("en"), voice, shelf, lambda done: None, lambda why: None)
    with TapeWriter(folder) as writer:
        narration.lay_out(spoken, shelf, writer)
        writer.end()
    return Tape(folder)


async def test_sentences_lie_on_the_tape_with_the_pauses_of_the_air(tmp_path: Path) -> None:
    written = await narrated(tmp_path, ["One more. Two.", "Three."], Counting())
    marks = {(mark.kind, mark.utterance, mark.sentence): mark.at for mark in written.marks()}
    first, second, third = (
        marks[SENTENCE, f"script:0:{utterance}", sentence] for utterance, sentence in ((0, 0), (0, 1), (1, 0))
    )
    assert first == narration.LEAD_SAMPLES
    assert marks[SENTENCE_END, "script:0:0", 0] == first + 9 * 1440
    assert second == first + 9 * 1440 + 10_560
    assert third == second + 4 * 1440 + 24_000
    end = marks[UTTERANCE_END, "script:0:1", 0]
    assert end == third + 6 * 1440
    assert 0 <= written.samples - end - narration.TAIL_SAMPLES < narration.HOP_SAMPLES


async def test_what_was_spoken_is_not_spoken_again_after_an_interruption(tmp_path: Path) -> None:
    voice = Counting()
    once = await narrated(tmp_path, ["One. Two.", "Three."], voice)
    before = b"".join(block.tobytes() for block in once.sound())
    (tmp_path / "speech" / "000002.speech").unlink()
    again = await narrated(tmp_path, ["One. Two.", "Three."], voice)
    assert voice.said == ["One.", "Two.", "Three.", "Three."]
    assert b"".join(block.tobytes() for block in again.sound()) == before


async def test_what_cannot_be_said_is_left_out_and_the_utterance_still_ends(tmp_path: Path) -> None:
    paragraphs = [Paragraph("Hello."), Paragraph("you")]
    spoken = [*narration.sentences_of(paragraphs[:1]), narration.Sentence(("script:0:0", 1), "…", "")]
    told: list[str] = []
    await narration.speak_all(spoken, Voice("en"), Counting(), tmp_path / "speech", lambda done: None, told.append)
    with TapeWriter(tmp_path) as writer:
        narration.lay_out(spoken, tmp_path / "speech", writer)
        writer.end()
    kinds = [mark.kind for mark in Tape(tmp_path).marks()]
    assert len(told) == 1
    assert kinds.count(SENTENCE) == kinds.count(UTTERANCE_END) == 1


async def test_a_text_without_any_sound_is_refused(tmp_path: Path) -> None:
    spoken = [narration.Sentence(("script:0:0", 0), "…", "")]
    await narration.speak_all(spoken, Voice("en"), Counting(), tmp_path / "speech", lambda done: None, lambda why: None)
    with TapeWriter(tmp_path) as writer, pytest.raises(MessageError, match="nothing"):
        narration.lay_out(spoken, tmp_path / "speech", writer)


async def test_a_script_is_rendered_with_the_voices_speeds_and_pauses_it_names(tmp_path: Path) -> None:
    text = (
        "---\nspeed: 1.2\n---\n# A {voice=zh pause_s=2}\n\nOne. Two.\n\n{voice=fr speed=0.9 pause_s=0} Three.\n\nFour."
    )
    script = parse(text, tmp_path / "a.md")
    paragraphs = narration.paragraphs_of(script, {}, random.Random(0), lambda why: None)
    spoken, voice = narration.sentences_of(paragraphs), Counting()
    await narration.speak_all(spoken, Voice("en"), voice, tmp_path / "speech", lambda done: None, lambda why: None)
    assert [(one.name, one.rate) for one in voice.voices] == [("zh", 1.2), ("zh", 1.2), ("fr", 0.9), ("zh", 1.2)]
    with TapeWriter(tmp_path) as writer:
        narration.lay_out(spoken, tmp_path / "speech", writer)
        writer.end()
    begun = [mark.at for mark in Tape(tmp_path).marks() if mark.kind == SENTENCE]
    ends = [mark.at for mark in Tape(tmp_path).marks() if mark.kind == SENTENCE_END]
    assert [begin - end for begin, end in zip(begun[1:], ends, strict=False)] == [10_560, 96_000, 0]
