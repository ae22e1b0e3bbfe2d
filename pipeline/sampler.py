"""One chunk of FlashTalk: noise becomes 33 frames that go on from the motion latents and follow the audio.

In: the networks, what is constant for a picture (`Conditions`), audio windows, motion latents, noise. Out: the frames
after colour matching, and the motion latents of the next chunk. It draws no numbers itself (`noise` is given), keeps
nothing between calls, and never waits for the device.

Each step predicts the clean sample and adds fresh noise again; it does not solve an ODE. The motion frames are pinned,
free of noise, before every call of the network.

T, h, w: latent frames, height, width. F, H, W: frames, pixels. n: pinned latent frames, 1 in the first chunk, then 2.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import torch
from torch import Tensor

from pipeline import colormatch
from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.models.flashtalk import Context, FlashTalk
    from pipeline.models.wan_vae import WanVae

CHUNK_FRAMES = 33
MOTION_FRAMES = 5  #: the last frames of a chunk, and the first of the next one
FRAMES_PER_LATENT = 4  #: of the VAE; the first latent frame holds one
STEPS = 4
SHIFT = 5.0
FULL_SCALE = 1000.0  #: the time step that is all noise
PUBLISHED_STEPS = {4: (1000.0, 750.0, 500.0, 250.0), 2: (1000.0, 500.0)}


class Trace(Protocol):
    """Where `chunk` puts what comes up, in this order; a dict keeps it all.

    heard (empty: the audio's keys and values are made) · for each step i: latent_in{i}, pred{i} · latent_final ·
    decoded (clamped) · corrected · motion_next
    """

    def __setitem__(self, name: str, value: Tensor, /) -> None: ...


@dataclass(frozen=True)
class Conditions:
    """What is constant for a picture and a prompt.

    y [1, 4 + 16, T, h, w]: mask, then the picture's latent. context: keys and values of text and picture.
    picture [1, 3, 1, H, W] in [-1, 1]: the colour reference. motion0 [16, 1, h, w]: pinned in the first chunk.
    """

    y: Tensor
    context: Context
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
    """y [1, 20, T, h, w] and motion0 [16, 1, h, w] of a picture [1, 3, 1, H, W] in [-1, 1].

    After its first frame the condition video is mid grey (0 in [-1, 1]); the mask marks the first latent frame.
    """
    assert picture.shape[:3] == (1, 3, 1), picture.shape
    grey = picture.new_zeros(1, 3, frames - 1, *picture.shape[3:])
    latent = encode(vae, torch.cat([picture, grey], dim=2))
    mask = latent.new_zeros(FRAMES_PER_LATENT, *latent.shape[1:])
    mask[:, :1] = 1
    return torch.cat([mask, latent])[None], encode(vae, picture)


@torch.no_grad()
def chunk(
    model: FlashTalk,
    vae: WanVae,
    conditions: Conditions,
    audio: Tensor,
    motion: Tensor,
    noise: Callable[[int], Tensor],
    steps: int = STEPS,
    shift: float = SHIFT,
    strength: float = 1.0,
    trace: Trace | None = None,
) -> tuple[Tensor, Tensor]:
    """audio [1, F, 5, 12, 768], motion [16, n, h, w] → frames [1, 3, F, H, W] in [-1, 1], motion [16, 2, h, w].

    noise(i): draw i, [16, T, h, w]; 0 is the beginning, i + 1 is added after step i. The draw after the last step,
    which the published loop makes and multiplies by 0, is not asked for. strength: of the colour match, 0 … 1.
    All of it float32, whatever the types of the networks. The first MOTION_FRAMES frames repeat the chunk before.
    """
    seen = {} if trace is None else trace
    frames = audio.shape[1]
    heard = model.hear(audio)
    seen["heard"] = audio.new_empty(0)
    z = _denoised(model, conditions, heard, motion.float(), noise, timesteps(steps, shift).tolist(), seen)
    seen["latent_final"] = z
    video = vae.decode(z.to(_dtype(vae))).float().clamp_(-1, 1)
    assert video.shape[2] == frames, (video.shape, frames)
    seen["decoded"] = video
    video = colormatch.match(video, conditions.picture, strength)
    seen["corrected"] = video
    motion = encode(vae, video[:, :, -MOTION_FRAMES:])
    seen["motion_next"] = motion
    return video, motion


def encode(vae: WanVae, video: Tensor) -> Tensor:
    """[1, 3, F, H, W] in [-1, 1] → float32 [16, 1 + (F - 1) / 4, h, w], in the VAE's own arithmetic."""
    return vae.encode(video.to(_dtype(vae))).float()


def _denoised(
    model: FlashTalk,
    conditions: Conditions,
    heard: object,
    motion: Tensor,
    noise: Callable[[int], Tensor],
    times: list[float],
    seen: Trace,
) -> Tensor:
    """The clean latent, float32 [16, T, h, w]."""
    pinned = motion.shape[1]
    z = noise(0).float().clone()
    z[:, :pinned] = motion
    for step, (now, following) in enumerate(pairwise(times)):
        seen[f"latent_in{step}"] = z
        velocity = model(z, now, conditions.y, conditions.context, heard)
        seen[f"pred{step}"] = velocity
        z = z - velocity * (now / FULL_SCALE)
        if following > 0:
            share = following / FULL_SCALE
            z = (1 - share) * z + share * noise(step + 1).float()
        z[:, :pinned] = motion
    return z


def _dtype(module: torch.nn.Module) -> torch.dtype:
    return next(module.parameters()).dtype
