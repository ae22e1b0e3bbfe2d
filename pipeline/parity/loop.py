"""How FlashTalk's loop is run: a portrait is prepared, then chunk follows chunk.

In: a case's inputs and a seat, alone or beside other ranks. Out: our tensors under the golden names. The loop is the
engine's own (`pipeline.sampler`), fed with the recorded noise; every chunk goes on from what ours made before.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from torch import Tensor

from pipeline import framing, sampler
from pipeline.parity.golden import Unreadable
from pipeline.parity.seat import Given, Made
from pipeline.parity.transformer import flashtalk
from pipeline.parity.vae import wan_vae


def loop(given: Given) -> Iterator[Made]:
    """`prepare`, then chunk after chunk."""
    params = given.about["params"]
    if params["motion"] != sampler.MOTION_FRAMES:
        raise Unreadable(f"motion is {params['motion']} frames; FlashTalk's are {sampler.MOTION_FRAMES}")
    net, codec = flashtalk(given), wan_vae(given)
    picture = framing.picture_tensor(given["image_uint8"].cpu().numpy(), (params["w"], params["h"]))
    picture = picture.to(given.seat.device)
    y, motion = sampler.prepare(codec, picture, params["frame_num"])
    yield Made("cond_image", picture)
    yield Made("y", y)
    yield Made("motion0", motion)
    yield Made("timesteps", sampler.timesteps(params["steps"], params["shift"]))
    context = net.context(given.borrowed("context"), given.borrowed("clip_fea"))
    conditions = sampler.Conditions(y, context, picture, motion)
    bank = given.borrowed("audio_bank")
    for index in range(sum(re.fullmatch(r"chunk\d+\.audio_index", name) is not None for name in given)):
        chunk = f"chunk{index}"
        seen: dict[str, Tensor] = {}
        draws = [
            given[name] for name in (f"{chunk}.noise{draw}" for draw in range(params["steps"] + 1)) if name in given
        ]
        _, motion = sampler.chunk(
            net,
            codec,
            conditions,
            bank[given[f"{chunk}.audio_index"]][None],
            motion,
            draws.__getitem__,
            params["steps"],
            params["shift"],
            params["color_correction_strength"],
            seen,
        )
        yield from (Made(f"{chunk}.{name}", x) for name, x in seen.items() if f"{chunk}.{name}" in given)
