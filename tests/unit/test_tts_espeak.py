from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from itertools import pairwise

import numpy as np
import pytest

from pipeline.errors import SpeechError, UnknownVoice
from pipeline.media import PHONEME, WORD, Mark
from tts.espeak import EspeakSynthesizer, voice_for
from tts.pcm import joined
from tts.synthesizer import Piece, Voice

KNOWN = {
    "cmn": "sit/cmn", "yue": "sit/yue", "en-gb": "gmw/en", "en": "gmw/en", "en-us": "gmw/en-US", "pt-br": "roa/pt-BR",
    "fr": "roa/fr", "ja": "jpx/ja",
}  # fmt: skip


@pytest.fixture
async def espeak() -> AsyncIterator[EspeakSynthesizer]:
    synthesizer = EspeakSynthesizer()
    yield synthesizer
    await synthesizer.close()


async def said(espeak: EspeakSynthesizer, text: str, name: str, rate: float = 1.0) -> Piece:
    return joined([piece async for piece in espeak.speak(text, Voice(name, rate))])


def of(piece: Piece, kind: str) -> list[Mark]:
    return [mark for mark in piece.marks if mark.kind == kind]


async def test_english_words_are_marked_where_they_are_heard(espeak: EspeakSynthesizer) -> None:
    text = "The quick brown fox jumps over to the lazy dog, doesn't it?"
    piece = await said(espeak, text, "en")
    words = of(piece, WORD)
    assert [mark.text for mark in words] == text.replace(",", "").replace("?", "").split()
    assert all(before.at < after.at for before, after in pairwise(words))
    assert all(before.at + before.span == after.at for before, after in pairwise(words))
    assert words[-1].at + words[-1].span <= len(piece.air) + 3
    assert len(piece.air) == 3 * len(piece.drive)
    assert 2.0 < len(piece.air) / 48_000 < 5.0


async def test_mandarin_speaks_each_hanzi_and_not_its_pinyin_letters(espeak: EspeakSynthesizer) -> None:
    piece = await said(espeak, "今天天气很好，我们一起去公园散步。", "zh")
    assert "".join(mark.text for mark in of(piece, WORD)) == "今天天气很好我们一起去公园散步"
    assert 2.0 < len(piece.air) / 48_000 < 6.0  # spelt out as English letters it takes twice as long
    assert {"tɕ", "tʰ", "m"} <= {mark.text for mark in of(piece, PHONEME)}


async def test_english_inside_mandarin_is_one_word(espeak: EspeakSynthesizer) -> None:
    piece = await said(espeak, "我喜欢iPhone十五，OK吗？", "zh")
    assert [mark.text for mark in of(piece, WORD)] == ["我", "喜", "欢", "iPhone", "十", "五", "OK", "吗"]


async def test_phonemes_are_ipa_and_pauses_are_gaps(espeak: EspeakSynthesizer) -> None:
    piece = await said(espeak, "Mum, help Bob.", "en")
    sounds = of(piece, PHONEME)
    assert [mark.text for mark in sounds][:3] == ["m", "ʌ", "m"]
    assert [mark.text for mark in sounds].count("b") == 2
    assert not any(set(mark.text) & set("ˈˌ()") or not mark.text for mark in sounds)
    comma = next(after for before, after in pairwise(sounds) if after.text == "h")
    assert comma.at - (sounds[2].at + sounds[2].span) > 0.05 * 48_000


async def test_a_closed_mouth_is_marked_where_it_is_quiet(espeak: EspeakSynthesizer) -> None:
    piece = await said(espeak, "Papa, papa, papa.", "en")
    voiced = [mark for mark in of(piece, PHONEME) if mark.text.startswith("ɑ")]
    assert len(voiced) >= 3

    def level(mark: Mark) -> float:
        return float(np.abs(piece.air[mark.at : mark.at + mark.span].astype(float)).mean())

    closed = [mark for mark in of(piece, PHONEME) if mark.text == "p"]
    assert max(map(level, closed)) < min(map(level, voiced))


@pytest.mark.parametrize(
    ("text", "name"), [("Oh wow, a loud, loud sound around!", "en"), ("啊，大家好，哈哈哈！", "zh")]
)
async def test_speech_keeps_one_decibel_below_full_scale(espeak: EspeakSynthesizer, text: str, name: str) -> None:
    piece = await said(espeak, text, name)
    assert 8_000 < np.abs(piece.air.astype(int)).max() < 32_767 * 0.891


async def test_rate_shortens_speech(espeak: EspeakSynthesizer) -> None:
    slow, fast = (
        await said(espeak, "Hello everyone, welcome back.", "en", 0.7),
        await said(espeak, "Hello everyone, welcome back.", "en", 1.6),
    )
    assert 1.6 < len(slow.air) / len(fast.air) < 2.8


@pytest.mark.parametrize(
    ("name", "identifier"),
    [("zh", "sit/cmn"), ("zh-CN-XiaoxiaoNeural", "sit/cmn"), ("zh-HK-HiuMaanNeural", "sit/yue"), ("cmn", "sit/cmn"),
     ("en", "gmw/en"), ("en-US-AriaNeural", "gmw/en-US"), ("en-AU-NatashaNeural", "gmw/en"),
     ("en-us+f3", "gmw/en-US+f3"),
     ("pt_BR", "roa/pt-BR"), ("fr-FR-DeniseNeural", "roa/fr"), ("ja-JP-NanamiNeural", "jpx/ja")],
)  # fmt: skip
def test_a_voice_of_another_provider_becomes_its_language(name: str, identifier: str) -> None:
    assert voice_for(name, KNOWN) == identifier


@pytest.mark.parametrize("name", ["xx", "", "../../etc/passwd", "tlh-KX-WorfNeural", "en+f3/../x", "a\x00b"])
async def test_an_unknown_voice_names_what_there_is(espeak: EspeakSynthesizer, name: str) -> None:
    with pytest.raises(UnknownVoice, match=r"it speaks .*de.*en.*zh"):
        await said(espeak, "hello", name)


@pytest.mark.parametrize(
    "text", ["<speak><break time='10s'/>hi</speak>", "hi [[h@l'oU]] hi", "\x01+900s hi \x01+900v there", "hi\x00 there"]
)
async def test_markup_is_text_and_never_obeyed(espeak: EspeakSynthesizer, text: str) -> None:
    piece = await said(espeak, text, "en")
    assert 0.2 < len(piece.air) / 48_000 < 6.0
    assert of(piece, WORD)[-1].text in {"speak", "hi", "there"}


@pytest.mark.parametrize(
    ("text", "name"),
    [("مرحبا بالعالم", "ar"), ("שלום עולם", "he"), ("好" * 500, "zh"), ("a b " * 125, "en"), ("\ud800 ok", "en")],
)
async def test_long_and_right_to_left_and_broken_text_is_spoken(
    espeak: EspeakSynthesizer, text: str, name: str
) -> None:
    piece = await said(espeak, text, name)
    assert len(piece.air) > 4_800
    assert of(piece, WORD)


async def test_a_sentence_beyond_all_measure_is_refused(espeak: EspeakSynthesizer) -> None:
    with pytest.raises(SpeechError, match="5000 characters"):
        await said(espeak, "a" * 5000, "en")


async def test_the_first_piece_comes_long_before_the_sentence_is_made(espeak: EspeakSynthesizer) -> None:
    await said(espeak, "warm", "en")
    waits = []
    for _ in range(5):
        start = time.perf_counter()
        async for piece in espeak.speak("The quick brown fox jumps over the lazy dog today.", Voice("en")):
            waits.append(time.perf_counter() - start)
            assert len(piece.air) < 48_000
            break
    assert min(waits) < 0.03


async def test_a_consumer_that_stops_aborts_the_sentence(espeak: EspeakSynthesizer) -> None:
    await said(espeak, "warm", "en")
    pieces = espeak.speak("hello to the world " * 200, Voice("en"))
    await anext(pieces)
    await pieces.aclose()
    start = time.perf_counter()
    await said(espeak, "next", "en")
    assert time.perf_counter() - start < 0.2


async def test_the_loop_goes_on_while_espeak_speaks(espeak: EspeakSynthesizer) -> None:
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            ticks += 1
            await asyncio.sleep(0)

    ticking = asyncio.create_task(tick())
    await said(espeak, "hello to the world " * 50, "en")
    ticking.cancel()
    assert ticks > 20


async def test_two_voices_at_once_do_not_mix(espeak: EspeakSynthesizer) -> None:
    other = EspeakSynthesizer()
    english, chinese = await asyncio.gather(
        said(espeak, "hello world and all", "en"), said(other, "今天天气很好", "zh")
    )
    await other.close()
    assert [mark.text for mark in of(english, WORD)] == ["hello", "world", "and", "all"]
    assert [mark.text for mark in of(chinese, WORD)] == list("今天天气很好")


async def test_pitch_rises_by_semitones(espeak: EspeakSynthesizer) -> None:
    async def hertz(pitch: float) -> float:
        spoken = espeak.speak("Oh one oh one oh one oh one", Voice("en", 1.0, pitch))
        return fundamental(joined([piece async for piece in spoken]))

    own = await hertz(0.0)
    for semitones in (-4.0, 3.0, 6.0):
        assert 12 * np.log2(await hertz(semitones) / own) == pytest.approx(semitones, abs=1.0)


def fundamental(piece: Piece) -> float:
    """Median of the voiced stretches."""
    found = []
    for at in range(0, len(piece.drive) - 1_536, 768):
        stretch = piece.drive[at : at + 1_536].astype(float)
        again = np.correlate(stretch, stretch, "full")[1_535:]
        lag = int(np.argmax(again[40:320])) + 40
        if stretch.std() > 1_500 and again[lag] > 0.4 * again[0]:
            found.append(16_000 / lag)
    return float(np.median(found))


async def test_ipa_is_said_as_one_word_with_its_sounds(espeak: EspeakSynthesizer) -> None:
    piece = await said(espeak, "the [[fəˈnɛtɪks]] book, you know", "en")
    assert [mark.text for mark in of(piece, WORD)] == ["the", "fəˈnɛtɪks", "book", "you", "know"]
    sounds = [mark.text for mark in of(piece, PHONEME)]
    assert sounds[2:10] == ["f", "ə", "n", "ɛ", "t", "ɪ", "k", "s"]
