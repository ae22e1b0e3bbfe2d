"""What cannot be speech of a text is told by its reason; what any voice really says is not."""

from __future__ import annotations

from contextlib import nullcontext

import numpy as np
import pytest

from pipeline.arrays import Pcm
from pipeline.clock import RealClock
from pipeline.errors import SpeechError
from tests.corpus import sentences
from tts.espeak import EspeakSynthesizer
from tts.fallback import PROBE, PROBES, make_chain
from tts.pcm import joined
from tts.soundness import Soundness, plausible_samples
from tts.synthesizer import Piece, Voice
from tts.tempo import KNOWN_AFTER, TELLING_S, VOICES, Tempos, expected_s, is_varied, most_s
from tts.text import readable
from tts.text import sentences as cut
from tts.trimmer import Trimmer

TEXT = "A sentence of some length, which takes a few seconds."
DICE = np.random.default_rng(7)


def noise(seconds: float, level: int) -> Pcm:
    return DICE.integers(-level, level, int(seconds * 48_000), np.int16)


def beeps(seconds: float) -> Pcm:
    """Four syllables a second."""
    at = np.arange(int(seconds * 48_000)) / 48_000
    return (9_000 * np.abs(np.sin(np.pi * 4 * at)) * np.sin(2 * np.pi * 200 * at)).astype(np.int16)


def coloured(power: float, seconds: float) -> Pcm:
    """Noise whose power falls with that power of the frequency."""
    count = int(seconds * 48_000)
    hertz = np.fft.rfftfreq(count, 1 / 48_000)
    spectrum = DICE.normal(size=len(hertz)) + 1j * DICE.normal(size=len(hertz))
    sound = np.fft.irfft(np.where(hertz < 40, 0, spectrum / np.maximum(hertz, 40) ** (power / 2)), count)
    return (9_000 * sound / np.abs(sound).max()).astype(np.int16)


def tone(hertz: float, seconds: float) -> Pcm:
    return (9_000 * np.sin(2 * np.pi * hertz * np.arange(int(seconds * 48_000)) / 48_000)).astype(np.int16)


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
        (coloured(1.0, 3.0), "noise"),
        (tone(50, 3.0), "neither rises nor falls"),
        (tone(440, 3.0), "neither rises nor falls"),
        (np.concatenate([beeps(1.5), coloured(1.0, 3.0)]), "neither rises nor falls"),
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


@pytest.mark.parametrize("air", [noise(1.6, 9_000), coloured(1.0, 1.6), tone(440, 1.6)])
def test_a_short_sentence_that_is_noise_was_let_through(air: Pcm) -> None:
    with pytest.raises(SpeechError, match="noise"):
        judge(air, "Now it is noise and we speak.")


def test_sound_that_comes_slower_than_it_is_spoken_is_told() -> None:
    sound = beeps(2.0)
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
    longest, shortest = plausible_samples("abcdefghij" * 10, 1.0)
    fast_longest, fast_shortest = plausible_samples("abcdefghij" * 10, 2.0)
    assert shortest == 2 * fast_shortest == int(0.35 * 6.5 * 48_000)
    assert longest == pytest.approx(2 * fast_longest, abs=1) == int((3.5 * 6.5 + 4.0) * 48_000)


@pytest.mark.parametrize(("seconds", "is_sound"), [(1.4, False), (1.6, True), (3.6, True), (9.0, False)])
def test_half_a_sentence_and_one_that_does_not_end_are_told_by_the_tempo_of_the_voice(
    seconds: float, is_sound: bool
) -> None:
    soundness = Soundness(TEXT, 1.0, 8.0, usual=0.8)  # it usually takes 2.4 s
    assert expected_s(TEXT) == pytest.approx(2.98, abs=0.01)
    air = beeps(seconds)
    with nullcontext() if is_sound else pytest.raises(SpeechError, match=r"too short|too long"):
        soundness.take(Piece(air, air[::3].copy()), 0.0)
        soundness.end()


def test_a_voice_is_known_after_some_sentences_and_short_ones_tell_nothing() -> None:
    tempos = Tempos()
    for _ in range(KNOWN_AFTER):
        assert tempos.usual("a") is None
        tempos.learn("a", "Hi.", 9.0)
        tempos.learn("a", TEXT, 0.9 * expected_s(TEXT))
    assert tempos.usual("a") == pytest.approx(0.9)
    for number in range(VOICES + 1):
        tempos.learn(str(number), TEXT, 1.0)
    assert tempos.usual("a") is None, "the oldest of too many is forgotten"


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("你好世界", 0.88), ("こんにちは", 0.6), ("안녕하세요", 0.8), ("Hello world", 0.65), ("Hello, world!", 0.9)],
)
def test_what_is_expected_goes_by_letters_and_pauses(text: str, seconds: float) -> None:
    assert expected_s(text) == pytest.approx(seconds)


def test_what_may_be_spelt_may_take_longer() -> None:
    assert most_s("Call USB 25 now") > expected_s("Call USB 25 now") + 2.5
    assert most_s("Tea for everybody, it's fine.") == expected_s("Tea for everybody, it's fine.")


@pytest.mark.long
async def test_no_sentence_of_a_real_voice_is_taken_for_unsound() -> None:
    """Each sentence of the corpus at one of five speeds, another one in each language; and half of it is told."""
    espeak, tempos = EspeakSynthesizer(), Tempos()
    halves, told = 0, 0
    for number, (language, sentence) in enumerate(sentences()):
        rate = (0.5, 0.7, 1.0, 1.5, 2.0)[number % 5]
        text, trimmer = readable(sentence, language).text, Trimmer()
        pieces = [trimmer.feed(piece) async for piece in espeak.speak(text, Voice(language, rate))]
        whole = joined([piece for piece in [*pieces, trimmer.end()] if piece])
        usual = tempos.usual(f"{language}@{rate}")
        soundness = Soundness(text, rate, 8.0, usual)
        for at in range(0, len(whole.air), 4_800):
            part = Piece(whole.air[at : at + 4_800], whole.drive[at // 3 : at // 3 + 1_600])
            soundness.take(part, 0.0)
        soundness.end()
        tempos.learn(f"{language}@{rate}", text, soundness.normal_s)
        if usual is None or expected_s(text) < TELLING_S:
            continue
        halves += 1
        half = Soundness(text, rate, 8.0, usual)
        half.samples = len(whole.air) // 2
        try:
            half.end()
        except SpeechError:
            told += 1
    await espeak.close()
    assert halves > 90 and told > 0.9 * halves


ODD = (
    "yes,,,,,,,,,,,no",
    "yes............no",
    "... yes ...",
    "1, 2, 3, 4, 5",
    "①②③",
    "sixths sixths sixths sixths",
    "Psst",
    "嗯",
    "hmm, hmm, hmm, hmm",
    "ありがとうございます",
    "สวัสดี",
    "a" * 60,
    "😀a" * 30,
)


@pytest.mark.parametrize(
    ("language", "rate"),
    [
        ("en", 1.0),
        *((language, rate) for language in ("en", "zh") for rate in (0.4, 2.5)),
        *(pytest.param("de", rate, marks=pytest.mark.long) for rate in (0.4, 2.5)),
    ],
)
async def test_odd_texts_are_said_and_not_taken_for_a_broken_voice(language: str, rate: float) -> None:
    chain = make_chain(["espeak"], 8.0, RealClock())
    for text in [TEXT] * KNOWN_AFTER + list(ODD):
        for sentence in cut(text):
            assert [piece async for piece in chain.speak(sentence, Voice(language, rate))], sentence
    await chain.close()


def test_a_resting_voice_that_gives_noise_is_not_taken_for_well() -> None:
    for probe in (PROBE, *PROBES.values()):
        assert is_varied(probe)
