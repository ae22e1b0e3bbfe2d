"""Sound at the joints."""

from __future__ import annotations

import numpy as np

from pipeline.media import AIR_SAMPLES
from streams.mixer import RAMP_SAMPLES, Mixer, stereo


def test_sound_that_goes_on_is_not_touched() -> None:
    pcm = np.arange(AIR_SAMPLES, dtype=np.int16)
    assert Mixer().live(pcm, fresh=False) is pcm


def test_the_last_level_falls_to_zero_in_5_ms_and_stays_there() -> None:
    mixer = Mixer()
    mixer.live(np.full(AIR_SAMPLES, 12_000, np.int16), fresh=False)
    first, second = mixer.quiet(), mixer.quiet()
    assert first[0] == 12_000 and not first[RAMP_SAMPLES:].any() and not second.any()
    assert RAMP_SAMPLES == 240


def test_a_fresh_source_rises_while_the_old_level_falls_and_cannot_overflow() -> None:
    mixer = Mixer()
    mixer.live(np.full(AIR_SAMPLES, 32_767, np.int16), fresh=False)
    joint = mixer.live(np.full(AIR_SAMPLES, 32_767, np.int16), fresh=True)
    assert joint.min() > 32_700


def test_the_source_is_never_written_to() -> None:
    pcm = np.full(AIR_SAMPLES, 5, np.int16)
    pcm.flags.writeable = False
    Mixer().live(pcm, fresh=True)


def test_stereo_has_both_channels_alike() -> None:
    both = stereo(np.array([1, -2, 3], np.int16))
    assert both.shape == (1, 6) and both.tolist() == [[1, 1, -2, -2, 3, 3]]
