"""Lips follow sounds and phonemes."""

import numpy as np
import pytest

from pipeline.arrays import Pcm, silence
from pipeline.engines.portrait.audio import LEVEL_START, PAST_SAMPLES, Heard, listen
from pipeline.engines.portrait.mouth import REST, Lips, carried, closes_lips, letters, phonemes_of, shape_hop
from pipeline.media import AIR_SAMPLES, DRIVE_HZ, DRIVE_SAMPLES, PHONEME, WORD, Mark

HOP = 5 * DRIVE_SAMPLES
MS = 48  # air samples


def tone(*hz: int, samples: int = HOP, peak: float = 5000) -> Pcm:
    time = np.arange(samples) / DRIVE_HZ
    return (peak / len(hz) * sum(np.sin(2 * np.pi * each * time) for each in hz)).astype(np.int16)


def hear(hop: Pcm, past: Pcm | None = None, ahead: Pcm | None = None) -> Heard:
    return listen(silence(PAST_SAMPLES) if past is None else past, hop, hop if ahead is None else ahead, LEVEL_START)


def loud() -> Heard:
    return hear(tone(130, 700), past=tone(130, 700, samples=PAST_SAMPLES))


def phoneme(text: str, at_ms: int, span_ms: int) -> Mark:
    return Mark(at_ms * MS, PHONEME, text=text, span=span_ms * MS)


@pytest.mark.parametrize(
    ("ipa", "expected"),
    [("ˈiː", "i"), ("aɪ", "aɪ"), ("tʃʰ", "tʃ"), ("pʰ", "p"), ("ã˥˩", "a"), ("ts.", "ts"), ("_:", ""), ("", "")],
)
def test_letters_are_found_under_stress_length_and_tone(ipa: str, expected: str) -> None:
    assert "".join(letters(ipa)) == expected


def test_m_b_p_close_the_lips_and_nothing_else_does() -> None:
    assert all(closes_lips(ipa) for ipa in ("m", "b", "p", "pʰ", "mː"))
    assert not any(closes_lips(ipa) for ipa in ("n", "əm", "f", "u", "", "_"))


def test_silence_is_not_heard_and_shuts_the_mouth_within_100_ms() -> None:
    heard = listen(tone(130, 700, samples=PAST_SAMPLES), silence(HOP), silence(HOP), LEVEL_START)
    lips = shape_hop(heard, [], Lips(1.0, 0.5, 0.5))
    assert all(shape.gap == 0 for shape in lips[2:])


def test_noise_of_a_room_opens_nothing() -> None:
    noise = np.random.default_rng(1).normal(0, 40, HOP).astype(np.int16)
    assert all(shape.gap == 0 for shape in shape_hop(hear(noise), [], REST))


def test_a_vowel_opens_before_it_is_at_its_middle() -> None:
    hop = np.concatenate([silence(2 * DRIVE_SAMPLES), tone(130, 700, samples=3 * DRIVE_SAMPLES)])
    gaps = [shape.gap for shape in shape_hop(hear(hop), [phoneme("a", 80, 120)], REST)]
    assert gaps[0] == 0
    assert gaps[2] > 0.3
    assert gaps[3] > 0.6


def test_lips_are_shut_in_the_frame_of_a_bilabial() -> None:
    marks = [phoneme("a", 0, 80), phoneme("m", 80, 40), phoneme("a", 120, 80)]
    gaps = [shape.gap for shape in shape_hop(loud(), marks, REST)]
    assert gaps[2] == 0
    assert min(gaps[0], gaps[4]) > 0.4


@pytest.mark.parametrize(("wide", "narrow"), [("i", "a"), ("a", "u"), ("e", "o")])
def test_spread_vowels_are_wider_than_open_and_open_than_round_ones(wide: str, narrow: str) -> None:
    one, other = (shape_hop(loud(), [phoneme(each, 0, 200)], REST)[-1] for each in (wide, narrow))
    assert one.width > other.width + 0.1


def test_without_phonemes_the_colour_of_the_voice_tells_i_from_u() -> None:
    front = shape_hop(hear(tone(130, 300, 2300)), [], REST)[-1]
    back = shape_hop(hear(tone(130, 300, 700)), [], REST)[-1]
    assert front.width > back.width + 0.1


def test_louder_is_wider_open_and_a_soft_voice_opens_too() -> None:
    soft, full = (shape_hop(hear(tone(130, 700, peak=peak)), [], REST)[-1].gap for peak in (1500, 6000))
    assert 0.1 < soft < full


def test_a_phoneme_that_reaches_into_the_next_hop_is_carried() -> None:
    hop = 5 * AIR_SAMPLES
    marks = [phoneme("a", 0, 100), phoneme("o", 150, 100), phoneme("i", 200, 50), Mark(0, WORD, text="x", span=10**6)]
    kept = carried(phonemes_of(marks), hop)
    assert [(mark.text, mark.at, mark.span) for mark in kept] == [("o", -50 * MS, 100 * MS)]


def test_a_mark_without_end_does_not_hold_the_mouth_for_ever() -> None:
    hop = 5 * AIR_SAMPLES
    marks = phonemes_of([Mark(0, PHONEME, text="m", span=10**9)])
    for _ in range(5):
        marks = list(carried(marks, hop))
    assert marks == []


def test_any_length_of_future_is_fine() -> None:
    for samples in (0, 1, 159, 161, 100_000):
        heard = hear(tone(130, 700), ahead=tone(130, 700, samples=samples))
        assert heard.loud.shape == (5,)
        assert heard.loud[-1] > 0.7 * heard.loud[2] > 0  # an unknown future is no silence


def test_m_presses_the_lips_and_lets_go_of_them() -> None:
    marks = [phoneme("a", 0, 60), phoneme("m", 60, 80), phoneme("a", 140, 60)]
    press = [shape.press for shape in shape_hop(loud(), marks, REST)]
    assert press[0] == 0
    assert max(press) > 0.5
    assert press[4] < 0.5 * max(press)


def test_the_tongue_is_up_for_l_and_down_for_a() -> None:
    up, down = (shape_hop(loud(), [phoneme(each, 0, 200)], REST)[2].tongue for each in ("l", "a"))
    assert up > 0.8
    assert down == 0


def test_silence_leaves_nothing_of_press_and_tongue() -> None:
    heard = listen(silence(PAST_SAMPLES), silence(HOP), silence(HOP), LEVEL_START)
    assert shape_hop(heard, [], Lips(0.5, 0.5, 0.5, 1.0, 1.0))[-1].press == 0
    assert shape_hop(heard, [], Lips(0.5, 0.5, 0.5, 1.0, 1.0))[-1].tongue < 0.02
