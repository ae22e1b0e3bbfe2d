"""One chunk of video: noise becomes 33 frames that go on from the motion latents and follow the audio.

In: the networks, what is constant for a picture (`Conditions`), audio windows, motion latents, noise, and the model's
way (`Plan`). Out: the frames after colour matching, and the motion latents of the next chunk. It draws no numbers
itself (`noise` is given), keeps nothing between calls, and never waits for the device.

Each step of a distilled model predicts the clean sample and adds fresh noise again; it does not solve an ODE. A teacher
is guided, and its steps are Euler's. The motion frames are pinned, free of noise, before every call of the network.

T, h, w: latent frames, height, width. C: latent channels. F, H, W: frames, pixels. n: pinned latent frames, 1 in the
first chunk, then 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol, TypeAlias

import torch
from torch import Tensor

from pipeline import colormatch
from pipeline.errors import ConfigError
from pipeline.models.ltx_vae import LtxVae

if TYPE_CHECKING:
    from pipeline.models.dit import Dit
    from pipeline.models.flashtalk import Context
    from pipeline.models.wan_vae import WanVae

CHUNK_FRAMES = 33
MOTION_FRAMES = 5  #: the last frames of a chunk, and the first of the next one, where four frames are one latent
FRAMES_PER_LATENT = 4  #: of the VAE; the first latent frame holds one
STEPS = 4
SHIFT = 5.0
FULL_SCALE = 1000.0  #: the time step that is all noise
PUBLISHED_STEPS = {4: (1000.0, 750.0, 500.0, 250.0), 2: (1000.0, 500.0)}

Codec: TypeAlias = "WanVae | LtxVae"


class Trace(Protocol):
    """Where `chunk` puts what comes up, in this order; a dict keeps it all.

    heard (empty: the audio's keys and values are made) · for each step i: latent_in{i}, pred{i} · latent_final ·
    decoded (clamped where the plan says so) · corrected · motion_next
    """

    def __setitem__(self, name: str, value: Tensor, /) -> None: ...


@dataclass(frozen=True, slots=True)
class Plan:
    """A model's way. motion_frames: the last ones of a chunk, from which the next one goes on.

    clamps: decoded frames are held in [-1, 1] before their colours are matched. guidance: None for a distilled model;
    else how far a prediction is carried away from the one without sound, and steps are Euler's.
    """

    motion_frames: int = MOTION_FRAMES
    clamps: bool = True
    guidance: float | None = None


FLASHTALK = Plan()


@dataclass(frozen=True)
class Conditions:
    """What is constant for a picture and a prompt.

    y [1, channels, T, h, w]: FlashTalk's mask and picture latent, FlashHead's reference. context: keys and values of
    text and picture, None for a model without them. picture [1, 3, 1, H, W] in [-1, 1]: the colour reference.
    motion0 [C, 1, h, w]: pinned in the first chunk.
    """

    y: Tensor
    context: Context | None
    picture: Tensor
    motion0: Tensor


def timesteps(steps: int = STEPS, shift: float = SHIFT) -> Tensor:
    """float32 [steps + 1], from 1000 down to 0, shifted towards noise. ConfigError when `steps` is not positive."""
    if steps < 1:
        raise ConfigError(f"steps: {steps}; at least 1 is needed (published: 4, quick: 2)")
    even = torch.linspace(FULL_SCALE, 1.0, steps, dtype=torch.float64)
    if steps in PUBLISHED_STEPS:
        even = torch.tensor(PUBLISHED_STEPS[steps], dtype=torch.float64)
    share = torch.cat([even, even.new_zeros(1)]) / FULL_SCALE
    return (shift * share / (1 + (shift - 1) * share) * FULL_SCALE).float()


@torch.no_grad()
def prepare(vae: WanVae, picture: Tensor, frames: int = CHUNK_FRAMES) -> tuple[Tensor, Tensor]:
    """FlashTalk's y [1, 20, T, h, w] and motion0 [16, 1, h, w] of a picture [1, 3, 1, H, W] in [-1, 1].

    After its first frame the condition video is mid grey (0 in [-1, 1]); the mask marks the first latent frame.
    """
    assert picture.shape[:3] == (1, 3, 1), picture.shape
    grey = picture.new_zeros(1, 3, frames - 1, *picture.shape[3:])
    latent = encode(vae, torch.cat([picture, grey], dim=2))
    mask = latent.new_zeros(FRAMES_PER_LATENT, *latent.shape[1:])
    mask[:, :1] = 1
    return torch.cat([mask, latent])[None], encode(vae, picture)


@torch.no_grad()
def reference(
    vae: Codec, picture: Tensor, frames: int = CHUNK_FRAMES, chance: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """FlashHead's y [1, C, T, h, w] and motion0 [C, 1, h, w]: the latent of the still picture, and its first frame.

    picture [1, 3, 1, H, W] in [-1, 1]. chance: see `encode`.
    """
    assert picture.shape[:3] == (1, 3, 1), picture.shape
    latent = encode(vae, picture.expand(-1, -1, frames, -1, -1), chance)
    return latent[None], latent[:, :1]


@torch.no_grad()
def chunk(
    model: Dit,
    vae: Codec,
    conditions: Conditions,
    audio: Tensor,
    motion: Tensor,
    noise: Callable[[int], Tensor],
    steps: int = STEPS,
    shift: float = SHIFT,
    strength: float = 1.0,
    trace: Trace | None = None,
    plan: Plan = FLASHTALK,
    chance: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """audio [1, F, 5, 12, 768], motion [C, n, h, w] → frames [1, 3, F, H, W] in [-1, 1], motion [C, 2, h, w].

    noise(i): draw i, [C, T, h, w]; 0 is the beginning, i + 1 is added after step i. The draw after the last step,
    which the published loop makes and multiplies by 0, is not asked for. strength: of the colour match, 0 … 1.
    chance: see `encode`; of the motion. All of it float32, whatever the types of the networks. The first frames,
    as many as go over, repeat the chunk before.
    """
    seen = {} if trace is None else trace
    frames = audio.shape[1]
    predict = _predictor(model, conditions, audio, plan.guidance)
    seen["heard"] = audio.new_empty(0)
    times = timesteps(steps, shift).tolist()
    z = _denoised(predict, motion.float(), noise, times, seen, is_ode=plan.guidance is not None)
    seen["latent_final"] = z
    video = vae.decode(z.to(_dtype(vae))).float()
    if plan.clamps:
        video = video.clamp_(-1, 1)
    assert video.shape[2] == frames, (video.shape, frames)
    seen["decoded"] = video
    video = colormatch.match(video, conditions.picture, strength)
    seen["corrected"] = video
    motion = encode(vae, video[:, :, -plan.motion_frames :], chance)
    seen["motion_next"] = motion
    return video, motion


def encode(vae: Codec, video: Tensor, chance: Tensor | None = None) -> Tensor:
    """[1, 3, F, H, W] in [-1, 1] → float32 [C, T, h, w], in the VAE's own arithmetic.

    chance: standard normal [C, T, h, w] by which a VAE that knows its spread is sampled; None for the mean.
    """
    seen = video.to(_dtype(vae))
    if chance is None:
        return vae.encode(seen).float()
    assert isinstance(vae, LtxVae), type(vae)
    return vae.encode(seen, chance).float()


def _predictor(
    model: Dit, conditions: Conditions, audio: Tensor, guidance: float | None
) -> Callable[[Tensor, float], Tensor]:
    """(z, time step) → velocity, float32."""
    heard = model.hear(audio)

    def plain(z: Tensor, now: float) -> Tensor:
        made: Tensor = model(z, now, conditions.y, conditions.context, heard)
        return made

    if guidance is None:
        return plain
    unheard = model.hear(torch.zeros_like(audio))

    def guided(z: Tensor, now: float) -> Tensor:
        free: Tensor = model(z, now, conditions.y, conditions.context, unheard)
        return free + guidance * (plain(z, now) - free)

    return guided


def _denoised(
    predict: Callable[[Tensor, float], Tensor],
    motion: Tensor,
    noise: Callable[[int], Tensor],
    times: list[float],
    seen: Trace,
    *,
    is_ode: bool,
) -> Tensor:
    """The clean latent, float32 [C, T, h, w]."""
    pinned = motion.shape[1]
    z = noise(0).float().clone()
    z[:, :pinned] = motion
    for step, (now, following) in enumerate(pairwise(times)):
        seen[f"latent_in{step}"] = z
        velocity = predict(z, now)
        seen[f"pred{step}"] = velocity
        if is_ode:
            z = z - velocity * ((now - following) / FULL_SCALE)
        else:
            z = z - velocity * (now / FULL_SCALE)
            if following > 0:
                share = following / FULL_SCALE
                z = (1 - share) * z + share * noise(step + 1).float()
        z[:, :pinned] = motion
    return z


def _dtype(module: torch.nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
