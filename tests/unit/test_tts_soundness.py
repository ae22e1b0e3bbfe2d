"""What cannot be speech of a text is told by its reason; what any voice really says is not."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.arrays import Pcm
from pipeline.errors import SpeechError
from tts.espeak import EspeakSynthesizer
from tts.soundness import Soundness, plausible_samples
from tts.synthesizer import Piece, Voice

TEXT = "A sentence of some length, which takes a few seconds."
DICE = np.random.default_rng(7)


def noise(seconds: float, level: int) -> Pcm:
    return DICE.integers(-level, level, int(seconds * 48_000), np.int16)


def judge(air: Pcm, text: str = TEXT, elapsed_s: float = 0.0) -> None:
    soundness = Soundness(text, 1.0, 8.0)
    for at in range(0, len(air), 4_800):
        part = air[at : at + 4_800]
        soundness.take(Piece(part, part[::3].copy()), elapsed_s)
    soundness.end()


@pytest.mark.parametrize(
    ("air", "reason"),
    [
        (noise(3.0, 9_000), "noise"),
        (noise(3.0, 400), "noise"),
        (np.clip(noise(3.0, 20_000).cumsum() // 4, -32768, 32767).astype(np.int16), "clipped"),
        (np.full(96_000, 32_767, np.int16), "clipped"),
        (np.full(4_800, 900, np.int16), "too short or silent"),
        (np.zeros(0, np.int16), "too short or silent"),
        (np.full(80 * 48_000, 900, np.int16), "too long"),
    ],
)
def test_what_cannot_be_speech_is_told(air: Pcm, reason: str) -> None:
    with pytest.raises(SpeechError, match=reason):
        judge(air)


def test_sound_that_comes_slower_than_it_is_spoken_is_told() -> None:
    sound = (9_000 * np.sin(np.arange(96_000) / 30)).astype(np.int16)
    judge(sound, elapsed_s=8.0)
    with pytest.raises(SpeechError, match="slower than it is spoken"):
        judge(sound, elapsed_s=10.5)


@pytest.mark.parametrize(
    ("voice", "text"),
    [
        ("en", "She sells sea shells; six swift sheep shall sing psst, shush!"),
        ("en", "Hi."),
        ("zh", "四是四，十是十，十四是十四，四十是四十。"),
        ("pl", "W Szczebrzeszynie chrząszcz brzmi w trzcinie."),
        ("de", "Zwischen zwei Zwetschgenzweigen zwitschern zwei Schwalben."),
        ("ja", "すしをすすってしずかにすわる。"),
        ("ru", "Шла Саша по шоссе и сосала сушку."),
        ("en+whisper", "This is said in a whisper, as softly as can be."),
    ],
)
@pytest.mark.parametrize("rate", [0.7, 1.0, 1.8])
async def test_hissing_sentences_of_a_real_voice_are_speech(voice: str, text: str, rate: float) -> None:
    espeak = EspeakSynthesizer()
    soundness = Soundness(text, rate, 8.0)
    async for piece in espeak.speak(text, Voice(voice, rate)):
        soundness.take(piece, 0.0)
    soundness.end()
    await espeak.close()


def test_what_is_plausible_depends_on_text_and_rate() -> None:
    longest, shortest = plausible_samples("a" * 100, 1.0)
    fast_longest, fast_shortest = plausible_samples("a" * 100, 2.0)
    assert shortest == 2 * fast_shortest == 96_000
    assert longest == 2 * fast_longest == 110 * 48_000
