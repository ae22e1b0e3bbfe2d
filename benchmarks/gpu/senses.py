"""What surrounds the networks in a chunk: sound is heard, frames are matched in colour, made I420, and fetched."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu import published
from benchmarks.gpu.attempt import attempted
from benchmarks.gpu.results import Row
from benchmarks.gpu.setting import Bench, times_name
from pipeline import colormatch, hearing, pictures
from pipeline.arrays import Pcm
from pipeline.sampler import CHUNK_FRAMES, MOTION_FRAMES

PART = "senses"
LOUD = 3000.0  # standard deviation of the noise that is heard, of int16


def run(bench: Bench) -> Iterator[Row]:
    yield from attempted(PART, "wav2vec2", "", partial(_hearing, bench))
    for size in bench.sizes:
        yield from attempted(PART, "pictures", times_name(size), partial(_pictures, bench, size))


def sound(samples: int = hearing.RING_SAMPLES) -> Pcm:
    """Noise, int16: how long hearing takes does not depend on what is said."""
    return (np.random.default_rng(9999).standard_normal(samples) * LOUD).clip(-32768, 32767).astype(np.int16)


def to_host(frames: Tensor) -> Tensor:
    """As the engine does: a copy that is waited for."""
    return frames.cpu()


def _hearing(bench: Bench) -> Iterator[Row]:
    encoder, ear = bench.networks.ear(), hearing.Ear.empty().heard(sound())
    wave = torch.from_numpy(hearing.as_wave(ear.pcm)).to(bench.device)
    with torch.no_grad():
        taken = bench.watch.times(lambda: encoder(wave, hearing.RING_FRAMES))
        yield Row(PART, "wav2vec2 on 8 s, float32", taken.median, published=published.AUDIO, note=taken.spread)
        taken = bench.watch.times(lambda: hearing.features(encoder, ear), most=10)
        yield Row(PART, "8 s to windows, loudness on the host", taken.median, note=taken.spread)


def _pictures(bench: Bench, size: tuple[int, int]) -> Iterator[Row]:
    where, pixels = times_name(size), size[0] * size[1]
    video, reference = bench.networks.video(size, CHUNK_FRAMES), bench.networks.video(size, 1)
    through = bench.moving_ms(2 * 4 * 3 * CHUNK_FRAMES * pixels)  # read once, written once
    taken = bench.watch.times(lambda: colormatch.match(video, reference))
    yield Row(PART, "colour match of 33 frames", taken.median, size=where, floor=through, note=taken.spread)
    new = video[:, :, MOTION_FRAMES:]
    count = new.shape[2]
    through = bench.moving_ms(count * pixels * (3 * 4 + 1.5))
    taken = bench.watch.times(lambda: pictures.to_i420(new))
    yield Row(PART, "28 frames to I420", taken.median, size=where, floor=through, note=taken.spread)
    frames = pictures.to_i420(new)
    taken = bench.watch.times(lambda: to_host(frames))
    yield Row(
        PART, "28 frames to the host", taken.median, size=where, note=f"{frames.numel() / 1e6:.1f} MB; {taken.spread}"
    )
