"""How the cases of the senses are run: audio, text, pictures, and the small functions.

In: a case's inputs. Out: our tensors under the golden names. Which parts a case has, and how large they are, is read
from its tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from pipeline import colormatch, framing, hearing, sampler
from pipeline.loudness import gain_to
from pipeline.models import clip, umt5
from pipeline.models.wav2vec2 import Wav2Vec2, Wav2Vec2Config, checkpoint_name, standardised
from pipeline.parity.seat import Given, Made


def audio(given: Given) -> Iterator[Made]:
    """Encoder (`enc.*`), whole-file windows (`once.*`), and the ring of each model (`stream.*`)."""

    def renamed(key: str, tensor: Tensor) -> Iterable[tuple[str, Tensor]]:
        if (name := checkpoint_name(key)) is not None:
            yield name, tensor

    encoder = given.filled(
        lambda config: Wav2Vec2(Wav2Vec2Config.from_json(config)), "feature_projection.projection.weight", renamed
    )
    if "enc.waveform" in given:
        wave = given["enc.waveform"]
        seen: dict[str, Tensor] = {}
        heard = standardised(wave)
        rows = encoder(heard, len(wave) // hearing.FRAME_SAMPLES, seen)
        yield Made("enc.input_values", heard)
        yield from (Made(f"enc.{name}", x) for name, x in seen.items())
        yield Made("enc.audio_emb", rows)
        yield Made("once.embedding", hearing.windows(encoder, wave.cpu().numpy(), loud=False))
        yield Made("once.index", hearing.window(0, len(rows), len(rows)))
    if "stream.speech" in given:
        yield from _streams(given, encoder)


def _streams(given: Given, encoder: Wav2Vec2) -> Iterator[Made]:
    speech = given["stream.speech"].cpu().numpy()
    past = np.zeros(hearing.RING_SAMPLES, np.float32)
    frames = given["stream.index"].shape[0]
    index = hearing.window(hearing.RING_FRAMES - frames, frames, hearing.RING_FRAMES)
    yield Made("stream.index", index)
    for name in given:
        if not (found := re.fullmatch(r"(stream\.\w+)\.chunk(\d+)\.rows", name)):
            continue
        stream, chunk = found[1], int(found[2])
        hop = int(given[f"{stream}.chunk0.speech_frame"].max()) + 1
        end = hop * (chunk + 1)
        ring = np.concatenate([past, speech[: end * hearing.FRAME_SAMPLES]])[-hearing.RING_SAMPLES :]
        loud = f"{stream}.chunk{chunk}.loudness_gain" in given
        if loud:
            gain = gain_to(hearing.TARGET_LUFS, ring, hearing.HZ)
            yield Made(f"{stream}.chunk{chunk}.loudness_gain", torch.tensor(gain))
        yield Made(name, hearing.rows(encoder, ring, loud)[-given[name].shape[0] :])
        yield Made(f"{stream}.chunk{chunk}.speech_frame", index - hearing.RING_FRAMES + end)


def text(given: Given) -> Iterator[Made]:
    """Rows of padding are not compared: nobody reads them."""

    def renamed(key: str, tensor: Tensor) -> Iterable[tuple[str, Tensor]]:
        yield umt5.checkpoint_name(key), tensor

    encoder = given.filled(
        lambda config: umt5.TextEncoder(umt5.TextConfig.from_json(config)), "token_embedding.weight", renamed
    )
    seen: dict[str, Tensor] = {}
    mask = given["mask"]
    out = encoder(given["ids"], mask, seen)
    yield Made("out", out, mask.bool())
    yield from (Made(f"inter.{name}", x, mask.bool()) for name, x in seen.items() if f"inter.{name}" in given)


def picture(given: Given) -> Iterator[Made]:
    config = clip.PictureConfig.from_json(given.case.config)
    encoder = given.filled(
        lambda _: clip.PictureEncoder(config),
        "cls_embedding",
        lambda key, tensor: clip.adapted(key, tensor, config.num_layers),
    )
    shown = clip.pixels(given["picture"], config.image_size)
    seen: dict[str, Tensor] = {}
    yield Made("pixels", shown)
    yield Made("out", encoder(shown, seen))
    yield from (Made(f"inter.{name}", x) for name, x in seen.items() if f"inter.{name}" in given)


def misc(given: Given) -> Iterator[Made]:
    for name in list(given):
        kind, _, rest = name.partition(".")
        if kind in _SMALL and (made := _SMALL[kind](given, name, rest)) is not None:
            yield Made(name, made)


def _color(given: Given, name: str, rest: str) -> Tensor | None:
    stem, _, what = rest.partition(".")
    source = f"color.{stem}.source"
    if found := re.fullmatch(r"out_s(\d+)", what):
        return colormatch.match(given[source], given["color.reference"], int(found[1]) / 100)
    if what == "source_lab":
        return colormatch.to_lab((given[source] + 1) / 2).permute(0, 2, 3, 4, 1)
    if what == "lab_back_rgb":
        lab = given[f"color.{stem}.source_lab"].permute(0, 4, 1, 2, 3)
        return colormatch.from_lab(lab).permute(0, 2, 3, 4, 1)
    return None


def _resize(given: Given, name: str, rest: str) -> Tensor | None:
    stem, _, what = rest.partition(".")
    if what not in ("out", "out_tensor_path"):
        return None
    whole = given[f"resize.{stem}.in"].cpu()
    height, width = given.golden[name].shape[-2:]
    if what == "out":
        return torch.from_numpy(framing.fitted(whole.numpy(), (width, height))).permute(2, 0, 1)[None, :, None]
    size = framing.covering((whole.shape[1], whole.shape[0]), (width, height))
    near = F.interpolate(whole.permute(2, 0, 1)[None].float(), size=size[::-1], mode="nearest")[0]
    return near[:, *framing.centred(size, (width, height))].to(torch.uint8)


def _loudness(given: Given, name: str, rest: str) -> Tensor | None:
    stem, _, what = rest.partition(".")
    if what == "out":
        wave = given[f"loudness.{stem}.in"].cpu().numpy()
        return torch.from_numpy(hearing.loudness_normalised(wave, hearing.HZ))
    if what == "out_tail":  # the ring was silent before
        tail = given[f"loudness.{stem}.in_tail"].cpu().numpy()
        ring = np.concatenate([np.zeros(hearing.RING_SAMPLES - len(tail), np.float32), tail])
        return torch.from_numpy(hearing.loudness_normalised(ring, hearing.HZ)[-len(tail) :])
    return None


def _timesteps(given: Given, name: str, rest: str) -> Tensor | None:
    steps = given.golden[name].shape[0] - 1
    if rest == "in":
        return sampler.timesteps(steps, 1.0)
    found = re.fullmatch(r"(?:\d+step_)?shift([\d.]+)", rest)
    return sampler.timesteps(steps, float(found[1])) if found else None


_SMALL = {"color": _color, "resize": _resize, "loudness": _loudness, "timesteps": _timesteps}
