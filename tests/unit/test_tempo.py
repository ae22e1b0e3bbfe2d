"""Whether an engine keeps up, and pictures of a smaller tier at the room's size."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.arrays import silence
from pipeline.engine import Job
from pipeline.engines.pattern import HOP_FRAMES, PatternEngine, PatternState, read_counter
from pipeline.enlarge import resized
from pipeline.media import DRIVE_SAMPLES
from pipeline.tempo import Tempo

MS = 1_000_000
HOP_MS = HOP_FRAMES * 40


def test_only_steps_in_a_row_count_as_slow() -> None:
    tempo = Tempo(HOP_FRAMES, 1.0)
    slow = []
    for took_ms in (HOP_MS, HOP_MS + 1, HOP_MS - 1, 500, 500, 500):
        tempo.took(took_ms * MS)
        slow.append(tempo.slow)
    assert slow == [1, 2, 0, 1, 2, 3]


def test_one_hiccup_is_remembered_for_the_margin_and_not_for_the_verdict() -> None:
    tempo = Tempo(HOP_FRAMES, 1.0)
    for took_ms in (2000, 20, 20):
        tempo.took(took_ms * MS)
    assert tempo.slow == 0 and tempo.rtf > 5


def test_an_engine_is_slow_from_the_start_when_all_its_first_steps_are() -> None:
    tempo = Tempo(HOP_FRAMES, 1.0)
    tempo.warmed([900 * MS, 300 * MS, 150 * MS])
    assert tempo.slow == 0 and tempo.rtf == 0.75, "the first ones compile"
    tempo.warmed([900 * MS, 300 * MS, 210 * MS])
    assert tempo.slow == 3
    late = Tempo(HOP_FRAMES, 2.0)
    late.warmed([900 * MS, 300 * MS, 210 * MS])
    assert late.slow == 0, "the room allows twice as long"


@pytest.mark.parametrize("size", [(336, 576), (224, 384)])
def test_what_is_drawn_small_shows_the_same_when_it_is_enlarged(size: tuple[int, int]) -> None:
    jobs = [Job(PatternState(*size, 77_700), silence(HOP_FRAMES * DRIVE_SAMPLES), silence(0))]
    large = resized(PatternEngine().step(jobs)[0].frames, 448, 768)
    assert large.shape == (HOP_FRAMES, 768 * 3 // 2, 448) and large.flags.c_contiguous
    assert [read_counter(frame) for frame in large] == list(range(77_700, 77_700 + HOP_FRAMES))
    back = resized(large, *size)
    assert [read_counter(frame) for frame in back] == list(range(77_700, 77_700 + HOP_FRAMES))
    assert resized(large, 448, 768) is large


def test_colours_stay_as_they_are() -> None:
    frame = np.empty((1, 96, 64), np.uint8)
    frame[:, :64], frame[:, 64:80], frame[:, 80:] = 200, 90, 160
    large = resized(frame, 128, 128)[0]
    assert (large[:128] == 200).all() and (large[128:160] == 90).all() and (large[160:] == 160).all()
