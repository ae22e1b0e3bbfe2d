"""Every voice at the same loudness, below the peak, without a step or a click."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import pytest

from pipeline.arrays import Pcm
from pipeline.media import WORD, Mark
from tts.espeak import EspeakSynthesizer
from tts.loudness import (
    CERTAIN_S,
    HEARD_VOICES,
    KNOWN_VOICES,
    PEAK_DBFS,
    SETTLED_S,
    TARGET_LUFS,
    Gain,
    Leveller,
    Levels,
    find_gain_db,
    measure,
)
from tts.pcm import joined
from tts.synthesizer import Piece, Voice

TEXT = "Good morning, and welcome to our little shop. Please ask me anything you like about these beautiful lamps."


@pytest.fixture(scope="module")
def speech() -> Piece:
    async def spoken() -> Piece:
        espeak = EspeakSynthesizer()
        piece = joined([piece async for piece in espeak.speak(TEXT, Voice("en"))])
        await espeak.close()
        return piece

    return asyncio.run(spoken())


def scaled(air: Pcm, factor: float) -> Pcm:
    return np.clip(np.rint(air * factor), -32768, 32767).astype(np.int16)


def cut(piece: Piece, samples: int) -> list[Piece]:
    return [
        Piece(piece.air[at : at + samples], piece.drive[at // 3 : (at + samples) // 3])
        for at in range(0, len(piece.air), samples)
    ]


def through_aac(air: Pcm) -> Pcm:
    """What a viewer's decoder makes of it, at the bit rate of the air."""
    encoder = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format, encoder.bit_rate = 48_000, "stereo", "fltp", 128_000
    encoder.open()
    decoder = av.CodecContext.create("aac", "r")
    decoder.extradata = encoder.extradata
    packets = []
    for at in range(0, len(air) - 1_023, 1_024):
        planes = np.tile(air[at : at + 1_024].astype(np.float32) / 32768, (2, 1))
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout="stereo")
        frame.sample_rate, frame.pts = 48_000, at
        packets += encoder.encode(frame)
    frames = [frame.to_ndarray()[0] for packet in [*packets, *encoder.encode(None)] for frame in decoder.decode(packet)]
    return np.clip(np.concatenate(frames) * 32768, -32768, 32767).astype(np.int16)


def levelled(pieces: Sequence[Piece], gain_db: float) -> Piece:
    leveller = Leveller(gain_db)
    return joined([made for piece in pieces if (made := leveller.feed(piece))] + [leveller.end() or Piece(*[[]] * 2)])


@pytest.mark.parametrize("factor", [0.1, 0.3, 1.0, 1.4])
async def test_quiet_and_loud_voices_end_up_equally_loud(speech: Piece, factor: float) -> None:
    levels = Levels(None)
    air = scaled(speech.air, factor)
    await levels.learn("fake/en", [air])
    gain_db = levels.gain_db("fake/en")
    assert gain_db is not None
    made = levelled(cut(Piece(air, speech.drive), 12_000), gain_db)
    assert abs(measure([made.air]) - TARGET_LUFS) < 0.5
    assert np.abs(made.air.astype(int)).max() <= 32768 * 10 ** (PEAK_DBFS / 20) + 1


@pytest.mark.parametrize("factor", [0.1, 1.0, 1.4])
async def test_a_recording_is_as_loud_and_below_the_peak(speech: Piece, factor: float) -> None:
    gain_db = find_gain_db([scaled(speech.air, factor)])
    assert gain_db is not None
    heard = through_aac(levelled([Piece(scaled(speech.air, factor), speech.drive)], gain_db).air)
    assert abs(measure([heard]) - TARGET_LUFS) < 1
    assert 20 * np.log10(np.abs(heard.astype(int)).max() / 32768) <= -1


async def test_the_gain_of_a_sentence_does_not_depend_on_its_pieces_and_its_sounds_stay_together(speech: Piece) -> None:
    whole = levelled([speech], 9.0)
    for samples in (960, 4_800, 30_000):
        assert np.array_equal(levelled(cut(speech, samples), 9.0).air, whole.air)
    assert len(whole.air) == len(speech.air) and np.array_equal(whole.drive, speech.drive)


async def test_the_limiter_does_not_click(speech: Piece) -> None:
    made = levelled([speech], 15.0).air.astype(float)
    assert np.abs(np.diff(made)).max() < 1.2 * 10 ** (15 / 20) * np.abs(np.diff(speech.air.astype(float))).max()
    plain = levelled([Piece(scaled(speech.air, 0.1), speech.drive)], 6.0).air
    assert (
        np.abs(plain - np.rint(scaled(speech.air, 0.1) * 10 ** (6 / 20))).max() <= 1
    )  # below its limit it does nothing


def test_marks_come_with_their_sound() -> None:
    leveller = Leveller(0.0)
    marks = tuple(Mark(at, WORD, text=str(at)) for at in (0, 4_000, 9_599))
    first = leveller.feed(Piece(np.ones(9_600, np.int16), np.ones(3_200, np.int16), marks))
    last = leveller.end()
    assert first is not None and last is not None
    assert first.marks == marks[:2] and last.marks == marks[2:]
    assert len(first.air) == 3 * len(first.drive) and len(first.air) + len(last.air) == 9_600


async def test_a_loudness_is_believed_after_seconds_and_outlives_the_process(speech: Piece, tmp_path: Path) -> None:
    path = tmp_path / "speech" / "loudness.json"
    levels = Levels(path)
    assert levels.gain_db("a/en") is None and not levels.is_certain("a/en")
    await levels.learn("a/en", [speech.air[:48_000]])
    assert not levels.is_certain("a/en")
    await levels.learn("a/en", [speech.air[48_000 : int((CERTAIN_S + 1) * 48_000)]])
    assert levels.is_certain("a/en")
    again = Levels(path)
    again.open()
    assert again.gain_db("a/en") == levels.gain_db("a/en")
    path.write_text("{torn")
    Levels(path).open()


async def test_a_settled_loudness_stands_and_follows_a_changed_voice_slowly(speech: Piece) -> None:
    levels = Levels(None)
    long = np.tile(speech.air, 1 + int(SETTLED_S * 48_000) // len(speech.air))
    await levels.learn("a/en", [long])
    before = levels.gain_db("a/en")
    await levels.learn("a/en", [scaled(speech.air, 0.5)])
    assert before is not None and levels.gain_db("a/en") == before
    await levels.learn("a/en", [scaled(long, 0.5)])
    after = levels.gain_db("a/en")
    assert after is not None and 1.5 < after - before < 3.5


async def test_silence_teaches_nothing(speech: Piece) -> None:
    levels = Levels(None)
    await levels.learn("a/en", [np.zeros(200_000, np.int16)])
    assert levels.gain_db("a/en") is None and await levels.preview("b/en", [np.zeros(9_600, np.int16)]) == 0.0


async def test_voices_that_are_learnt_at_once_do_not_take_the_file_from_one_another(
    speech: Piece, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    levels = Levels(tmp_path / "loudness.json")
    names = [f"voice {number}" for number in range(12)]
    await asyncio.gather(*(levels.learn(name, [speech.air]) for name in names))
    later = Levels(tmp_path / "loudness.json")
    later.open()
    assert all(later.gain_db(name) is not None for name in names)
    assert "speech.unkept" not in capsys.readouterr().out


async def test_voices_that_messages_make_up_do_not_fill_the_memory() -> None:
    levels = Levels(None, {str(number): Gain(0.0, 60.0) for number in range(KNOWN_VOICES + 1)})
    sound = (6_000 * np.sin(np.arange(48_000) * 2 * np.pi * 300 / 48_000)).astype(np.int16)
    for number in range(HEARD_VOICES + 5):
        await levels.learn(f"en-{number}", [sound])
    assert len(levels._heard) == HEARD_VOICES
    assert levels.gain_db("0") is None and levels.gain_db(f"en-{HEARD_VOICES + 4}") is not None
