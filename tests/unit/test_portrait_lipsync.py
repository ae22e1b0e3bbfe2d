"""Lip-sync from decoded pixels, on syllables made here: no voice is needed."""

from collections.abc import Sequence

import numpy as np
import pytest

from benchmarks.lipsync import LipSync, measure, through_h264
from pipeline.arrays import Frames, Pcm, silence
from pipeline.avatar import Avatar, load_avatar
from pipeline.engine import Job
from pipeline.engines.portrait.engine import PortraitEngine
from pipeline.media import AIR_HZ, AIR_PER_DRIVE, CUE, DRIVE_HZ, PHONEME, Mark

SIZE = (336, 576)
HOP = 3200
SYLLABLES = (("m", "a"), ("t", "i"), ("p", "o"), ("k", "a"), ("b", "ɛ"), ("s", "u"))
CONSONANT_S, VOWEL_S, PAUSE_S = 0.08, 0.17, 0.4


def speech() -> tuple[Pcm, list[Mark]]:
    """7.2 s of syllables with pauses: int16, 16 kHz, and their phonemes."""
    rng = np.random.default_rng(4)
    parts, marks, at = [np.zeros(int(0.5 * DRIVE_HZ))], [], int(0.5 * DRIVE_HZ)
    for word in range(3):
        for consonant, vowel in SYLLABLES:
            for text, length in ((consonant, CONSONANT_S), (vowel, VOWEL_S * rng.uniform(0.7, 1.4))):
                time = np.arange(int(length * DRIVE_HZ)) / DRIVE_HZ
                strength = rng.uniform(0.5, 1.0) if text == vowel else 0.08
                formant = {"a": 800, "ɛ": 600, "o": 500, "i": 320, "u": 320}.get(text, 250)
                sound = np.sin(2 * np.pi * 125 * time) + np.sin(2 * np.pi * formant * time)
                parts.append(5000 * strength * sound * np.sin(np.pi * np.arange(len(time)) / len(time)) ** 0.5)
                marks.append(Mark(at * AIR_PER_DRIVE, PHONEME, f"u{word}", 0, text, len(time) * AIR_PER_DRIVE))
                at += len(time)
        pause = np.zeros(int(PAUSE_S * DRIVE_HZ))
        parts.append(pause)
        at += len(pause)
    whole = np.concatenate(parts).astype(np.int16)
    return whole[: len(whole) // HOP * HOP], marks


def perform(avatar: Avatar, sound: Pcm, marks: Sequence[Mark], ahead: int) -> Frames:
    engine = PortraitEngine()
    state = engine.open(avatar, 1)
    frames = []
    for start in range(0, len(sound), HOP):
        begin, end = start * AIR_PER_DRIVE, (start + HOP + ahead) * AIR_PER_DRIVE
        known = [mark.moved(-begin) for mark in marks if begin <= mark.at < end]
        made = engine.step([Job(state, sound[start : start + HOP], sound[start + HOP : start + HOP + ahead], known)])[0]
        state = made.state
        frames.append(made.frames)
    return np.concatenate(frames)


@pytest.fixture(scope="module")
def host() -> Avatar:
    return load_avatar(None, SIZE)


def _check(found: LipSync) -> None:
    assert found.r >= 0.6
    assert abs(found.lag) <= 1
    assert found.silent <= 0.1
    assert found.gap_px > 1.0


@pytest.mark.parametrize("ahead", [2560, 0])
def test_lips_follow_the_sound_and_shut_for_m_b_p(host: Avatar, ahead: int) -> None:
    sound, marks = speech()
    found = measure(through_h264(perform(host, sound, marks, ahead), 3000), host, sound, marks)
    _check(found)
    assert found.closures == 9
    assert found.closed >= 0.8


def test_lips_follow_a_voice_without_phonemes(host: Avatar) -> None:
    sound, marks = speech()
    _check(measure(through_h264(perform(host, sound, [], 2560), 3000), host, sound, marks))


def test_lips_shut_for_m_b_p_while_the_face_smiles_nods_and_looks_aside(host: Avatar) -> None:
    sound, marks = speech()
    cues = [Mark(at * AIR_HZ, CUE, text=name) for name in ("smile", "nod", "point left") for at in range(0, 8, 2)]
    found = measure(perform(host, sound, [*marks, *cues], 2560), host, sound, marks)
    assert found.r >= 0.6 and abs(found.lag) <= 1
    assert found.closed >= 0.9


def test_the_measure_sees_a_late_mouth(host: Avatar) -> None:
    sound, marks = speech()
    late = np.concatenate([silence(3 * 640), sound])[: len(sound)]
    assert measure(perform(host, late, [], 2560), host, sound, marks).lag == 3


def test_the_measure_sees_a_mouth_that_does_not_care(host: Avatar) -> None:
    sound, marks = speech()
    assert measure(perform(host, sound[::-1].copy(), [], 2560), host, sound, marks).r < 0.5
