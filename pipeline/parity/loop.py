"""How the loops are run: a portrait is prepared, then chunk follows chunk.

In: a case's inputs and a seat, alone or beside other ranks. Out: our tensors under the golden names. The loop is the
engines' own (`pipeline.sampler`), fed with the recorded noise; every chunk goes on from what ours made before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor

from pipeline import framing, sampler
from pipeline.models.dit import Dit
from pipeline.models.flashhead import RELEASED_TIMES
from pipeline.parity.golden import Unreadable
from pipeline.parity.seat import Given, Made
from pipeline.parity.transformer import flashhead, flashtalk
from pipeline.parity.vae import ltx_vae, wan_vae
from pipeline.sampler import Conditions, Plan


@dataclass(frozen=True)
class Stage:
    """What plays: the networks, the picture, and the model's way."""

    given: Given
    net: Dit
    codec: sampler.Codec
    conditions: Conditions
    plan: Plan

    def chunks(self) -> Iterator[tuple[str, dict[str, Tensor]]]:
        """The name of each chunk, and what came up in it."""
        given, params, motion = self.given, self.given.about["params"], self.conditions.motion0
        bank = given.borrowed("audio_bank")
        for index in range(sum(re.fullmatch(r"chunk\d+\.audio_index", name) is not None for name in given)):
            chunk, seen = f"chunk{index}", dict[str, Tensor]()
            names = (f"{chunk}.noise{draw}" for draw in range(params["steps"] + 1))
            draws = [given[name] for name in names if name in given]
            _, motion = sampler.chunk(
                self.net,
                self.codec,
                self.conditions,
                bank[given[f"{chunk}.audio_index"]][None],
                motion,
                draws.__getitem__,
                params["steps"],
                params["shift"],
                params["color_correction_strength"],
                seen,
                self.plan,
                _chance(given, index + 1),
            )
            yield chunk, seen


def loop(given: Given) -> Iterator[Made]:
    """FlashTalk's: `prepare`, then chunk after chunk."""
    params = given.about["params"]
    if params["motion"] != sampler.MOTION_FRAMES:
        raise Unreadable(f"motion is {params['motion']} frames; FlashTalk's are {sampler.MOTION_FRAMES}")
    net, codec, picture = flashtalk(given), wan_vae(given), _picture(given)
    y, motion = sampler.prepare(codec, picture, params["frame_num"])
    yield Made("y", y)
    yield from _prepared(given, picture, motion)
    context = net.context(given.borrowed("context"), given.borrowed("clip_fea"))
    stage = Stage(given, net, codec, Conditions(y, context, picture, motion), sampler.FLASHTALK)
    for chunk, seen in stage.chunks():
        yield from (Made(f"{chunk}.{name}", x) for name, x in seen.items() if f"{chunk}.{name}" in given)


def speaking(given: Given) -> Iterator[Made]:
    """FlashHead's, twice: told the time steps as they are, and as its released weights are told them."""
    params = given.about["params"]
    is_lite = _chance(given, 0) is not None
    codec: sampler.Codec = ltx_vae(given) if is_lite else wan_vae(given)
    plan = Plan(motion_frames=params["motion"], clamps=not is_lite)
    picture = _picture(given)
    y, motion = sampler.reference(codec, picture, params["frame_num"], _chance(given, 0))
    yield Made("ref_latent", y[0])
    yield from _prepared(given, picture, motion)
    conditions = Conditions(y, None, picture, motion)
    for chunk, seen in Stage(given, flashhead(given), codec, conditions, plan).chunks():
        yield from (Made(f"{chunk}.{name}", x) for name, x in seen.items() if f"{chunk}.{name}" in given)
    for chunk, seen in Stage(given, flashhead(given, RELEASED_TIMES), codec, conditions, plan).chunks():
        yield Made(f"{chunk}.latent_final_rounded_t", seen["latent_final"])


def _picture(given: Given) -> Tensor:
    params = given.about["params"]
    picture = framing.picture_tensor(given["image_uint8"].cpu().numpy(), (params["w"], params["h"]))
    return picture.to(given.seat.device)


def _prepared(given: Given, picture: Tensor, motion: Tensor) -> Iterator[Made]:
    params = given.about["params"]
    yield Made("cond_image", picture)
    yield Made("motion0", motion)
    yield Made("timesteps", sampler.timesteps(params["steps"], params["shift"]))


def _chance(given: Given, index: int) -> Tensor | None:
    """What the VAE was sampled with: 0 for the reference, then one for each chunk; None where it is not."""
    name = f"encode_noise{index}"
    return given[name][0] if name in given else None
