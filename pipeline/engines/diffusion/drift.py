"""The drift guard: how far the show has wandered from its picture, and a gentle pull back.

In: the last frames of a segment before colour matching, the motion latents they became, the picture's own. Out: two
numbers, and the motion latents to go on from. Pure; what it remembers (`Pull`) is part of the engine's state, so a
restart and every rank pull alike.

Each chunk is drawn from the frames before it, so small errors add up over hours. Two things are watched:

* **colour**: Lab mean and standard deviation of the last frames, *before* colour matching (afterwards they are the
  picture's by construction), against the picture's. The number is the distance of the two six-vectors, root of the sum
  of squares, in ΔE: 2.3 is just noticeable side by side, above 15 skin looks ill.
* **identity**: the layout of the carried latents at low frequency (a grid of 1/4 of the latents, channel means of the
  still picture taken away), 1 - cosine against the latents of the still picture. A mouth, a blink, a nod hardly move
  it; another face, a face that slid out of its place or a background that dissolved does. It needs no second network.

Inside both bands nothing is changed, not a bit: the published mathematics runs. Outside, the pull of that quantity
grows by one eighth a segment up to a half, and falls again by as much inside the band:

* colour: each latent channel's mean and standard deviation are blended towards those of the still picture;
* identity: the low frequencies of the latents are blended towards those of the still picture.

The pinned frames are never shown; the network goes on from them, so what a viewer sees is a drift back over some
seconds. The bands are wide on purpose and were not calibrated on the published weights of any model (none were at
hand). They were set with FlashTalk in mind; ΔE means the same for all, a layout of LTX's latents, four times coarser
and sampled, may not.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import torch
from torch import Tensor
from torch.nn import functional

from pipeline import colormatch

COLOUR_BAND = 15.0  #: ΔE
IDENTITY_BAND = 0.35  #: 1 - cosine
RISE = FALL = 0.125  #: of the pull, a segment (1.12 s); eighths are exact, so it comes back to 0
STRONGEST = 0.5
COARSE = 4  #: latents a side that make one cell of the layout: 32 pixels with the Wan VAE, 128 with LTX's
STILL_STD = 1e-4  #: below this a channel is flat and has no contrast to scale


class Pull(msgspec.Struct, frozen=True, array_like=True):
    """How strongly the next segment's latents are pulled back, 0 … STRONGEST."""

    colour: float = 0.0
    identity: float = 0.0


NO_PULL = Pull()


@dataclass(frozen=True)
class Reference:
    """lab [6]: means, then standard deviations. still [C, 2, h, w]: its latents, held still."""

    lab: Tensor
    still: Tensor


def reference(picture: Tensor, still: Tensor) -> Reference:
    """picture [1, 3, 1, H, W] in [-1, 1]."""
    return Reference(_lab(picture)[0], still.float())


def colour(frames: Tensor, picture: Reference) -> Tensor:
    """[1, 3, F, H, W] in [-1, 1] → ΔE, a scalar: the mean over the frames."""
    return (_lab(frames) - picture.lab).square().sum(dim=1).sqrt().mean()


def identity(motion: Tensor, picture: Reference) -> Tensor:
    """[C, n, h, w] → 1 - cosine, a scalar: 0 the same layout, 1 nothing in common, 2 its opposite."""
    still = picture.still[:, -motion.shape[1] :]
    centre = still.mean(dim=(2, 3), keepdim=True)
    one, other = (_coarse(latents - centre).flatten() for latents in (motion, still))
    return 1 - functional.cosine_similarity(one, other, dim=0)


def moved(pull: Pull, colour: float, identity: float) -> Pull:
    """The pull for the next segment, after one that measured these."""
    return Pull(_next(pull.colour, colour > COLOUR_BAND), _next(pull.identity, identity > IDENTITY_BAND))


def held(motion: Tensor, picture: Reference, pull: Pull) -> Tensor:
    """[C, n, h, w] to go on from; the very same tensor when nothing pulls."""
    if pull == NO_PULL:
        return motion
    still = picture.still[:, -motion.shape[1] :]
    if pull.colour:
        motion = torch.lerp(motion, _with_statistics_of(still, motion), pull.colour)
    if pull.identity:
        shift = _coarse(still) - _coarse(motion)
        motion = motion + pull.identity * functional.interpolate(
            shift.transpose(0, 1), size=motion.shape[2:], mode="bilinear", align_corners=False
        ).transpose(0, 1)
    return motion


def _next(pull: float, outside: bool) -> float:
    return min(pull + RISE, STRONGEST) if outside else max(pull - FALL, 0.0)


def _with_statistics_of(still: Tensor, motion: Tensor) -> Tensor:
    """`motion` with mean and standard deviation of each channel and latent frame as in `still`."""
    std, mean = torch.std_mean(motion, dim=(2, 3), correction=0, keepdim=True)
    wanted, centre = torch.std_mean(still, dim=(2, 3), correction=0, keepdim=True)
    gain = torch.where(std > STILL_STD, wanted / std.clamp_min(STILL_STD), torch.ones_like(std))
    return (motion - mean) * gain + centre


def _coarse(latents: Tensor) -> Tensor:
    """[C, n, h, w] → [C, n, h / COARSE, w / COARSE], at least one cell a side."""
    height, width = latents.shape[2:]
    return functional.adaptive_avg_pool2d(latents, (max(height // COARSE, 1), max(width // COARSE, 1)))


def _lab(video: Tensor) -> Tensor:
    """[1, 3, F, H, W] in [-1, 1] → [F, 6], Lab means and standard deviations of each frame."""
    found = colormatch.palette(colormatch.to_lab((video.float() + 1) / 2))
    return torch.cat([found.mean, found.deviation], dim=1)[0, :, :, 0, 0].T
