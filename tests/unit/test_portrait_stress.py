"""Stressed syllables move head and brows a little."""

from collections.abc import Sequence

import msgspec
import numpy as np

from pipeline.engines.portrait.motion import Pose, together
from pipeline.engines.portrait.stress import APART_S, Stress, beats_of, hear
from pipeline.media import FPS

SYLLABLE = (0.25, 0.7, 0.8, 0.5)
SOFT = (0.15, 0.4, 0.45, 0.3)
LOUD = (0.3, 0.9, 1.0, 0.6)
PAUSE = (0.0,) * 12


def listened(loudness: Sequence[float], seed: int = 3) -> tuple[list[int], list[Pose]]:
    """The frames on which a beat began, and what all of them added to each frame's pose."""
    stress, begun, poses = Stress(), [], []
    for frame, loud in enumerate(loudness):
        stress = hear(stress, seed, frame, loud)
        if stress.last == frame:
            begun.append(frame)
        poses.append(together((Pose(), *beats_of(stress, seed, frame))))
    return begun, poses


def test_silence_and_a_hum_have_no_stress() -> None:
    assert listened(PAUSE * 5)[0] == []
    hum = listened([0.0] * 5 + [min(1.0, 0.05 * step) for step in range(1, 200)])[0]
    assert len(hum) <= 1  # where it begins


def test_the_first_strong_syllable_after_a_pause_has_a_beat_though_a_weak_one_leads() -> None:
    begun, _ = listened([*PAUSE, *SOFT, *SYLLABLE, *PAUSE, *PAUSE, *SYLLABLE])
    assert begun == [12 + 4 + 1, 12 + 4 + 4 + 24 + 1]


def test_a_syllable_louder_than_the_others_has_a_beat_and_even_ones_have_none() -> None:
    even = [*PAUSE, *SYLLABLE * 20]
    assert len(listened(even)[0]) == 1
    begun, _ = listened([*even, *LOUD, *SYLLABLE * 3])
    assert len(begun) == 2 and begun[1] in range(len(even), len(even) + 4)


def test_beats_are_never_close_and_no_metronome() -> None:
    rng = np.random.default_rng(1)
    talk = [value for _ in range(600) for value in (PAUSE[:6] if rng.random() < 0.1 else (SOFT, LOUD)[rng.integers(2)])]
    begun, _ = listened(talk)
    apart = np.diff(begun) / FPS
    assert len(begun) > 20
    assert apart.min() >= APART_S
    assert apart.std() > 0.3


def test_a_beat_moves_head_or_brows_softly_and_is_soon_over() -> None:
    for seed in range(6):
        begun, poses = listened([*PAUSE, *SYLLABLE, *[0.3] * 30], seed)
        moved = np.array(poses)
        assert np.abs(np.diff(moved, axis=0)).max() < 0.4
        assert max(one.pitch for one in poses) > 0.4 or max(one.brows for one in poses) > 0.4
        assert not moved[: begun[0]].any() and not moved[begun[0] + FPS * 6 // 10 :].any()


def test_what_was_heard_survives_a_restart() -> None:
    stress = Stress()
    for frame, loud in enumerate([*PAUSE, *SYLLABLE]):
        stress = hear(stress, 3, frame, loud)
    restored = msgspec.msgpack.decode(msgspec.msgpack.encode(stress), type=Stress)
    assert stress.beats and restored == stress
